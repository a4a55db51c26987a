"""Two nodes wrote under one device key, because a home was copied: the one that was not heard says it again as another.

What it said has path ids that the other one may have given out as well. So its entries are taken back, the items that
they made get path ids of the new device, and everything is said once more under its key.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from bitdust.formats.log_entry import Entry
from bitdust.formats.operations import Op
from bitdust.storage.catalog.paths import next_path_id

_NOTHING_NEW = ("snapshot", "earlier")
_TABLES = ("items", "versions", "version_packs", "gone", "seen", "labels")


def take_back(
    database: sqlite3.Connection, device: bytes, after: int, number: int, secret: Callable[[int], bytes]
) -> list[Op]:
    """Inside a transaction: forget a device's entries behind ``after``; what they said, as device ``number`` does."""
    rows = database.execute(
        "SELECT entry FROM entries WHERE device=? AND sequence>? ORDER BY sequence", (device, after)
    ).fetchall()
    database.execute("DELETE FROM entries WHERE device=? AND sequence>?", (device, after))
    ops: list[Op] = []
    for (data,) in rows:
        entry = Entry.parse(bytes(data))
        ops += (op for op in entry.open(secret(entry.epoch)).ops if op["op"] not in _NOTHING_NEW)
    names = _new_names(database, ops, number)
    return [_renamed(op, names) for op in ops]


def _new_names(database: sqlite3.Connection, ops: list[Op], number: int) -> dict[str, str]:
    """Path ids of the items that these operations make, old to new; their rows go, and running jobs follow."""
    names: dict[str, str] = {}
    for op in ops:
        if op["op"] == "item" and op["path"] not in names:
            parent = names.get(op["parent"]) or str(op["parent"])
            names[op["path"]] = next_path_id(database, parent, number)
    for old, new in names.items():
        for table in _TABLES:
            database.execute(f"DELETE FROM {table} WHERE path=?", (old,))
        for table in ("uploads", "local_paths"):
            database.execute(f"UPDATE {table} SET path=? WHERE path=?", (new, old))
    return names


def _renamed(op: Op, names: dict[str, str]) -> Op:
    changed: dict[str, Any] = {field: names.get(op[field], op[field]) for field in ("path", "parent") if field in op}
    if "names" in op and op["op"] == "tombstone":
        changed["names"] = [_renamed_version(name, names) for name in op["names"]]
    return op | changed


def _renamed_version(name: str, names: dict[str, str]) -> str:
    """A path id, perhaps with ``/version`` behind it."""
    if name in names:
        return names[name]
    path, slash, version = name.rpartition("/")
    return f"{names[path]}{slash}{version}" if path in names else name
