"""A snapshot: the merged catalog of one key as operations, each at the place of the order where it was said first.

It goes into the log itself, as entries that begin with a ``snapshot`` operation, so that every supplier holds all of
it and recovery needs no piece of any pack. What has been dead for long is left out, here and there.
"""

import sqlite3
from collections.abc import Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from bitdust.formats.operations import (
    Op,
    batches,
    earlier_op,
    gone_op,
    item_op,
    move_op,
    pack_op_of_row,
    snapshot_op,
    tombstone_op,
    version_ops,
)
from bitdust.storage.catalog.apply import PLACE, extents_of
from bitdust.storage.catalog.catalog import LogKeys, keep_entry, log_end, next_entry
from bitdust.storage.catalog.database import PackState, set_base
from bitdust.storage.catalog.extras import extras_of, forget_extras
from bitdust.storage.catalog.moves import forget_moves
from bitdust.wire.names import split_version
from bitdust.wire.records import MAX_COVERED

MOST_TOGETHER = 256 * 1024
"""Bytes of operations under one ``earlier``, about; an entry holds several."""
PACK_NAME = 32
"""Letters of a pack's name among tombstones: hexadecimal, and no path."""
Placed = tuple[tuple[int, bytes, int], Op]


def write_snapshot(database: sqlite3.Connection, keys: LogKeys, dead_before: int, wall: float) -> tuple[int, int]:
    """Inside a transaction: forget what has been dead since ``dead_before`` (milliseconds), and say all the rest again.

    Sequences of the first and the last entry of it. What they say is in the tables already, so it is not applied.
    """
    forget_the_dead(database, keys.key, dead_before)
    heads: list[dict[str, Any]] = [
        {"device": device, "sequence": end.sequence, "hash": end.hash}
        for device in devices(database, keys.key)
        if (end := log_end(database, keys.key, device)).sequence
    ]
    first = last = log_end(database, keys.key, keys.device).sequence + 1
    told = [snapshot_op(heads[at : at + MAX_COVERED]) for at in range(0, max(1, len(heads)), MAX_COVERED)]
    for batch in batches(chain(told, snapshot_ops(database, keys.key))):
        entry, content = next_entry(database, keys, batch, wall)
        keep_entry(database, keys.key, entry, content.lamport)
        last = entry.sequence
    for head in heads:
        set_base(database, keys.key, head["device"], head["sequence"], head["hash"])
    return first, last


def devices(database: sqlite3.Connection, key: str) -> list[bytes]:
    """Devices whose logs of a key are known, with those of which nothing but the end is."""
    rows = database.execute(
        "SELECT DISTINCT device FROM entries WHERE key=? UNION SELECT device FROM bases WHERE key=?", (key, key)
    )
    return [bytes(row[0]) for row in rows]


def forget_the_dead(database: sqlite3.Connection, key: str, before: int) -> None:
    """Inside a transaction: remove rows of a key that were buried before a moment, that nothing living needs and that
    are not held."""
    old, buried = "SELECT name FROM tombstones WHERE key=? AND time<=?", (key, before)
    database.execute(
        f"DELETE FROM versions WHERE dead=1 AND key=? AND (path IN ({old}) OR path || '/' || version IN ({old}))"
        " AND NOT EXISTS (SELECT 1 FROM held h WHERE h.path=versions.path AND h.version=versions.version)",
        (key, *buried, *buried),
    )
    inside = "SELECT 1 FROM held h WHERE h.path=items.path OR (h.path>items.path||'/' AND h.path<items.path||'0')"
    database.execute(f"DELETE FROM items WHERE dead=1 AND path IN ({old}) AND NOT EXISTS ({inside})", buried)
    for table in ("gone", "labels"):
        database.execute(f"DELETE FROM {table} WHERE path IN ({old}) AND path NOT IN (SELECT path FROM items)", buried)
    database.execute(
        "DELETE FROM version_packs WHERE NOT EXISTS (SELECT 1 FROM versions v"
        " WHERE v.path=version_packs.path AND v.version=version_packs.version)"
    )
    forget_extras(database)
    _forget_packs(database, key, before)
    rows = database.execute(old, buried).fetchall()
    useless = [(name,) for (name,) in rows if not _is_known(database, name)]
    database.executemany("DELETE FROM tombstones WHERE name=?", useless)


