"""A customer's key rings and families, as a supplier keeps them: the newest counts, and the last ones stay beside it.

Whoever stole a device can write what it likes over them until that device is revoked. So the newest three are kept and
the newest one of each device besides; a record of a device that counts goes before one of a device that does not,
however high its revision; and no revision goes so far ahead that nobody could follow it.
"""

import sqlite3
from collections.abc import Callable

from bitdust.customers.quota import count_records, usage
from bitdust.wire.errors import BitDustError
from bitdust.wire.revisions import check_near

KEPT = 3
MOST_KEPT = 12
"""The newest of each device included."""
Counts = Callable[[bytes], bool]


def store_record(
    database: sqlite3.Connection,
    owner: bytes,
    kind: str,
    revision: int,
    signed: bytes,
    device: bytes = b"",
    counts: Counts = lambda device: True,
) -> int:
    """Keep a record that ``device`` signed as the newest; the result is its revision. ``counts`` judges devices now.

    Raises `BitDustError` ``stale`` with the kept ``revision``, ``conflict`` for other bytes under the same one, and
    ``bad-field`` for a revision that is too far ahead, ``no-space``.
    """
    usage(database, owner, after_notice=True)
    row = database.execute(
        "SELECT revision, signed, device FROM records WHERE customer=? AND kind=? ORDER BY id DESC LIMIT 1",
        (owner, kind),
    ).fetchone()
    if row is not None and signed == row[1]:
        return revision
    if row is not None and counts(bytes(row[2])):
        _check_follows(kind, revision, row[0])
    database.execute(
        "INSERT INTO records(customer, kind, revision, device, signed) VALUES(?, ?, ?, ?, ?)",
        (owner, kind, revision, device, signed),
    )
    freed = _forget_old(database, owner, kind)
    count_records(database, owner, len(signed) - freed)
    return revision


def _check_follows(kind: str, revision: int, kept: int) -> None:
    if revision < kept:
        raise BitDustError("stale", f"revision {kept} is kept already", revision=kept)
    if revision == kept:
        raise BitDustError("conflict", f"another {kind} with revision {revision} is kept", revision=revision)
    check_near(revision, kept, f"this {kind}")


def _forget_old(database: sqlite3.Connection, owner: bytes, kind: str) -> int:
    rows = database.execute(
        "SELECT id, device, length(signed) FROM records WHERE customer=? AND kind=? ORDER BY id DESC", (owner, kind)
    ).fetchall()
    seen: set[bytes] = set()
    kept: list[int] = []
    freed = 0
    for place, (number, device, size) in enumerate(rows):
        if (place < KEPT or device not in seen) and len(kept) < MOST_KEPT:
            kept.append(number)
        else:
            database.execute("DELETE FROM records WHERE id=?", (number,))
            freed += size
        seen.add(device)
    return freed


def record(database: sqlite3.Connection, owner: bytes, kind: str, back: int = 0) -> bytes | None:
    """The newest signed record that is kept, or the one that was the newest ``back`` records before."""
    row = database.execute(
        "SELECT signed FROM records WHERE customer=? AND kind=? ORDER BY id DESC LIMIT 1 OFFSET ?", (owner, kind, back)
    ).fetchone()
    return row[0] if row is not None else None
