"""An owner: the node that it works with, what it asks of it, and what it may expect."""

import shutil
from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from bitdust.replication import members
from bitdust.wire.errors import BitDustError
from tests.grid.chaos import promises
from tests.grid.chaos.field import NO_SUPPLIER, Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.promises import Promises

TRANSFERS = ("backup", "restore_worker", "pack", "pack_fetch", "file_deletion", "supplier_replacement")
"""Machines that live as long as something is to be done."""
SETTLE = 1800.0
"""Seconds after which everything must be as it should be."""


class Owner:
    """Who stores something; `device` is the node that it works with now."""

    def __init__(self, field: Field, name: str, n: int, **settings: Any) -> None:
        self.field = field
        self.random = field.random
        self.name = name
        self.n = n
        self.k = (n + 1) // 2
        self.promises = Promises()
        self.jobs: set[int] = set()
        self.numbers = 0
        self.devices = 1
        settings = {"services/customer/suppliers-number": n, **NO_SUPPLIER, **settings}
        self.device = field.add(name, **settings)

    def join(self) -> None:
        """Get an identity and suppliers."""
        self.device.create_identity()
        if not self.field.pass_time(300, lambda: self.device.is_on("my_data")):
            raise Finding(f"the storage of {self.name} has not begun")

    @property
    def storage(self) -> Any:
        """The storage of its node."""
        return self.device.rooms.storage

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked for something."""
        return self.device.is_up and self.storage.is_open

    def note(self, text: str) -> None:
        """One line of the journal."""
        self.field.note(f"{self.name}: {text}")

    # what it asks for

    def upload(self) -> None:
        """Upload a new item or a new version of an old one."""
        if not self.is_ready:
            return
        new = self.random.random() < 0.7 or not self.promises.items
        self.numbers += 1
        kind = self.random.choice(("file", "file", "file", "folder"))
        remote = f"{kind}-{self.numbers}" if new else self.random.choice(self.promises.items)
        content = promises.draw(self.random, remote)
        local = self.field.base / f"local-{self.name}-{self.numbers}"
        promises.write(local, content)
        try:
            self.field.wait(self.storage.create(remote, isinstance(content, dict), True, None))
            job = self.field.wait(self.storage.upload(str(local), remote))
        except BitDustError as error:
            self.note(f"upload {remote}: {error}")
            return
        self.promises.accept(remote, content)
        self.note(f"upload {remote} {promises.size_of(content)}")
        self.follow(job, remote)

    def follow(self, job: Any, remote: str) -> None:
        """Learn of the end of a job."""
        device = self.device
        if job.number in self.jobs:
            return
        self.jobs.add(job.number)
        content = self.promises.latest(remote)

        def ended(result: Any) -> None:
            if device.clock.is_dead or device is not self.device or job.is_suspended:
                self.jobs.discard(job.number)
                return
            self.note(f"upload of {remote} ended: {result.value if isinstance(result, Failure) else 'done'}")
            if not isinstance(result, Failure):
                self.promises.keep(remote, content)

        job.completion.addBoth(ended)

    def attach(self) -> None:
        """Follow uploads that go on after a restart; a file has one upload at a time, the last one."""
        if self.is_ready:
            for job in self.storage.core.uploads._every():
                if self.promises.may_be(job.item.text):
                    self.follow(job, job.item.text)

    def delete(self) -> None:
        """Delete an item."""
        self.attach()
        if not self.promises.items or not self.is_ready:
            return
        remote = self.random.choice(self.promises.items)
        self.promises.accept(remote, None)
        try:
            self.field.wait(self.storage.delete(remote))
            self.promises.delete(remote)
            self.note(f"deleted {remote}")
        except BitDustError as error:
            self.note(f"delete {remote}: {error}")

    def download(self) -> None:
        """Download something that was promised."""
        if self.is_ready and self.promises.promised:
            remote = self.random.choice(self.promises.promised)
            self.note(f"download {remote}")
            self.check_download(self.device, remote, must=False)

    def replace(self) -> None:
        """The place of a supplier is to go to another."""
        family = self.device.rooms.suppliers.family
        if not self.is_ready or family.current is None or family.current.leaving:
            return
        who = self.random.choice(members(family.current) or [b""])
        try:
            self.device.rooms.suppliers.requests.replace(who, None)
            self.note(f"replace {self.field.name_of(who)}")
        except BitDustError as error:
            self.note(f"replace: {error}")
        self.upload()

    def die(self, amid: Callable[[], None] | None = None) -> None:
        """Its node is killed, perhaps amid something, and starts again over its home."""
        if not self.device.is_up:
            return
        (amid or self.upload)()
        self.field.pass_time(self.random.choice((0, 0.01, 0.05, 0.2, 1, 3)))
        self.note("is killed")
        self.device.kill()
        self.jobs.clear()
        self.field.pass_time(self.random.choice((1, 30, 200)))
        self.device = self.field.restarted(self.device)
        self.field.pass_time(60, lambda: self.device.is_on("my_data"))
        self.attach()

    # what it may expect

    def check_download(self, node: ChaosNode, remote: str, must: bool) -> None:
        """Compare what comes with what may be there."""
        target = self.field.base / "back"
        shutil.rmtree(target, ignore_errors=True)
        allowed = self.promises.may_be(remote)
        try:
            job = self.field.wait(node.rooms.storage.download(remote, str(target), "replace"))
            self.field.wait(job.completion, 900, f"the download of {remote}")
        except BitDustError as error:
            if must:
                raise Finding(f"the download of {remote} of {self.name} failed: {error}") from error
            self.note(f"download {remote}: {error}")
            return
        got = promises.read(target / remote)
        if not self.promises.fits(remote, got, allowed):
            known = [promises.size_of(one) for one in allowed]
            raise Finding(f"{remote} came back as something else: {promises.size_of(got)}, not one of {known}")

    def check_all(self, node: ChaosNode) -> None:
        """All that was promised is there, byte for byte; what was deleted is not."""
        for remote in self.promises.promised:
            self.check_download(node, remote, must=True)
        there = [remote for remote in sorted(self.promises.deleted) if node.rooms.storage.exists(remote)]
        if there:
            raise Finding(f"{self.name} has deleted {there}, and they are there")

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
                found.append(f"{self.field.name_of(who)} lacks log entries")
            if not core.key_ring_replicas.is_held_by(who):
                found.append(f"{self.field.name_of(who)} lacks the key ring")
        for name, part in (("log", core.log_replicas), ("key ring", core.key_ring_replicas)):
            if not part.synchronized:
                found.append(f"{name}: {part.machine.state} {part.reason}")
        leaving = rooms.suppliers.departures.suppliers()
        if leaving:
            found.append(f"to be replaced: {[self.field.name_of(who) for who in leaving]}")
        left = [f"{machine.id} {machine.state}" for machine in node.node.registry if machine.name in TRANSFERS]
        return found + ([f"machines: {left}"] if left else [])

    def settle(self, node: ChaosNode, seconds: float = SETTLE) -> None:
        """Wait until all is well."""
        last = 0.0

        def well() -> bool:
            nonlocal last
            if self.field.now < last + 2:
                return False
            last = self.field.now
            return not self.unsettled(node)

        if not self.field.pass_time(seconds, well):
            raise Finding(f"{self.name} has not settled: {self.unsettled(node)}")
        self.note("settled")

    # a new home

    def key_file(self) -> str:
        """As it is written now."""
        text: str = self.device.rooms.identity.registration.backup(None)
        return text

    def recover(self, key_file: str, seconds: float = 400.0) -> ChaosNode:
        """A new home with nothing but the key file."""
        self.devices += 1
        settings = {"services/customer/suppliers-number": self.n, **NO_SUPPLIER}
        again = self.field.add(f"{self.name}-{self.devices}", **settings)
        self.field.wait(again.rooms.identity.registration.recover(key_file, None, None), seconds, "the identity")
        if not self.field.pass_time(seconds, lambda: again.is_on("my_data")):
            raise Finding(f"{self.name}, recovered, has no storage: {self.unsettled(again)}")
        return again
