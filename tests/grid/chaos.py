"""Random runs of a whole network: nodes die, disks fill, links break, and nothing that was promised may be lost.

    python -m tests.grid.chaos 1 100

runs the seeds 1 to 100 and ends with 1 when one of them fails. A seed decides everything: keys, the script of steps,
and what the network does; the same seed gives the same run again (``-v`` prints its steps). Never are more suppliers
broken at the same time than a family can do without. After the last step everything is mended, and then:

* what was reported as done comes back byte for byte, also to a new home that has the key file alone;
* within half an hour every upload that was accepted has ended, every piece is with its supplier, the suppliers hold
  log and key ring, and no machine of a transfer is left;
* no error was logged, and a node that has stopped has no delayed call.
"""

import argparse
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from bitdust.crypt.master import MasterKey
from bitdust.disk.disk import Disk
from bitdust.node import Node
from bitdust.replication import members
from bitdust.storage.pieces.spool import Spool, disk_trouble
from bitdust.testing.clock import LifeClock
from bitdust.testing.grid import SEED_HOST, Grid, GridNode
from bitdust.testing.world import fake_world
from bitdust.wire.errors import BitDustError

NO_CUSTOMER = {"services/customer/enabled": False}
NO_SUPPLIER = {"services/supplier/enabled": False}
SETTLE = 1800.0
"""Seconds after which everything must be as it should be."""
TRANSFERS = ("backup", "restore_worker", "pack", "pack_fetch", "file_deletion", "supplier_replacement")
"""Machines that live as long as something is to be done."""
SPARES = 2
KEYS = Path(tempfile.gettempdir()) / "bitdust-chaos-keys"
REAL_GENERATE = MasterKey.generate
SMALL_LOG = 3000
Content = bytes | dict[str, bytes] | None
"""A file, a folder, or that nothing is there."""


class Finding(AssertionError):
    """Something that must not be."""


class ChaosNode(GridNode):
    """A node that can be killed as a process is, whose disk can fail and whose wall clock can be set."""

    def __init__(self, run: "Run", name: str, address: str, settings: dict[str, Any], life: int = 0) -> None:
        self.run = run
        self.life = life
        self.offset = 0.0
        self.is_up = False
        self.disk_error = 0
        super().__init__(run.grid, name, address, settings)

    def _build(self) -> Node:
        self.home.mkdir(parents=True, exist_ok=True)
        # A process that starts again draws other random numbers than the one before.
        world = fake_world(
            self.grid.network, self.grid.clock, self.address, self.home, f"{self.run.seed} {self.name} {self.life}"
        )
        self.clock = LifeClock(self.grid.clock)
        wall = world.wall
        world = evolve(world, clock=self.clock, wall=lambda: wall() + self.offset)
        node = Node(world)
        for key, value in ({"paths/disk-reserve-percent": 0} | self.settings).items():
            node.settings.set(key, value)
        return node

    def start(self) -> None:
        self.is_up = True
        super().start()

    def kill(self) -> None:
        """The process ends at once, and the host with it."""
        self.is_up = False
        self.clock.die()
        super().kill()

    def again(self) -> "ChaosNode":
        """The next process over the same home."""
        address = f"10.0.{self.life + 1}.{self.address.rsplit('.', 1)[1]}"
        born = ChaosNode(self.run, self.name, address, self.settings, self.life + 1)
        born.offset = self.offset
        return born


