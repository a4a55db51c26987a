"""Many who wait for a network go on one after the other."""

import random
from collections import Counter
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.peers.waking import WITHIN, Waking


class WakingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        world = SimpleNamespace(clock=self.clock, entropy=random.Random(1).randbytes)
        self.waking = Waking(world)  # type: ignore[arg-type]
        self.woken: Counter[int] = Counter()

    def wake(self, number: int) -> None:
        self.woken[number] += 1

    def test_two_hundred(self) -> None:
        """Two hundred go on within ten seconds, nobody at once, and in no second a fifth of them."""
        self.waking.wake(range(200), self.wake)
        counts = [self.woken.total()]
        for _ in range(int(WITHIN)):
            self.clock.advance(1)
            counts.append(self.woken.total() - sum(counts))
        self.assertEqual((counts[0], self.woken), (0, Counter(range(200))))
        self.assertLess(max(counts), 40)

    def test_a_network_that_comes_and_goes(self) -> None:
        """A network that is there again ten times in a second wakes each once."""
        for _ in range(10):
            self.waking.wake(range(20), self.wake)
            self.clock.advance(0.1)
        self.assertLess(self.woken.total(), 20)
        self.clock.advance(WITHIN)
        self.assertLessEqual(max(self.woken.values()), 2)
        self.waking.wake(range(20), self.wake)
        self.clock.advance(WITHIN)
        self.assertEqual(set(self.woken), set(range(20)))

    def test_the_end(self) -> None:
        """Nobody is woken after the end."""
        self.waking.wake(range(20), self.wake)
        self.waking.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.woken.total()), ([], 0))
