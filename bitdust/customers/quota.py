"""Bytes that a customer's pieces use, beside the room of its contract. Everything runs inside a transaction.

The number of pieces is limited besides: each costs a row with its pack record, which count for nobody, and pieces of a
byte each would fill the disk with them.
"""

import sqlite3

from attrs import frozen

from bitdust.wire.errors import BitDustError

ACTIVE = "active"
ENDING = ("retiring", "rejected")
ROOM_OF_A_PIECE = 1024
"""Bytes of room that allow one more piece; usual pieces have a thousand times as many."""
FREE_PIECES = 4096
"""Pieces that are allowed in any room."""


@frozen
class Usage:
    """Bytes and number of a customer's pieces, and the bytes that the contract gives."""

    used: int
    room: int
    pieces: int = 0

    def need_room(self, size: int, coming: int = 0, pieces_coming: int = 0) -> None:
        """Raises ``no-space`` unless one more piece fits, besides bytes and pieces that are on their way."""
        if self.used + coming + size > self.room:
            raise BitDustError("no-space", f"{size} bytes do not fit: {self.used} of {self.room} bytes are used")
        if self.pieces + pieces_coming >= most_pieces(self.room):
            raise BitDustError("no-space", f"{self.pieces} pieces are as many as {self.room} bytes of room may hold")


def most_pieces(room: int) -> int:
    """How many pieces may be kept in so many bytes of room."""
    return FREE_PIECES + room // ROOM_OF_A_PIECE


def usage(database: sqlite3.Connection, customer: bytes, after_notice: bool = False) -> Usage:
    """What a customer uses and may use; no room without an active contract, or after a notice where that is asked."""
    row = database.execute(
        "SELECT c.used, k.room, k.state, c.pieces FROM customers c JOIN contracts k ON k.customer = c.fingerprint"
        " WHERE c.fingerprint = ?",
        (customer,),
    ).fetchone()
    if row is not None and row[2] in ENDING:
        if not after_notice:
            raise BitDustError("no-service", "this supplier has given notice; it keeps what it has and takes no more")
    elif row is None or row[2] != ACTIVE:
        raise BitDustError("no-contract", "there is no contract with you; ask for the service first")
    return Usage(row[0], row[1], row[3])


def count(database: sqlite3.Connection, customer: bytes, size: int, pieces: int) -> None:
    """Add to, or take from, the bytes and the number of a customer's pieces."""
    database.execute(
        "UPDATE customers SET used = used + ?, pieces = pieces + ? WHERE fingerprint = ?", (size, pieces, customer)
    )
