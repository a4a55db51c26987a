"""What a node has of the backup of its pins: next to nothing while the service is off."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from bitdust.blocks.backup.shelf import Records, Shelf
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError
from bitdust.wiring import Wire

Row = dict[str, Any]
if TYPE_CHECKING:
    from bitdust.blocks.backup.keeper import Keeper
    from bitdust.blocks.store import BlockStore

LONGEST_FAILURE = 3600.0
"""Seconds in which nothing could be stored, after which that is told."""


class BackupRoom:
    """`open` first, `close` last. Other parts name small values that come back with the pins (`keep_records`)."""

    shelf = Wire(Shelf)

    def __init__(self, around: Surroundings, store: Callable[[], "BlockStore"]) -> None:
        self._around = around
        self._store = store
        self._records: dict[str, Records] = {}
        self._keeper: Keeper | None = None

    def keep_records(self, name: str, records: Records) -> None:
        """Small values of another part: kept when they have changed, and given back to a home that was lost."""
        self._records[name] = records

    @property
    def keeper(self) -> "Keeper":
        """Who does the work. Raises ``service-off``."""
        if self._keeper is None:
            raise BitDustError("service-off", "pins are not backed up: set services/ipfs-backup/enabled true")
        return self._keeper

    @property
    def is_open(self) -> bool:
        return self._keeper is not None

    def open(self) -> "Deferred[None]":
        """Fires when blocks can be had from suppliers, and new ones are kept there."""
        from bitdust.blocks.backup.keeper import Keeper  # noqa: PLC0415 - what is off costs nothing at the start

        self._keeper = Keeper(self._around, self._store(), self.shelf, self._records)
        return Deferred.fromCoroutine(self._keeper.start())

    def close(self) -> None:
        """Nothing more is begun."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()

    def changed(self) -> None:
        """Records are others than before."""
        if self._keeper is not None:
            self._keeper.changed()

    def look(self) -> None:
        """What suppliers hold is known."""
        if self._keeper is not None:
            self._keeper.suppliers()

    async def pins(self, offset: int, limit: int) -> list[Row]:
        """Roots, then pins, and how far each is backed up. Raises ``service-off``."""
        from bitdust.blocks.backup.report import rows  # noqa: PLC0415 - what is off costs nothing at the start

        return await rows(self._store(), offset, limit)

    async def figures(self) -> Row:
        """What is at the suppliers, and what goes on."""
        from bitdust.blocks.backup.report import figures  # noqa: PLC0415 - what is off costs nothing at the start

        doing = self._keeper.machine.state if self._keeper is not None else ""
        problem = self.problem() or (self._keeper.failure if self._keeper is not None else "")
        return {"doing": doing, "problem": problem if self.is_open else "", **await figures(self._store())}

    def problem(self) -> str:
        """Why not all that is pinned is backed up, or will be soon; empty where all is well."""
        keeper = self._keeper
        if keeper is None:
            return "the backup of pins is not open"
        if keeper.lost:
            return f"{len(keeper.lost)} pins have not come back whole, such as {keeper.lost[0]}"
        if keeper.unreadable:
            cid, why = next(iter(keeper.unreadable.items()))
            return f"{len(keeper.unreadable)} blocks are not backed up, such as {cid}: {why}"
        if keeper.failure and self._around.world.wall() - keeper.failing_since > LONGEST_FAILURE:
            return f"nothing could be backed up for an hour: {keeper.failure}"
        return ""
