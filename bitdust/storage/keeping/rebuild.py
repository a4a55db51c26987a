"""Missing pieces are made again: k others are fetched, the pack is decoded and coded again.

No key is needed for it. Which pieces are missing: those that a supplier has lost, and those of a place that has changed
hands. The latter are copied from the supplier that leaves the place while it is there, and it keeps them meanwhile.
"""

import sqlite3
from collections.abc import Sequence
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
        self.rebuilt = 0

    async def rebuild(self) -> int:
        """Mend all that can be mended now, as fast as suppliers take it; the number of packs."""
        mended = 0
        while (some := await self._some()) and await self._are_taken():
            mended += some
        return mended + some

    async def _are_taken(self) -> bool:
        """Wait until few pieces wait on this disk; False when suppliers do not take them."""
        clock = self._queues.clock
        until = clock.seconds() + PATIENCE
        query = "SELECT count(*) FROM (SELECT 1 FROM pieces WHERE state<>1 AND state=? LIMIT ?)"
        while self._catalog.read.execute(query, (PieceState.WAITING, MOST_WAITING)).fetchone()[0] >= MOST_WAITING:
            if clock.seconds() > until or not self._queues.is_working:
                return False
            await deferLater(clock, LOOK_AGAIN)
        return True

    async def _some(self) -> int:
        family = self._ports.family()
        if family is None:
            return 0
        online = [who if who is not None and self._ports.is_online(who) else None for who in family.suppliers]
        mended = 0
        for pack, missing in await self._store.run_in_coding_thread(self._broken, family.suppliers, online):
            try:
                await self._mend(pack, missing, family.departing)
                mended += 1
            except BitDustError as error:
                self.log.warn("pack {pack} cannot be mended now: {error}", pack=pack.hex()[:16], error=error)
                if error.code in ("disk-full", "not-enough-pieces"):
                    break
        self.rebuilt += mended
        return mended

    def _broken(
        self, suppliers: Sequence[bytes | None], online: Sequence[bytes | None]
    ) -> list[tuple[bytes, list[int]]]:
        database = self._catalog.another_reader()
        try:
            return broken_packs(database, suppliers, online)
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
            pieces = await self._fetcher.fetch(source.record, places)
            size = await self._store.run_in_coding_thread(self._make, source.record, pieces, missing)
        await self._catalog.change(lambda database: self._note(database, source.record, missing, size))
        for index in missing:
            self._queues.add(pack, index, size)

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
    database: sqlite3.Connection, suppliers: Sequence[bytes | None], online: Sequence[bytes | None]
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
            (position, PackState.HELD, PieceState.MISSING, PieceState.KEPT, supplier, AT_A_TIME),
        ).fetchall()
        for (pack,) in rows:
            found.setdefault(bytes(pack), []).append(position)
    return sorted(found.items())[:AT_A_TIME]
