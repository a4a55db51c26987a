"""Who is asked first: weights, little knowledge, newcomers, chance; and what of it is kept."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.suppliers.reputation import MOST, Reputation
from bitdust.suppliers.scoring import AUDITS, LATENCY, NEWCOMERS, SPACE, UPTIME, Conduct, choose, score

GOOD = Conduct(passed=50, there=90_000, granted=5, delay=0.05)
A, B = b"a" * 32, b"b" * 32


class ScoreTests(SynchronousTestCase):
    def test_the_weights(self) -> None:
        """They sum up to one; somebody unknown has a half, and each part moves the score by its own weight at most."""
        self.assertAlmostEqual(AUDITS + UPTIME + SPACE + LATENCY, 1.0)
        self.assertAlmostEqual(score(None), 0.5)
        for bad, good, weight in (
            (Conduct(failed=10**9), Conduct(passed=10**9), AUDITS),
            (Conduct(away=10**9), Conduct(there=10**9), UPTIME),
            (Conduct(refused=10**9), Conduct(granted=10**9), SPACE),
            (Conduct(delay=1e9), Conduct(delay=0.0), LATENCY),
        ):
            self.assertAlmostEqual(score(good) - score(bad), weight, 5)

    def test_little_knowledge_counts_little(self) -> None:
        """One failed audit is less bad than ten."""
        self.assertGreater(score(None), score(Conduct(failed=1)))
        self.assertGreater(score(Conduct(failed=1)), score(Conduct(failed=10)))

    def test_the_best_is_chosen(self) -> None:
        """Somebody bad comes after somebody unknown, and that one after somebody good."""
        self.assertEqual(choose([Conduct(failed=9), None, GOOD], lambda: NEWCOMERS), 2)
        self.assertEqual(choose([Conduct(failed=9), None], lambda: NEWCOMERS), 1)

    def test_newcomers_have_a_chance(self) -> None:
        """One time in four somebody unknown is asked before the best; of several, and of equals, chance decides."""
        self.assertEqual(choose([GOOD, None], lambda: NEWCOMERS - 0.01), 1)
        self.assertEqual(choose([GOOD, GOOD], lambda: 0.9), 1)
        self.assertEqual(choose([GOOD, GOOD], lambda: 0.1), 0)
        self.assertEqual(choose([GOOD, None, None], iter((0.0, 0.99)).__next__), 2)


class ReputationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock = Clock()
        self.known = self.open()

    def open(self) -> Reputation:
        known = Reputation(self.folder / "reputation", self.clock, bytes)
        known.load()
        return known

    def test_what_is_measured(self) -> None:
        """Delays are smoothed, refusals counted, and time counts only while this node itself was there."""
        self.assertTrue(self.known.is_empty)
        self.known.answered(A, 1.0, True)
        self.known.answered(A, 2.0, False)
        for counts in (True, True, False):
            self.known.observe([A, B], [A], counts)
            self.clock.advance(60)
        self.known.audited(B, 3, 1)
        first, second = self.known.of(A), self.known.of(B)
        self.assertAlmostEqual(first.delay, 1.3)
        self.assertEqual((first.granted, first.refused, first.there, first.away), (1, 1, 60, 0))
        self.assertEqual((second.passed, second.failed, second.away), (3, 1, 60))
        self.known.save()
        self.assertEqual((self.open().of(A), self.open().of(B)), (first, second))

    def test_a_clock_that_is_set_back(self) -> None:
        """It takes nothing off the time that was seen."""
        for step in (0, 60, -365 * 86_400, 60):
            self.clock.rightNow += step
            self.known.observe([A, B], [A], True)
        self.assertEqual((self.known.of(A).there, self.known.of(B).away), (120, 120))

    def test_bounded_and_never_in_the_way(self) -> None:
        """So many nodes are kept, those seen last; a damaged file, and a disk that takes nothing, stop nobody."""
        for number in range(MOST + 10):
            self.known.answered(number.to_bytes(32, "big"), 0.1, True)
        self.assertIsNone(self.known.of((9).to_bytes(32, "big")))
        self.assertIsNotNone(self.known.of((10).to_bytes(32, "big")))
        self.known.save()
        self.assertEqual(len(self.open()._known), MOST)
        for text in ("{", "[]", '{"xx": {}}', '{"aa": {"passed": "x"}}', '{"aa": {"other": 1}}'):
            (self.folder / "reputation").write_text(text)
            self.assertTrue(self.open().is_empty, text)
        gone = Reputation(self.folder / "reputation" / "below", self.clock, bytes)
        gone.save()
