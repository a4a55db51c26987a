"""Groups that were left are read once more while the end of a revoked device is open: how often, and until when."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.groups.left import LeftGroups, Place
from bitdust.wire.errors import BitDustError

ONE, TWO = (b"o" * 32, "group_one"), (b"o" * 32, "group_two")
GONE = b"d" * 8
SILENT = BitDustError("no-answer", "nobody is there")


class LeftGroupsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.me = SimpleNamespace(present=True, document=SimpleNamespace(open_ends=frozenset([GONE])))
        self.places = [ONE, TWO]
        self.asked: list[Place] = []
        self.answers: dict[Place, Any] = {}
        self.heard = 0
        around: Any = SimpleNamespace(world=SimpleNamespace(clock=self.clock), me=self.me)
        self.left = LeftGroups(around, lambda: self.places, self.read, self.known_more)

    async def read(self, place: Place) -> frozenset[bytes]:
        self.asked.append(place)
        answer = self.answers.get(place, frozenset([GONE]))
        return await (fail(answer) if isinstance(answer, BitDustError) else
                      answer if isinstance(answer, Deferred) else succeed(answer))  # fmt: skip

    def known_more(self) -> None:
        self.heard += 1

    def knows(self) -> bool:
        return self.left.knows_end_of(GONE)

    def test_each_is_read_once(self) -> None:
        """Where everybody answers each is read once, and no more; before that nothing is known."""
        self.assertFalse(self.knows())
        self.left.start()
        self.left.look()
        self.assertEqual((self.asked, self.knows(), self.heard), ([ONE, TWO], True, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_open(self) -> None:
        """Where no device was revoked nobody is asked."""
        self.me.document.open_ends = frozenset()
        self.left.start()
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), ([], []))

    def test_those_who_are_silent(self) -> None:
        """They are asked again with pauses that grow, the others not; it is known when they answer."""
        self.answers[TWO] = SILENT
        self.left.start()
        self.clock.pump([10] * 360)
        self.assertEqual(self.asked.count(ONE), 1)
        self.assertTrue(10 < self.asked.count(TWO) < 20, self.asked)
        self.assertFalse(self.knows())
        del self.answers[TWO]
        self.clock.advance(300)
        self.assertEqual((self.knows(), self.clock.getDelayedCalls()), (True, []))

    def test_too_few_were_heard(self) -> None:
        """A reading in which too few were heard to know the end is no end."""
        self.answers[TWO] = frozenset()
        self.left.start()
        self.assertFalse(self.knows())
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_those_who_shut_me_out(self) -> None:
        """Who is not let in any more waits for nothing."""
        self.answers[TWO] = BitDustError("not-allowed", "the owner has revoked it")
        self.left.start()
        self.assertEqual((self.knows(), self.clock.getDelayedCalls()), (True, []))

    def test_one_more_is_revoked(self) -> None:
        """Another device that is revoked is asked about at once, whatever the pause; other events ask nobody."""
        self.answers[TWO] = SILENT
        self.left.start()
        self.left.look()
        self.assertEqual(self.asked, [ONE, TWO])
        self.me.document.open_ends |= {b"e" * 8}
        self.answers[ONE] = self.answers[TWO] = frozenset([GONE, b"e" * 8])
        self.left.look()
        self.assertEqual(self.asked, [ONE, TWO, ONE, TWO])
        self.assertTrue(self.knows() and self.left.knows_end_of(b"e" * 8))

    def test_it_is_joined_meanwhile(self) -> None:
        """A reading ends when the person joins that group, and is no answer; the next group is read."""
        self.answers[ONE] = Deferred()
        self.left.start()
        self.left.give_way(TWO)
        self.assertEqual(self.asked, [ONE])
        self.places = [TWO]
        self.left.give_way(ONE)
        self.assertEqual((self.asked, self.knows(), self.clock.getDelayedCalls()), ([ONE, TWO], True, []))

    def test_it_stops(self) -> None:
        """After a stop nothing is read and nothing waits."""
        self.answers[ONE] = Deferred()
        self.left.start()
        self.assertEqual(self.successResultOf(self.left.stop()), None)
        self.left.look()
        self.clock.advance(1000)
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), ([ONE], []))
        self.answers[ONE] = SILENT
        self.left.start()
        self.assertEqual(self.successResultOf(self.left.stop()), None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
