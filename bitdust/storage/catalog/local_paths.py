"""Where items are on this machine (table ``local_paths``): known to this node alone, never sent to anybody.

Only the item that was named, the folders above it and every item that was uploaded have rows; what is below follows
from the names.
"""

import os
import sqlite3


def remember(database: sqlite3.Connection, path: str, source: bytes) -> None:
    """Inside a transaction: where an item is."""
    database.execute("INSERT OR REPLACE INTO local_paths VALUES(?, ?)", (path, source))


def own_source(database: sqlite3.Connection, path: str) -> bytes | None:
    """What an item's own row says."""
    known = database.execute("SELECT source FROM local_paths WHERE path=?", (path,)).fetchone()
    return bytes(known[0]) if known is not None else None


def source_of(database: sqlite3.Connection, path: str) -> bytes | None:
    """Where an item is, by its own row or by that of the nearest folder above it that has one."""
    names: list[bytes] = []
    while path:
        known = own_source(database, path)
        if known is not None:
            return os.path.join(known, *reversed(names))
        row = database.execute("SELECT parent, name FROM items WHERE path=?", (path,)).fetchone()
        if row is None:
            return None
        path, name = row
        names.append(bytes(name))
    return None
