"""Bytes that a customer's pieces use, beside the room of its contract. Everything runs inside a transaction."""

import sqlite3

from attrs import frozen

from bitdust.wire.errors import BitDustError

ACTIVE = "active"
ENDING = ("retiring", "rejected")


@frozen
class Usage:
    """Bytes of a customer's pieces, and what the contract gives."""

    used: int
    room: int


def usage(database: sqlite3.Connection, customer: bytes, after_notice: bool = False) -> Usage:
    """What a customer uses and may use; no room without an active contract, or after a notice where that is asked."""
    row = database.execute(
        "SELECT c.used, k.room, k.state FROM customers c JOIN contracts k ON k.customer = c.fingerprint"
        " WHERE c.fingerprint = ?",
        (customer,),
    ).fetchone()
    if row is not None and row[2] in ENDING:
        if not after_notice:
            raise BitDustError("no-service", "this supplier has given notice; it keeps what it has and takes no more")
    elif row is None or row[2] != ACTIVE:
        raise BitDustError("no-contract", "there is no contract with you; ask for the service first")
    return Usage(row[0], row[1])


def count(database: sqlite3.Connection, customer: bytes, size: int) -> None:
    """Add to, or take from, the bytes of a customer's pieces."""
    database.execute("UPDATE customers SET used = used + ? WHERE fingerprint = ?", (size, customer))


def no_room(now: Usage, size: int) -> BitDustError:
    return BitDustError("no-space", f"{size} bytes do not fit: {now.used} of {now.room} bytes are used")
