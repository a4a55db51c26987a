"""What a supplier knows of its customers: `customers.db`, SQLite, WAL, ``synchronous=FULL``.

===========  ===================================================================================================
table        one row is
===========  ===================================================================================================
customers    a fingerprint with the names it showed, bytes (``used``) and number of pieces, bytes of its logs, and
             of its records and revocations; bytes that are ``condemned`` (``held``), and thousandths of packs
             ``dropped`` at its word, as much as counted at ``dropped_since``
contracts    the promise to one customer, never more than one; ``promised`` is when its room became so large,
             ``made`` when it began, ``network`` from where it was asked for (empty: from no network of strangers)
pieces       a piece: where it belongs, its bytes, its signed pack record; ``state`` as in `PieceCondition`;
             ``scope`` as in `bitdust.crypt.scope`, and the capability under which somebody else brought it
small        the bytes of a piece of at most `SMALL` bytes; they go with the row of the piece, and have no file
covered      entries of a log, up to a sequence, for which a snapshot stands that the device ``by`` has signed:
             they are forgotten later
log, heads   entries of the catalog log of a scope and device, and the newest signed head that they reach
records      the newest signed key rings and families, by kind; the newest has the highest id
deletes      the newest delete order of each device, so that an old one does nothing
delayed      an order of a device that is carried out later: packs to delete, or the end of a ``contract``
condemned    a pack of such an order, with what its pieces take
garbage      a piece's file that was ordered to go and may still be there
grants       bytes, and number of pieces and entries, that are kept under a capability of the customer
revocations  capabilities that the customer has revoked, with its signed word
keepsakes    its identity document, and its family record as the DHT has it: `bitdust.customers.keepsakes`
===========  ===================================================================================================
"""

import contextlib
import sqlite3
from enum import IntEnum
from pathlib import Path

from bitdust.disk.disk import is_disk_trouble, own_disk_error
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.signed import Signed

