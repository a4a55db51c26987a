"""Keeps my logs short: once in a while a key's catalog is written as a snapshot, and what stood before is forgotten.

In three steps, each of which may be the last one before a crash: the snapshot is written behind the log; when enough
suppliers hold all of it, the log begins with it from then on; each supplier learns so with the next head and forgets
the rest. A log grows to twice its last snapshot at least, so all snapshots together cost no more than the log itself.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.compaction import Compaction
from bitdust.formats.log_entry import Begin
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog, base_of, begin_of, set_begin
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log.access import SecretsLack
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.log.snapshot import write_snapshot
from bitdust.storage.log.writer import LogWriter
from bitdust.surroundings import Connected
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import MAX_COVERED

LEAST_LOG = 1024 * 1024
GROWTH = 2
DEAD_FOR = 30 * 86_400_000
"""Milliseconds that deleted things are remembered while other devices of mine may not have heard of it."""
PENDING, SIZE = "snapshot-pending:", "snapshot-size:"
"""Values of the log of one key, whose name follows."""


class LogCompaction:
    """I am the port of one key's `Compaction`; ``least`` gives the bytes below which a log is left alone."""

    log = Logger()

    def __init__(
        self, around: Connected, key: str, writer: LogWriter, replicas: LogReplicas, calendar: Calendar,
        least: Callable[[], int],
    ) -> None:  # fmt: skip
        self._world = around.world
        self._calendar = calendar
        self._key = key
        self._catalog: Catalog = writer.catalog
        self._logs = writer.logs
        self._make_secret = writer.make_secret
        self._me = around.me
        self._replicas = replicas
        self._least = least

    def is_pending(self) -> bool:
        """Whether a snapshot waits for suppliers."""
        return self._pending() is not None

    def _pending(self) -> tuple[int, int] | None:
        return pending_snapshot(self._catalog.read, self._key, self._me.device.id)

    def is_synchronized(self) -> bool:
        """Whether all that was written is safe, and all that was safe is known."""
        return self._catalog.is_open and self._replicas.knows_all and self._replicas.synchronized

    def is_worth_it(self) -> bool:
        """Whether the log is twice as long as its last snapshot, with what guests wrote since then: their logs are
        shortened by nobody else."""
        database, size = self._catalog.read, int(meta(self._catalog.read, SIZE + self._key) or b"0")
        others = [one for one in self._catalog.devices(self._key) if self._me.document.device(one) is None]
        length = log_bytes(database, self._key, self._me.device.id)
        length += sum(
            log_bytes(database, self._key, one, base_of(database, self._key, one).sequence + 1) for one in others
        )
        return length >= max(self._least(), GROWTH * size)

    def is_safe(self) -> bool:
        """Whether enough suppliers hold the pending snapshot."""
        pending = self._pending() if self._catalog.is_open else None
        return pending is not None and self._replicas.safe_sequence(self._key) >= pending[1]

    def write(self) -> "Deferred[Any]":
        """The first step."""
        writing: Deferred[None] = Deferred.fromCoroutine(self._write())
        return writing.addCallbacks(lambda _: self._replicas.new_entry(), self._failed)

    async def _write(self) -> None:
        try:
            await self._catalog.change(self.write_now)
        except SecretsLack:
            self._make_secret(self._key)
            await self._catalog.change(self.write_now)

    def write_now(self, database: sqlite3.Connection) -> None:
        """Inside a transaction: a snapshot, and the note that it is pending."""
        keys, wall = self._logs.writing(database, self._key), self._world.wall()
        alone = self._replicas.is_alone_in(self._key)
        dead_before = int(wall * 1000) if alone else int(self._calendar.now() * 1000) - DEAD_FOR
        first, last = write_snapshot(database, keys, dead_before, wall)
        set_meta(database, SIZE + self._key, b"%d" % log_bytes(database, self._key, keys.device, first))
        set_meta(database, PENDING + self._key, encode([keys.device, first, last]))

    def begin(self) -> "Deferred[Any]":
        """The second step."""
        device, pending = self._me.device.id, self._pending()
        first = pending[0] if pending is not None else 1
        beginning = self._catalog.change(lambda database: begin_with(database, self._key, device, first))
        return beginning.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        if not failure.check(BitDustError, sqlite3.Error):
            self.log.failure("the log was not made shorter", failure)
        else:
            self.log.warn("the log was not made shorter: {error}", error=failure.getErrorMessage())
        return failure


