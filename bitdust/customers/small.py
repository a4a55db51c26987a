"""Small pieces: their bytes are stored beside their rows in `customers.db`.

Many of them become durable with one commit, without a file, a folder or a rename each; a packet of log entries and the
small pieces that belong to them is one commit as well.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from bitdust.crypt.merkle import root
from bitdust.customers.intake import IncomingPiece, Shelf, store_piece
from bitdust.customers.logs import ReceivedEntry, append
from bitdust.customers.names import PieceName
from bitdust.customers.quota import Usage, usage
from bitdust.disk.commit import Job
from bitdust.outcome import shielded
from bitdust.wire.capability import Capability
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head


def small_bytes(database: sqlite3.Connection, name: PieceName) -> bytes | None:
    """The bytes of a small piece; None for a piece that has a file."""
    row = database.execute("SELECT data FROM small WHERE customer=? AND pack=? AND number=?", name.key).fetchone()
    return bytes(row[0]) if row is not None else None


@define(eq=False)
class StoreSmall(Job):
    """The batch's part of one small piece: its bytes and its row."""

    piece: IncomingPiece
    root: bytes
    data: bytes

    def prepare(self) -> None:
        """In a thread. Raises `BitDustError` ``bad-piece``."""
        if len(self.data) != self.piece.size or root(self.data) != self.root:
            raise BitDustError("bad-piece", "the piece does not fit the root in its record")

    def apply(self, database: sqlite3.Connection) -> Usage:
        """Raises what `store_piece` raises."""
        store_piece(database, self.piece)
        database.execute("INSERT OR REPLACE INTO small VALUES(?, ?, ?, ?)", (*self.piece.name.key, self.data))
        return usage(database, self.piece.name.customer)


class SmallIntake:
    """One small piece on its way in, as `bitdust.customers.intake.PieceIntake` is for the others."""

    def __init__(self, shelf: Shelf, piece: IncomingPiece, expected: bytes, ended: Callable[[], object]) -> None:
        self._shelf = shelf
        self._piece = piece
        self._root = expected
        self._ended = ended
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        """Copy some bytes."""
        self._data += data
        if len(self._data) > self._piece.size:
            raise BitDustError("bad-piece", "the piece is longer than its record says")

    def store(self) -> "Deferred[Usage]":
        """Fires when the piece is on the disk for good; fails with a `BitDustError`, and then nothing of it is left."""
        storing = self._shelf.commits.run(StoreSmall(self._piece, self._root, bytes(self._data)))
        return shielded(storing.addBoth(self._over))

    def _over(self, result: object) -> object:
        self._ended()
        return result

    def abort(self) -> "Deferred[None]":
        """The sender stopped in the middle: forget it."""
        self._ended()
        return succeed(None)


@define(eq=False)
class StoredLog:
    """What a supplier kept of a log packet: the last sequence it holds, and pieces that it refused with the reason."""

    sequence: int
    usage: Usage
    refused: list[tuple[PieceName, BitDustError]]


@define(eq=False)
class StoreLog(Job):
    """Entries of one log and small pieces in one commit: all entries or nothing, and of the pieces what can be kept."""

    entries: Sequence[ReceivedEntry]
    head: Head
    signed_head: bytes
    grant: Capability | None = None
    due: int = 0
    """When entries are forgotten for which a snapshot stands from now on; 0: at once."""
    pieces: list[StoreSmall] = field(factory=list)
    refused: list[tuple[PieceName, BitDustError]] = field(factory=list)

    def prepare(self) -> None:
        """In a thread: check the pieces."""
        self.pieces = [piece for piece in self.pieces if self._keeps(piece, piece.prepare)]

    def apply(self, database: sqlite3.Connection) -> StoredLog:
        """Raises what `bitdust.customers.logs.append` raises."""
        sequence = 0
        for entry in self.entries:
            sequence = append(database, entry, self.head, self.signed_head, self.grant, self.due)
        for piece in self.pieces:
            self._keeps(piece, partial(piece.apply, database))
        return StoredLog(sequence, usage(database, self.head.owner, after_notice=True), self.refused)

    def _keeps(self, piece: StoreSmall, step: Callable[[], object]) -> bool:
        """`store_piece` refuses before it writes anything, so that a refusal needs no roll-back."""
        try:
            step()
        except BitDustError as error:
            self.refused.append((piece.piece.name, error))
            return False
        return True
