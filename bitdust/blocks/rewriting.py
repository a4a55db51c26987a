"""Packs that are half empty: what they still have is copied to the end of the last one, and their files go."""

import sqlite3

from twisted.internet.defer import Deferred

from bitdust.blocks.index import COLUMNS, note_pack, row_of
from bitdust.blocks.packs import PackReader, Place, Unreadable, record_size
from bitdust.blocks.threads import Threads
from bitdust.blocks.values import Row
from bitdust.blocks.writing import Ledger
from bitdust.disk.commit import Job
from bitdust.ipld.cid import Block

ROWS = 5000
"""Blocks that are looked at in one job."""
COPIED = 8 * 1024 * 1024
"""Bytes of a pack that are copied in one job."""


class Rewriting:
    """I do it a portion at a time, between which others write; ``freed`` bytes of packs were given back."""

    def __init__(self, threads: Threads, ledger: Ledger, packs: PackReader) -> None:
        self._threads = threads
        self._ledger = ledger
        self._packs = packs
        self._kept: set[int] = set()
        self.freed = 0

    def go_on(self) -> "Deferred[bool]":
        """Copy some of the emptiest one; fires with whether none is left."""
        return Deferred.fromCoroutine(self._go_on())

    async def _go_on(self) -> bool:
        pack = await self._threads.change(self._half_empty)
        if pack is None:
            return True
        job = Rewrite(self._ledger, self._packs, pack)
        await self._threads.write(job)
        if job.freed:
            self.freed += job.freed
            self._threads.gone(pack)
        elif not job.moved:
            self._kept.add(pack)
        return False

    def _half_empty(self, database: sqlite3.Connection) -> int | None:
        query = "SELECT id FROM packs WHERE live * 2 < size ORDER BY live, id"
        found = [pack for (pack,) in database.execute(query) if pack not in self._kept]
        if found and found[0] == self._ledger.packs.number:
            self._ledger.packs.leave()
        return found[0] if found else None


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
        ledger.sync(database, [place for _, place, _ in self._blocks])
        ledger.index.begin()
        for row, place, data in self._blocks:
            note_pack(database, place.pack, place.offset + place.size)
            self.moved += ledger.index.move(database, row, place, data)
        ledger.index.tally(database)
        size = database.execute("SELECT size FROM packs WHERE id=?", (self._pack,)).fetchone()
        used = database.execute("SELECT 1 FROM blocks WHERE pack=?", (self._pack,)).fetchone()
        if size is not None and used is None:
            (self.freed,) = size
            database.execute("DELETE FROM packs WHERE id=?", (self._pack,))
            database.execute("UPDATE totals SET packed=packed-?", (self.freed,))
            database.execute("INSERT OR REPLACE INTO garbage VALUES(?)", (self._pack,))

    def finish(self) -> None:
        """What cannot be removed now is removed at the next start, because it stands in ``garbage``."""
        if self.freed:
            self._packs.forget(self._pack)
            self._ledger.packed -= self.freed
            self._ledger.packs.remove(self._pack)
