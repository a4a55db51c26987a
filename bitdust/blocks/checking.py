"""Checking: blocks are read again where they stand in their packs, and what cannot be read is asked for elsewhere."""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.automats.block_check import BlockCheck
from bitdust.automats.kernel import Registry
from bitdust.blocks.index import COLUMNS, row_of
from bitdust.blocks.packs import PackReader, Place, Unreadable
from bitdust.blocks.reading import Unread
from bitdust.ipld.cid import Cid
from bitdust.signal import Signal

READ = 8 * 1024 * 1024
"""Bytes of blocks that are read in one go."""
ROWS = 2000
MOST_NAMED = 1000
"""Blocks that are named; more are counted."""
Position = tuple[int, int]
_NEXT = (
    f"SELECT {COLUMNS} FROM blocks WHERE pack IS NOT NULL AND (pack, offset) > (?, ?) {{}}"
    f" ORDER BY pack, offset LIMIT {ROWS}"
)


@frozen
class Portion:
    """What was read again: up to where, how many blocks, and which could not be read."""

    position: Position | None
    blocks: int
    unread: list[Unread]


def read_again(
    database: sqlite3.Connection, packs: PackReader, after: Position, only: Sequence[int] | None = None
) -> Portion:
    """Read some blocks behind a position, of all packs or of some; the position is None behind the last one."""
    some = "" if only is None else f"AND pack IN ({','.join(map(str, only))})"
    rows = list(map(row_of, database.execute(_NEXT.format(some), after).fetchall()))
    unread, size = [], 0
    for count, row in enumerate(rows, 1):
        place = Place(row.pack or 0, row.offset, row.size)
        try:
            packs.block(row.cid, place)
        except Unreadable as error:
            unread.append(Unread(row, str(error)))
        size += row.size
        if size >= READ:
            return Portion((place.pack, place.offset), count, unread)
    last = (rows[-1].pack or 0, rows[-1].offset) if len(rows) == ROWS else None
    return Portion(last, len(rows), unread)


class CheckPort(Protocol):
    """What a check asks of its store."""

    def read_again(self, after: Position, only: Sequence[int] | None) -> "Deferred[Portion]":
        """See `read_again`."""

    def doubt(self, unread: Sequence[Unread]) -> "Deferred[list[Unread]]":
        """Blocks could not be read; fires with those that stand where they stood."""

    def fetch(self, cid: Cid) -> "Deferred[bytes]":
        """Ask others for a block, and store it."""

    def over(self, check: "Check", failure: Any) -> None:
        """A check has ended."""


class Check:
    """One run over all packs, or over some. ``found`` reports blocks that cannot be read, and why."""

    def __init__(
        self, port: CheckPort, registry: Registry, only: Sequence[int] | None, has_sources: Callable[[], bool]
    ) -> None:
        self._port = port
        self._only = only
        self._has_sources = has_sources
        self._position: Position | None = (0, 0)
        self._damaged: deque[Unread] = deque()
        self.blocks = self.damaged = self.mended = 0
        self.unread: dict[Cid, str] = {}
        """The first blocks that cannot be read, and were not mended, and why."""
        self.found: Signal[[list[Unread]]] = Signal()
        self.machine = BlockCheck(registry, self)

    def has_more(self) -> bool:
        return self._position is not None

    def read(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> None:
        portion = await self._port.read_again(self._position or (0, 0), self._only)
        unread = await self._port.doubt(portion.unread) if portion.unread else []
        self._position = portion.position
        self.blocks += portion.blocks
        self.damaged += len(unread)
        for one in unread[: MOST_NAMED - len(self.unread)]:
            self.unread[one.row.cid] = one.why
        if self._has_sources():
            self._damaged += unread
        if unread:
            self.found.emit(unread)

    def has_damaged(self) -> bool:
        return bool(self._damaged)

    def mend(self) -> "Deferred[None]":
        cid = self._damaged.popleft().row.cid
        return self._port.fetch(cid).addCallbacks(lambda _: self._is_mended(cid), lambda failure: None)

    def _is_mended(self, cid: Cid) -> None:
        self.mended += 1
        self.unread.pop(cid, None)

    def ended(self, why: Any) -> None:
        self._port.over(self, why)
