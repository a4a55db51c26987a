"""Nodes without descriptors, on disks that can be read only, or with clocks a year off go on without a restart."""

import contextlib
import errno
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup.home import disk
from bitdust.wire.errors import BitDustError
from tests.grid.chaos import promises
from tests.grid.chaos.field import Field
from tests.grid.chaos.judging import Judge
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.truth import Truth
from tests.grid.test_figures import call

SETTLE = 900.0
HOUR = 3600.0
YEAR = 365 * 86_400.0


@contextlib.contextmanager
def descriptors(most: int) -> Iterator[None]:
    """So many may be open, or as many as are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def unlimited(call: Callable[..., Any]) -> Callable[..., Any]:
    """What a test does itself."""

    def run(*args: Any) -> Any:
        with descriptors(1000):
            return call(*args)

    return run


class StarvedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.field = Field(1, Path(self.mktemp()).absolute())
        self.enterContext(self.field.surroundings())
        self.field.plant(3)
        self.owner = Owner(self.field, "alice", 3, **{"services/customer/audit-hours": 1})
        self.owner.join()
        self.judge = Judge(self.field, Truth(self.field))
        self.put("file-1", b"1" * 300_000)
        self.put("folder-1", {"one": b"one" * 2000, "two": b"two" * 2000})
        self.judge.settle(self.owner, SETTLE)

    @property
    def home(self) -> ChaosNode:
        return self.owner.home

    def put(self, remote: str, content: promises.Content) -> None:
        self.owner.put(self.home, remote, content)

    def work(self) -> None:
        """What a person asks for meanwhile; refusals are answers, and nothing else may come."""
        self.put("file-2", b"2" * 300_000)
        with contextlib.suppress(BitDustError):
            self.owner.remove(self.home, "folder-1")
        self.judge.download(self.owner, self.home, "file-1", must=False)
        self.field.pass_time(120)

    def refused(self, asked: str) -> str:
        """What a person was told who asked for something the last time; empty where it was not refused."""
        return next((line for line in reversed(self.field.journal) if f"alice: {asked}: " in line), "")

    def check_doctor(self, node: ChaosNode) -> None:
        """Whoever asks a node on such a disk what is amiss hears which folder, and what to do."""
        said = {found.found: (found.verdict, found.hint) for found in disk(node.home)}
        verdict, hint = said[f"{node.home} cannot be written: Read-only file system"]
        self.assertEqual((verdict, "writable" in hint), ("bad", True))

    def check(self) -> None:
        """Without a restart everything settles, and what was promised is there."""
        self.put("file-3", b"3" * 300_000)
        self.judge.settle(self.owner, SETTLE)
        self.judge.check_all(self.owner, self.home)
        self.assertIn("file-3", self.owner.promises.promised)
        self.field.stop()
        self.assertEqual(self.field.errors, [])

    def read_only(self, *nodes: ChaosNode) -> None:
        for node in nodes:
            node.disk_error, node.whole_disk = errno.EROFS, True

    def test_no_descriptors(self) -> None:
        """Neither owner nor suppliers can open anything for two minutes."""
        self.patch(promises, "write", unlimited(promises.write))
        self.patch(promises, "read", unlimited(promises.read))
        with descriptors(3):
            self.work()
            hints = [found.hint for found in disk(self.home.home)]
        self.assertIn("LimitNOFILE", hints[0])
        self.assertIn("may open no more files", self.refused("download file-1"))
        self.check()

    def test_a_read_only_home(self) -> None:
        """The owner's disk can be read only for some minutes, while it is asked for this and that: what has to be
        written is refused with the file, the reason, and what to do."""
        self.read_only(self.home)
        self.work()
        for asked in ("upload file-2", "delete folder-1"):
            self.assertIn(f"{self.home.home / 'catalog.db'}: nothing can be written there", self.refused(asked))
            self.assertIn("it is read-only; mount it for writing", self.refused(asked))
        self.assertEqual(self.refused("download file-1"), "")
        self.check_doctor(self.home)
        self.home.disk_error = 0
        self.check()

    def test_read_only_suppliers(self) -> None:
        """The same of all suppliers' disks: their customer hears who takes nothing, and why, and so do they."""
        self.read_only(*self.field.suppliers.values())
        self.work()
        for row in call(self.field.grid, self.home, "suppliers_list"):
            problems = {one["code"]: one["text"] for one in row["problems"]}
            self.assertIn("takes no pieces: the supplier's disk failed", problems["refuses"])
            self.assertIn("no-log", problems)
        (row,) = call(self.field.grid, self.home, "files_uploads")["running"]
        self.assertEqual(len(row["waits_for"]), 3)
        for node in self.field.suppliers.values():
            self.check_doctor(node)
        for node in self.field.suppliers.values():
            node.disk_error = 0
        self.check()

    def test_clocks_a_year_off(self) -> None:
        """The owner's clock is a year ahead, then a year behind, and a supplier's the other way round, for hours."""
        supplier = self.field.suppliers["supplier-1"]
        for off in (YEAR, -YEAR):
            self.home.offset, supplier.offset = off, -off
            self.put(f"file-{off:.0f}", b"4" * 300_000)
            self.field.pass_time(60)
            self.field.advance(3 * HOUR)
            self.field.pass_time(60)
            self.work()
        self.home.offset = supplier.offset = 0.0
        self.field.advance(2 * HOUR)
        self.field.pass_time(60)
        self.check()
        self.assertEqual(len(self.owner.promises.promised), 5)
