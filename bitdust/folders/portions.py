"""What goes out of a journal at a time, and what came of what was brought to it."""

from attrs import field, frozen


@frozen
class Taken:
    """What came of records or changes: how many were new, refused, and whether there is something to do or to tell."""

    changed: int = 0
    refused: int = 0
    problem: str = ""
    brought: int = 0
    """Records that there were."""
    unwritten: dict[str, str] = field(factory=dict)
    """Of changes on the disk: paths that nothing can follow, and why."""

    @property
    def is_useless(self) -> bool:
        """Whether there were records, and most of them were refused."""
        return 2 * self.refused > self.brought


@frozen
class Portion:
    """Records from after one number up to another; ``more`` says that others follow."""

    records: tuple[bytes, ...]
    upto: int
    more: bool
