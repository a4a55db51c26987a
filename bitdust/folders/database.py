"""The journal of one folder: ``folders/<folder id>/journal.db`` in the home, SQLite, WAL, ``synchronous=NORMAL``.

==========  ========================================================================================================
table       one row is
==========  ========================================================================================================
meta        a fact by name: ``epoch`` (which life of this journal), ``node`` (this writer's 8 bytes), ``public`` (the
            writers' key), ``digest`` (the sum of all heads), ``told <device>`` (what a device knows of it), ``waiting``
            (see `bitdust.folders.tidying`)
heads       a record that counts, under the number it got here; several of one id where nobody could decide yet;
            ``origin``: 16 bytes of BLAKE3 of the device, and the run of its journal, that have told it, or empty
items       what readers know of a path; ``todo``: it is not yet so on the disk; ``wanted``: it shall be here
bases       the record that the disk shows of an item whose ``todo`` is set: what a local change follows
local       what was seen on the disk: a change of any of these numbers makes the file be read again
pieces      where a chunk can be read on this disk; a path that begins with ``.sync/`` is in the folder's own place
kept        a sealed chunk that a keeper holds: where its data is in a segment; segment 0: in a file of its own
segments    how long a segment is, as far as its records were committed: see `bitdust.folders.segments`
peers       up to which number of which life a device's heads are known here
changes     who made which path what, the newest
observed    how late it is by what was seen to pass, see `bitdust.observed`
==========  ========================================================================================================

A power cut may take back the last transactions, never break the file: what is lost of the folder's own changes is found
by the next scan, what is lost of others' comes again, because the number up to which it is known is lost with it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitdust import observed
from bitdust.disk.disk import own_disk_error
from bitdust.wire.errors import BitDustError

FORMAT = 4
JOURNAL = "journal.db"
_SEGMENTS = """
CREATE INDEX kept_by_segment ON kept(segment, offset, size);
CREATE TABLE segments(number INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL);
"""
_SCHEMA = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE heads(seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL, raw BLOB NOT NULL,
    origin BLOB NOT NULL DEFAULT x'');
CREATE INDEX heads_by_id ON heads(id);
CREATE TABLE items(id BLOB PRIMARY KEY, path BLOB NOT NULL UNIQUE, parent BLOB NOT NULL, kind TEXT NOT NULL,
    deleted INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, executable INTEGER NOT NULL,
    content BLOB NOT NULL, pieces INTEGER NOT NULL, learnt INTEGER NOT NULL, writer BLOB NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 1, todo INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0)
    WITHOUT ROWID;
CREATE INDEX items_by_parent ON items(parent);
CREATE INDEX items_to_do ON items(deleted, kind<>'folder', path) WHERE todo AND NOT held;
CREATE INDEX items_deleting ON items(path) WHERE todo AND deleted;
CREATE INDEX items_held ON items(path) WHERE held;
CREATE TABLE bases(id BLOB PRIMARY KEY, raw BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE local(path BLOB PRIMARY KEY, parent BLOB NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
    mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL, executable INTEGER NOT NULL,
    content BLOB NOT NULL, racy INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX local_by_parent ON local(parent);
CREATE TABLE pieces(name BLOB NOT NULL, path BLOB NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    id BLOB NOT NULL, PRIMARY KEY(name, path, offset)) WITHOUT ROWID;
CREATE INDEX pieces_by_path ON pieces(path);
CREATE TABLE kept(name BLOB PRIMARY KEY, size INTEGER NOT NULL, segment INTEGER NOT NULL DEFAULT 0,
    offset INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
{_SEGMENTS}
CREATE TABLE peers(device BLOB PRIMARY KEY, epoch BLOB NOT NULL, seq INTEGER NOT NULL, synced INTEGER NOT NULL,
    name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE changes(number INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, what TEXT NOT NULL,
    writer BLOB NOT NULL, time INTEGER NOT NULL, size INTEGER NOT NULL);
{observed.TABLE}"""
_UPGRADES = {
    2: f"""
ALTER TABLE kept ADD COLUMN segment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE kept ADD COLUMN offset INTEGER NOT NULL DEFAULT 0;
{_SEGMENTS}{observed.TABLE}""",
    3: observed.TABLE,
}
"""By the format that they begin with: nobody else may have what such a journal has, so it is changed in its place."""


class _Former(sqlite3.DatabaseError):
    """A journal of a format before those that are changed: another scan, and the peers, tell the same."""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection for one thread at a time; a file that cannot be read, or is of a format that is too old to be
    changed, is put aside and made anew.

    Raises `BitDustError` ``disk-full``, ``disk-error``, ``newer-index``.
    """
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise own_disk_error(error, path) from error
        mark = "former" if isinstance(error, _Former) else "damaged"
        for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            if name.exists():
                name.rename(name.with_name(f"{mark}-{name.name}"))
        return _open(path)
    except OSError as error:
        raise own_disk_error(error, path) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        path.chmod(0o600)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
        elif version > FORMAT:
            text = f"{path} has format {version}; this program reads {FORMAT} at most: install the newer BitDust again"
            raise BitDustError("newer-index", text)
        elif version in _UPGRADES:
            connection.executescript(f"BEGIN IMMEDIATE;{_UPGRADES[version]}PRAGMA user_version={FORMAT};COMMIT;")
        elif version < FORMAT:
            raise _Former(f"{path} has format {version}")
        connection.execute("SELECT 1 FROM meta, heads, items, local, pieces, peers LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def durably(connection: sqlite3.Connection) -> Iterator[None]:
    """Transactions within are on the disk when they have ended, and all those before them."""
    connection.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous=NORMAL")


def read_only(path: Path) -> sqlite3.Connection:
    """Another connection, for the thread that serves peers."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=30)


@contextmanager
def one_look(connection: sqlite3.Connection) -> Iterator[None]:
    """Questions within are answered from one state of the journal: each by itself would lock its file, and find out
    whether that was changed."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
