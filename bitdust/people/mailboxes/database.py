"""Tables of ``mailboxes.db``; see `bitdust.people.mailboxes.store`."""

import sqlite3
from pathlib import Path

from bitdust.observed import TABLE

FORMAT = 3
UPGRADED = (1, 2)
"""Formats that only lack tables which are made when they are opened."""
_SCHEMA = (
    (
        TABLE
        + """
CREATE TABLE boxes(number INTEGER PRIMARY KEY AUTOINCREMENT, person BLOB NOT NULL, device BLOB NOT NULL,
  opened INT NOT NULL, UNIQUE(person, device));
CREATE TABLE once(box INT, id INT, key BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY(box, id)) WITHOUT ROWID;
CREATE TABLE handed(box INT, asker BLOB, time INT NOT NULL, PRIMARY KEY(box, asker)) WITHOUT ROWID;
CREATE TABLE kept(number INTEGER PRIMARY KEY AUTOINCREMENT, box INT NOT NULL, sender BLOB NOT NULL,
  device BLOB NOT NULL, envelope BLOB NOT NULL, size INT NOT NULL, time INT NOT NULL, data BLOB NOT NULL,
  UNIQUE(box, sender, envelope));
CREATE TABLE senders(person BLOB PRIMARY KEY, document BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX kept_by_sender ON kept(box, sender, size);
CREATE INDEX kept_by_time ON kept(time);
CREATE INDEX kept_sizes ON kept(size);
"""
    )
    .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
    .replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS")
)


def connect(path: Path) -> sqlite3.Connection:
    """One connection to the tables, which are made where there are none. Raises `sqlite3.Error`, `OSError`."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    path.chmod(0o600)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found in (0, *UPGRADED):
        connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
    elif found != FORMAT:
        raise sqlite3.DatabaseError(f"format {found}, and this program knows {FORMAT}")
    return connection
