"""Memory is given back to the system after a peak."""

import ctypes
import subprocess
import sys
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bitdust.heap import CALM, EVERY, GROWN, HeapRounds, resident
from tests.collecting import only_what_is_new

MIB = 1024 * 1024
FLOOD = """
from bitdust.heap import HeapRounds, resident, share_one_heap
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
share_one_heap()
clock = Clock()
rounds = HeapRounds(clock, lambda call: succeed(call()))
before = resident()
rounds.start()
flood = [bytes(20_000) for _ in range(5_000)]
peak, last = resident(), bytes(20_000)
del flood
for _ in range(3):
    clock.advance(20)
print(before, peak, resident())
"""
FROZEN = """
import gc
from bitdust.heap import keep_for_good
import bitdust.folders.room
begun, kept = len(gc.get_objects()), gc.get_freeze_count()
keep_for_good()
print(begun, kept, len(gc.get_objects()), gc.get_freeze_count())
"""


class RoundsTests(SynchronousTestCase):
    def setUp(self) -> None:
        only_what_is_new(self)
        self.clock = Clock()
        self.size = 100 * MIB
        self.free = 0
        self.given: list[int] = []
        self.rounds = HeapRounds(self.clock, self.run_now, lambda: self.size, self.give)
        self.rounds.start()
        self.addCleanup(self.rounds.stop)

    def run_now(self, call: Any) -> "Deferred[None]":
        return succeed(call())

    def give(self) -> None:
        self.given.append(self.size)
        self.size -= self.free
        self.free = 0

    def round(self, size: int) -> None:
        self.size = size
        self.clock.advance(EVERY)

    def test_after_a_peak(self) -> None:
        """What is free after a peak is given back in the second round at the latest, and not while it still grows."""
        self.free = 90 * MIB
        self.round(200 * MIB)
        self.assertEqual(self.given, [])
        self.round(200 * MIB)
        self.assertEqual((self.given, self.size), ([200 * MIB], 110 * MIB))

    def test_what_is_needed(self) -> None:
        """What could not be given back is needed: nothing is tried until the process has grown again."""
        for _ in range(5):
            self.round(200 * MIB)
        self.assertEqual(len(self.given), 1)
        self.round(200 * MIB + GROWN - 1)
        self.assertEqual(len(self.given), 1)

    def test_slow_growth(self) -> None:
        """A process that grows slowly, and one whose size goes up and down, is looked after as well."""
        for step in range(1, 4):
            self.round(100 * MIB + step * CALM)
        self.assertEqual(len(self.given), 1)
        self.round(60 * MIB)
        self.round(60 * MIB + CALM)
        self.round(60 * MIB + GROWN)
        self.assertEqual(len(self.given), 2)


class ProcessTests(SynchronousTestCase):
    def test_a_real_heap(self) -> None:
        """Of 100 MB that came in small pieces and are free but for the last of them, nearly all goes back."""
        if not resident() or not hasattr(ctypes.CDLL(None), "malloc_trim"):
            raise SkipTest("this system does not say how much memory a process has, or cannot be given any back")
        done = subprocess.run([sys.executable, "-c", FLOOD], capture_output=True, text=True, check=True, timeout=60)
        before, peak, after = map(int, done.stdout.split())
        self.assertGreater(peak - before, 80 * MIB)
        self.assertLess(after - before, 20 * MIB)

    def test_what_stays(self) -> None:
        """What a process has at its start is looked through no more."""
        printed = subprocess.run([sys.executable, "-c", FROZEN], check=True, capture_output=True, text=True, timeout=60)
        begun, kept, left, frozen = map(int, printed.stdout.split())
        self.assertEqual(kept, 0)
        self.assertGreater(frozen, 10_000)
        self.assertLess(left, begun / 100)
