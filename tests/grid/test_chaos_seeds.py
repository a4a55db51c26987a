"""Forty random runs of a whole network; `make chaos SEEDS=1-100` makes as many as one likes."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

RUN_SECONDS = 1800
"""Twenty times what a run takes, so that what else the machine does has no say."""

SAFETY = (1, 2, 13, 220, 221, 227, 241, 247, 256, 270, 274)
LIVENESS = (
    1, 2, 4, 7, 8, 9, 14, 16, 19, 22, 25, 28, 31, 32, 36, 40, 42, 43, 44, 46, 47, 49, 55, 57, 67, 69, 70, 71, 72
)  # fmt: skip
LIVES = (2, 28, 31, 32)
PEOPLE = (102, 104, 181, 183)
"""Those that take little time, of many that were run."""


class SeedTests(SynchronousTestCase):
    def check_seeds(self, seeds: tuple[int, ...], mode: str) -> None:
        """In a process of its own: the order of sets is part of a run."""
        first, last = seeds[0], seeds[-1]
        left_out = ",".join(str(seed) for seed in range(first, last) if seed not in seeds)
        command = [sys.executable, "-m", "tests.grid.chaos", str(first), str(last), "--mode", mode]
        around = os.environ | {"PYTHONHASHSEED": "0"}
        ended = subprocess.run(
            [*command, "--leave-out", left_out], capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
            env=around,
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertEqual(ended.stdout.count(" ok, "), len(seeds), ended.stdout)

    def test_nothing_promised_is_lost(self) -> None:
        """Nodes die, disks fail, rot and lie, links break, and what was promised comes back byte for byte."""
        self.check_seeds(SAFETY[:6], "safety")

    def test_nothing_promised_is_lost_in_more_runs(self) -> None:
        """The same with other keys, other owners and other faults."""
        self.check_seeds(SAFETY[6:], "safety")

    def test_what_can_succeed_comes_to_its_end(self) -> None:
        """All suppliers but k break for good, and downloads, recoveries and changes of hands end in bounded time."""
        self.check_seeds(LIVENESS[:15], "liveness")

    def test_what_can_succeed_comes_to_its_end_in_more_runs(self) -> None:
        """The same with other keys, other owners and other faults."""
        self.check_seeds(LIVENESS[15:], "liveness")

    def test_two_lives_become_one(self) -> None:
        """Somebody starts over while no supplier can be heard; when all are, both lives come back byte for byte."""
        self.check_seeds(LIVES, "lives")

    def test_people_lose_nothing(self) -> None:
        """People write to each other and to groups while whatever can break does: all of it arrives, once, in order."""
        self.check_seeds(PEOPLE, "people")
