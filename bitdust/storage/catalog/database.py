"""Tables of ``catalog.db``: what I have, which packs hold it, who has its pieces, and what is still to be done.

The first group of tables is the merged catalog: it follows from the logs alone. The second is the logs, one for each
key and device. The third is what only this node knows: pieces on their way, jobs, what files looked like when they
were read, and where they are stored.
"""

import sqlite3
from enum import IntEnum
from pathlib import Path
from typing import Any

from bitdust.crypt.files import make_private_folder
from bitdust.disk.disk import is_disk_trouble, own_disk_error
from bitdust.wire.encoding import WireError, decode
from bitdust.wire.errors import BitDustError

FORMAT = 3
UPGRADED = (2,)
"""Formats whose catalogs only lack tables that are made when they are opened."""
REBUILD = "move it away, and the catalog is rebuilt from your suppliers"
RECOVERING = "recovering"
"""Set in a new catalog until suppliers were heard: they may know of entries that this node has forgotten."""
OUTDATED = "outdated"
"""Set when the catalog is to be built again from the suppliers."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS items(path TEXT PRIMARY KEY, parent TEXT NOT NULL, name BLOB NOT NULL, type TEXT NOT NULL,
  key TEXT NOT NULL, lamport INT NOT NULL, device BLOB NOT NULL, time INT NOT NULL,
  dead_lamport INT NOT NULL DEFAULT -1, dead_device BLOB NOT NULL DEFAULT x'', dead INT NOT NULL DEFAULT 0,
  label TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_parent ON items(parent, name);
CREATE TABLE IF NOT EXISTS versions(path TEXT, version TEXT, key TEXT NOT NULL, size INT NOT NULL, mode INT NOT NULL,
  mtime INT NOT NULL, target BLOB, extents BLOB NOT NULL, lamport INT NOT NULL, device BLOB NOT NULL,
  sequence INT NOT NULL, dead INT NOT NULL DEFAULT 0, PRIMARY KEY(path, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version_extras(path TEXT, version TEXT, extras BLOB NOT NULL, PRIMARY KEY(path, version))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gone(path TEXT, version TEXT, key TEXT NOT NULL, PRIMARY KEY(path, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels(path TEXT PRIMARY KEY, key TEXT NOT NULL, label TEXT NOT NULL, lamport INT NOT NULL,
  device BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tombstones(name TEXT PRIMARY KEY, key TEXT NOT NULL, lamport INT NOT NULL,
  device BLOB NOT NULL, sequence INT NOT NULL, time INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS packs(pack BLOB PRIMARY KEY, key TEXT NOT NULL, epoch INT NOT NULL, size INT NOT NULL,
  record BLOB NOT NULL, names BLOB NOT NULL, lengths BLOB NOT NULL, state INT NOT NULL, acked INT NOT NULL DEFAULT 0,
  n INT NOT NULL, logged INT NOT NULL DEFAULT 0, time INT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS packs_unlogged ON packs(logged) WHERE logged=0;
DROP INDEX IF EXISTS packs_by_state;
CREATE INDEX IF NOT EXISTS packs_by_scheme ON packs(state, n);
CREATE TABLE IF NOT EXISTS chunks(name BLOB PRIMARY KEY, pack BLOB NOT NULL, number INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS guest_packs(pack BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version_packs(pack BLOB, path TEXT, version TEXT, PRIMARY KEY(pack, path, version))
  WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS version_packs_by_version ON version_packs(path, version);
CREATE TABLE IF NOT EXISTS moves(old BLOB PRIMARY KEY, new BLOB NOT NULL, key TEXT NOT NULL, lamport INT NOT NULL,
  device BLOB NOT NULL, sequence INT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moves_by_new ON moves(new);
CREATE TABLE IF NOT EXISTS held(path TEXT, version TEXT, device BLOB NOT NULL, time INT NOT NULL,
  PRIMARY KEY(path, version)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by_time ON held(time);
CREATE TABLE IF NOT EXISTS late(path TEXT PRIMARY KEY, time INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held_packs(pack BLOB PRIMARY KEY, old BLOB NOT NULL, device BLOB NOT NULL, time INT NOT NULL)
  WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS entries(key TEXT, device BLOB, sequence INT, hash BLOB NOT NULL,
  lamport INT NOT NULL, entry BLOB NOT NULL, PRIMARY KEY(key, device, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bases(key TEXT, device BLOB, sequence INT NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY(key, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_acks(key TEXT, supplier BLOB, device BLOB, sequence INT NOT NULL,
  PRIMARY KEY(key, supplier, device)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pieces(pack BLOB, number INT, size INT NOT NULL, state INT NOT NULL, supplier BLOB,
  data BLOB, PRIMARY KEY(pack, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pieces_waiting ON pieces(state, number) WHERE state<>1;
CREATE INDEX IF NOT EXISTS pieces_by_supplier ON pieces(supplier);
CREATE TABLE IF NOT EXISTS seen(path TEXT PRIMARY KEY, version TEXT NOT NULL, size INT, mtime INT, inode INT, ctime INT,
  volume INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, source BLOB NOT NULL,
  version TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS upload_options(id INTEGER PRIMARY KEY, options TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS download_options(id INTEGER PRIMARY KEY, options TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS local_paths(path TEXT PRIMARY KEY, source BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS local_paths_by_source ON local_paths(source);
CREATE TABLE IF NOT EXISTS downloads(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, path TEXT NOT NULL,
  version TEXT NOT NULL, destination BLOB NOT NULL, policy TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS bad_pieces(pack BLOB, number INT, supplier BLOB, PRIMARY KEY(pack, number, supplier))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recodings(pack BLOB PRIMARY KEY, new BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nowhere(pack BLOB PRIMARY KEY, seconds INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS distrust(supplier BLOB PRIMARY KEY, count INT NOT NULL, time INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lost_pieces(pack BLOB, number INT, supplier BLOB, PRIMARY KEY(pack, number, supplier))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS losses(supplier BLOB PRIMARY KEY, points INT NOT NULL, time INT NOT NULL,
  counted INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audits(supplier BLOB PRIMARY KEY, since INT NOT NULL, passed INT NOT NULL,
  ended INT NOT NULL, passes INT NOT NULL, failures INT NOT NULL, strikes INT NOT NULL, late INT NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit_times(supplier BLOB PRIMARY KEY, way REAL, way_before REAL, way_since REAL,
  pace REAL, pace_before REAL, pace_since REAL) WITHOUT ROWID;
"""


