"""The catalog: what I have stored, as the merged logs of my devices tell it, and what this node knows besides.

Every change is a function over the database that runs in a thread, together with all others that wait, in one
transaction that is on the disk before anybody hears of it (`commit.GroupCommit`). Reading happens at once,
over a connection of its own.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred

from bitdust.disk.commit import GroupCommit
from bitdust.disk.disk import Disk
from bitdust.formats.log_entry import NOTHING_BEFORE, Begin, Content, Entry, hash_of, seal
from bitdust.formats.operations import Op, batches
from bitdust.storage.catalog.apply import Stamp, apply_all
from bitdust.storage.catalog.database import CatalogError, connect, meta, open_catalog, set_meta
from bitdust.wire.encoding import decode, encode

T = TypeVar("T")
BEGIN = "log-begin"
Change = Callable[[sqlite3.Connection], T]


class CatalogWorld(Protocol):
    """The part of `bitdust.world.World` that the catalog needs."""

    @property
    def wall(self) -> Callable[[], float]: ...

    @property
    def run_in_thread(self) -> "Callable[..., Deferred[Any]]": ...


@frozen
class LogKeys:
    """Who writes entries, and under which storage secret of the master key."""

    owner: bytes
    device: bytes
    epoch: int
    secret: bytes = field(repr=False)


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
        self._commits = GroupCommit(world.run_in_thread, disk or Disk(), self._write_connection)
        self.revision = 0
        self._ends: dict[bytes, LogEnd] = {}
        self.on_change: Callable[[], None] = lambda: None

    def open(self) -> "Deferred[None]":
        """Fires when the tables are there; fails with `CatalogError` ``damaged-catalog``."""
        return self._world.run_in_thread(self._open)

    def _open(self) -> None:
        self._writer = open_catalog(self.path)
        self._prepare(self._writer)
        self._reader = connect(self.path)

    def close(self) -> "Deferred[None]":
        """Fires when all that was begun is written and the file is closed."""
        return self._commits.when_idle().addCallback(lambda _: self.drop())

    def drop(self) -> None:
        """Let go of the file at once; what is committed stays, as after a crash."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

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
        """A connection for a thread's long reading; who asks closes it."""
        return connect(self.path)

    def change(self, call: "Change[Any]") -> "Deferred[Any]":
        """Fires with what ``call`` returned, after it is on the disk; a call that raises changes nothing."""
        self.revision += 1
        return self._commits.change(call).addCallback(self._changed)

    def change_quietly(self, call: "Change[Any]") -> "Deferred[Any]":
        """The same for what changes nothing that anybody reads here."""
        return self._commits.change(call)

    def _changed(self, result: Any) -> Any:
        self.revision += 1
        self._ends.clear()
        self.on_change()
        return result

    # the log

    def append(
        self, keys: LogKeys, ops: "Sequence[Op] | Callable[[sqlite3.Connection], Sequence[Op]]"
    ) -> "Deferred[int]":
        """Write operations to this device's log and into the tables; fires with the last sequence, 0 for no ops.

        ``ops`` may be a function over the database, for those that depend on what is there.
        """

        def write(database: sqlite3.Connection) -> int:
            return append_ops(database, keys, ops(database) if callable(ops) else ops, self._world.wall())

        return self.change(write)

    def end(self, device: bytes) -> LogEnd:
        """The end of a device's log as it is known here."""
        found = self._ends.get(device)
        if found is None:
            found = self._ends[device] = log_end(self.read, device)
        return found

    def devices(self) -> list[bytes]:
        """Devices whose logs are known here; found by one step each, not by reading all entries."""
        found: list[bytes] = []
        device: bytes | None = b""
        while device is not None:
            (device,) = self.read.execute("SELECT min(device) FROM entries WHERE device>?", (device,)).fetchone()
            if device is not None:
                found.append(bytes(device))
        return found

    def entry(self, device: bytes, sequence: int) -> bytes | None:
        """One entry as it is sent."""
        row = self.read.execute("SELECT entry FROM entries WHERE device=? AND sequence=?", (device, sequence))
        found = row.fetchone()
        return bytes(found[0]) if found is not None else None

    def first_sequence(self, device: bytes) -> int:
        """The first entry that is known here: 1, or the start of the tail after a snapshot."""
        row = self.read.execute("SELECT min(sequence) FROM entries WHERE device=?", (device,)).fetchone()
        return int(row[0] or base_of(self.read, device).sequence + 1)

    def acked(self, supplier: bytes, device: bytes) -> int:
        """Up to which entry a supplier holds a device's log, as far as it told."""
        row = self.read.execute("SELECT sequence FROM log_acks WHERE supplier=? AND device=?", (supplier, device))
        found = row.fetchone()
        return int(found[0]) if found is not None else 0


