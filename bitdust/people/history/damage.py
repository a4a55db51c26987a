"""A damaged history: the file is set aside under another name, and what can still be read of it comes back, the newest
messages first, while the node goes on with a new file."""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from bitdust.disk.disk import Disk
from bitdust.people.history.database import fact, note, read_only, word
from bitdust.wire.messages import GROUP, PRIVATE, conversation_of

SALVAGE, BELOW, EMPTY = "salvage", "salvage_below", "salvage_empty"
AT_ONCE = 200
"""Numbers of messages that are looked for in one commit."""
MOST_EMPTY = 100
"""So often in a row none was found where nobody can say which was the first."""
DAMAGED_NAME = "damaged"
_PARTS = ("", "-wal", "-shm")
_FINGERPRINT = 64


def set_aside(path: Path, disk: Disk, why: str, wall: float) -> Path:
    """Give a database another name, which the answer is: ``history.db.damaged-20261129-031500``."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall))
    name, count = f"{path.name}.{why}-{stamp}", 1
    while path.with_name(name).exists():
        count += 1
        name = f"{path.name}.{why}-{stamp}-{count}"
    for part in _PARTS:
        old = path.with_name(path.name + part)
        if old.exists():
            disk.rename(old, path.with_name(name + part))
    disk.sync_folder(path.parent)
    return path.with_name(name)


def left(path: Path) -> Path | None:
    """The newest damaged file beside a database that was set aside."""
    found = [one for one in path.parent.glob(f"{path.name}.{DAMAGED_NAME}-*") if not one.name.endswith(_PARTS[1:])]
    return max(found, key=lambda one: one.stat().st_mtime, default=None)


def begin(database: sqlite3.Connection, aside: Path, wall: float) -> None:
    """Inside a transaction, in a new file: numbers go on behind those of the file that was set aside, and what that has
    is to come back."""
    highest = int(wall * 1000)
    sequences: list[tuple[Any, ...]] = []
    with contextlib.closing(read_only(aside)) as source:
        with contextlib.suppress(sqlite3.Error):
            highest = source.execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()[0]
        with contextlib.suppress(sqlite3.Error):
            sequences = source.execute("SELECT conversation, device, last FROM sequences").fetchall()
    database.execute("INSERT INTO sqlite_sequence VALUES('messages', ?)", (highest,))
    database.executemany("INSERT OR REPLACE INTO sequences VALUES(?, ?, ?)", sequences)
    note(database, SALVAGE, aside.name)
    note(database, BELOW, highest + 1)


def salvage(database: sqlite3.Connection, folder: Path) -> int | None:
    """Inside a transaction: bring some messages back; how many, None when there is nothing more to be had."""
    name = word(database, SALVAGE)
    if not name:
        return None
    below, empty = fact(database, BELOW), fact(database, EMPTY)
    with contextlib.closing(read_only(folder / name)) as source:
        lowest = _lowest(source)
        rows = _rows(source, below)
        kept = sum(_take(database, source, row) for row in rows)
    empty = 0 if rows else empty + 1
    if (lowest is not None and below <= lowest) or (lowest is None and empty > MOST_EMPTY):
        for one in (SALVAGE, BELOW, EMPTY):
            note(database, one, None)
        return None
    note(database, BELOW, below - AT_ONCE)
    note(database, EMPTY, empty)
    return kept


def _lowest(source: sqlite3.Connection) -> int | None:
    try:
        row = source.execute("SELECT min(number) FROM messages").fetchone()
    except sqlite3.Error:
        return None
    return int(row[0]) if row[0] is not None else 2**62


def _rows(source: sqlite3.Connection, below: int) -> list[tuple[Any, ...]]:
    """The messages right below a number, newest first; one by one where they cannot be had together."""
    query = "SELECT * FROM messages WHERE number >= ? AND number < ? ORDER BY number DESC"
    try:
        return source.execute(query, (below - AT_ONCE, below)).fetchall()
    except sqlite3.Error:
        rows = []
        for number in range(below - 1, below - AT_ONCE - 1, -1):
            with contextlib.suppress(sqlite3.Error):
                rows += source.execute(query, (number, number + 1)).fetchall()
        return rows


def _take(database: sqlite3.Connection, source: sqlite3.Connection, row: tuple[Any, ...]) -> int:
    """Keep one row before all others; 1 when that was news."""
    number, ident, conversation, _, sender, _, recipient, *rest = row
    known = database.execute("SELECT 1 FROM messages WHERE id=? AND sender=?", (ident, sender)).fetchone()
    if known is not None:
        return 0
    name, kind = _name(source, conversation, sender, recipient)
    stored = rest[4]
    query = "INSERT OR IGNORE INTO conversations(name, type, started, updated) VALUES(?, ?, ?, ?)"
    database.execute(query, (name, kind, stored, stored))
    query = "SELECT id, first FROM conversations WHERE name=?"
    mine, first = database.execute(query, (name,)).fetchone()
    values = (number, ident, mine, first - 1, *row[4:])
    database.execute(f"INSERT INTO messages VALUES({', '.join('?' * len(values))})", values)
    query = "UPDATE conversations SET first=?, started=min(started, ?) WHERE id=?"
    database.execute(query, (first - 1, stored, mine))
    return 1


def _name(source: sqlite3.Connection, conversation: int, sender: bytes, recipient: str) -> tuple[str, str]:
    """The name and type of a conversation; where its row is lost, a message says which one it was."""
    with contextlib.suppress(sqlite3.Error):
        row = source.execute("SELECT name, type FROM conversations WHERE id=?", (conversation,)).fetchone()
        if row is not None:
            return row[0], row[1]
    if len(recipient) == _FINGERPRINT:
        return conversation_of(sender, bytes.fromhex(recipient)), PRIVATE
    return recipient, GROUP
