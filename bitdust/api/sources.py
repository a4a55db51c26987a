"""A model: its snapshots, and the changes of them."""

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from bitdust.api.context import Row


@frozen
class Snapshot:
    """One thing of a model as it is now; ``deleted`` when it is there no more."""

    id: str
    data: Row
    deleted: bool = False


Changed = Callable[[Snapshot], None]
Forget = Callable[[], None]


class Source(Protocol):
    """One model. ``service`` must be ON for its snapshots, if it names one."""

    service: str | None

    async def all(self) -> list[Snapshot]:
        """Everything that is there."""

    def watch(self, changed: Changed) -> Forget:
        """Call ``changed`` with the snapshot of every change."""
