"""What a recovery of a customer needs of its suppliers besides its records, kept as long as its contract.

Its identity document, which the cache of all documents may have no room for, and the DHT's own bytes of its family
record, which only the customer could make. Each is replaced by a newer revision, or by one that lives longer; a family
also by what another device wrote, because whoever stole the one before could give it any revision.
"""

import sqlite3

from attrs import frozen

IDENTITY = "identity"
FAMILY_IN_DHT = "family-dht"
DEVICE = 8
"""Bytes of the id of the device that wrote it, before those of the DHT's record."""


@frozen
class Keepsake:
    """``expires`` is seconds since the epoch, 0 for what does not expire."""

    customer: bytes
    revision: int
    expires: int
    data: bytes


def keep(database: sqlite3.Connection, kind: str, new: Keepsake) -> None:
    """Keep it, unless what is kept is as new."""
    before = kept(database, kind, new.customer)
    is_another = kind == FAMILY_IN_DHT and before is not None and before.data[:DEVICE] != new.data[:DEVICE]
    if before is None or is_another or (before.revision, before.expires) < (new.revision, new.expires):
        database.execute(
            "INSERT OR REPLACE INTO keepsakes VALUES(?, ?, ?, ?, ?)",
            (new.customer, kind, new.revision, new.expires, new.data),
        )


def kept(database: sqlite3.Connection, kind: str, customer: bytes) -> Keepsake | None:
    """What is kept of one customer."""
    rows = _rows(database, kind, "AND customer=?", customer)
    return rows[0] if rows else None


def all_kept(database: sqlite3.Connection, kind: str) -> list[Keepsake]:
    """What is kept of all."""
    return _rows(database, kind, "")


def _rows(database: sqlite3.Connection, kind: str, more: str, *values: bytes) -> list[Keepsake]:
    rows = database.execute(
        f"SELECT customer, revision, expires, data FROM keepsakes WHERE kind=? {more}", (kind, *values)
    )
    return [Keepsake(bytes(customer), revision, expires, bytes(data)) for customer, revision, expires, data in rows]
