"""Keeps my log short: once in a while the catalog is said anew, and what was said before is forgotten.

In three steps, each of which may be the last one before a crash: the snapshot is written behind the log; when enough
suppliers hold all of it, the log begins with it from then on; each supplier hears so with the next head and forgets the
rest. A log grows to twice its last snapshot at least, so all snapshots together cost no more than the log itself.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.formats.log_entry import Begin
from bitdust.storage.catalog.catalog import Catalog, set_begin
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log.replica import Index
from bitdust.storage.log.snapshot import write_snapshot
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import Me, StorageWorld, is_alone
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError

LEAST_LOG = 1024 * 1024
GROWTH = 2
DEAD_FOR = 30 * 86_400_000
"""Milliseconds that deleted things are remembered while other devices of mine may not have heard of it."""
PENDING, SIZE = "snapshot-pending", "snapshot-size"
LOOK_EVERY = 60.0


class Compactor:
    """I look whether the log is worth a snapshot whenever it is safe, and see it through."""

    log = Logger()

    def __init__(self, world: StorageWorld, catalog: Catalog, me: Me, index: Index, writer: LogWriter) -> None:
        self._world = world
        self._catalog = catalog
        self._me = me
        self._index = index
        self._writer = writer
        self._busy = False
        self._next_look = 0.0
        self.least_log = LEAST_LOG

    def check(self) -> None:
        """The log is safe up to some entry: go on with whatever comes next."""
        if self._busy or not self._catalog.is_open or not self._index.recovered:
            return
        device = self._me.device.id
        pending = pending_snapshot(self._catalog.read, device)
        if pending is not None:
            if self._index.safe_sequence() >= pending[1]:
                self._work(lambda database: begin_with(database, device, pending[0]), self._begun)
        elif self._index.synchronized and self._is_time() and self._is_worth_it():
            self._work(self._write, self._written)

    def _is_time(self) -> bool:
        """Not at every acknowledgement: measuring the log reads through it."""
        now = self._world.clock.seconds()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY
        return True

    def _is_worth_it(self) -> bool:
        size = int(meta(self._catalog.read, SIZE) or b"0")
        return log_bytes(self._catalog.read, self._me.device.id) >= max(self.least_log, GROWTH * size)

    def _work(self, step: "Callable[[sqlite3.Connection], Any]", then: "Callable[[Any], None]") -> None:
        self._busy = True
        working: Deferred[Any] = self._catalog.change(step)
        working.addCallbacks(then, self._failed)

    def _write(self, database: sqlite3.Connection) -> None:
        keys, wall = self._writer.keys(), self._world.wall()
        remembered = 0 if is_alone(self._me.document) else DEAD_FOR
        first, last = write_snapshot(database, keys, int(wall * 1000) - remembered, wall)
        set_meta(database, SIZE, b"%d" % log_bytes(database, keys.device, first))
        set_meta(database, PENDING, encode([keys.device, first, last]))

    def _written(self, _: object) -> None:
        self._busy = False
        self._index.new_entry()

    def _begun(self, _: object) -> None:
        self._busy = False

    def _failed(self, failure: Any) -> None:
        self._busy = False
        if not failure.check(BitDustError, sqlite3.Error):
            self.log.failure("the log was not made shorter", failure)
        else:
            self.log.warn("the log was not made shorter: {error}", error=failure.getErrorMessage())


def log_bytes(database: sqlite3.Connection, device: bytes, first: int = 1) -> int:
    """Bytes of a device's entries from ``first`` on."""
    row = database.execute(
        "SELECT sum(length(entry)) FROM entries WHERE device=? AND sequence>=?", (device, first)
    ).fetchone()
    return int(row[0] or 0)


def pending_snapshot(database: sqlite3.Connection, device: bytes) -> tuple[int, int] | None:
    """First and last entry of a device's snapshot that not enough suppliers hold yet."""
    data = meta(database, PENDING)
    value: Any = [None, 0, 0] if data is None else decode(data, 1024)
    whose, first, last = value
    return (first, last) if whose == device else None


def begin_with(database: sqlite3.Connection, device: bytes, first: int) -> None:
    """Inside a transaction: the log begins with a snapshot, and what it stands for is not kept any more."""
    covered = database.execute("SELECT device, sequence FROM bases WHERE device<>?", (device,)).fetchall()
    database.execute("DELETE FROM entries WHERE device=? AND sequence<?", (device, first))
    for other, sequence in covered:
        database.execute("DELETE FROM entries WHERE device=? AND sequence<=?", (other, sequence))
    covers = [{"device": bytes(other), "sequence": sequence} for other, sequence in covered]
    set_begin(database, device, Begin(first, covers))
    database.execute("DELETE FROM meta WHERE name=?", (PENDING,))
