"""The field of a run: one clock, one network, nodes on it, a journal, and disks that can fail."""

import errno
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.testing.faulty_disk import Crash, FaultyDisks
from bitdust.testing.grid import SEED_HOST, Grid
from tests.grid.chaos import keys, padding
from tests.grid.chaos.nodes import ChaosNode

UNHANDLED = "Unhandled error in Deferred:"
"""What Twisted says before it says which; that comes with the failure."""
NO_CUSTOMER = {"services/customer/enabled": False}
NO_SUPPLIER = {"services/supplier/enabled": False}
SMALL_LOG = 3000
"""Bytes of a log that are worth a compaction, so that runs have some."""


DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE)
LITE_ERRORS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
DISK_CODES = ("disk-full", "disk-error", "no-space")


class Finding(AssertionError):
    """Something that must not be."""


class Field:
    """Where everything happens; every choice of a run is drawn from `random`."""

    def __init__(self, seed: int, base: Path, verbose: bool = False) -> None:
        self.seed = seed
        self.base = base
        self.verbose = verbose
        self.random = random.Random(seed)
        self.grid = Grid(base, seed)
        self.disks = FaultyDisks()
        self.errors: list[str] = []
        self.journal: list[str] = []
        self.suppliers: dict[str, ChaosNode] = {}
        self.cut_off: set[str] = set()
        self.sides: dict[str, int] = {}
        self.is_crashing = False
        self.grid.network.cut = self.is_cut

    # what is written down

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.grid.clock.seconds()

    def note(self, text: str) -> None:
        """One line of the journal."""
        line = f"{self.now:9.2f} {text}"
        self.journal.append(line)
        if self.verbose:
            print(line, flush=True)

    def error(self, text: str) -> None:
        """Something was logged that must not be; what ends with a process is no matter."""
        if self.is_crashing:
            return
        self.note(f"ERROR {text.strip().splitlines()[-1]}")
        self.errors.append(text)

    # time

    def pass_time(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Let time pass from call to call; True when what was waited for has come."""
        clock = self.grid.clock
        end = clock.seconds() + seconds
        while clock.seconds() < end:
            if until():
                return True
            upcoming = clock.next_call()
            upcoming = end if upcoming is None else upcoming
            self.advance(min(max(upcoming - clock.seconds(), 0.002), end - clock.seconds() + 0.001))
        return bool(until())

    def advance(self, seconds: float) -> None:
        """Let time pass in one step: what was due within it is done at its end, as on machines that were asleep."""
        try:
            self.grid.clock.advance(seconds)
        except (Crash, Exception):
            if not self.is_crashing:
                raise
        self.is_crashing = False

    def wait(
        self, coroutine: Any, seconds: float = 120.0, what: str = "an answer", node: ChaosNode | None = None
    ) -> Any:
        """The result of a coroutine or a Deferred. Raises `Finding` when it does not come, `Crash` where a node dies.
        """
        deferred = coroutine if isinstance(coroutine, Deferred) else Deferred.fromCoroutine(coroutine)
        results: list[Any] = []
        deferred.addBoth(results.append)
        came = self.pass_time(seconds, lambda: bool(results) or (node is not None and node.clock.is_dead))
        self.is_crashing = False
        if node is not None and node.clock.is_dead:
            raise Crash(node.name)
        if not came:
            raise Finding(f"{what} has not come within {seconds} seconds")
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """What the run itself is to do."""
        self.grid.clock.callLater(seconds, call)

    # nodes

    def add(self, name: str, **settings: Any) -> ChaosNode:
        """One more node, started."""
        number = len(self.grid.nodes) + 1
        node = ChaosNode(self, name, f"10.0.{number // 200}.{number % 200}", self.grid._joining() | settings)
        self.grid.nodes.append(node)
        node.start()
        return node

    def plant(self, suppliers: int) -> None:
        """The first nodes: one with the ID server, and suppliers."""
        server = {"services/identity-server/enabled": True, "services/identity-server/host": SEED_HOST}
        self.add("seed", **server, **NO_CUSTOMER, **NO_SUPPLIER)
        for number in range(suppliers):
            node = self.add(f"supplier-{number + 1}", **NO_CUSTOMER)
            node.create_identity()
            self.suppliers[node.name] = node
        self.pass_time(60, lambda: all(node.is_on("supplier") for node in self.suppliers.values()))

    def restarted(self, node: ChaosNode) -> ChaosNode:
        """The next process over the home of a killed node."""
        born = node.again()
        self.grid.nodes[self.grid.nodes.index(node)] = born
        if node.name in self.suppliers:
            self.suppliers[node.name] = born
        born.start_soon()
        return born

    def name_of(self, who: bytes) -> str:
        """The supplier with a fingerprint."""
        names = [node.name for node in self.suppliers.values() if node.rooms.identity.me.fingerprint == who]
        return names[0] if names else who.hex()

    def is_cut(self, one: str, other: str) -> bool:
        """Partitions: some hosts hear nobody, and each side hears itself alone."""
        return one in self.cut_off or other in self.cut_off or self.sides.get(one, 0) != self.sides.get(other, 0)

    def stop(self) -> None:
        """Stop all that is up; nothing may be left."""
        for node in reversed(self.grid.nodes):
            if node.is_up:
                self.wait(node.node.shutdown(), 60, f"the end of {node.name}")
        self.pass_time(1)
        left = [f"{node.name}: {call}" for node in self.grid.nodes if node.is_up for call in calls_of(node)]
        if left:
            raise Finding(f"delayed calls are left: {left[:3]}")

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """Keys and random numbers from the seed, disks that can fail, a small log, and an ear for errors."""

        def observe(event: Any) -> None:
            if event.get("log_level") in (LogLevel.error, LogLevel.critical) or "log_failure" in event:
                failure = event.get("log_failure")
                if failure is None and event.get("log_format") == UNHANDLED:
                    return
                if failure is not None and is_no_mistake(failure) and "failed at" not in str(event.get("log_format")):
                    return
                text = failure.getTraceback() if failure is not None else str(event.get("log_format"))
                self.error(f"{event.get('log_format')}: {text}")

        with (
            mock.patch.object(MasterKey, "generate", keys.from_seed(self.seed)),
            mock.patch.object(MasterKey, "sign", padding.sign),
            mock.patch.object(MasterPublic, "wrap", padding.wrap),
            mock.patch.object(os, "urandom", random.Random(self.seed).randbytes),
            mock.patch("bitdust.storage.log.compaction.LEAST_LOG", SMALL_LOG),
            self.disks.installed(),
        ):
            globalLogPublisher.addObserver(observe)
            try:
                yield
            finally:
                globalLogPublisher.removeObserver(observe)


UNHANDLED = "Unhandled error in Deferred:"
"""What Twisted says before it says which: of a process that died it may be long after its death."""


def is_no_mistake(failure: Failure) -> bool:
    """Whether a failure is the death of a process, or a disk that this run lets fail, which the program may report."""
    code = getattr(failure.value, "code", "")
    disk = isinstance(failure.value, OSError) and failure.value.errno in DISK_ERRORS
    lite = getattr(failure.value, "sqlite_errorcode", 0) in LITE_ERRORS
    said = code in DISK_CODES or "disk failed" in str(failure.value)
    return disk or lite or said or failure.check(Crash) is not None


def calls_of(node: ChaosNode) -> list[Any]:
    """What a stopped node still wants to do."""
    return node.clock.getDelayedCalls()
