"""What an owner asked for, what it was told, and what may therefore be found."""

import os
import random
from pathlib import Path

Content = bytes | dict[str, bytes] | None
"""A file, a folder, or that nothing is there."""


class Promises:
    """Of one owner. Of an item I know the last content that was promised, then what was accepted since."""

    def __init__(self) -> None:
        self._items: dict[str, list[Content]] = {}
        self.deleted: set[str] = set()

    @property
    def items(self) -> list[str]:
        """All that may be there."""
        return sorted(self._items)

    @property
    def promised(self) -> list[str]:
        """Those of which some version was reported as done, and that nobody has asked to delete since."""
        return [remote for remote in self.items if None not in self._items[remote]]

    def may_be(self, remote: str) -> list[Content]:
        """What may come back."""
        return list(self._items.get(remote, ()))

    def accept(self, remote: str, content: Content) -> None:
        """An upload has begun, or a deletion was asked for (None)."""
        self._items.setdefault(remote, [None]).append(content)
        if content is not None:
            self.deleted.discard(remote)

    def take_back(self, remote: str, content: Content) -> None:
        """An upload was refused; what was promised before may have been the very same."""
        known = self._items.get(remote, [])
        where = [number for number, one in enumerate(known) if one is content]
        if where:
            known.pop(where[-1])
        if known == [None]:
            del self._items[remote]

    def keep(self, remote: str, content: Content) -> None:
        """This version was reported as done: what was there before need not come back any more."""
        known = self._items.get(remote, [])
        where = [number for number, one in enumerate(known) if one is content]
        if where:
            self._items[remote] = known[where[0] :]

    def latest(self, remote: str) -> Content:
        """What was accepted last."""
        return self._items[remote][-1]

    def delete(self, remote: str) -> None:
        """A deletion was reported as done."""
        self._items.pop(remote, None)
        self.deleted.add(remote)

    def fits(self, remote: str, got: Content, known_before: list[Content]) -> bool:
        """Whether something that came back was uploaded once."""
        return any(got == one for one in [*known_before, *self.may_be(remote)] if one is not None)


def name_of(remote: str) -> str:
    """An item without the key that it is stored under."""
    return remote.rpartition(":")[2]


def is_folder(remote: str) -> bool:
    """Whether an item is a folder."""
    return name_of(remote).startswith("folder")


def draw(source: random.Random, remote: str) -> Content:
    """Something to upload."""
    if is_folder(remote):
        count = source.choice((3, 20, 60))
        return {f"f{number}": source.randbytes(source.randint(1, 3000)) for number in range(count)}
    return source.randbytes(source.choice((1, 700, 10_000, 100_000, 400_000, 2_000_000)))


def write(path: Path, content: Content, moment: float) -> None:
    """Put content on the disk, as if at this moment: when a file was changed is stored, too."""
    if isinstance(content, dict):
        path.mkdir()
        for name, data in content.items():
            write(path / name, data, moment)
    elif content is not None:
        path.write_bytes(content)
    os.utime(path, (moment, moment))


def read(path: Path) -> Content:
    """What is on the disk."""
    if path.is_dir():
        return {one.name: one.read_bytes() for one in path.iterdir()}
    return path.read_bytes() if path.exists() else None


def size_of(content: Content) -> str:
    """A word about content."""
    if content is None:
        return "nothing"
    return f"{len(content)} files" if isinstance(content, dict) else f"{len(content)} bytes"
