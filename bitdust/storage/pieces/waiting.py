"""Pieces that wait on this disk for their suppliers, and what suppliers have acknowledged of them."""

import sqlite3
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PieceState
from bitdust.storage.pieces.bad_pieces import forget_bad
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.wire.records import PackRecord, PieceRef
from bitdust.world import World

WRITE_AFTER, WRITE_AGAIN = 0.05, 10.0
"""Seconds until acknowledgements are written; and where the disk did not take them, until it is asked again."""
Acknowledged = list[tuple[PieceRef, bytes]]


class WaitingPieces:
    """I read them: in ``catalog.db`` where they are small, in the spool where they are not."""

    def __init__(self, world: World, catalog: Catalog, spool: Spool) -> None:
        self._world = world
        self._catalog = catalog
        self._spool = spool

    async def load(self, piece: PieceRef, check: bool = False) -> tuple[PackRecord, bytes]:
        """The record and the bytes of a piece that waits; ``check`` compares it with its root.

        Raises `SpoolError` ``piece-lost``.
        """
        row = self._catalog.read.execute(
            "SELECT p.record, s.data FROM packs p JOIN pieces s ON s.pack=p.pack WHERE p.pack=? AND s.number=?"
            " AND s.state=?",
            (piece.pack, piece.index, PieceState.WAITING),
        ).fetchone()
        if row is None:
            raise SpoolError("piece-lost", "nothing is known of this piece any more")
        record = PackRecord.from_body(bytes(row[0]))
        if row[1] is not None:
            return record, bytes(row[1])
        expected = record.roots[piece.index] if check else None
        data: bytes = await self._world.run_in_thread(self._spool.load, piece.pack, piece.index, expected)
        return record, data

    def oldest(self, position: int, most: int) -> list[tuple[bytes, int]]:
        """Packs and sizes of the pieces that wait for the supplier of a position, so many of them.

        Those of packs that are not known wait until they are: the catalog is built again from suppliers.
        """
        rows = self._catalog.read.execute(
            "SELECT pack, size FROM pieces s WHERE state<>1 AND state=? AND number=?"
            " AND EXISTS (SELECT 1 FROM packs p WHERE p.pack=s.pack) LIMIT ?",
            (PieceState.WAITING, position, most),
        )
        return [(bytes(pack), size) for pack, size in rows]


class Acknowledgements:
    """I write them down, many at a time: a crash before that costs pieces that are sent again.

    ``came`` is emitted at once for each of them, ``written`` when some are in the catalog.
    """

    log = Logger()

    def __init__(self, world: World, catalog: Catalog, spool: Spool, keeps_local: Callable[[], bool]) -> None:
        self._world = world
        self._catalog = catalog
        self._spool = spool
        self._keeps_local = keeps_local
        self._new: Acknowledged = []
        self._unwritten: dict[bytes, dict[int, bytes]] = {}
        self._call: IDelayedCall | None = None
        self.came: Signal[[PieceRef, bytes]] = Signal()
        self.written: Signal[[Acknowledged]] = Signal()

    def add(self, piece: PieceRef, supplier: bytes) -> None:
        """A supplier has a piece on its disk."""
        self._new.append((piece, supplier))
        self._unwritten.setdefault(piece.pack, {})[piece.index] = supplier
        if self._call is None:
            self._call = self._world.clock.callLater(WRITE_AFTER, self.write)
        self.came.emit(piece, supplier)

    def unwritten(self, pack: bytes) -> dict[int, bytes]:
        """Pieces of a pack that suppliers have, and of which the catalog does not say so yet, with who has each."""
        return dict(self._unwritten.get(pack, {}))

    def write(self) -> "Deferred[None]":
        """Write down what came since the last time, then let go of it here; fires when all that came is written.

        What the disk does not take is tried again: nobody would send these pieces any more.
        """
        self.stop()
        new, self._new = self._new, []
        writing: Deferred[None] = Deferred.fromCoroutine(self._write(new))
        return writing.addErrback(self._keep, new)

    def stop(self) -> None:
        """Write nothing by myself any more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _keep(self, failure: Failure, new: Acknowledged) -> None:
        self.log.warn("acknowledgements could not be written yet: {error}", error=failure.value)
        self._new = new + self._new
        if self._call is None:
            self._call = self._world.clock.callLater(WRITE_AGAIN, self.write)

    async def _write(self, new: Acknowledged) -> None:
        if not new:
            if self._unwritten:  # what is being written is committed before this
                await self._catalog.change(lambda database: None)
            return
        keep_data = self._keeps_local()

        def note(database: sqlite3.Connection) -> None:
            for piece, supplier in new:
                mark_kept(database, piece, supplier, keep_data)

        await self._catalog.change(note)
        for piece, _ in new:
            left = self._unwritten.get(piece.pack, {})
            left.pop(piece.index, None)
            if not left:
                self._unwritten.pop(piece.pack, None)
        self.written.emit(new)
        if not keep_data:  # a leftover goes at the next start
            await self._world.run_in_thread(self._remove, [piece for piece, _ in new])

    def _remove(self, pieces: list[PieceRef]) -> None:
        for piece in pieces:
            self._spool.remove(piece.pack, piece.index)


def mark_kept(database: sqlite3.Connection, piece: PieceRef, supplier: bytes, keep_data: bool) -> bool:
    """Inside a transaction: a supplier has acknowledged a piece; True when that was news."""
    data = "" if keep_data else ", data=NULL"
    news = database.execute(
        f"UPDATE pieces SET state=?, supplier=?{data} WHERE pack=? AND number=? AND state<>?",
        (PieceState.KEPT, supplier, piece.pack, piece.index, PieceState.KEPT),
    ).rowcount
    if news:
        database.execute("UPDATE packs SET acked=acked+1 WHERE pack=?", (piece.pack,))
        forget_bad(database, piece, supplier)
    return bool(news)