def log_end(database: sqlite3.Connection, device: bytes) -> LogEnd:
    """The end of a device's log, of which a snapshot may stand for all entries."""
    row = database.execute(
        "SELECT sequence, hash FROM entries WHERE device=? ORDER BY sequence DESC LIMIT 1", (device,)
    ).fetchone()
    base = base_of(database, device)
    return LogEnd(row[0], bytes(row[1])) if row is not None and row[0] >= base.sequence else base


def base_of(database: sqlite3.Connection, device: bytes) -> LogEnd:
    """Up to which entry a snapshot stands for a device's log."""
    row = database.execute("SELECT sequence, hash FROM bases WHERE device=?", (device,)).fetchone()
    return LogEnd(row[0], bytes(row[1])) if row is not None else LogEnd()


def begin_of(database: sqlite3.Connection, device: bytes) -> Begin:
    """Where this device's log begins; with its first entry, unless a compaction says otherwise."""
    data = meta(database, BEGIN)
    if data is None:
        return Begin()
    value: Any = decode(data, 16 * 1024)
    whose, first, covers = value
    return Begin(first, covers) if whose == device else Begin()


def set_begin(database: sqlite3.Connection, device: bytes, begin: Begin) -> None:
    """Inside a transaction: the log begins there from now on."""
    set_meta(database, BEGIN, encode([device, begin.first, begin.covers or []]))


def lamport(database: sqlite3.Connection) -> int:
    """The highest lamport number that was seen."""
    return int(meta(database, "lamport") or b"0")


def append_ops(database: sqlite3.Connection, keys: LogKeys, ops: Sequence[Op], wall: float) -> int:
    """Inside a transaction: one entry, or several for many operations; the last sequence, 0 when there are no ops."""
    sequence = 0
    for batch in batches(ops):
        entry, content = next_entry(database, keys, batch, wall)
        insert_entry(database, entry, content)
        sequence = entry.sequence
    return sequence


def next_entry(database: sqlite3.Connection, keys: LogKeys, ops: list[Op], wall: float) -> tuple[Entry, Content]:
    """The entry that follows the last one of the device."""
    end = log_end(database, keys.device)
    content = Content(lamport(database) + 1, int(wall * 1000), ops)
    unsealed = Entry(keys.owner, keys.device, end.sequence + 1, end.hash, keys.epoch, b"")
    return seal(unsealed, keys.secret, content), content


def insert_entry(database: sqlite3.Connection, entry: Entry, content: Content) -> None:
    """Inside a transaction: keep an entry and apply what it says; one that is known changes nothing."""
    if keep_entry(database, entry, content.lamport):
        apply_all(database, content.ops, Stamp(entry.owner, content.lamport, entry.device, entry.sequence))


def keep_entry(database: sqlite3.Connection, entry: Entry, stamp: int) -> bool:
    """Inside a transaction: keep an entry without applying it; False when it was known."""
    data = entry.to_bytes()
    inserted = database.execute(
        "INSERT OR IGNORE INTO entries VALUES(?, ?, ?, ?, ?)",
        (entry.device, entry.sequence, hash_of(data), stamp, data),
    )
    if inserted.rowcount:
        set_meta(database, "lamport", b"%d" % max(lamport(database), stamp))
    return bool(inserted.rowcount)
