"""How the suite itself runs: what takes long begins first, and is named; homes of nodes are where they are fast."""

import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.master import MasterKey
from bitdust.wire.encoding import WireError
from tests import keys, scratch
from tests.__main__ import FIRST, WAITS, Lanes, long_ones_first, processor_seconds, slowest


class RunTests(SynchronousTestCase):
    def test_order(self) -> None:
        """What takes long comes first, whatever it is called; the others stay in their order."""
        names = ["tests.unit.b.T.x", f"{FIRST[1]}.T.x", "tests.unit.a.T.x", f"{FIRST[0]}a.T.x"]
        tests = [mock.Mock(spec=["id"], id=mock.Mock(return_value=name)) for name in names]
        found = [test.id() for test in long_ones_first(tests)]
        self.assertEqual(found, [names[3], names[1], names[0], names[2]])

    def test_lanes(self) -> None:
        """All workers but the last begin with what waits for processes, and go on with what is left; one has it all.
        A module of unit tests has one worker."""
        names = ["tests.unit.a.T.x", "tests.unit.a.U.x", f"{WAITS}a.T.x", f"{WAITS}a.T.y", "tests.grid.a.T.x"]
        tests = [mock.Mock(spec=["id"], id=mock.Mock(return_value=name)) for name in names]
        lanes = Lanes(iter(tests), 2)
        first, last = lanes.begin(), lanes.begin()
        found = [next(worker).id() for worker in (first, last, first, first, last)]
        self.assertEqual(found, [names[number] for number in (2, 0, 3, 4, 1)])
        self.assertEqual([*first, *last], [])
        self.assertEqual([test.id() for test in Lanes(tests, 1).begin()], [*names[2:4], *names[:2], names[4]])

    def test_slowest(self) -> None:
        """Modules are sums of their tests; both by the clock, what took longest first."""
        took = {"a.T.x": (1.0, 0.5), "a.T.y": (2.0, 0.5), "b.T.x": (2.5, 2.0)}
        lines = slowest(took, 1)
        self.assertEqual([line.split() for line in lines[1::2]], [["3.00", "1.00", "a"], ["2.50", "2.00", "b.T.x"]])
        self.assertEqual(lines[-1].split()[:2], ["5.50", "3.00"])

    def test_processor_seconds(self) -> None:
        """Those of a process that is gone count as none."""
        self.assertGreater(processor_seconds(os.getpid()), 0)
        self.assertEqual(processor_seconds(2**30), 0)


class ScratchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()
        self.patch(scratch.tempfile, "tempdir", str(self.place))

    def test_a_folder_of_this_run(self) -> None:
        """A run has a folder of its own, and what runs that are over have left is removed."""
        over, running = (self.place / f"{scratch.PREFIX}{pid}" for pid in (2**30, os.getppid()))
        over.mkdir()
        running.mkdir()
        with mock.patch.dict(os.environ, {"TMPDIR": str(self.place)}):
            folder = scratch.begin()
            self.assertEqual(os.environ["TMPDIR"], str(folder))
        self.assertEqual(sorted(self.place.iterdir()), sorted([folder, running]))

    def test_what_suits(self) -> None:
        """A place that is full, that starts no programs, or that is not there does not do what a disk does."""
        enough = SimpleNamespace(f_bavail=scratch.ROOM, f_frsize=1, f_flag=0)
        for facts, suits in (
            (enough, True),
            (SimpleNamespace(f_bavail=scratch.ROOM - 1, f_frsize=1, f_flag=0), False),
            (SimpleNamespace(f_bavail=scratch.ROOM, f_frsize=1, f_flag=os.ST_NOEXEC), False),
        ):
            self.patch(os, "statvfs", lambda place, facts=facts: facts)
            self.patch(os, "setxattr", lambda *_: None)
            self.assertEqual(scratch.suits(self.place), suits)
        self.assertFalse(scratch.suits(self.place / "no"))


class KeyTests(SynchronousTestCase):
    def test_keys_differ(self) -> None:
        """A test gets as many different keys as it needs, and other sizes are searched."""
        found = [MasterKey.generate() for _ in range(60)]
        self.assertEqual(len({key.fingerprint for key in found}), len(found))
        self.assertEqual(MasterKey.generate(3072).public.bits, 3072)

    def test_read_once(self) -> None:
        """A key that was read before is the same one, and one that cannot be read is refused each time."""
        pem = keys.search().to_pem()
        self.assertIs(MasterKey.from_pem(pem), MasterKey.from_pem(pem))
        for _ in range(2):
            self.assertRaises(WireError, MasterKey.from_pem, pem[:800])