class Run:
    """One seed."""

    def __init__(self, seed: int, base: Path, verbose: bool = False) -> None:
        self.seed = seed
        self.base = base
        self.verbose = verbose
        self.random = random.Random(seed)
        self.grid = Grid(base, seed)
        self.errors: list[str] = []
        self.journal: list[str] = []
        self.suppliers: dict[str, ChaosNode] = {}
        self.broken: dict[str, str] = {}
        self.uploads: dict[str, list[Content]] = {}
        """What an item may hold: the last that was promised first, then what was accepted since."""
        self.deleted: set[str] = set()
        self.jobs: set[int] = set()
        self.attached: set[tuple[int, int]] = set()
        self.cut_off: set[str] = set()
        self.n = self.random.choice((4, 4, 4, 5, 7))
        self.k = (self.n + 1) // 2
        self.numbers = 0

    # what happens

    def note(self, text: str) -> None:
        """One line of the journal."""
        line = f"{self.grid.clock.seconds():9.2f} {text}"
        self.journal.append(line)
        if self.verbose:
            print(line, flush=True)

    def pass_time(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Let time pass from call to call; True when what was waited for has come."""
        clock = self.grid.clock
        end = clock.seconds() + seconds
        while clock.seconds() < end:
            if until():
                return True
            upcoming = clock.next_call()
            upcoming = end if upcoming is None else upcoming
            clock.advance(min(max(upcoming - clock.seconds(), 0.002), end - clock.seconds() + 0.001))
        return bool(until())

    def wait(self, coroutine: Any, seconds: float = 120.0, what: str = "an answer") -> Any:
        """The result of a coroutine or a Deferred."""
        deferred = coroutine if isinstance(coroutine, Deferred) else Deferred.fromCoroutine(coroutine)
        results: list[Any] = []
        deferred.addBoth(results.append)
        if not self.pass_time(seconds, lambda: bool(results)):
            raise Finding(f"{what} has not come within {seconds} seconds")
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def start(self, node: ChaosNode) -> None:
        """Start a process, without waiting until everything is up."""
        node.node.load_home()
        node.is_up = True
        node.node.driver.start_all().addErrback(lambda failure: self.errors.append(f"start: {failure.value}"))

    def add(self, name: str, **settings: Any) -> ChaosNode:
        """One more node."""
        node = ChaosNode(self, name, f"10.0.0.{len(self.grid.nodes) + 1}", self.grid._joining() | settings)
        self.grid.nodes.append(node)
        node.start()
        return node

    def begin(self) -> None:
        """Seed, suppliers, customer."""
        server = {"services/identity-server/enabled": True, "services/identity-server/host": SEED_HOST}
        self.add("seed", **server, **NO_CUSTOMER, **NO_SUPPLIER)
        for number in range(self.n + SPARES):
            node = self.add(f"supplier-{number + 1}", **NO_CUSTOMER)
            node.create_identity()
            self.suppliers[node.name] = node
        self.pass_time(60, lambda: all(node.is_on("supplier") for node in self.suppliers.values()))
        block = self.random.choice((16 * 1024 * 1024, 65536))
        settings = {"services/customer/suppliers-number": self.n, "services/backups/block-size": block}
        self.alice = self.add("alice", **NO_SUPPLIER, **settings)
        self.alice.create_identity()
        if not self.pass_time(300, lambda: self.alice.is_on("my_data")):
            raise Finding("the customer's storage has not begun")
        self.grid.network.cut = self.is_cut
        self.note(f"{self.n} suppliers, packs of {block}")

    def is_cut(self, one: str, other: str) -> bool:
        """Partitions: some hosts hear nobody."""
        return one in self.cut_off or other in self.cut_off

    # faults

    def may_break(self) -> list[ChaosNode]:
        """Suppliers that may be broken now, too."""
        if len(self.broken) >= self.n - self.k:
            return []
        return [node for node in self.suppliers.values() if node.name not in self.broken]

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """What is to be mended."""
        self.grid.clock.callLater(seconds, call)

    def break_one(self, how: str, seconds: float, damage: Callable[[ChaosNode], Callable[[], None]]) -> None:
        """Break a supplier for a while."""
        choice = self.may_break()
        if not choice:
            return
        node = self.random.choice(choice)
        self.broken[node.name] = how
        self.note(f"{how} {node.name} for {seconds:.0f}")
        mend = damage(node)

        def mended() -> None:
            if self.broken.get(node.name) == how:
                self.note(f"mended: {how} {node.name}")
                mend()
                self.later(20, lambda: self.whole_again(node.name))

        self.later(seconds, mended)

    def whole_again(self, name: str) -> None:
        """A supplier that was mended has had time to be found."""
        self.broken.pop(name, None)

    def step_kill(self) -> None:
        """A supplier dies and comes back over its home, up to an hour later."""

        def damage(node: ChaosNode) -> Callable[[], None]:
            node.kill()
            return lambda: self.revive_supplier(node.name)

        self.break_one("kill", self.random.choice((1, 5, 60, 600, 3600)), damage)

    def revive_supplier(self, name: str) -> None:
        """Start a killed supplier."""
        if not self.suppliers[name].is_up:
            self.suppliers[name] = self.replace_node(self.suppliers[name])

    def replace_node(self, node: ChaosNode) -> ChaosNode:
        """The next process of a killed node."""
        born = node.again()
        self.grid.nodes[self.grid.nodes.index(node)] = born
        self.start(born)
        return born

    def step_partition(self) -> None:
        """A supplier hears nobody for a while."""

        def damage(node: ChaosNode) -> Callable[[], None]:
            self.cut_off.add(node.address)
            return lambda: self.cut_off.discard(node.address)

        self.break_one("cut off", self.random.choice((2, 20, 60, 300)), damage)

    def step_customer_cut(self) -> None:
        """The customer hears nobody for a while."""
        address, seconds = self.alice.address, self.random.choice((2, 20, 120))
        self.note(f"the customer hears nobody for {seconds}")
        self.cut_off.add(address)
        self.later(seconds, lambda: self.cut_off.discard(address))

    def step_disk(self) -> None:
        """A supplier's disk takes nothing for a while."""

        def damage(node: ChaosNode) -> Callable[[], None]:
            node.disk_error = self.random.choice((errno.ENOSPC, errno.EIO))

            def mend() -> None:
                self.suppliers[node.name].disk_error = 0

            return mend

        self.break_one("disk error", self.random.choice((5, 60, 300)), damage)

    def step_customer_disk(self) -> None:
        """The customer's spool takes nothing for a while."""
        node, node.disk_error = self.alice, self.random.choice((errno.ENOSPC, errno.EIO))
        seconds = self.random.choice((2, 20, 120))
        self.note(f"the customer's disk fails for {seconds}")

        def mend() -> None:
            node.disk_error = 0

        self.later(seconds, mend)

    def step_network(self) -> None:
        """Slow, or with loss, or well again."""
        self.grid.network.latency = self.random.choice((0.005, 0.05, 0.3))
        self.grid.network.loss = self.random.choice((0.0, 0.05, 0.2))
        self.note(f"latency {self.grid.network.latency}, loss {self.grid.network.loss}")

    def step_clock(self) -> None:
        """Somebody sets a wall clock."""
        node = self.random.choice([self.alice, *self.suppliers.values()])
        node.offset += self.random.choice((-600, -60, 60, 600))
        self.note(f"the clock of {node.name} is off by {node.offset}")

    def step_restart(self) -> None:
        """A service of some node is restarted."""
        node = self.random.choice([self.alice, self.alice, *self.suppliers.values()])
        names = [row["name"].removeprefix("service_") for row in node.node.driver.list() if row["state"] == "ON"]
        if node.is_up and names:
            name = self.random.choice(names)
            self.note(f"restart {name} of {node.name}")
            node.node.driver.restart(name).addErrback(lambda failure: self.note(f"restart: {failure.value}"))

    def step_kill_customer(self) -> None:
        """The customer dies, perhaps amid an upload, and starts again over its home."""
        self.step_upload()
        self.pass_time(self.random.choice((0, 0.01, 0.05, 0.2, 1, 3)), lambda: False)
        self.note("kill the customer")
        self.alice.kill()
        self.jobs.clear()
        self.attached.clear()
        self.pass_time(self.random.choice((1, 30, 200)))
        self.alice = self.replace_node(self.alice)
        self.pass_time(60, lambda: self.alice.is_on("my_data"))
        self.attach()

    def step_replace(self) -> None:
        """A supplier's place is to go to another."""
        family = self.alice.rooms.suppliers.family
        if not self.alice.rooms.storage.is_open or family.current is None or family.current.leaving:
            return
        who = self.random.choice(members(family.current) or [b""])
        try:
            self.alice.rooms.suppliers.requests.replace(who, None)
            self.note(f"replace {self.name_of(who)}")
        except BitDustError as error:
            self.note(f"replace: {error}")
        self.step_upload()

    def name_of(self, who: bytes) -> str:
        """The supplier with a fingerprint."""
        names = [node.name for node in self.suppliers.values() if node.rooms.identity.me.fingerprint == who]
        return names[0] if names else who.hex()

    # what is asked for

    def make_content(self, remote: str) -> Content:
        """Something to upload."""
        if remote.startswith("folder"):
            count = self.random.choice((3, 20, 60))
            return {f"f{number}": self.random.randbytes(self.random.randint(1, 3000)) for number in range(count)}
        return self.random.randbytes(self.random.choice((1, 700, 10_000, 100_000, 400_000, 2_000_000)))

    def step_upload(self) -> None:
        """Upload a new item or a new version of an old one."""
        storage = self.alice.rooms.storage
        if not storage.is_open:
            return
        new = self.random.random() < 0.7 or not self.uploads
        self.numbers += 1
        kind = self.random.choice(("file", "file", "file", "folder"))
        remote = f"{kind}-{self.numbers}" if new else self.random.choice(sorted(self.uploads))
        content = self.make_content(remote)
        local = self.base / f"local-{self.numbers}"
        write(local, content)
        try:
            self.wait(storage.create(remote, isinstance(content, dict), True, None))
            job = self.wait(storage.upload(str(local), remote))
        except BitDustError as error:
            self.note(f"upload {remote}: {error}")
            return
        self.uploads.setdefault(remote, [None]).append(content)
        self.deleted.discard(remote)
        self.note(f"upload {remote} {size_of(content)}")
        self.follow(job, remote)

    def follow(self, job: Any, remote: str) -> None:
        """Learn of the end of a job."""
        alice = self.alice
        if job.number in self.jobs:
            return
        self.jobs.add(job.number)
        at = len(self.uploads[remote]) - 1
        content = self.uploads[remote][at]

        def ended(result: Any) -> None:
            if alice.clock.is_dead or alice is not self.alice or job.is_suspended:
                self.jobs.discard(job.number)
                return
            self.note(f"upload of {remote} ended: {result.value if isinstance(result, Failure) else 'done'}")
            known = self.uploads.get(remote, [])
            where = [number for number, one in enumerate(known) if one is content]
            if where and not isinstance(result, Failure):
                self.uploads[remote] = known[where[0] :]

        job.completion.addBoth(ended)

    def attach(self) -> None:
        """Follow uploads that go on after a restart; a file has one upload at a time, the last one."""
        if not self.alice.rooms.storage.is_open:
            return
        for job in self.alice.rooms.storage.core.uploads._every():
            if job.item.text in self.uploads:
                self.follow(job, job.item.text)

    def step_delete(self) -> None:
        """Delete an item."""
        self.attach()
        if not self.uploads or not self.alice.rooms.storage.is_open:
            return
        remote = self.random.choice(sorted(self.uploads))
        self.uploads[remote].append(None)
        try:
            self.wait(self.alice.rooms.storage.delete(remote))
            del self.uploads[remote]
            self.deleted.add(remote)
            self.note(f"deleted {remote}")
        except BitDustError as error:
            self.note(f"delete {remote}: {error}")

    def step_download(self) -> None:
        """Download something that was promised; with enough suppliers it must come."""
        if not self.alice.rooms.storage.is_open:
            return
        promised = [remote for remote, may in sorted(self.uploads.items()) if may[0] is not None]
        if promised:
            remote = self.random.choice(promised)
            self.note(f"download {remote}")
            self.check_download(self.alice, remote, strict=False)

    def check_download(self, node: ChaosNode, remote: str, strict: bool) -> None:
        """Compare what comes with what may be there."""
        target = self.base / "back"
        shutil.rmtree(target, ignore_errors=True)
        allowed = list(self.uploads[remote])
        try:
            job = self.wait(node.rooms.storage.download(remote, str(target), "replace"))
            self.wait(job.completion, 900, f"the download of {remote}")
        except BitDustError as error:
            if strict:
                raise Finding(f"the download of {remote} failed: {error}") from error
            self.note(f"download {remote}: {error}")
            return
        got = read(target / remote)
        if not any(got == one for one in [*allowed, *self.uploads.get(remote, [])] if one is not None):
            known = [size_of(one) for one in allowed]
            raise Finding(f"{remote} came back as something else: {size_of(got)}, not one of {known}")

    def step_rest(self) -> None:
        """Nothing happens for a while."""
        self.pass_time(self.random.choice((30, 300, 900)))

    # the end

    def heal(self) -> None:
        """Everything is as it should be again."""
        self.note("heal")
        self.cut_off.clear()
        self.grid.network.latency, self.grid.network.loss = 0.005, 0.0
        self.broken.clear()
        for name, node in list(self.suppliers.items()):
            node.disk_error = 0
            self.revive_supplier(name)
        self.alice.disk_error = 0

    def unsettled(self, node: ChaosNode) -> list[str]:
        """What is not yet as it should be; empty when all is well."""
        rooms = node.rooms
        if not node.is_on("my_data") or not rooms.storage.is_open:
            off = [row for row in node.node.driver.list() if row["enabled"] and row["state"] != "ON"]
            return [f"off: {[(row['name'], row['state'], row['reason']) for row in off]}"]
        self.attach()
        core, found = rooms.storage.core, []
        jobs = [f"{job.shown} in {job.machine.state}" for job in core.uploads._every()]
        if jobs:
            found.append(f"uploads: {jobs}")
        pieces = rooms.storage.pieces()
        if pieces["waiting"] or pieces["missing"] or pieces["due"] != pieces["acknowledged"]:
            found.append(f"pieces: {pieces}")
        suppliers = members(rooms.suppliers.family.current)
        if len(suppliers) < self.n:
            found.append(f"{len(suppliers)} suppliers")
        for who in suppliers:
            if not core.log_replicas.is_held_by(who):
                found.append(f"{self.name_of(who)} lacks log entries")
            if not core.key_ring_replicas.is_held_by(who):
                found.append(f"{self.name_of(who)} lacks the key ring")
        for name, part in (("log", core.log_replicas), ("key ring", core.key_ring_replicas)):
            if not part.synchronized:
                found.append(f"{name}: {part.machine.state} {part.reason}")
        if rooms.suppliers.departures.suppliers():
            found.append(f"to be replaced: {[self.name_of(who) for who in rooms.suppliers.departures.suppliers()]}")
        left = [f"{machine.id} {machine.state}" for machine in node.node.registry if machine.name in TRANSFERS]
        return found + ([f"machines: {left}"] if left else [])

    def settle(self, node: ChaosNode) -> None:
        """Wait until all is well."""
        last = 0.0

        def well() -> bool:
            nonlocal last
            if self.grid.clock.seconds() < last + 2:
                return False
            last = self.grid.clock.seconds()
            return not self.unsettled(node)

        if not self.pass_time(SETTLE, well):
            raise Finding(f"not settled: {self.unsettled(node)}")
        self.note("settled")

    def check_all(self, node: ChaosNode) -> None:
        """All that was promised is there, byte for byte."""
        for remote, may in sorted(self.uploads.items()):
            if may[0] is not None:
                self.check_download(node, remote, strict=True)

    def check_deleted(self) -> None:
        """What was deleted is not there."""
        there = [remote for remote in sorted(self.deleted) if self.alice.rooms.storage.exists(remote)]
        if there:
            raise Finding(f"deleted and there: {there}")

    def recover(self) -> None:
        """A new home with the key file alone has it all, with as many suppliers off as may be."""
        family = self.alice.rooms.suppliers.family.current
        key_file = self.alice.rooms.identity.registration.backup(None)
        self.alice.kill()
        off = self.random.sample(members(family), self.n - self.k) if self.random.random() < 0.3 else []
        self.note(f"recover without {[self.name_of(who) for who in off]}")
        for node in self.suppliers.values():
            if node.fingerprint in off:
                node.kill()
        again = ChaosNode(self, "again", "10.0.99.1", {"services/customer/suppliers-number": self.n, **NO_SUPPLIER})
        self.grid.nodes.append(again)
        again.start()
        self.wait(again.rooms.identity.registration.recover(key_file, None, None), 300, "the identity")
        if not self.pass_time(400, lambda: again.is_on("my_data")):
            raise Finding(f"the recovered customer has no storage: {self.unsettled(again)}")
        self.check_all(again)

    def stop(self) -> None:
        """Stop all that is up; nothing may be left."""
        for node in reversed(self.grid.nodes):
            if node.is_up:
                self.wait(node.node.shutdown(), 60, f"the end of {node.name}")
        self.pass_time(1)
        up = [node for node in self.grid.nodes if node.is_up]
        left = [f"{node.name}: {call}" for node in up for call in node.clock.getDelayedCalls()]
        if left:
            raise Finding(f"delayed calls are left: {left[:3]}")

    STEPS = (
        (step_upload, 10),
        (step_download, 3),
        (step_delete, 2),
        (step_kill, 3),
        (step_partition, 2),
        (step_customer_cut, 1),
        (step_disk, 2),
        (step_customer_disk, 1),
        (step_network, 2),
        (step_clock, 1),
        (step_restart, 2),
        (step_kill_customer, 2),
        (step_replace, 2),
        (step_rest, 2),
    )

    def go(self) -> None:
        """Run it. Raises `Finding`."""
        with self.surroundings():
            self.begin()
            for _ in range(self.random.randint(8, 25)):
                step = self.random.choices([one for one, _ in self.STEPS], [weight for _, weight in self.STEPS])[0]
                step(self)
                self.pass_time(self.random.choice((0, 0.05, 0.5, 3, 20)))
            self.heal()
            self.settle(self.alice)
            self.check_all(self.alice)
            self.check_deleted()
            self.recover()
            self.stop()
        if self.errors:
            raise Finding(f"errors were logged: {self.errors[0]}")

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """Disks that can fail, a small log, and an ear for errors."""

        def observe(event: Any) -> None:
            if event.get("log_level") in (LogLevel.error, LogLevel.critical) or "log_failure" in event:
                failure = event.get("log_failure")
                text = failure.getTraceback() if failure is not None else str(event.get("log_format"))
                self.note(f"ERROR {event.get('log_format')} {failure.value if failure is not None else ''}")
                self.errors.append(f"{event.get('log_format')}: {text}")

        def failing(real: Callable[..., Any], as_spool: bool = False) -> Callable[..., Any]:
            def call(disk: Any, *args: Any) -> Any:
                node = self.node_of(disk)
                if node is not None and node.disk_error:
                    error = OSError(node.disk_error, os.strerror(node.disk_error))
                    raise disk_trouble(error, "a piece") if as_spool else error
                return real(disk, *args)

            return call

        with (
            mock.patch.object(MasterKey, "generate", kept_keys()),
            mock.patch.object(os, "urandom", random.Random(self.seed).randbytes),
            mock.patch("bitdust.storage.log.compaction.LEAST_LOG", SMALL_LOG),
            mock.patch.object(Disk, "write", failing(Disk.write)),
            mock.patch.object(Disk, "sync", failing(Disk.sync)),
            mock.patch.object(Spool, "write_one", failing(Spool.write_one, True)),
            mock.patch.object(Spool, "sync", failing(Spool.sync, True)),
        ):
            globalLogPublisher.addObserver(observe)
            try:
                yield
            finally:
                globalLogPublisher.removeObserver(observe)

    def node_of(self, disk: Any) -> ChaosNode | None:
        """Whose disk it is."""
        for node in self.suppliers.values():
            if node.rooms.customers.store._disk is disk:
                return node
        storage = self.alice.rooms.storage if hasattr(self, "alice") else None
        if storage is not None and storage.is_open and storage.core.spool is disk:
            return self.alice
        return None


@cache
def kept_key(path: Path, bits: int) -> MasterKey:
    """One of them."""
    if not path.exists():
        KEYS.mkdir(parents=True, exist_ok=True)
        path.write_text(REAL_GENERATE(bits).to_pem())
    return MasterKey.from_pem(path.read_text())


def kept_keys() -> Callable[..., MasterKey]:
    """Makes master keys, each run the same ones in the same order: they are kept for the runs to come.

    Nobody can make RSA keys from a seed with the library; a machine that has no keys yet replays with other names.
    """
    numbers = iter(range(1000))

    def generate(bits: int = 2048) -> MasterKey:
        return kept_key(KEYS / f"{next(numbers)}.pem", bits)

    return generate


def write(path: Path, content: Content) -> None:
    """Put content on the disk."""
    if isinstance(content, dict):
        path.mkdir()
        for name, data in content.items():
            (path / name).write_bytes(data)
    elif content is not None:
        path.write_bytes(content)


def read(path: Path) -> Content:
    """What is on the disk."""
    if path.is_dir():
        return {one.name: one.read_bytes() for one in path.iterdir()}
    return path.read_bytes() if path.exists() else None


def size_of(content: Content) -> str:
    """A word about content."""
    if content is None:
        return "nothing"
    return f"{len(content)} files" if isinstance(content, dict) else f"{len(content)} bytes"


def run_seed(seed: int, verbose: bool = False) -> tuple[str, list[str]]:
    """Why a seed fails, empty when it does not; and its journal."""
    shared = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="chaos-", dir=shared if shared.is_dir() else None))
    run = Run(seed, base, verbose)
    try:
        run.go()
        return "", run.journal
    except Finding as finding:
        return str(finding), run.journal
    except Exception:  # noqa: BLE001 - whatever it is, the seed has failed, and the next one is to run
        return traceback.format_exc(), run.journal
    finally:
        shutil.rmtree(base, ignore_errors=True)


def main() -> int:
    """Run seeds from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.grid.chaos", description="Break a network at random.")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("-v", "--verbose", action="store_true", help="print what happens")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of bytes is part of a run.
        command = [sys.executable, "-m", "tests.grid.chaos", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False).returncode
    failed = 0
    for seed in range(given.first, given.last + 1):
        why, journal = run_seed(seed, given.verbose)
        if why:
            failed += 1
            print(f"seed {seed} FAILED: {why}\n  replay: python -m tests.grid.chaos -v {seed} {seed}", flush=True)
        else:
            print(f"seed {seed} ok, {len(journal)} lines", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
