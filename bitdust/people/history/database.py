"""What people wrote to each other: ``messages/history.db``, SQLite, WAL, ``synchronous=FULL``.

==============  ================================================================================================
table           one row is
==============  ================================================================================================
meta            a fact of the file by name: whose it is (``owner``), when all of it was last read (``checked``),
                which numbers the index of words has (``words_low``, ``words_high``), whether bodies are to be
                ``sealed``, and up to which number that is so (``seals``) until all are ``converted``, since
                when the clock made no leap (``rounds``), and what is being brought back (``salvage``)
conversations   a conversation: its name and type, when it began and was last added to, the positions of its first
                and last message, up to which one it was read, and how many incoming ones came after that
messages        a message, under the number that it got here; ``position`` counts in its conversation without gaps;
                ``stored`` is when it came (milliseconds); ``body`` is the JSON text of its data, in a box of the
                home's where ``sealed``
sequences       the highest number that a device has given to a message in a conversation; it outlives the messages
words           full-text index (FTS5) of the texts in bodies, and of where they are; empty where bodies are sealed
==============  ================================================================================================

Two people may give their messages the same id, and one may do it on purpose: a message is known by its id and sender.
"""

import sqlite3
from pathlib import Path

from bitdust.disk.disk import is_disk_trouble, own_disk_error
from bitdust.wire.errors import BitDustError

FORMAT = 1
DAMAGED = "damaged-history"
SMALL_FILE = 64 * 1024 * 1024
"""Bytes of a file that is read whole at each start."""
WEEK = 7 * 24 * 3600
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE conversations(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
    started INTEGER NOT NULL, updated INTEGER NOT NULL, first INTEGER NOT NULL DEFAULT 1,
    last INTEGER NOT NULL DEFAULT 0, read INTEGER NOT NULL DEFAULT 0, unread INTEGER NOT NULL DEFAULT 0);
CREATE INDEX conversations_by_time ON conversations(updated);
CREATE TABLE messages(number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL, conversation INTEGER NOT NULL,
    position INTEGER NOT NULL, sender BLOB NOT NULL, device BLOB NOT NULL, recipient TEXT NOT NULL,
    key TEXT NOT NULL, time INTEGER NOT NULL, sequence INTEGER NOT NULL, incoming INTEGER NOT NULL,
    stored INTEGER NOT NULL, sealed INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX messages_by_id ON messages(id, sender);
CREATE UNIQUE INDEX messages_by_position ON messages(conversation, position);
CREATE INDEX messages_by_sender ON messages(sender);
CREATE INDEX messages_by_time ON messages(stored);
CREATE TABLE sequences(conversation TEXT NOT NULL, device BLOB NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY(conversation, device)) WITHOUT ROWID;
"""
MODULE = "fts5"
WORDS = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(place, text, content='', columnsize=0, "
    "tokenize='unicode61 remove_diacritics 2')"
)


def connect(path: Path) -> sqlite3.Connection:
    """One connection, for any thread, one at a time; transactions are begun and ended by hand."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")
    return connection


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, whatever is in the file."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)


def open_database(path: Path) -> sqlite3.Connection:
    """A writing connection. Raises `BitDustError` as `trouble` says it."""
    writer = None
    try:
        writer = connect(path)
        path.chmod(0o600)
        version = writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            writer.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
        elif version > FORMAT:
            text = f"{path} has format {version}; this program reads {FORMAT} at most: install the newer BitDust again"
            raise BitDustError("newer-history", text)
        _look_at_tables(writer, path)
    except (OSError, sqlite3.Error) as error:
        close(writer)
        raise trouble(error, path) from error
    except BitDustError:
        close(writer)
        raise
    return writer


def _look_at_tables(writer: sqlite3.Connection, path: Path) -> None:
    try:
        writer.execute("SELECT 1 FROM meta, conversations, messages, sequences LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        if is_disk_trouble(error):
            raise
        raise BitDustError(DAMAGED, f"{path} is no history of messages: {error}") from error


def close(*connections: sqlite3.Connection | None) -> None:
    """Close those that are open."""
    for connection in connections:
        if connection is not None:
            connection.close()


def trouble(error: OSError | sqlite3.Error, path: Path) -> BitDustError:
    """What is wrong: the disk, or what the file holds (``damaged-history``)."""
    if isinstance(error, OSError) or is_disk_trouble(error):
        return own_disk_error(error, path)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
        return BitDustError(DAMAGED, f"{path} is damaged: {error}")
    return BitDustError("internal", f"{path}: {error}")


def can_index(database: sqlite3.Connection) -> bool:
    """Whether this SQLite can have an index of words."""
    return database.execute("SELECT 1 FROM pragma_module_list WHERE name=?", (MODULE,)).fetchone() is not None


def fact(database: sqlite3.Connection, name: str, default: int = 0) -> int:
    """A number of the table ``meta``."""
    row = database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
    return int(row[0]) if row is not None else default


def word(database: sqlite3.Connection, name: str) -> str:
    """A text of the table ``meta``; empty where there is none."""
    row = database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
    return str(row[0]) if row is not None else ""


def note(database: sqlite3.Connection, name: str, value: int | str | None) -> None:
    """Write down a fact, or that there is none."""
    if value is None:
        database.execute("DELETE FROM meta WHERE name=?", (name,))
    else:
        database.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (name, value))


def problem_of(database: sqlite3.Connection, path: Path, now: int) -> tuple[str, bool]:
    """In a thread: what is wrong with the file, empty where nothing is, and whether that is to be written down: a large
    file is read once a week."""
    is_large = path.stat().st_size > SMALL_FILE
    if is_large and 0 <= now - fact(database, "checked") < WEEK:
        return "", False
    found = database.execute("PRAGMA quick_check(1)").fetchone()
    return "" if found is None or found[0] == "ok" else str(found[0]), is_large
