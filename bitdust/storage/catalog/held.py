"""What logs say was deleted, and this node goes on to keep for a while: who said so may have stolen a device.

``held`` has a row for each version, and for each item without any (its version is empty), that was in view until an
entry from suppliers took it out; ``held_packs`` one for each pack whose place another one took by such an entry. With
each is the device that said so, and when this node heard of it, in milliseconds: what the entry says of the time counts
for nothing. Packs that something held needs are neither given up nor deleted anywhere. What this device says itself it
holds not.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from bitdust.formats.operations import Op, item_op, move_op, version_ops
from bitdust.storage.catalog.database import PackState, PieceState, meta, set_meta
from bitdust.storage.catalog.extras import extras_of
from bitdust.storage.catalog.moves import current
from bitdust.wire.encoding import decode, encode
from bitdust.wire.names import version_time

_VERSIONS = (
    "EXISTS (SELECT 1 FROM version_packs v JOIN versions w ON w.path=v.path AND w.version=v.version WHERE v.pack=p.pack"
)
LIVING = f"{_VERSIONS} AND w.dead=0)"
"""Of a pack ``p``: whether a version that is in view needs it."""
NEEDED = (
    f"({_VERSIONS} AND (w.dead=0 OR EXISTS (SELECT 1 FROM held h WHERE h.path=w.path AND h.version=w.version)))"
    " OR EXISTS (SELECT 1 FROM held_packs h WHERE h.pack=p.pack))"
)
"""The same of one that is in view, or is held."""
_UNDONE = "undone-devices"
LATE = 86_400_000
"""Milliseconds behind its own date at which a moment comes late."""
_BEFORE = "(lamport<:lamport OR (lamport=:lamport AND device<=:device))"


@frozen
class Place:
    """Where in the one order of all entries something was said, by which device, and when it was learnt (0: here).

    ``writer`` is the device that wrote the entry, whatever other device it says that it repeats.
    """

    lamport: int
    device: bytes
    writer: bytes
    learnt: int


@frozen
class Held:
    """What one device has deleted and is held: how many items and versions, and packs that nothing else needs.

    ``since`` is when the first of it was heard of, in seconds since the epoch.
    """

    device: bytes
    since: int
    versions: int
    packs: int
    size: int


def hold_item(database: sqlite3.Connection, path: str, place: Place) -> None:
    """Inside a transaction, before an item is taken out: hold its versions, or the item where it has none."""
    if not place.learnt:
        return
    values = {"path": path, "lamport": place.lamport, "device": place.device} | {
        "writer": place.writer,
        "learnt": place.learnt,
    }
    database.execute(
        "INSERT OR IGNORE INTO held SELECT path, version, :writer, :learnt FROM versions"
        f" WHERE path=:path AND dead=0 AND {_BEFORE}",
        values,
    )
    database.execute(
        "INSERT OR IGNORE INTO held SELECT path, '', :writer, :learnt FROM items"
        f" WHERE path=:path AND dead=0 AND {_BEFORE} AND NOT EXISTS (SELECT 1 FROM versions WHERE path=:path)",
        values,
    )


def hold_version(database: sqlite3.Connection, path: str, version: str, place: Place) -> None:
    """The same for a single version that is known."""
    if place.learnt:
        database.execute(
            "INSERT OR IGNORE INTO held SELECT path, version, ?, ? FROM versions WHERE path=? AND version=? AND dead=0",
            (place.writer, place.learnt, path, version),
        )


def hold_late(database: sqlite3.Connection, path: str, version: str, learnt: int) -> None:
    """The same for something that was not in view when it came, because its deletion had come before."""
    if learnt:
        name = f"{path}/{version}" if version else path
        database.execute(
            "INSERT OR IGNORE INTO held SELECT ?, ?, device, ? FROM tombstones WHERE name IN (?, ?)"
            " ORDER BY lamport DESC, device DESC LIMIT 1",
            (path, version, learnt, path, name),
        )


def hold_pack(database: sqlite3.Connection, pack: bytes, old: bytes, place: Place) -> None:
    """The same for a pack that has held what ``old`` held, when another one takes its place."""
    if place.learnt:
        row = (pack, old, place.writer, place.learnt)
        database.execute("INSERT OR IGNORE INTO held_packs VALUES(?, ?, ?, ?)", row)


def note_late(database: sqlite3.Connection, path: str, version: str, learnt: int) -> None:
    """A moment of an item came long after it: so nothing of the item is taken for old for a while (`is_late`).

    Whoever stole a device gives its versions any date: others would look old between them, or say that items are gone.
    """
    if learnt and version_time(version) * 1000 < learnt - LATE:
        database.execute("INSERT OR REPLACE INTO late VALUES(?, ?)", (path, learnt))


def is_late(database: sqlite3.Connection, path: str, since: int) -> bool:
    """Whether a moment of an item has come late since then."""
    row = database.execute("SELECT 1 FROM late WHERE path=? AND time>=?", (path, since)).fetchone()
    return row is not None


def let_go(database: sqlite3.Connection, path: str, version: str) -> None:
    """It is in view again."""
    database.execute("DELETE FROM held WHERE path=? AND version=?", (path, version))


def let_go_of(database: sqlite3.Connection, device: bytes) -> int:
    """What a device has deleted is held no longer; how much that was."""
    gone = [database.execute(f"DELETE FROM {table} WHERE device=?", (device,)) for table in ("held", "held_packs")]
    return sum(one.rowcount for one in gone)


def lapse(database: sqlite3.Connection, before: int) -> None:
    """What was learnt before a moment is held no longer; nor what is not known any more."""
    for table in ("held", "held_packs", "late"):
        database.execute(f"DELETE FROM {table} WHERE time<?", (before,))


def is_due(database: sqlite3.Connection, before: int) -> bool:
    """Whether anything lapses."""
    query = "SELECT EXISTS (SELECT 1 FROM held WHERE time<?) OR EXISTS (SELECT 1 FROM held_packs WHERE time<?)"
    return bool(database.execute(query, (before, before)).fetchone()[0])


def held_by_device(database: sqlite3.Connection, since: int = 0, is_gone: bool = False) -> list[Held]:
    """What is held, by the device that deleted it. Reads all of it; for a thread.

    Of what was learnt from ``since`` on; ``is_gone``: of items that are out of view, not of their old versions.
    """
    items = " AND EXISTS (SELECT 1 FROM items i WHERE i.path=held.path AND i.dead=1)" if is_gone else ""
    rows = database.execute(
        f"SELECT device, min(time), count(*) FROM (SELECT device, time FROM held WHERE time>=?{items} UNION ALL"
        " SELECT device, time FROM held_packs WHERE time>=?) GROUP BY device ORDER BY device",
        (since, since),
    ).fetchall()
    return [Held(bytes(one), at // 1000, number, *_packs_of(database, one, since, items)) for one, at, number in rows]


def _packs_of(database: sqlite3.Connection, device: bytes, since: int, items: str) -> tuple[int, int]:
    """Packs that would go, and their bytes."""
    packs, size = database.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM packs p WHERE p.pack IN (SELECT pack FROM held_packs WHERE"
        " device=:device AND time>=:since UNION SELECT v.pack FROM held JOIN version_packs v ON v.path=held.path"
        f" AND v.version=held.version WHERE held.device=:device AND held.time>=:since{items}) AND NOT EXISTS (SELECT 1"
        " FROM version_packs v JOIN versions w ON w.path=v.path AND w.version=v.version WHERE v.pack=p.pack"
        " AND w.dead=0)",
        {"device": device, "since": since},
    ).fetchone()
    return int(packs), int(size)


def known_packs(database: sqlite3.Connection) -> int:
    """Packs that are stored now."""
    (packs,) = database.execute("SELECT count(*) FROM packs WHERE state<=?", (PackState.HELD,)).fetchone()
    return int(packs)


# bringing it back


def again(database: sqlite3.Connection, device: bytes) -> Iterator[Op]:
    """Operations that say once more what a device has taken out of view, as far as enough pieces of it are left."""
    rows = database.execute("SELECT path, version FROM held WHERE device=? ORDER BY path, version", (device,))
    for path, version in rows.fetchall():
        if not version:
            yield from _item(database, path)
        elif not _is_lost(database, path, version):
            yield from _version(database, path, version)
    moved = database.execute("SELECT old, pack FROM held_packs WHERE device=? ORDER BY old", (device,)).fetchall()
    for old, pack in moved:
        if current(database, bytes(old)) != bytes(pack):
            yield move_op(bytes(old), bytes(pack))


def _item(database: sqlite3.Connection, path: str) -> Iterator[Op]:
    row = database.execute("SELECT parent, name, type, key, time FROM items WHERE path=?", (path,)).fetchone()
    if row is not None:
        yield item_op(path, row[0], bytes(row[1]), *row[2:])


def _version(database: sqlite3.Connection, path: str, version: str) -> Iterator[Op]:
    row = database.execute(
        "SELECT size, mode, mtime, extents, target FROM versions WHERE path=? AND version=?", (path, version)
    ).fetchone()
    if row is not None:
        link = None if row[4] is None else bytes(row[4])
        extents: Any = None if link else decode(bytes(row[3]), 256 * 1024 * 1024, 100_000_000)
        size, mode, mtime = row[:3]
        yield from version_ops(path, version, size, mode, mtime, extents, link, extras_of(database, path, version))


def _is_lost(database: sqlite3.Connection, path: str, version: str) -> bool:
    """Whether a pack that a version needs is not to be had any more: it was deleted long ago, and all agreed."""
    return database.execute(
        "SELECT 1 FROM version_packs v LEFT JOIN packs p ON p.pack=v.pack WHERE v.path=? AND v.version=? AND (SELECT"
        " count(*) FROM pieces s WHERE s.pack=v.pack AND s.state<>?)<(coalesce(p.n, 1)+1)/2 LIMIT 1",
        (path, version, PieceState.MISSING),
    ).fetchone() is not None  # fmt: skip


def was_undone(database: sqlite3.Connection, device: bytes) -> bool:
    """Whether what a device had deleted when it was revoked has been brought back already."""
    return device in _undone(database)


def note_undone(database: sqlite3.Connection, device: bytes) -> None:
    """Inside a transaction: it has."""
    set_meta(database, _UNDONE, encode(sorted({*_undone(database), device})))


def _undone(database: sqlite3.Connection) -> list[bytes]:
    data = meta(database, _UNDONE)
    found: Any = decode(data, 1024 * 1024) if data is not None else []
    return list(found)
