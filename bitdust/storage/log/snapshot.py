"""A snapshot: the merged catalog as operations, each at the place of the order where it was said first.

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
    pack_op_of_row,
    snapshot_op,
    tombstone_op,
    version_ops,
)
from bitdust.storage.catalog.apply import extents_of
from bitdust.storage.catalog.catalog import LogKeys, keep_entry, log_end, next_entry
from bitdust.storage.catalog.database import PackState, set_base
from bitdust.wire.names import split_version

MOST_TOGETHER = 256 * 1024
"""Bytes of operations under one ``earlier``, about; an entry holds several."""
PACK_NAME = 32
"""Letters of a pack's name among tombstones: hexadecimal, and no path."""
Placed = tuple[tuple[int, bytes, int], Op]


def write_snapshot(database: sqlite3.Connection, keys: LogKeys, dead_before: int, wall: float) -> tuple[int, int]:
    """Inside a transaction: forget what has been dead since ``dead_before`` (milliseconds), and say all the rest anew.

    Sequences of the first and the last entry of it. What they say is in the tables already, so it is not applied.
    """
    forget_the_dead(database, dead_before)
    heads: list[dict[str, Any]] = [
        {"device": device, "sequence": end.sequence, "hash": end.hash}
        for device in devices(database)
        if (end := log_end(database, device)).sequence
    ]
    first = last = log_end(database, keys.device).sequence + 1
    for batch in batches(chain([snapshot_op(heads)], snapshot_ops(database))):
        entry, content = next_entry(database, keys, batch, wall)
        keep_entry(database, entry, content.lamport)
        last = entry.sequence
    for head in heads:
        set_base(database, head["device"], head["sequence"], head["hash"])
    return first, last


def devices(database: sqlite3.Connection) -> list[bytes]:
    """Devices whose logs are known, with those of which nothing but the end is."""
    rows = database.execute("SELECT DISTINCT device FROM entries UNION SELECT device FROM bases")
    return [bytes(row[0]) for row in rows]


def forget_the_dead(database: sqlite3.Connection, before: int) -> None:
    """Inside a transaction: remove rows that were buried before a moment and that nothing living needs."""
    old = "SELECT name FROM tombstones WHERE time<=?"
    database.execute(
        f"DELETE FROM versions WHERE dead=1 AND (path IN ({old}) OR path || '/' || version IN ({old}))",
        (before, before),
    )
    database.execute(f"DELETE FROM items WHERE dead=1 AND path IN ({old})", (before,))
    for table in ("gone", "labels"):
        database.execute(
            f"DELETE FROM {table} WHERE path IN ({old}) AND path NOT IN (SELECT path FROM items)", (before,)
        )
    database.execute(
        "DELETE FROM version_packs WHERE NOT EXISTS (SELECT 1 FROM versions v"
        " WHERE v.path=version_packs.path AND v.version=version_packs.version)"
    )
    _forget_packs(database, before)
    rows = database.execute(old, (before,)).fetchall()
    useless = [(name,) for (name,) in rows if not _is_known(database, name)]
    database.executemany("DELETE FROM tombstones WHERE name=?", useless)


def _forget_packs(database: sqlite3.Connection, before: int) -> None:
    """Dead packs of which no supplier holds a piece any more, as far as is known here."""
    rows = database.execute(
        "SELECT p.pack FROM packs p LEFT JOIN tombstones t ON t.name=lower(hex(p.pack)) WHERE p.state=?"
        " AND coalesce(t.time, 0)<=? AND NOT EXISTS (SELECT 1 FROM version_packs v WHERE v.pack=p.pack)"
        " AND NOT EXISTS (SELECT 1 FROM pieces s WHERE s.pack=p.pack)",
        (PackState.DEAD, before),
    ).fetchall()
    database.executemany("DELETE FROM packs WHERE pack=?", rows)


def _is_known(database: sqlite3.Connection, name: str) -> bool:
    if is_pack(name):
        return database.execute("SELECT 1 FROM packs WHERE pack=?", (bytes.fromhex(name),)).fetchone() is not None
    path, version = split_version(name)
    if version is None:
        query, values = "SELECT 1 FROM items WHERE path=?", (path,)
    else:
        query, values = "SELECT 1 FROM versions WHERE path=? AND version=?", (path, version)  # type: ignore[assignment]
    return database.execute(query, values).fetchone() is not None


def is_pack(name: str) -> bool:
    """Whether a tombstone's name is that of a pack."""
    return len(name) == PACK_NAME and not set(name) - set("0123456789abcdef")


def snapshot_ops(database: sqlite3.Connection) -> Iterator[Op]:
    """Everything that the log has told so far; read as it is asked for, because it may be much."""
    yield from _packs(database)
    for path, version in database.execute("SELECT path, version FROM gone ORDER BY path, version"):
        yield gone_op(path, version)
    for rows in (_items(database), _versions(database), _tombstones(database), _labels(database)):
        for (lamport, device, sequence), group in groupby(rows, key=itemgetter(0)):
            for part in batches((op for _, op in group), MOST_TOGETHER):
                yield earlier_op(lamport, device, sequence, part)


def _packs(database: sqlite3.Connection) -> Iterator[Op]:
    rows = database.execute("SELECT record, key, epoch, names, lengths FROM packs WHERE logged=1 ORDER BY pack")
    for row in rows:
        yield pack_op_of_row(*row)


def _items(database: sqlite3.Connection) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT path, parent, name, type, key, time, lamport, device FROM items ORDER BY lamport, device, path"
    )
    for path, parent, name, kind, key, time, lamport, device in rows:
        yield (lamport, bytes(device), 0), item_op(path, parent, bytes(name), kind, key, time)


def _versions(database: sqlite3.Connection) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT path, version, size, mode, mtime, extents, target, lamport, device, sequence FROM versions"
        " ORDER BY lamport, device, sequence, path, version"
    )
    for path, version, size, mode, mtime, extents, target, lamport, device, sequence in rows:
        link = None if target is None else bytes(target)
        for op in version_ops(path, version, size, mode, mtime, None if link else extents_of(extents), link):
            yield (lamport, bytes(device), sequence), op


def _tombstones(database: sqlite3.Connection) -> Iterator[Placed]:
    rows = database.execute(
        "SELECT name, time, lamport, device, sequence FROM tombstones ORDER BY lamport, device, sequence, name"
    )
    for name, time, lamport, device, sequence in rows:
        names, packs = ([], [bytes.fromhex(name)]) if is_pack(name) else ([name], [])
        yield (lamport, bytes(device), sequence), tombstone_op(names, packs, time)


def _labels(database: sqlite3.Connection) -> Iterator[Placed]:
    for path, label, lamport, device in database.execute("SELECT * FROM labels ORDER BY lamport, device, path"):
        yield (lamport, bytes(device), 0), {"op": "label", "path": path, "label": label}
