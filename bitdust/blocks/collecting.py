"""Collecting: what no pin, root or lease needs is removed, while others store.

Everything is done by the writing thread, a portion at a time, and so is every store, pin and change of a root; so each
portion meets the index between two commits. Links never change, so only what is newly named can make something needed
that was not: whoever stores, holds, pins or names a block says so to the collection that goes on (`Collection.needed`),
and nothing is removed while something that was said is still to be followed.

Before the first block goes, whatever may go counts as whole no more. So nobody who meets it half-way, or after a crash,
takes it for a tree that is complete.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.automats.block_collection import BlockCollection
from bitdust.automats.kernel import Registry
from bitdust.blocks.index import COLUMNS, note_pack, row_of
from bitdust.blocks.packs import PackReader, Place, Unreadable, record_size
from bitdust.blocks.pinning import kept_ids
from bitdust.blocks.reach import IdSet, Reach
from bitdust.blocks.threads import Threads
from bitdust.blocks.values import Mode, Row, State
from bitdust.blocks.writing import Ledger
from bitdust.disk.commit import Job
from bitdust.ipld.cid import Block, Cid
from bitdust.signal import Signal

ROUNDS = 20
"""Portions of links that are followed in one job."""
ROWS = 5000
"""Blocks that are looked at in one job."""
COPIED = 8 * 1024 * 1024
"""Bytes of a pack that are copied in one job."""
_DOUBT = (
    f"UPDATE blocks SET state={State.HERE} WHERE id=? AND state={State.WHOLE}"
    " AND EXISTS (SELECT 1 FROM links WHERE parent=blocks.id)"
)


@frozen
class Swept:
    """What a portion has shown: something became needed, so that links are to be followed first; it was the last."""

    is_needed: bool = False
    is_over: bool = False


class CollectionPort(Protocol):
    """What a collection asks of its store."""

    def held(self) -> list[IdSet]:
        """What all leases hold; for the thread that writes."""

    def over(self, collection: "Collection", failure: Any) -> None:
        """It has ended; ``failure`` is why it did not come to its end, or None."""


class Collection:
    """One run. ``removed`` reports CIDs as they go; ``freed`` bytes of packs were given back."""

    def __init__(
        self, port: CollectionPort, threads: Threads, ledger: Ledger, packs: PackReader, registry: Registry
    ) -> None:
        self._port = port
        self._threads = threads
        self._ledger = ledger
        self._packs = packs
        self._reach = Reach()
        self._alone = IdSet()
        self._position = -1
        self._is_doubting = True
        self._kept_packs: set[int] = set()
        self.removed: Signal[[list[Cid]]] = Signal()
        self.blocks = self.freed = 0
        self.machine = BlockCollection(registry, self)

    def needed(self, idents: Iterable[int]) -> None:
        """These are needed from now on; for the writing thread."""
        self._reach.again(idents)

    def keeps(self, ident: int) -> bool:
        """Whether something needs a block."""
        return ident in self._reach.reached or ident in self._alone

    def begin(self) -> "Deferred[None]":
        return self._threads.change(self._begin)

    def _begin(self, database: sqlite3.Connection) -> None:
        self._ledger.barrier = self
        for held in self._port.held():
            self._reach.start(held)
        for ident, mode in kept_ids(database):
            if mode is Mode.RECURSIVE:
                self._reach.start((ident,))
            else:
                self._alone.add(ident)

    def mark(self) -> "Deferred[bool]":
        return self._threads.change(lambda database: self._reach.go_on(database, ROUNDS))

    def sweep(self) -> "Deferred[Swept]":
        return self._threads.change(self._sweep).addCallback(self._report)

    def _sweep(self, database: sqlite3.Connection) -> tuple[Swept, list[Cid]]:
        if not self._reach.go_on(database, 1):
            return Swept(is_needed=True), []
        query = "SELECT id FROM blocks WHERE id > ? ORDER BY id LIMIT ?"
        idents = [row[0] for row in database.execute(query, (self._position, ROWS))]
        loose = [ident for ident in idents if ident not in self._reach.reached]
        self._position = idents[-1] if idents else self._position
        is_last = len(idents) < ROWS
        if self._is_doubting:
            database.executemany(_DOUBT, [(ident,) for ident in loose])
            if is_last:
                self._is_doubting, self._position = False, -1
            return Swept(), []
        doomed = [ident for ident in loose if ident not in self._alone]
        index = self._ledger.index
        index.begin()
        self._ledger.doubted.difference_update(doomed)
        removed = index.remove(database, doomed, self.keeps)
        index.tally(database)
        return Swept(is_over=is_last), removed

    def _report(self, found: tuple[Swept, list[Cid]]) -> Swept:
        swept, removed = found
        if removed:
            self.blocks += len(removed)
            self.removed.emit(removed)
        return swept

    def rewrite(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._rewrite())

    async def _rewrite(self) -> bool:
        pack = await self._threads.change(self._half_empty)
        if pack is None:
            return True
        job = Rewrite(self._ledger, self._packs, pack)
        await self._threads.write(job)
        if job.freed:
            self.freed += job.freed
            self._threads.gone(pack)
        elif not job.moved:
            self._kept_packs.add(pack)
        return False

    def _half_empty(self, database: sqlite3.Connection) -> int | None:
        query = "SELECT id FROM packs WHERE live * 2 < size ORDER BY live, id"
        found = [pack for (pack,) in database.execute(query) if pack not in self._kept_packs]
        if found and found[0] == self._ledger.packs.number:
            self._ledger.packs.leave()
        return found[0] if found else None

    def ended(self, why: Any) -> None:
        if self._ledger.barrier is self:
            self._ledger.barrier = None
        self._port.over(self, why)


class Rewrite(Job):
    """Copies some blocks of a pack to the end of the last one; the pack goes when it has no more. Blocks that cannot be
    read stay where they are, and so does their pack."""

    def __init__(self, ledger: Ledger, packs: PackReader, pack: int) -> None:
        self._ledger = ledger
        self._packs = packs
        self._pack = pack
        self._blocks: list[tuple[Row, Place, bytes]] = []
        self.folder = ledger.packs.folder
        self.moved = self.freed = 0

    def prepare(self) -> None:
        database = self._ledger.database
        assert database is not None
        query = f"SELECT {COLUMNS} FROM blocks WHERE pack=? ORDER BY offset LIMIT {ROWS}"
        rows, size = [], 0
        for row in map(row_of, database.execute(query, (self._pack,)).fetchall()):
            data = self._read(row)
            if data is not None:
                rows.append((row, data))
                size += record_size(len(row.cid.multihash), row.size)
            if size >= COPIED:
                break
        places = self._ledger.add([Block(row.cid, data) for row, data in rows])
        self._blocks = [(row, place, data) for (row, data), place in zip(rows, places, strict=True)]

    def _read(self, row: Row) -> bytes | None:
        try:
            return self._packs.block(row.cid, Place(self._pack, row.offset, row.size))
        except Unreadable:
            self._ledger.doubted.add(row.id)
            return None

    def apply(self, database: sqlite3.Connection) -> None:
        ledger = self._ledger
        ledger.packs.sync([place for _, place, _ in self._blocks])
        ledger.index.begin()
        for row, place, data in self._blocks:
            note_pack(database, place.pack, place.offset + place.size)
            self.moved += ledger.index.move(database, row, place, data)
        ledger.index.tally(database)
        if database.execute("SELECT 1 FROM blocks WHERE pack=?", (self._pack,)).fetchone() is None:
            (self.freed,) = database.execute("SELECT size FROM packs WHERE id=?", (self._pack,)).fetchone()
            database.execute("DELETE FROM packs WHERE id=?", (self._pack,))
            database.execute("UPDATE totals SET packed=packed-?", (self.freed,))
            database.execute("INSERT OR REPLACE INTO garbage VALUES(?)", (self._pack,))

    def finish(self) -> None:
        """What cannot be removed now is removed at the next start, because it stands in ``garbage``."""
        if self.freed:
            self._packs.forget(self._pack)
            self._ledger.packed -= self.freed
            self._ledger.packs.remove(self._pack)
