"""The index of blocks: ``blocks/index.db``, SQLite, WAL, ``synchronous=FULL``.

==========  =====================================================================================================
table       one row is
==========  =====================================================================================================
meta        a fact of the file by name: ``index_lost`` where the index was made anew from packs, so that no pin is
            known and nothing may be collected; when a large file was last read through (``checked``); how often pins
            and roots have changed (``changes``)
totals      one row: how many ``blocks`` are here with how many ``bytes``; ``packed`` bytes of all packs, and how many
            of these are ``live``
packs       a pack: how long it is, and how many bytes of it belong to blocks
garbage     a pack that is to be removed; nothing names it any more
blocks      a multihash that is stored (``pack``, ``offset``) or linked to, or that holds its block itself; ``state`` as
            in `bitdust.blocks.values.State`; ``version`` and ``codec`` say how it was named at first
forms       another codec under which the block of a multihash is known
broken      a codec under which the block of a multihash is known and cannot be read
links       one link of a block, in the order of ``position``, and how it names the ``child``
pins        a pinned block; ``mode`` as in `bitdust.blocks.values.Mode`; ``told``: my suppliers know of it
roots       a named block that stays
segments    a file at my suppliers: how many ``blocks`` with how many ``bytes`` are in it, and how many of these are
            ``live``; ``state`` as in `bitdust.blocks.saved.SegmentState`
saved       a block that is in a segment, where its bytes begin and how many there are; ``whole``: so is everything
            below it. A block that stands in its CID has segment 0
unsynced    the bytes of a block that is in a pack, and was not synced there
==========  =====================================================================================================
"""

import sqlite3
from pathlib import Path

from bitdust.disk.disk import is_disk_trouble, own_disk_error
from bitdust.wire.errors import BitDustError

FORMAT = 3
INDEX = "index.db"
DAMAGED = "damaged-index"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE totals(blocks INTEGER NOT NULL, bytes INTEGER NOT NULL, packed INTEGER NOT NULL, live INTEGER NOT NULL);
INSERT INTO totals VALUES(0, 0, 0, 0);
CREATE TABLE packs(id INTEGER PRIMARY KEY, size INTEGER NOT NULL, live INTEGER NOT NULL);
CREATE TABLE garbage(pack INTEGER PRIMARY KEY);
CREATE TABLE blocks(id INTEGER PRIMARY KEY, multihash BLOB NOT NULL UNIQUE, version INTEGER NOT NULL,
    codec INTEGER NOT NULL, size INTEGER NOT NULL, pack INTEGER, offset INTEGER NOT NULL, state INTEGER NOT NULL);
CREATE INDEX blocks_by_place ON blocks(pack, offset) WHERE pack IS NOT NULL;
CREATE TABLE forms(block INTEGER NOT NULL, codec INTEGER NOT NULL, PRIMARY KEY(block, codec)) WITHOUT ROWID;
CREATE TABLE broken(block INTEGER NOT NULL, codec INTEGER NOT NULL, PRIMARY KEY(block, codec)) WITHOUT ROWID;
CREATE TABLE links(parent INTEGER NOT NULL, position INTEGER NOT NULL, child INTEGER NOT NULL,
    version INTEGER NOT NULL, codec INTEGER NOT NULL, PRIMARY KEY(parent, position)) WITHOUT ROWID;
CREATE INDEX links_by_child ON links(child);
CREATE TABLE pins(block INTEGER NOT NULL, version INTEGER NOT NULL, codec INTEGER NOT NULL, mode INTEGER NOT NULL,
    name TEXT NOT NULL, PRIMARY KEY(block, version, codec)) WITHOUT ROWID;
CREATE TABLE roots(name TEXT PRIMARY KEY, block INTEGER NOT NULL, version INTEGER NOT NULL, codec INTEGER NOT NULL)
    WITHOUT ROWID;
"""
_SINCE_2 = """
CREATE TABLE segments(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, blocks INTEGER NOT NULL,
    bytes INTEGER NOT NULL, live INTEGER NOT NULL, state INTEGER NOT NULL);
CREATE TABLE saved(block INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL,
    whole INTEGER NOT NULL);
CREATE INDEX saved_by_segment ON saved(segment, offset);
ALTER TABLE pins ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
CREATE INDEX pins_untold ON pins(block) WHERE told = 0;
INSERT INTO meta VALUES('changes', 0);
"""
_SINCE_3 = "CREATE TABLE unsynced(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
_SCHEMAS = (_SCHEMA, _SINCE_2, _SINCE_3)
"""What each format has added."""


def connect(path: Path) -> sqlite3.Connection:
    """One connection, for any thread, one at a time; transactions are begun and ended by hand."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, whatever is in the file."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


def open_database(path: Path) -> sqlite3.Connection:
    """A writing connection. Raises `BitDustError` as `trouble` says it, or ``newer-index``."""
    writer = None
    try:
        writer = connect(path)
        path.chmod(0o600)
        version = writer.execute("PRAGMA user_version").fetchone()[0]
        if version < FORMAT:
            schema = "".join(_SCHEMAS[version:])
            writer.executescript(f"BEGIN;{schema}PRAGMA user_version={FORMAT};COMMIT;")
        elif version > FORMAT:
            text = f"{path} has format {version}; this program reads {FORMAT} at most: install the newer BitDust again"
            raise BitDustError("newer-index", text)
        writer.execute("SELECT 1 FROM meta, totals, packs, blocks, links, pins, roots LIMIT 1").fetchone()
    except (OSError, sqlite3.Error) as error:
        close(writer)
        raise trouble(error, path) from error
    except BitDustError:
        close(writer)
        raise
    return writer


def trouble(error: OSError | sqlite3.Error, path: Path) -> BitDustError:
    """What is wrong: the disk, or what the file holds (``damaged-index``)."""
    if isinstance(error, OSError) or is_disk_trouble(error):
        return own_disk_error(error, path)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGE or isinstance(error, sqlite3.OperationalError):
        return BitDustError(DAMAGED, f"{path} is damaged: {error}")
    return BitDustError("internal", f"{path}: {error}")


def close(*connections: sqlite3.Connection | None) -> None:
    """Close those that are open."""
    for connection in connections:
        if connection is not None:
            connection.close()


def fact(database: sqlite3.Connection, name: str) -> int:
    """A number of the table ``meta``; 0 where there is none."""
    row = database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
    return int(row[0]) if row is not None else 0


def note(database: sqlite3.Connection, name: str, value: int) -> None:
    """Write down a fact."""
    database.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (name, value))