class Compactor:
    """I have a `Compaction` for each key, and report to them what is safe."""

    def __init__(self, around: Connected, writer: LogWriter, replicas: LogReplicas, calendar: Calendar) -> None:
        self._around = around
        self._calendar = calendar
        self._writer = writer
        self._replicas = replicas
        self._machines: dict[str, Compaction] = {}
        self.least_log = LEAST_LOG
        replicas.acknowledged.connect(self.check)

    def check(self) -> None:
        """Suppliers hold more of my logs."""
        if not self._writer.catalog.is_open:
            return
        for key in self._writer.catalog.known_keys():
            self._machine(key).send("log-safe")

    def _machine(self, key: str) -> Compaction:
        machine = self._machines.get(key)
        if machine is None:
            port = LogCompaction(
                self._around, key, self._writer, self._replicas, self._calendar, lambda: self.least_log
            )
            machine = self._machines[key] = Compaction(self._around.registry, port, key)
            machine.send("start")
        return machine

    def stop(self) -> None:
        """Begin nothing any more; what is pending goes on at the next start."""
        machines, self._machines = self._machines, {}
        for machine in machines.values():
            machine.send("shutdown")


def log_bytes(database: sqlite3.Connection, key: str, device: bytes, first: int = 1) -> int:
    """Bytes of the entries of a device's log from ``first`` on."""
    row = database.execute(
        "SELECT sum(length(entry)) FROM entries WHERE key=? AND device=? AND sequence>=?", (key, device, first)
    ).fetchone()
    return int(row[0] or 0)


def pending_snapshot(database: sqlite3.Connection, key: str, device: bytes) -> tuple[int, int] | None:
    """First and last entry of a device's snapshot that not enough suppliers hold yet."""
    data = meta(database, PENDING + key)
    value: Any = [None, 0, 0] if data is None else decode(data, 1024)
    whose, first, last = value
    return (first, last) if whose == device else None


def begin_with(database: sqlite3.Connection, key: str, device: bytes, first: int) -> None:
    """Inside a transaction: the log begins with a snapshot, and what it stands for is not kept any more."""
    covered = _covered(database, key, device)
    database.execute("DELETE FROM entries WHERE key=? AND device=? AND sequence<?", (key, device, first))
    for other, sequence in covered:
        database.execute("DELETE FROM entries WHERE key=? AND device=? AND sequence<=?", (key, other, sequence))
    covers = [{"device": other, "sequence": sequence} for other, sequence in covered]
    set_begin(database, key, device, Begin(first, covers))
    database.execute("DELETE FROM meta WHERE name=?", (PENDING + key,))


def _covered(database: sqlite3.Connection, key: str, device: bytes) -> list[tuple[bytes, int]]:
    """Other devices, and up to where the snapshot tells their logs, as many as a head can name: what it has named once
    suppliers have forgotten. Logs of others than these stay, though the snapshot tells them too."""
    before = {one["device"] for one in begin_of(database, key, device).covers or ()}
    rows = database.execute("SELECT device, sequence FROM bases WHERE key=? AND device<>?", (key, device)).fetchall()
    told = [(bytes(other), int(sequence)) for other, sequence in rows]
    if len(told) > MAX_COVERED:
        told.sort(key=lambda one: (one[0] not in before, -log_bytes(database, key, one[0])))
    return told[:MAX_COVERED]
