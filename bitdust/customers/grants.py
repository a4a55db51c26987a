"""What a supplier keeps of the capabilities that a customer gave: bytes kept under each, and which it has revoked.

Everything runs inside a transaction. A revocation outlives the contract: a capability must not count again when its
owner comes back as a customer. It goes when no capability can be as old (`MOST_DAYS`).
"""

import sqlite3

from bitdust.customers.quota import count_records
from bitdust.wire.capability import MOST_DAYS, Capability
from bitdust.wire.errors import BitDustError

MOST_REVOKED = 10_000
"""Revocations kept of one customer."""
FREE_ITEMS = 64
"""Pieces and entries that are allowed under any capability, besides one for each KiB of its quota."""
ROOM_OF_AN_ITEM = 1024
REVOKED_BYTES = "(SELECT coalesce(sum(length(signed)), 0) FROM revocations WHERE customer = ?1)"
"""Revocations outlive the contract."""
KEPT_SECONDS = (MOST_DAYS + 34) * 86_400


def stored_under(database: sqlite3.Connection, owner: bytes, capability: bytes) -> tuple[int, int]:
    """Bytes that are kept under a capability, and of how many pieces and entries."""
    row = database.execute(
        "SELECT used, items FROM grants WHERE customer=? AND capability=?", (owner, capability)
    ).fetchone()
    return (row[0], row[1]) if row is not None else (0, 0)


def need_quota(database: sqlite3.Connection, grant: Capability, size: int) -> None:
    """Raises ``not-allowed`` for a revoked capability, ``no-space`` where ``size`` bytes exceed its quota."""
    need_valid(database, grant)
    used, items = stored_under(database, grant.owner, grant.id)
    if items >= FREE_ITEMS + grant.quota // ROOM_OF_AN_ITEM:
        raise BitDustError("no-space", f"{items} pieces and entries are as many as the capability allows")
    if used + size > grant.quota:
        text = f"{size} bytes do not fit: {used} of {grant.quota} bytes of the capability are used"
        raise BitDustError("no-space", text)


def charge(database: sqlite3.Connection, grant: Capability, size: int) -> None:
    """Count what somebody else brings under a capability. Raises what `need_quota` raises."""
    need_quota(database, grant, size)
    _count(database, grant.owner, grant.id, size, 1)


def discharge(database: sqlite3.Connection, owner: bytes, capability: bytes, size: int, items: int = 1) -> None:
    """A piece that was brought under a capability is gone, or some entries."""
    _count(database, owner, capability, -size, -items)


def _count(database: sqlite3.Connection, owner: bytes, capability: bytes, size: int, items: int) -> None:
    database.execute(
        "INSERT INTO grants VALUES(?1, ?2, max(0, ?3), max(0, ?4)) ON CONFLICT(customer, capability)"
        " DO UPDATE SET used = max(0, used + ?3), items = max(0, items + ?4)",
        (owner, capability, size, items),
    )


def is_revoked(database: sqlite3.Connection, owner: bytes, capability: bytes) -> bool:
    """Whether the owner has ended a capability before its time."""
    return (
        database.execute("SELECT 1 FROM revocations WHERE customer=? AND capability=?", (owner, capability)).fetchone()
        is not None
    )


def need_valid(database: sqlite3.Connection, grant: Capability) -> None:
    """Raises ``not-allowed`` for a capability that its owner has revoked."""
    if is_revoked(database, grant.owner, grant.id):
        raise BitDustError("not-allowed", "its owner has revoked this capability")


def revoke(database: sqlite3.Connection, owner: bytes, capability: bytes, now: int, signed: bytes) -> None:
    """Keep the owner's word for good; the same word again changes nothing. Raises ``no-space``."""
    if is_revoked(database, owner, capability):
        return
    if _revoked(database, owner) >= MOST_REVOKED:
        old = (owner, now - KEPT_SECONDS)
        (freed,) = database.execute(
            "SELECT coalesce(sum(length(signed)), 0) FROM revocations WHERE customer=? AND received<?", old
        ).fetchone()
        database.execute("DELETE FROM revocations WHERE customer=? AND received<?", old)
        count_records(database, owner, -freed)
    if _revoked(database, owner) >= MOST_REVOKED:
        raise BitDustError("no-space", f"{MOST_REVOKED} revocations of yours are kept already")
    database.execute("INSERT INTO revocations VALUES(?, ?, ?, ?)", (owner, capability, now, signed))
    count_records(database, owner, len(signed))


def _revoked(database: sqlite3.Connection, owner: bytes) -> int:
    (count,) = database.execute("SELECT count(*) FROM revocations WHERE customer=?", (owner,)).fetchone()
    return int(count)


def forget_revocations(database: sqlite3.Connection, now: int) -> None:
    """Drop those of former customers of which every capability has long ended."""
    database.execute(
        "DELETE FROM revocations WHERE received<? AND customer NOT IN (SELECT customer FROM contracts)",
        (now - KEPT_SECONDS,),
    )
