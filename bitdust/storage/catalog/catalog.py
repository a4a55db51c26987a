"""The catalog: what I have stored, as the merged logs of my devices tell it, and what this node knows besides.

Every change is a function over the database that runs in a thread, together with all others that wait, in one
transaction that is on the disk before anybody hears of it (`commit.GroupCommit`). Reading happens at once,
over a connection of its own.
"""

import sqlite3
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred

from bitdust.crypt.writers import Marks
from bitdust.disk.commit import GroupCommit
from bitdust.disk.disk import Disk, is_disk_trouble, own_disk_error
from bitdust.formats.log_entry import NOTHING_BEFORE, Begin, Content, Entry, hash_of, seal
from bitdust.formats.operations import Op, batches
from bitdust.signal import Signal
from bitdust.storage.catalog.apply import Stamp, apply_all
from bitdust.storage.catalog.database import CatalogError, connect, meta, open_catalog, set_meta
from bitdust.wire.encoding import decode, encode

T = TypeVar("T")
BEGIN, LAMPORT = "log-begin:", "lamport:"
"""Values of the logs of one key, whose name follows."""
IDLE = 2
"""So many connections are kept for the next long readings: to open one takes as long as most of them."""
Change = Callable[[sqlite3.Connection], T]


class CatalogWorld(Protocol):
    """The part of `bitdust.world.World` that the catalog needs."""

    @property
    def wall(self) -> Callable[[], float]: ...

    @property
    def run_in_thread(self) -> "Callable[..., Deferred[Any]]": ...


@frozen
class LogKeys:
    """To which log entries are written, and under which storage secret of its key."""

    owner: bytes
    key: str
    scope: bytes | None
    device: bytes
    epoch: int
    secret: bytes = field(repr=False)
    guest: Marks | None = None
    """Of whom it is, where that is not the owner."""


@frozen
class LogEnd:
    """Sequence and hash of the last entry of a device; 0 and zeros for none."""

    sequence: int = 0
    hash: bytes = NOTHING_BEFORE