class PackState(IntEnum):
    """NEW: its pieces may not survive a power cut yet. DEAD: nothing refers to it any more. LOST: given up."""

    NEW = 0
    HELD = 1
    DEAD = 2
    LOST = 3


class PieceState(IntEnum):
    """WAITING is here for its supplier, KEPT was acknowledged, MISSING is neither here nor there."""

    WAITING = 0
    KEPT = 1
    MISSING = 2


class CatalogError(BitDustError):
    """The catalog cannot be read or does not hold what is asked for."""


def connect(path: Path) -> sqlite3.Connection:
    """One connection; every commit is on the disk when it returns."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=10000")
    return connection


def connect_to_read(path: Path, patience: float) -> sqlite3.Connection:
    """Another one, which changes nothing; so many seconds for a file that is locked. Raises `sqlite3.Error`."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=patience)


def open_catalog(path: Path) -> sqlite3.Connection:
    """Make or check the tables.

    Raises ``damaged-catalog`` for a file that is none of ours, ``disk-full`` or ``disk-error`` for a disk that does not
    take or give it: then the file is as good as before.
    """
    try:
        make_private_folder(path.parent)
        connection = connect(path)
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT, *UPGRADED):
            text = f"{path} has format {found}; this program knows {FORMAT}"
            raise CatalogError("damaged-catalog", text if found > FORMAT else f"{text}; {REBUILD}")
        connection.executescript(_SCHEMA)
        if not found:
            set_meta(connection, RECOVERING, b"1")
        connection.execute(f"PRAGMA user_version={FORMAT}")
    except OSError as error:
        raise own_disk_error(error, path) from error
    except sqlite3.DatabaseError as error:
        if is_disk_trouble(error):
            raise own_disk_error(error, path) from error
        text = f"{path} cannot be read ({error}); {REBUILD}"
        raise CatalogError("damaged-catalog", text) from error
    path.chmod(0o600)
    return connection


def set_base(database: sqlite3.Connection, key: str, device: bytes, sequence: int, digest: bytes) -> None:
    """A snapshot stands for a device's log up to this entry, whose hash is ``digest``."""
    row = database.execute("SELECT sequence FROM bases WHERE key=? AND device=?", (key, device)).fetchone()
    if row is None or row[0] < sequence:
        database.execute("INSERT OR REPLACE INTO bases VALUES(?, ?, ?, ?)", (key, device, sequence, digest))


def meta(database: sqlite3.Connection, name: str) -> bytes | None:
    """One small value of this node."""
    row = database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
    return bytes(row[0]) if row is not None else None


def meta_rows(database: sqlite3.Connection, name: str, most: int) -> list[Any] | None:
    """A small list of this node, encoded, of at most so many bytes: empty where there is none, None where what is kept
    cannot be read."""
    kept = meta(database, name)
    try:
        rows: list[Any] = decode(kept, most) if kept is not None else []
    except WireError:
        return None
    return rows


def set_meta(database: sqlite3.Connection, name: str, value: bytes) -> None:
    """Keep one small value of this node."""
    database.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (name, value))
