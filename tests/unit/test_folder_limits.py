"""Limits of folders: bytes wait for their turn, on the clock."""

from functools import partial
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.folder_schema import OPTIONS
from bitdust.config.schema import default_schema
from bitdust.config.settings import Settings
from bitdust.folders.limiting import DOWNLOAD, LOCAL, UPLOAD, Gate, Limits, PacedSource
from bitdust.wire.errors import BitDustError

FAR, NEAR = "203.0.113.5:7771", "192.168.1.5:7771"


class Whole:
    """A payload of zeros."""

    size = 10_000

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        return succeed(bytes(min(length, self.size - offset)))


class GateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.rate = 1000
        self.gate = Gate(self.clock, lambda: self.rate)

    def test_rate(self) -> None:
        """Bytes go through at the rate, in the order in which they asked."""
        through: list[int] = []
        for number in range(6):
            self.gate.let(1000).addCallback(lambda _, number=number: through.append(number))
        self.assertEqual(through, [0])
        for second in range(4):
            self.clock.advance(1)
            self.assertEqual(through, list(range(second + 2)))

    def test_none(self) -> None:
        """Without a limit nothing waits, and a limit that is set counts from then on."""
        self.rate = 0
        for _ in range(100):
            self.successResultOf(self.gate.let(10**9))
        self.rate = 1000
        self.successResultOf(self.gate.let(5000))
        waiting = self.gate.let(1)
        self.clock.advance(4.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.successResultOf(waiting)

    def test_urgent(self) -> None:
        """What is urgent goes before all that waits, and counts."""
        through: list[str] = []
        for name in ("first", "second", "third", "urgent"):
            self.gate.let(1000, name == "urgent").addCallback(lambda _, name=name: through.append(name))
        self.clock.pump([1, 1])
        self.assertEqual(through, ["first", "urgent", "second"])
        self.clock.advance(1)
        self.assertEqual(through[3:], ["third"])

    def test_cancelled(self) -> None:
        """Whoever gives up while it waits has taken nothing from those behind it."""
        self.gate.let(1000)
        tired = self.gate.let(1_000_000)
        waiting = self.gate.let(1)
        tired.cancel()
        self.failureResultOf(tired, CancelledError)
        self.clock.advance(0.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.successResultOf(waiting)

    def test_stop(self) -> None:
        """Who waits when all ends is told, and no timer is left."""
        self.gate.let(50_000)
        waiting = self.gate.let(1)
        self.gate.stop()
        self.failureResultOf(waiting, BitDustError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LimitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.settings = Settings(Path(self.mktemp()), default_schema())
        self.limits = Limits(self.clock, self.settings)
        self.own = [0, 0]
        self.folder = self.limits.of_folder(lambda: self.own[0], lambda: self.own[1])

    def seconds(self, let: "Deferred[None]") -> float:
        """How long it waits."""
        begun, through = self.clock.seconds(), []
        let.addCallback(lambda result: through.append(1) or result)
        while not through:
            self.clock.advance(0.25)
        return self.clock.seconds() - begun

    def test_settings_are_there(self) -> None:
        """The limits that count are settings of the node."""
        self.assertLessEqual({DOWNLOAD, UPLOAD, LOCAL}, {option.key for option in OPTIONS})

    def test_both_count(self) -> None:
        """The limit of the node holds all folders together, that of a folder holds it alone; the slower one wins."""
        self.settings.set(DOWNLOAD, 10)
        other = self.limits.of_folder(lambda: 0, lambda: 0)
        self.folder.may_come(FAR, 30_000)
        self.assertAlmostEqual(self.seconds(other.may_come(FAR, 1)), 3, delta=0.3)
        self.own[0] = 1
        self.folder.may_come(FAR, 20_000)
        self.assertGreater(self.seconds(self.folder.may_come(FAR, 1)), 15)
        self.assertEqual(self.seconds(other.may_come(FAR, 1)), 0)

    def test_each_way(self) -> None:
        """What goes does not hold back what comes."""
        self.settings.set(UPLOAD, 10)
        self.folder.may_go(FAR, 100_000)
        self.assertEqual(self.seconds(self.folder.may_come(FAR, 10**9)), 0)
        self.assertAlmostEqual(self.seconds(self.folder.may_go(FAR, 1)), 10, delta=0.3)

    def test_private_networks(self) -> None:
        """Peers nearby are held back only where that is wanted."""
        self.settings.set(UPLOAD, 1)
        for _ in range(3):
            self.assertEqual(self.seconds(self.folder.may_go(NEAR, 10**6)), 0)
        self.settings.set(LOCAL, True)
        self.folder.may_go(NEAR, 5000)
        self.assertGreater(self.seconds(self.folder.may_go(NEAR, 1)), 3)

    def test_given_back(self) -> None:
        """Whoever gives up while the limit of its folder holds it owes nothing to the limit of the node."""
        self.settings.set(UPLOAD, 100)
        self.own[1] = 1
        self.folder.may_go(FAR, 10_000)
        self.clock.advance(1)
        tired = self.folder.may_go(FAR, 10_000_000)
        tired.cancel()
        self.failureResultOf(tired, CancelledError)
        other = self.limits.of_folder(lambda: 0, lambda: 0)
        self.assertEqual(self.seconds(other.may_go(FAR, 1)), 0)

    def test_parts_are_small(self) -> None:
        """A part is what goes in a second, so that others wait no longer for it, and the asker sees it move."""
        self.assertEqual(self.folder.part(FAR, 256 * 1024), 256 * 1024)
        self.settings.set(UPLOAD, 10)
        self.own[1] = 4
        self.assertEqual([self.folder.part(FAR, 256 * 1024), self.folder.part(FAR, 256 * 1024, 5)], [4000, 20_000])
        self.assertEqual([self.folder.part(FAR, 7), self.folder.part(NEAR, 256 * 1024)], [7, 256 * 1024])
        may_go, part = partial(self.folder.may_go, FAR), partial(self.folder.part, FAR)
        self.assertEqual(len(self.successResultOf(PacedSource(Whole(), may_go, part).read(0, 10_000))), 4000)

    def test_parts(self) -> None:
        """An answer goes a part at a time, so that whoever waits for it sees it move."""
        self.settings.set(UPLOAD, 1)
        source = PacedSource(Whole(), lambda size: self.folder.may_go(FAR, size), lambda most: most)
        self.assertEqual(source.size, 10_000)
        begun, parts = self.clock.seconds(), []
        for offset in range(0, 10_000, 1000):
            reading = source.read(offset, 1000)
            self.assertLess(self.seconds(reading), 1.3)
            parts.append(self.successResultOf(reading))
        self.assertEqual(sum(map(len, parts)), 10_000)
        self.assertAlmostEqual(self.clock.seconds() - begun, 9, delta=1)
