"""Pieces that came back as something else than what was stored, and the suppliers that gave them.

A piece that was proved bad is missing from then on: it no longer counts as acknowledged, it is made again from others
and sent again. Until its supplier has acknowledged it once more, a list in which that supplier names it counts for
nothing. How many bad pieces a supplier has given is remembered for good: others are asked first.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PieceState
from bitdust.storage.ports import Holders
from bitdust.surroundings import Connected
from bitdust.wire.records import PieceRef


class BadPieces:
    """I note them. ``found`` is emitted when one, or the first of several, has become missing in the catalog.

    ``lost`` is emitted when a supplier says itself that it has lost some, and whether it had lost one of them before.
    """

    log = Logger()

    def __init__(self, around: Connected, catalog: Catalog, ports: Holders) -> None:
        self._world = around.world
        self._catalog = catalog
        self._events = around.events
        self._ports = ports
        self._counts: dict[bytes, int] = {}
        self.found: Signal[[PieceRef]] = Signal()
        self.lost: Signal[[bytes, bool]] = Signal()

    def open(self) -> None:
        """Read what earlier runs have found out."""
        rows = self._catalog.read.execute("SELECT supplier, count FROM distrust")
        self._counts = {bytes(supplier): count for supplier, count in rows}

    def count(self, supplier: bytes) -> int:
        """How many bad pieces a supplier has given."""
        return self._counts.get(supplier, 0)

    def note(self, supplier: bytes, piece: PieceRef) -> "Deferred[None]":
        """A supplier gave a piece that does not fit its root; fires when that is written down."""
        self._counts[supplier] = self.count(supplier) + 1
        name = supplier.hex()[:16]
        self.log.warn("supplier {s} gave a bad piece {i} of pack {p}", s=name, i=piece.index, p=piece.pack.hex()[:16])
        now = int(self._world.wall())
        noting = self._catalog.change(lambda database: mark_bad(database, piece, supplier, now))
        noting.addCallback(self._noted, supplier, piece)
        return noting.addErrback(lambda failure: self.log.failure("a bad piece could not be noted", failure))

    def admitted(self, supplier: bytes, pieces: Sequence[PieceRef]) -> "Deferred[None]":
        """A supplier says that it has lost these, of its own accord or when it was asked: they are missing."""

        def mark(database: sqlite3.Connection) -> tuple[list[PieceRef], bool]:
            missing = [piece for piece in pieces if mark_lost(database, piece, supplier)]
            before = [was_lost(database, piece, supplier) for piece in missing]
            return missing, any(before)

        noting = self._catalog.change(mark).addCallback(self._noted_loss, supplier)
        return noting.addErrback(lambda failure: self.log.failure("lost pieces could not be noted", failure))

    def _noted_loss(self, lost: tuple[Sequence[PieceRef], bool], supplier: bytes) -> None:
        missing, again = lost
        if missing:
            self.lost.emit(supplier, again)
            idurl, global_id = self._ports.names(supplier)
            self._events.send("pieces-lost", {"pieces": len(missing), "idurl": idurl, "global_id": global_id})
        self._noted_all(missing)

    def given(self, pack: bytes, suppliers: Mapping[int, bytes]) -> "Deferred[None]":
        """These gave good pieces of a pack that were missing: they are not; fires when that is written down."""

        def mark(database: sqlite3.Connection) -> None:
            for index, supplier in suppliers.items():
                mark_given(database, PieceRef(pack, index), supplier)

        noting: Deferred[None] = self._catalog.change(mark)
        return noting.addErrback(lambda failure: self.log.failure("good pieces could not be noted", failure))

    def note_all(self, supplier: bytes, pieces: Sequence[PieceRef]) -> "Deferred[None]":
        """A supplier did not prove that it has these; fires when that is written down, and fails when it cannot be."""
        self._counts[supplier] = self.count(supplier) + len(pieces)
        now = int(self._world.wall())

        def mark(database: sqlite3.Connection) -> list[PieceRef]:
            return [piece for piece in pieces if mark_bad(database, piece, supplier, now)]

        return self._catalog.change(mark).addCallback(self._noted_all)

    def _noted_all(self, missing: Sequence[PieceRef]) -> None:
        for piece in missing[:1]:
            self.found.emit(piece)

    def _noted(self, is_missing: bool, supplier: bytes, piece: PieceRef) -> None:
        idurl, global_id = self._ports.names(supplier)
        data = {"pack": piece.pack.hex(), "index": piece.index, "idurl": idurl, "global_id": global_id}
        self._events.send("piece-bad", data)
        if is_missing:
            self.found.emit(piece)


def mark_bad(database: sqlite3.Connection, piece: PieceRef, supplier: bytes, now: int) -> bool:
    """Inside a transaction: the piece is missing; False when it was already, or is on its way there again."""
    database.execute(
        "INSERT INTO distrust VALUES(?, 1, ?) ON CONFLICT(supplier) DO UPDATE SET count=count+1, time=excluded.time",
        (supplier, now),
    )
    database.execute("INSERT OR REPLACE INTO bad_pieces VALUES(?, ?, ?)", (piece.pack, piece.index, supplier))
    changed = database.execute(
        "INSERT INTO pieces VALUES(?, ?, 0, ?, NULL, NULL) ON CONFLICT(pack, number) DO UPDATE"
        " SET state=excluded.state, supplier=NULL, data=NULL WHERE state=? AND (supplier=? OR supplier IS NULL)",
        (piece.pack, piece.index, PieceState.MISSING, PieceState.KEPT, supplier),
    ).rowcount
    if changed > 0:
        count_kept(database, piece.pack)
    return changed > 0


def mark_lost(database: sqlite3.Connection, piece: PieceRef, supplier: bytes) -> bool:
    """Inside a transaction: what a supplier has acknowledged is missing; False where it has not."""
    values = (PieceState.MISSING, piece.pack, piece.index, PieceState.KEPT, supplier)
    changed = database.execute(
        "UPDATE pieces SET state=?, supplier=NULL, data=NULL WHERE pack=? AND number=? AND state=? AND supplier=?",
        values,
    ).rowcount
    if changed > 0:
        count_kept(database, piece.pack)
    return changed > 0


def mark_given(database: sqlite3.Connection, piece: PieceRef, supplier: bytes) -> None:
    """Inside a transaction: what was missing is at a supplier, who gave it back as it was stored."""
    changed = database.execute(
        "UPDATE pieces SET state=?, supplier=? WHERE pack=? AND number=? AND state=?",
        (PieceState.KEPT, supplier, piece.pack, piece.index, PieceState.MISSING),
    ).rowcount
    if changed > 0:
        forget_bad(database, piece, supplier)
        count_kept(database, piece.pack)


def was_lost(database: sqlite3.Connection, piece: PieceRef, supplier: bytes) -> bool:
    """Inside a transaction: whether a supplier has lost this piece before; from now on it has."""
    values = (piece.pack, piece.index, supplier)
    return database.execute("INSERT OR IGNORE INTO lost_pieces VALUES(?, ?, ?)", values).rowcount == 0


def is_bad(database: sqlite3.Connection, pack: bytes, number: int, supplier: bytes) -> bool:
    """Whether a supplier gave this piece back as something else, and has not acknowledged it since."""
    query = "SELECT 1 FROM bad_pieces WHERE pack=? AND number=? AND supplier=?"
    return database.execute(query, (pack, number, supplier)).fetchone() is not None


def forget_bad(database: sqlite3.Connection, piece: PieceRef, supplier: bytes) -> None:
    """Inside a transaction: the supplier has acknowledged the piece once more."""
    values = (piece.pack, piece.index, supplier)
    database.execute("DELETE FROM bad_pieces WHERE pack=? AND number=? AND supplier=?", values)


def count_kept(database: sqlite3.Connection, pack: bytes) -> None:
    """Inside a transaction: make ``packs.acked`` true again."""
    database.execute(
        "UPDATE packs SET acked=(SELECT count(*) FROM pieces WHERE pack=? AND state=?) WHERE pack=?",
        (pack, PieceState.KEPT, pack),
    )
