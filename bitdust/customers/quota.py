"""What a customer takes of the room of its contract. Everything runs inside a transaction.

Not its pieces alone count: each has a row with its pack record, and its file ends within a block, for which `BESIDE` is
charged; and so do all bytes of its logs and records. Pieces of a byte each, or a log without pieces, would fill the
disk otherwise.
"""

import sqlite3

from attrs import frozen

from bitdust.wire.errors import BitDustError

MIB = 1024 * 1024
ACTIVE = "active"
ENDING = ("retiring", "rejected")
BESIDE = 4096
"""Bytes that are charged for each piece beside its own; usual pieces have hundreds of times as many."""
RECORD_SHARE = 4
"""A quarter of the room, or `LEAST_RECORDS`, may be key rings, families and revocations."""
LEAST_RECORDS = 2 * MIB
SPARE_SHARE = 2
"""What waits to be deleted keeps nothing out, up to half of the room: who deletes and stores all the time would take
the whole disk otherwise."""
LOG_SHARE = 2
"""Half of the room may be logs: deletions must come through where pieces fill the rest."""


@frozen
class Usage:
    """Bytes and number of a customer's pieces, bytes of its logs, and the bytes that the contract gives."""

    used: int
    room: int
    pieces: int = 0
    log_bytes: int = 0
    record_bytes: int = 0
    spare: int = 0
    """Bytes of packs that are to go and wait, which keep nothing out: so many are stored beyond the room."""

    @property
    def charged(self) -> int:
        """Bytes of the room that are taken."""
        return charged(self.used, self.pieces, self.log_bytes + self.record_bytes)

    def need_room(self, size: int, coming: int = 0, pieces_coming: int = 0) -> None:
        """Raises ``no-space`` unless one more piece fits, besides bytes and pieces that are on their way."""
        if self.charged + coming + size + (pieces_coming + 1) * BESIDE > self.room + self.spare:
            text = f"{size} bytes do not fit: {self.charged} of {self.room} bytes are taken"
            beside = f"{self.log_bytes} bytes of logs and {self.record_bytes} bytes of records"
            raise BitDustError("no-space", f"{text} by {self.pieces} pieces, {beside}")


def charged(used: int, pieces: int, beside: int) -> int:
    """Bytes of room that pieces of so many bytes take, and logs and records ``beside`` them."""
    return used + pieces * BESIDE + beside


def most_log(room: int) -> int:
    """Bytes of logs that may be kept in so many bytes of room."""
    return room // LOG_SHARE


def usage(database: sqlite3.Connection, customer: bytes, after_notice: bool = False) -> Usage:
    """What a customer uses and may use; no room without an active contract, or after a notice where that is asked."""
    row = database.execute(
        "SELECT c.used, k.room, k.state, c.pieces, c.log_bytes, c.record_bytes, c.held FROM customers c"
        " JOIN contracts k ON k.customer = c.fingerprint WHERE c.fingerprint = ?",
        (customer,),
    ).fetchone()
    if row is not None and row[2] in ENDING:
        if not after_notice:
            raise BitDustError("no-service", "this supplier has given notice; it keeps what it has and takes no more")
    elif row is None or row[2] != ACTIVE:
        raise BitDustError("no-contract", "there is no contract with you; ask for the service first")
    return Usage(row[0], row[1], row[3], row[4], row[5], min(row[6], row[1] // SPARE_SHARE))


def count(database: sqlite3.Connection, customer: bytes, size: int, pieces: int) -> None:
    """Add to, or take from, the bytes and the number of a customer's pieces."""
    database.execute(
        "UPDATE customers SET used = used + ?, pieces = pieces + ? WHERE fingerprint = ?", (size, pieces, customer)
    )


def count_records(database: sqlite3.Connection, customer: bytes, size: int) -> None:
    """Add to, or take from, the bytes of a customer's records and revocations. Raises ``no-space``."""
    row = database.execute(
        "SELECT c.record_bytes, k.room FROM customers c JOIN contracts k ON k.customer = c.fingerprint"
        " WHERE c.fingerprint = ?",
        (customer,),
    ).fetchone()
    if row is not None and size > 0 and row[0] + size > (allowed := max(LEAST_RECORDS, row[1] // RECORD_SHARE)):
        raise BitDustError("no-space", f"your records have {row[0]} bytes of {allowed} that are allowed")
    database.execute("UPDATE customers SET record_bytes = record_bytes + ? WHERE fingerprint = ?", (size, customer))