SCHEMA_VERSION = 12
_KEEPSAKES = """
CREATE TABLE keepsakes(customer BLOB NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL, expires INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY(customer, kind));
"""
_DELAYS = """
CREATE TABLE delayed(id INTEGER PRIMARY KEY AUTOINCREMENT, customer BLOB NOT NULL, device BLOB NOT NULL,
    due INTEGER NOT NULL, contract BLOB);
CREATE INDEX delayed_by_customer ON delayed(customer);
CREATE TABLE condemned(customer BLOB NOT NULL, pack BLOB NOT NULL, size INTEGER NOT NULL, delayed INTEGER NOT NULL,
    PRIMARY KEY(customer, pack)) WITHOUT ROWID;
CREATE INDEX condemned_by_order ON condemned(delayed, size);
CREATE TRIGGER condemned_counts AFTER INSERT ON condemned BEGIN
    UPDATE customers SET held=held+new.size WHERE fingerprint=new.customer; END;
CREATE TRIGGER condemned_counts_no_more AFTER DELETE ON condemned BEGIN
    UPDATE customers SET held=held-old.size WHERE fingerprint=old.customer; END;
CREATE TRIGGER delayed_goes AFTER DELETE ON delayed BEGIN DELETE FROM condemned WHERE delayed=old.id; END;
CREATE TRIGGER condemned_goes AFTER DELETE ON pieces BEGIN
    DELETE FROM condemned WHERE customer=old.customer AND pack=old.pack; END;
"""
_COVERED = """
CREATE TABLE IF NOT EXISTS covered(customer BLOB NOT NULL, scope BLOB NOT NULL, device BLOB NOT NULL, by BLOB NOT NULL,
    sequence INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY(customer, scope, device, by)) WITHOUT ROWID;
"""
_MISSING = """
CREATE INDEX IF NOT EXISTS pieces_missing ON pieces(customer, size) WHERE state = 1;
"""
SCHEMA = (
    """
CREATE TABLE customers(fingerprint BLOB PRIMARY KEY, idurl TEXT NOT NULL, global_id TEXT NOT NULL,
    used INTEGER NOT NULL DEFAULT 0, pieces INTEGER NOT NULL DEFAULT 0,
    log_bytes INTEGER NOT NULL DEFAULT 0, record_bytes INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
    dropped_since INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE contracts(customer BLOB PRIMARY KEY, contract BLOB NOT NULL, room INTEGER NOT NULL,
    position INTEGER NOT NULL, n INTEGER NOT NULL, since INTEGER NOT NULL, term INTEGER NOT NULL,
    grace INTEGER NOT NULL, state TEXT NOT NULL, announced INTEGER NOT NULL DEFAULT 0,
    promised INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL DEFAULT 0,
    network TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE pieces(customer BLOB NOT NULL, pack BLOB NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL,
    state INTEGER NOT NULL, record BLOB NOT NULL, scope BLOB NOT NULL, capability BLOB);
CREATE UNIQUE INDEX pieces_by_name ON pieces(customer, pack, number);
CREATE INDEX pieces_by_scope ON pieces(customer, scope, pack, number) WHERE scope <> x'';
CREATE TABLE small(customer BLOB NOT NULL, pack BLOB NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX small_by_name ON small(customer, pack, number);
CREATE TRIGGER small_goes AFTER DELETE ON pieces BEGIN
    DELETE FROM small WHERE customer=old.customer AND pack=old.pack AND number=old.number; END;
CREATE TABLE log(customer BLOB NOT NULL, scope BLOB NOT NULL, device BLOB NOT NULL, sequence INTEGER NOT NULL,
    hash BLOB NOT NULL, entry BLOB NOT NULL);
CREATE UNIQUE INDEX log_by_sequence ON log(customer, scope, device, sequence);
CREATE TABLE heads(customer BLOB NOT NULL, scope BLOB NOT NULL, device BLOB NOT NULL, sequence INTEGER NOT NULL,
    signed BLOB NOT NULL, PRIMARY KEY(customer, scope, device)) WITHOUT ROWID;
CREATE TABLE records(id INTEGER PRIMARY KEY AUTOINCREMENT, customer BLOB NOT NULL, kind TEXT NOT NULL,
    revision INTEGER NOT NULL, device BLOB NOT NULL, signed BLOB NOT NULL);
CREATE INDEX records_by_kind ON records(customer, kind, id);
CREATE TABLE deletes(customer BLOB NOT NULL, device BLOB NOT NULL, time INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY(customer, device)) WITHOUT ROWID;
CREATE TABLE garbage(customer BLOB NOT NULL, pack BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY(customer, pack, number)) WITHOUT ROWID;
CREATE TABLE grants(customer BLOB NOT NULL, capability BLOB NOT NULL, used INTEGER NOT NULL, items INTEGER NOT NULL,
    PRIMARY KEY(customer, capability)) WITHOUT ROWID;
CREATE TABLE revocations(customer BLOB NOT NULL, capability BLOB NOT NULL, received INTEGER NOT NULL,
    signed BLOB NOT NULL, PRIMARY KEY(customer, capability)) WITHOUT ROWID;
"""
    + _KEEPSAKES
    + _MISSING
    + _DELAYS
    + _COVERED
)
STEPS = {
    4: """
ALTER TABLE records RENAME TO former_records;
DROP INDEX records_by_kind;
CREATE TABLE records(id INTEGER PRIMARY KEY AUTOINCREMENT, customer BLOB NOT NULL, kind TEXT NOT NULL,
    revision INTEGER NOT NULL, device BLOB NOT NULL, signed BLOB NOT NULL);
CREATE INDEX records_by_kind ON records(customer, kind, id);
INSERT INTO records(customer, kind, revision, device, signed)
    SELECT customer, kind, revision, signed_device(kind, signed), signed FROM former_records;
DROP TABLE former_records;
""",
    5: _KEEPSAKES + "DELETE FROM records WHERE kind='family-dht';",
    6: "ALTER TABLE contracts ADD COLUMN promised INTEGER NOT NULL DEFAULT 0;",
    7: _MISSING,
    8: """
ALTER TABLE contracts ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contracts ADD COLUMN network TEXT NOT NULL DEFAULT '';
""",
    9: """
ALTER TABLE customers ADD COLUMN record_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE customers SET record_bytes =
    (SELECT coalesce(sum(length(signed)), 0) FROM records WHERE customer = fingerprint)
    + (SELECT coalesce(sum(length(signed)), 0) FROM revocations WHERE customer = fingerprint);
""",
    10: """
ALTER TABLE customers ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE customers ADD COLUMN dropped_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE customers ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
"""
    + _DELAYS,
    11: _COVERED,
}
"""By the version of a store that is older: what brings it to the next one, in one transaction."""
HAS_FILE = "NOT EXISTS (SELECT 1 FROM small s WHERE (s.customer, s.pack, s.number) = (p.customer, p.pack, p.number))"
"""Of a row ``p`` of the table of pieces: its bytes are in a file, not beside it."""
FREE_PAGES, PAGES_AT_ONCE = 256, 1000
"""Pages that the next rows find; and of the others so many go in one commit, so that nobody waits for long."""
NO_SCOPE = b""
"""The scope of what belongs to the owner's master key."""


