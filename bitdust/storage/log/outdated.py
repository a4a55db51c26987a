"""A catalog that was away for too long: the logs of other devices begin later now than where this node stopped reading.

What they deleted meanwhile is told by nothing but its absence from their snapshot, so the catalog is built again from
the suppliers, as on a recovered node. First everything that this node has said itself must be safe there, together with
the items that it wrote to or into: the others may have forgotten them.
"""

import sqlite3

from bitdust.formats.log_entry import Entry
from bitdust.formats.operations import Op, earlier_op, item_op
from bitdust.storage.catalog.database import OUTDATED, RECOVERING, PieceState, meta, set_meta
from bitdust.storage.log.access import LogAccess
from bitdust.storage.log.compared import forget_compared

UNSORTED = "unsorted"
"""Set while pieces are here of packs that are not known, which entries that were not read yet may name."""
_FROM_THE_LOG = (
    "items", "versions", "gone", "labels", "tombstones", "version_packs", "chunks", "entries", "bases", "log_acks",
    "moves", "guest_packs",
)  # fmt: skip


def places_of_unheard(database: sqlite3.Connection, access: LogAccess, key: str, device: bytes, after: int) -> list[Op]:
    """Living items that a device's entries behind ``after`` write to, and all folders above them, said as before."""
    rows = database.execute("SELECT entry FROM entries WHERE key=? AND device=? AND sequence>?", (key, device, after))
    entries = [Entry.parse(bytes(data)) for (data,) in rows.fetchall()]
    ops = [op for entry in entries for op in entry.open(access.secrets(key, entry.epoch)).ops]
    waiting = {op["path"] for op in ops if op["op"] in ("item", "version")}
    found: dict[str, Op] = {}
    while waiting:
        path = waiting.pop()
        row = database.execute(
            "SELECT path, parent, name, type, key, time, lamport, device FROM items WHERE path=? AND dead=0", (path,)
        ).fetchone()
        if row is None or path in found:
            continue
        item = item_op(path, row[1], bytes(row[2]), *row[3:6])
        found[path] = earlier_op(row[6], bytes(row[7]), 0, [item])
        waiting.add(row[1])
    return [found[path] for path in sorted(found)]


def note_outdated(database: sqlite3.Connection, now: int = 1) -> None:
    """Inside a transaction: start over when the catalog is opened the next time; ``now`` in seconds since 1970."""
    set_meta(database, OUTDATED, b"%d" % now)


def start_over(database: sqlite3.Connection) -> None:
    """Forget what follows from the logs, if that was noted; jobs, and pieces that are here, stay."""
    if (since := meta(database, OUTDATED)) is None:
        return
    database.execute("BEGIN IMMEDIATE")
    for table in _FROM_THE_LOG:
        database.execute(f"DELETE FROM {table}")
    database.execute("DELETE FROM packs WHERE logged=1")
    forget_compared(database)
    set_meta(database, RECOVERING, since)
    database.execute("DELETE FROM meta WHERE name=?", (OUTDATED,))
    database.execute("COMMIT")


def come_back(database: sqlite3.Connection, is_said_read: bool = True) -> None:
    """Inside a transaction, when all is known again: pieces of packs that are no more go, the others count again. Those
    of packs that are not known stay while not all is read that this home has said: they may be of what follows."""
    if is_said_read:
        database.execute("DELETE FROM pieces WHERE pack NOT IN (SELECT pack FROM packs)")
        database.execute("DELETE FROM meta WHERE name=?", (UNSORTED,))
    else:
        set_meta(database, UNSORTED, b"1")
    database.execute(
        "UPDATE packs SET acked=(SELECT count(*) FROM pieces s WHERE s.pack=packs.pack AND s.state=?) WHERE logged=1",
        (PieceState.KEPT,),
    )


def is_unsorted(database: sqlite3.Connection) -> bool:
    """Whether pieces are left of packs of which nothing was known when a catalog had been built again."""
    return meta(database, UNSORTED) is not None
