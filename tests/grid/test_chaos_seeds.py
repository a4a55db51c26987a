"""Forty random runs of a whole network; `make chaos SEEDS=1-100` makes as many as one likes."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

RUN_SECONDS = 600


class SeedTests(SynchronousTestCase):
    def check_seeds(self, first: int, last: int, mode: str) -> None:
        """In a process of its own: the order of sets is part of a run."""
        command = [sys.executable, "-m", "tests.grid.chaos", str(first), str(last), "--mode", mode]
        around = os.environ | {"PYTHONHASHSEED": "0"}
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False, env=around
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    def test_nothing_promised_is_lost(self) -> None:
        """Nodes die, disks fail, rot and lie, links break, and what was promised comes back byte for byte."""
        self.check_seeds(4, 11, "safety")

    def test_nothing_promised_is_lost_in_more_runs(self) -> None:
        """The same with other keys, other owners and other faults."""
        self.check_seeds(1, 2, "safety")
        self.check_seeds(13, 13, "safety")

    def test_what_can_succeed_comes_to_its_end(self) -> None:
        """All suppliers but k break for good, and downloads, recoveries and changes of hands end in bounded time."""
        self.check_seeds(1, 15, "liveness")

    def test_what_can_succeed_comes_to_its_end_in_more_runs(self) -> None:
        """The same with other keys, other owners and other faults."""
        self.check_seeds(16, 29, "liveness")