class PieceCondition(IntEnum):
    """Kept; or found missing or damaged on the disk, in which case its owner may bring it again."""

    KEPT = 0
    MISSING = 1
    DAMAGED = 2


def connect(path: Path) -> sqlite3.Connection:
    """One connection, for any thread, one at a time; transactions are begun and ended by hand."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # does something for a new file alone, before all else
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=2000")
    return connection


def open_database(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """A writing and a reading connection; never replaces what is there.

    Raises `BitDustError` ``damaged-store`` for a file that is none of ours, ``disk-full`` or ``disk-error`` for a disk
    that does not take or give it: then the file is as good as before.
    """
    try:
        writer = connect(path)
        path.chmod(0o600)
        version = writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            writer.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
        is_old = version in STEPS
        while version in STEPS:
            version = _take_step(writer, version)
        if is_old:
            _learn_to_shrink(writer)
        if version not in (0, SCHEMA_VERSION):
            raise BitDustError("damaged-store", f"{path} has version {version}; this program reads {SCHEMA_VERSION}")
        return writer, connect(path)
    except OSError as error:
        raise own_disk_error(error, path) from error
    except sqlite3.Error as error:
        if is_disk_trouble(error):
            raise own_disk_error(error, path) from error
        text = f"{path} cannot be read ({error}); bring it back from a copy, pieces beside it are untouched"
        raise BitDustError("damaged-store", text) from error


def _learn_to_shrink(writer: sqlite3.Connection) -> None:
    """A file that was made without that is written anew, once. One for which there is no room now stays as it is."""
    if writer.execute("PRAGMA auto_vacuum").fetchone()[0] == 0:
        with contextlib.suppress(sqlite3.OperationalError):
            writer.execute("VACUUM")  # `connect` has said how


def give_back(database: sqlite3.Connection) -> int:
    """In a thread: give the disk some of the pages that are free; how many, 0 when few are left."""
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    pages: int = min(free - FREE_PAGES, PAGES_AT_ONCE)
    if pages <= 0:
        return 0
    database.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    (left,) = database.execute("PRAGMA freelist_count").fetchone()
    return int(free - left)


def _take_step(writer: sqlite3.Connection, version: int) -> int:
    writer.create_function("signed_device", 2, _signed_device, deterministic=True)
    writer.executescript(f"BEGIN;{STEPS[version]}PRAGMA user_version={version + 1};COMMIT;")
    return version + 1


def _signed_device(kind: str, signed: bytes) -> bytes:
    """The device that signed a record; nobody for what is no signed record."""
    try:
        return Signed.from_bytes(signed, kind, 512 * 1024).device
    except WireError:
        return b""
