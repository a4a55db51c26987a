"""Some random runs; `make chaos SEEDS=1-100` makes as many as one likes."""

import subprocess
import sys
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.grid.chaos import keys, promises, running

RUN_SECONDS = 300


class ChaosTests(SynchronousTestCase):
    def check_seeds(self, first: int, last: int, mode: str = "safety") -> None:
        """In a process of its own: the order of sets is part of a run."""
        command = [sys.executable, "-m", "tests.grid.chaos", str(first), str(last), "--mode", mode]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    def test_nothing_promised_is_lost(self) -> None:
        """Nodes die, disks fail and links break, and what was promised comes back byte for byte."""
        self.check_seeds(1, 4)

    def test_what_can_succeed_comes_to_its_end(self) -> None:
        """All suppliers but k break for good, and downloads, recoveries and changes of hands end in bounded time."""
        self.check_seeds(1, 4, "liveness")

    def test_a_chaos_that_loses_is_seen(self) -> None:
        """A run in which a file is changed on its way back fails, and says why and how to replay it."""
        real = promises.read
        with mock.patch.object(promises, "read", lambda path: None if "back" in path.parts else real(path)):
            why, _ = running.run_seed(4)
        self.assertIn("came back as something else", why)
        self.assertIn("tests.grid.chaos 4 4", running.replay(4, "safety"))


class KeyTests(SynchronousTestCase):
    def test_keys_follow_from_their_numbers(self) -> None:
        """The stored distances lead to primes, so that a key is the same one on every machine."""
        for number in (0, 95):
            for which, far in zip("pq", keys.distances()[number], strict=True):
                self.assertTrue(keys.is_prime(keys.beginning(number, which) + far))
            self.assertEqual(keys.distance(keys.beginning(number, "p")), keys.distances()[number][0])

    def test_a_seed_has_keys_of_its_own(self) -> None:
        """The same seed gives the same keys in the same order, another seed another order."""
        one, same, other = (keys.from_seed(seed) for seed in (1, 1, 2))
        first = one().fingerprint
        self.assertEqual(first, same().fingerprint)
        self.assertNotEqual(first, other().fingerprint)
        self.assertNotEqual(first, one().fingerprint)
