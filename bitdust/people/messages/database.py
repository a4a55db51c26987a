"""Tables of ``correspondence.db``: what is on its way to others and from them, and the secrets with each device.

=========  ===========================================================================================================
table      one row is
=========  ===========================================================================================================
outgoing   a letter of mine to ``person``: its signed text, sealed for this device; ``noted`` says that the history has
           it, ``reached`` that a device of the person has
targets    one device that is to have it and has not acknowledged it yet; ``envelope`` once it is sealed for it,
           ``deposited`` since when mailboxes have that
sessions   the ratchet's sessions with one device, sealed
prekeys    a prekey of mine, its secret sealed: ``kind`` 0 signed, 1 one-time; ``retired`` since when it is not shown
keepers    a node that keeps a mailbox of mine, or has kept one ``until`` some time
incoming   a letter that was opened and that the history has not yet
seen       an envelope that was opened, so that a double is known
owner      whose store it is, and which device's
sequences  the last number in a conversation of each device that writes in it
observed   how late it is (`bitdust.observed`)
=========  ===========================================================================================================
"""

import sqlite3
from pathlib import Path

from bitdust.disk.disk import is_disk_trouble, own_disk_error
from bitdust.observed import TABLE
from bitdust.wire.errors import BitDustError

FORMAT = 3
UPGRADED = (1, 2)
"""Formats that only lack tables which are made when they are opened."""
_SCHEMA = (
    (
        TABLE
        + """
CREATE TABLE owner(person BLOB NOT NULL, device BLOB NOT NULL);
CREATE TABLE outgoing(number INTEGER PRIMARY KEY AUTOINCREMENT, person BLOB NOT NULL, message BLOB NOT NULL UNIQUE,
  made INT NOT NULL, body BLOB NOT NULL, kind INT NOT NULL, noted INT NOT NULL DEFAULT 0,
  reached INT NOT NULL DEFAULT 0);
CREATE TABLE targets(person BLOB, device BLOB, number INT, envelope BLOB, data BLOB, deposited INT NOT NULL DEFAULT 0,
  sealings INT NOT NULL DEFAULT 0, PRIMARY KEY(person, device, number)) WITHOUT ROWID;
CREATE INDEX targets_by_number ON targets(number);
CREATE INDEX targets_by_envelope ON targets(envelope) WHERE envelope IS NOT NULL;
CREATE TABLE sessions(person BLOB, device BLOB, data BLOB NOT NULL, used INT NOT NULL, PRIMARY KEY(person, device))
  WITHOUT ROWID;
CREATE TABLE prekeys(id INTEGER PRIMARY KEY, kind INT NOT NULL, secret BLOB NOT NULL, made INT NOT NULL,
  place BLOB NOT NULL DEFAULT x'', retired INT NOT NULL DEFAULT 0);
CREATE TABLE keepers(peer BLOB PRIMARY KEY, place INT NOT NULL, until INT) WITHOUT ROWID;
CREATE TABLE incoming(number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE seen(person BLOB, device BLOB, envelope BLOB, time INT NOT NULL, PRIMARY KEY(person, device, envelope))
  WITHOUT ROWID;
CREATE INDEX seen_by_time ON seen(time);
CREATE TABLE sequences(conversation TEXT, device BLOB, sequence INT NOT NULL, PRIMARY KEY(conversation, device))
  WITHOUT ROWID;
"""
    )
    .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
    .replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS")
)


def connect(path: Path) -> sqlite3.Connection:
    """One connection; every commit is on the disk when it returns, and what is deleted is overwritten."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA wal_autocheckpoint=500")
    return connection


def open_database(path: Path) -> sqlite3.Connection:
    """Make or check the tables.

    Raises `BitDustError` ``damaged-store`` for a file that is none of ours, ``disk-full`` or ``disk-error`` for a disk
    that does not take or give it.
    """
    try:
        connection = connect(path)
        path.chmod(0o600)
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found in (0, *UPGRADED):
            connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
        elif found != FORMAT:
            raise BitDustError("damaged-store", f"{path} has format {found}; this program knows {FORMAT}")
    except OSError as error:
        raise own_disk_error(error, path) from error
    except sqlite3.DatabaseError as error:
        if is_disk_trouble(error):
            raise own_disk_error(error, path) from error
        text = f"{path} cannot be read ({error}); move its folder away to begin new conversations"
        raise BitDustError("damaged-store", text) from error
    return connection