def _forget_packs(database: sqlite3.Connection, key: str, before: int) -> None:
    """Dead packs of a key of which no supplier holds a piece any more, as far as is known here."""
    rows = database.execute(
        "SELECT p.pack FROM packs p LEFT JOIN tombstones t ON t.name=lower(hex(p.pack)) WHERE p.state=? AND p.key=?"
        " AND coalesce(t.time, 0)<=? AND NOT EXISTS (SELECT 1 FROM version_packs v WHERE v.pack=p.pack)"
        " AND NOT EXISTS (SELECT 1 FROM pieces s WHERE s.pack=p.pack)"
        " AND NOT EXISTS (SELECT 1 FROM held_packs h WHERE h.pack=p.pack)",
        (PackState.DEAD, key, before),
    ).fetchall()
    database.executemany("DELETE FROM packs WHERE pack=?", rows)
    forget_moves(database, (bytes(pack) for (pack,) in rows))


def _is_known(database: sqlite3.Connection, name: str) -> bool:
    if is_pack(name):
        return database.execute("SELECT 1 FROM packs WHERE pack=?", (bytes.fromhex(name),)).fetchone() is not None
    path, version = split_version(name.removesuffix(PLACE))
    if version is None:
        query, values = "SELECT 1 FROM items WHERE path=?", (path,)
    else:
        query, values = "SELECT 1 FROM versions WHERE path=? AND version=?", (path, version)  # type: ignore[assignment]
    return database.execute(query, values).fetchone() is not None


def is_pack(name: str) -> bool:
    """Whether a tombstone's name is that of a pack."""
    return len(name) == PACK_NAME and not set(name) - set("0123456789abcdef")


def snapshot_ops(database: sqlite3.Connection, key: str) -> Iterator[Op]:
    """Everything that the logs of a key have told so far; read as it is asked for, because it may be much."""
    yield from _packs(database, key)
    for path, version in database.execute("SELECT path, version FROM gone WHERE key=? ORDER BY path, version", (key,)):
        yield gone_op(path, version)
    placed = (_items, _versions, _moves, _tombstones, _labels)
    for rows in (read(database, key) for read in placed):
        for (lamport, device, sequence), group in groupby(rows, key=itemgetter(0)):
            for part in batches((op for _, op in group), MOST_TOGETHER):
                yield earlier_op(lamport, device, sequence, part)


def _packs(database: sqlite3.Connection, key: str) -> Iterator[Op]:
    rows = database.execute(
        "SELECT EXISTS (SELECT 1 FROM guest_packs g WHERE g.pack=packs.pack), record, key, epoch, names, lengths"
        " FROM packs WHERE logged=1 AND key=? ORDER BY pack",
        (key,),
    )
    for is_guests, *row in rows:
        yield pack_op_of_row(*row) | ({"guest": True} if is_guests else {})


def _items(database: sqlite3.Connection, key: str) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT path, parent, name, type, time, lamport, device FROM items WHERE key=? ORDER BY lamport, device, path",
        (key,),
    )
    for path, parent, name, kind, time, lamport, device in rows:
        yield (lamport, bytes(device), 0), item_op(path, parent, bytes(name), kind, key, time)


def _versions(database: sqlite3.Connection, key: str) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT path, version, size, mode, mtime, extents, target, lamport, device, sequence FROM versions"
        " WHERE key=? ORDER BY lamport, device, sequence, path, version",
        (key,),
    )
    for path, version, size, mode, mtime, extents, target, lamport, device, sequence in rows:
        link = None if target is None else bytes(target)
        extras = extras_of(database, path, version)
        for op in version_ops(path, version, size, mode, mtime, None if link else extents_of(extents), link, extras):
            yield (lamport, bytes(device), sequence), op


def _moves(database: sqlite3.Connection, key: str) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT old, new, lamport, device, sequence FROM moves WHERE key=? ORDER BY lamport, device, sequence, old",
        (key,),
    )
    for old, new, lamport, device, sequence in rows:
        yield (lamport, bytes(device), sequence), move_op(bytes(old), bytes(new))


def _tombstones(database: sqlite3.Connection, key: str) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT name, time, lamport, device, sequence FROM tombstones WHERE key=?"
        " ORDER BY lamport, device, sequence, name",
        (key,),
    )
    for name, time, lamport, device, sequence in rows:
        place = (lamport, bytes(device), sequence)
        if name.endswith(PLACE):
            yield place, tombstone_op([], [], time, [name.removesuffix(PLACE)])
        else:
            names, packs = ([], [bytes.fromhex(name)]) if is_pack(name) else ([name], [])
            yield place, tombstone_op(names, packs, time)


def _labels(database: sqlite3.Connection, key: str) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT path, label, lamport, device FROM labels WHERE key=? ORDER BY lamport, device, path", (key,)
    )
    for path, label, lamport, device in rows:
        yield (lamport, bytes(device), 0), {"op": "label", "path": path, "label": label}
