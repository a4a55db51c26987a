"""Missing pieces are made again: k others are fetched, the pack is decoded and coded again.

No key is needed for it. Which pieces are missing: those that a supplier has lost, and those of a place that has changed
hands. The latter are copied from the supplier that leaves the place while it is there, and it keeps them meanwhile.
"""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from bitdust.outcome import outcome
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.pieces.bad_pieces import count_kept
from bitdust.storage.pieces.fetch import Fetcher
from bitdust.storage.pieces.locations import PackSource, PackSources
from bitdust.storage.pieces.pack_store import PackStore
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.ports import Ports
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord

AT_A_TIME = 50
MOST_WAITING = 100
"""Rebuilt pieces on this disk, at most, before more are made."""
LOOK_AGAIN = 0.2
A_MOMENT = 1.0
PATIENCE = 60.0
"""Seconds in which suppliers take what was rebuilt; after that the next round goes on."""


class Rebuilder:
    """I mend packs one after the other."""

    log = Logger()

    def __init__(
        self, store: PackStore, fetcher: Fetcher, queues: SupplierQueues, sources: PackSources, ports: Ports
    ) -> None:
        self._store = store
        self._catalog = store.catalog
        self._spool = store.spool
        self._fetcher = fetcher
        self._queues = queues
        self._sources = sources
        self._ports = ports
        self._coders = Coders()
        self._left_out: set[bytes] = set()
        self.rebuilt = 0

    async def rebuild(self) -> int:
        """Mend all that can be mended now, as fast as suppliers take it; the number of packs."""
        before, self._left_out = self.rebuilt, set()
        while await self._some() and await self._are_taken():
            pass
        return self.rebuilt - before

    async def _are_taken(self) -> bool:
        """Wait until few pieces wait on this disk; False when suppliers take none for a moment, or too few."""
        clock = self._queues.clock
        until, idle = clock.seconds() + PATIENCE, 0.0
        query = "SELECT count(*) FROM (SELECT 1 FROM pieces WHERE state<>1 AND state=? LIMIT ?)"
        while self._catalog.read.execute(query, (PieceState.WAITING, MOST_WAITING)).fetchone()[0] >= MOST_WAITING:
            # What a supplier has just taken waits in the catalog until the next commit.
            idle = 0.0 if self._queues.is_working else idle + LOOK_AGAIN
            if clock.seconds() > until or idle > A_MOMENT:
                return False
            await deferLater(clock, LOOK_AGAIN)
        return True

    async def _some(self) -> bool:
        """Try a few packs; whether there were any, and room for them. A pack that cannot be mended is left out."""
        family = self._ports.family()
        if family is None:
            return False
        online = [who if who is not None and self._ports.is_online(who) else None for who in family.suppliers]
        packs = await self._store.run_in_coding_thread(self._broken, family.suppliers, online, self._left_out)
        for pack, missing in packs:
            try:
                await self._mend(pack, missing, family.departing)
                self.rebuilt += 1
            except BitDustError as error:
                self.log.warn("pack {pack} cannot be mended now: {error}", pack=pack.hex()[:16], error=error)
                if error.code == "disk-full":
                    return False
                self._left_out.add(pack)
        return bool(packs)

    def _broken(
        self, suppliers: Sequence[bytes | None], online: Sequence[bytes | None], left_out: Collection[bytes]
    ) -> list[tuple[bytes, list[int]]]:
        database = self._catalog.another_reader()
        try:
            return broken_packs(database, suppliers, online, left_out)
        finally:
            database.close()

    async def _mend(self, pack: bytes, missing: list[int], departing: Sequence[bytes]) -> None:
        source: PackSource = await self._sources.of(pack)
        places = {
            index: who for index, who in source.places.items() if index not in missing or who in departing
        }  # fmt: skip
        there = {index: places[index] for index in missing if index in places and self._ports.is_online(places[index])}
        copied: dict[int, bytes] = {}
        if len(there) == len(missing):
            copied = (await outcome(self._fetcher.fetch(source.record, there, len(missing)))).value or {}
        if copied:
            size = await self._store.run_in_coding_thread(self._copy, source.record, copied)
        else:
            pieces = await self._enough(source, places)
            size = await self._store.run_in_coding_thread(self._make, source.record, pieces, missing)
        await self._catalog.change(lambda database: self._note(database, source.record, missing, size))
        for index in missing:
            self._queues.add(pack, index, size)

    async def _enough(self, source: PackSource, places: dict[int, bytes]) -> dict[int, bytes]:
        """k pieces, from this disk or from suppliers who can be asked now."""
        needed = source.record.scheme.k
        if len(source.local) >= needed:
            return source.local
        there = sum(self._ports.is_online(who) for who in places.values())
        if there < needed:
            raise BitDustError("not-enough-pieces", f"{there} suppliers have a piece of it where {needed} are needed")
        found: dict[int, bytes] = await self._fetcher.fetch(source.record, places)
        return found

    def _copy(self, record: PackRecord, pieces: dict[int, bytes]) -> int:
        for index, piece in pieces.items():
            self._spool.remove(record.pack, index)
            self._spool.write_one(record.pack, index, piece)
        self._spool.sync(record.pack, list(pieces))
        return record.piece_size

    def _make(self, record: PackRecord, pieces: dict[int, bytes], missing: list[int]) -> int:
        coder = self._coders.of(record.scheme)
        sealed = coder.decode(pieces, record.size, record.scheme.segment)
        made = coder.encode(sealed, record.scheme.segment)
        for index in missing:
            self._spool.remove(record.pack, index)
            self._spool.write_one(record.pack, index, made[index])
        self._spool.sync(record.pack, missing)
        return record.piece_size

    def _note(self, database: sqlite3.Connection, record: PackRecord, missing: list[int], size: int) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO pieces VALUES(?, ?, ?, ?, NULL, NULL)",
            ((record.pack, index, size, PieceState.WAITING) for index in missing),
        )
        count_kept(database, record.pack)


def broken_packs(
    database: sqlite3.Connection,
    suppliers: Sequence[bytes | None],
    online: Sequence[bytes | None],
    left_out: Collection[bytes] = (),
) -> list[tuple[bytes, list[int]]]:
    """Living packs with pieces that are missing at suppliers which can take them now, a bounded number.

    Reads as many rows as there are packs; for a thread.
    """
    found: dict[bytes, list[int]] = {}
    for position, supplier in enumerate(online):
        if supplier is None:
            continue
        rows: list[Any] = database.execute(
            "SELECT s.pack FROM pieces s JOIN packs p ON p.pack=s.pack WHERE s.number=? AND p.state=? AND p.logged=1"
            " AND (s.state=? OR (s.state=? AND s.supplier IS NOT NULL AND s.supplier<>?)) LIMIT ?",
            (position, PackState.HELD, PieceState.MISSING, PieceState.KEPT, supplier, AT_A_TIME + len(left_out)),
        ).fetchall()
        for (pack,) in rows:
            if bytes(pack) not in left_out:
                found.setdefault(bytes(pack), []).append(position)
    return sorted(found.items())[:AT_A_TIME]