class Catalog:
    """I hold ``catalog.db``. `open` first, `close` last."""

    def __init__(
        self,
        world: CatalogWorld,
        path: Path,
        disk: Disk | None = None,
        prepare: Callable[[sqlite3.Connection], None] = lambda database: None,
    ) -> None:
        self._world = world
        self.path = path
        self._prepare = prepare
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._commits = GroupCommit(
            world.run_in_thread, disk or Disk(), self._write_connection, lambda error: own_disk_error(error, path)
        )
        self.revision = 0
        self._ends: dict[tuple[str, bytes], LogEnd] = {}
        self._firsts: dict[tuple[str, bytes], int] = {}
        self._devices: dict[str, list[bytes]] = {}
        self.changed: Signal[[]] = Signal()
        """Something was written."""
        self.learnt: Signal[[str, bytes, list[Op]]] = Signal()
        """Key and device of what came from suppliers."""

    def open(self) -> "Deferred[None]":
        """Fires when the tables are there; fails with ``damaged-catalog``, ``disk-full`` or ``disk-error``."""
        return self._world.run_in_thread(self._open)

    def _open(self) -> None:
        """What has failed in the middle of a transaction must not keep the next attempt out."""
        try:
            self._writer = open_catalog(self.path)
            self._prepare(self._writer)
            self._reader = connect(self.path)
        except BaseException as error:
            self.drop()
            if isinstance(error, sqlite3.Error):
                raise own_disk_error(error, self.path) from error
            raise

    def close(self) -> "Deferred[None]":
        """Fires when all that was begun is written and the file is closed."""
        return self._commits.when_idle().addCallback(lambda _: self.drop())

    def drop(self) -> None:
        """Let go of the file at once; what is committed stays, as after a crash."""
        with self._lock:
            connections = [*self._idle, self._reader, self._writer]
            self._reader = self._writer = None
            self._idle.clear()
        for connection in connections:
            if connection is not None:
                connection.close()
        self._forget()

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    def _write_connection(self) -> sqlite3.Connection:
        if self._writer is None:
            raise CatalogError("catalog-closed", "the catalog is not open")
        return self._writer

    @property
    def read(self) -> sqlite3.Connection:
        """For short statements; nothing is written over it."""
        if self._reader is None:
            raise CatalogError("catalog-closed", "the catalog is not open")
        return self._reader

    def another_reader(self) -> sqlite3.Connection:
        """A connection for a thread that reads again and again; who asks closes it."""
        return connect(self.path)

    def read_in_thread(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        """Fires with what a long reading returns, which has a thread and a connection of its own."""
        return self._world.run_in_thread(self.read_apart, call)

    def read_apart(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """What a long reading over a connection of its own returns; for a thread."""
        try:
            database = self._idle_reader() or self.another_reader()
            try:
                found = call(database)
            except BaseException:
                database.close()  # it may be in the middle of a statement
                raise
            self._put_aside(database)
            return found
        except sqlite3.Error as error:
            if is_disk_trouble(error):
                raise own_disk_error(error, self.path) from error
            raise

    def _idle_reader(self) -> sqlite3.Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_aside(self, database: sqlite3.Connection) -> None:
        """One that has read to its end, and will see what is new when it is asked again."""
        with self._lock:
            keep = self._reader is not None and not database.in_transaction and len(self._idle) < IDLE
            if keep:
                self._idle.append(database)
        if not keep:
            database.close()

    def change(self, call: "Change[Any]", logs: Sequence[tuple[str, bytes]] | None = None) -> "Deferred[Any]":
        """Fires with what ``call`` returned, after it is on the disk; a call that raises changes nothing.

        It may change every log, or only ``logs``, by key and device.
        """
        self.revision += 1
        return self._commits.change(call).addCallback(self._written, logs)

    def change_quietly(self, call: "Change[Any]") -> "Deferred[Any]":
        """The same for what changes nothing that anybody reads here."""
        return self._commits.change(call)

    def _written(self, result: Any, logs: Sequence[tuple[str, bytes]] | None) -> Any:
        self.revision += 1
        if logs is None:
            self._forget()
        for key, device in logs or ():
            self._ends.pop((key, device), None)
            self._firsts.pop((key, device), None)
            if device not in self._devices.get(key, ()):
                self._devices.pop(key, None)
        self.changed.emit()
        return result

    def _forget(self) -> None:
        """What was read of the logs may have changed: it is asked for many times between two changes."""
        self._ends.clear()
        self._firsts.clear()
        self._devices.clear()

    # the log

    def end(self, key: str, device: bytes) -> LogEnd:
        """The end of a device's log as it is known here."""
        found = self._ends.get((key, device))
        if found is None:
            found = self._ends[key, device] = log_end(self.read, key, device)
        return found

    def scope(self, key: str, device: bytes) -> bytes | None:
        """The tag under which others know a device's log, as far as entries of it are known here."""
        return log_scope(self.read, key, device)

    def known_keys(self) -> list[str]:
        """Keys of which logs are known here."""
        return self._steps("SELECT min(key) FROM entries WHERE key>?")

    def devices(self, key: str) -> list[bytes]:
        """Devices whose logs of a key are known here; found by one step each, not by reading all entries."""
        found = self._devices.get(key)
        if found is None:
            steps = self._steps("SELECT min(device) FROM entries WHERE key=? AND device>?", key)
            found = self._devices[key] = [bytes(device) for device in steps]
        return list(found)

    def _steps(self, query: str, *values: str) -> list[Any]:
        found: list[Any] = []
        after: Any = "" if not values else b""
        while after is not None:
            (after,) = self.read.execute(query, (*values, after)).fetchone()
            if after is not None:
                found.append(after)
        return found

    def entry(self, key: str, device: bytes, sequence: int) -> bytes | None:
        """One entry as it is sent."""
        row = self.read.execute(
            "SELECT entry FROM entries WHERE key=? AND device=? AND sequence=?", (key, device, sequence)
        ).fetchone()
        return bytes(row[0]) if row is not None else None

    def entries(self, key: str, device: bytes, first: int, last: int, most: float = inf) -> list[bytes]:
        """Entries as they are sent, from one sequence to another: as many as fit ``most`` bytes, and one at least."""
        rows = self.read.execute(
            "SELECT entry FROM entries WHERE key=? AND device=? AND sequence BETWEEN ? AND ? ORDER BY sequence",
            (key, device, first, last),
        )
        found: list[bytes] = []
        for (entry,) in rows:
            most -= len(entry)
            if most < 0 and found:
                rows.close()
                break
            found.append(bytes(entry))
        return found

    def next_sequence(self, key: str, device: bytes, after: int) -> int | None:
        """The first entry of a device's log that is here behind another one; None where there is none."""
        query = "SELECT min(sequence) FROM entries WHERE key=? AND device=? AND sequence>?"
        (found,) = self.read.execute(query, (key, device, after)).fetchone()
        return int(found) if found is not None else None

    def bytes_of(self, key: str, device: bytes, first: int) -> int:
        """Bytes of the entries of a device's log from one on."""
        query = "SELECT coalesce(sum(length(entry)), 0) FROM entries WHERE key=? AND device=? AND sequence>=?"
        return int(self.read.execute(query, (key, device, first)).fetchone()[0])

    def first_sequence(self, key: str, device: bytes) -> int:
        """The first entry that is known here: 1, or the start of the tail after a snapshot."""
        found = self._firsts.get((key, device))
        if found is None:
            query = "SELECT min(sequence) FROM entries WHERE key=? AND device=?"
            (first,) = self.read.execute(query, (key, device)).fetchone()
            found = self._firsts[key, device] = int(first or base_of(self.read, key, device).sequence + 1)
        return found


def log_end(database: sqlite3.Connection, key: str, device: bytes) -> LogEnd:
    """The end of a device's log, of which a snapshot may stand for all entries."""
    row = database.execute(
        "SELECT sequence, hash FROM entries WHERE key=? AND device=? ORDER BY sequence DESC LIMIT 1", (key, device)
    ).fetchone()
    base = base_of(database, key, device)
    return LogEnd(row[0], bytes(row[1])) if row is not None and row[0] >= base.sequence else base


def log_scope(database: sqlite3.Connection, key: str, device: bytes) -> bytes | None:
    """The scope that a device's log of a key is in; None where there is none, or nothing is known of the log."""
    row = database.execute(
        "SELECT entry FROM entries WHERE key=? AND device=? ORDER BY sequence LIMIT 1", (key, device)
    ).fetchone()
    return Entry.parse(bytes(row[0])).scope if row is not None else None


def base_of(database: sqlite3.Connection, key: str, device: bytes) -> LogEnd:
    """Up to which entry a snapshot stands for a device's log."""
    row = database.execute("SELECT sequence, hash FROM bases WHERE key=? AND device=?", (key, device)).fetchone()
    return LogEnd(row[0], bytes(row[1])) if row is not None else LogEnd()


def begin_of(database: sqlite3.Connection, key: str, device: bytes) -> Begin:
    """Where this device's log begins; with its first entry, unless a compaction says otherwise."""
    data = meta(database, BEGIN + key)
    if data is None:
        return Begin()
    value: Any = decode(data, 16 * 1024)
    whose, first, covers = value
    return Begin(first, covers) if whose == device else Begin()


def set_begin(database: sqlite3.Connection, key: str, device: bytes, begin: Begin) -> None:
    """Inside a transaction: the log begins there from now on."""
    set_meta(database, BEGIN + key, encode([device, begin.first, begin.covers or []]))


def lamport(database: sqlite3.Connection, key: str) -> int:
    """The highest lamport number that was seen in the logs of a key."""
    return int(meta(database, LAMPORT + key) or b"0")


def revision_of(database: sqlite3.Connection) -> int:
    """Counts with every entry of every log."""
    rows = database.execute(
        "SELECT value FROM meta WHERE name>=? AND name<?", (LAMPORT, LAMPORT[:-1] + chr(ord(LAMPORT[-1]) + 1))
    )
    return sum(int(value) for (value,) in rows)


def append_ops(database: sqlite3.Connection, keys: LogKeys, ops: Sequence[Op], wall: float) -> int:
    """Inside a transaction: one entry, or several for many operations; the last sequence, 0 when there are no ops."""
    sequence = 0
    for batch in batches(ops):
        entry, content = next_entry(database, keys, batch, wall)
        insert_entry(database, keys.key, entry, content, guest=keys.guest)
        sequence = entry.sequence
    return sequence


def next_entry(database: sqlite3.Connection, keys: LogKeys, ops: list[Op], wall: float) -> tuple[Entry, Content]:
    """The entry that follows the last one of the device."""
    end = log_end(database, keys.key, keys.device)
    content = Content(lamport(database, keys.key) + 1, int(wall * 1000), ops)
    unsealed = Entry(keys.owner, keys.device, end.sequence + 1, end.hash, keys.epoch, b"", keys.scope)
    return seal(unsealed, keys.secret, content), content


def insert_entry(
    database: sqlite3.Connection, key: str, entry: Entry, content: Content, learnt: int = 0, guest: Marks | None = None
) -> None:
    """Inside a transaction: keep an entry and apply what it says; one that is known changes nothing.

    ``learnt`` is when it came from a supplier, in milliseconds, 0 for one that is written here; ``guest`` who wrote it,
    where that is not the owner.
    """
    if keep_entry(database, key, entry, content.lamport):
        stamp = Stamp(entry.owner, key, content.lamport, entry.device, entry.sequence, learnt, guest=guest)
        apply_all(database, content.ops, stamp)


def keep_entry(database: sqlite3.Connection, key: str, entry: Entry, stamp: int) -> bool:
    """Inside a transaction: keep an entry without applying it; False when it was known."""
    data = entry.to_bytes()
    inserted = database.execute(
        "INSERT OR IGNORE INTO entries VALUES(?, ?, ?, ?, ?, ?)",
        (key, entry.device, entry.sequence, hash_of(data), stamp, data),
    )
    if inserted.rowcount:
        set_meta(database, LAMPORT + key, b"%d" % max(lamport(database, key), stamp))
    return bool(inserted.rowcount)
