"""The heap of this process: one for all threads, and what a flood left behind is given back to the system."""

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT_HEAP = 32 * 1024 * 1024
EVERY = 20.0
GROWN = 8 * 1024 * 1024
"""Bytes more than after the last time that are worth giving back."""
CALM = 4 * 1024 * 1024
"""A process that has grown by more since the last round is in the middle of something."""


def share_one_heap() -> None:
    """Let all threads of this process take memory from one heap, where the C library can be told so (glibc).

    By default each thread gets a heap of its own, and what packs of some megabytes leave behind stays with each.
    Measured with 400 MB up and down: 130 MiB instead of 180, and no slower. Call it before the first thread starts.
    Blocks of a few megabytes come from that heap too instead of being mapped and returned each time: their pages need
    not be cleared by the system again and again.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_HEAP)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_HEAP)


def give_back() -> None:
    """Give whole free pages of the heap back to the system, where the C library can do that (glibc)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_for_good() -> None:
    """What there is now stays as long as the process: no collection looks through it again.

    A node that has started has some hundred thousand objects, of which nearly none ever goes. Many packets and files
    make Python collect everything now and then, a tenth of a second each time.
    """
    gc.collect()
    gc.freeze()


def resident() -> int:
    """Bytes of this process that are in memory, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class HeapRounds:
    """I look now and then how large the process is. When it has grown and is calm again, I give back what is free.

    One block in use at the end of the heap keeps all that is free below it, so the C library alone keeps the peak of a
    flood for ever; and what closed sessions leave in circles waits for a collection that a resting process does not
    come to. Both cost a few milliseconds, and a little when the memory is taken again: that is done after a peak, and
    never on the way of a packet.
    """

    def __init__(
        self,
        clock: IReactorTime,
        run_in_thread: Callable[..., Any],
        size: Callable[[], int] = resident,
        give: Callable[[], None] = give_back,
    ) -> None:
        self._run_in_thread = run_in_thread
        self._size = size
        self._give = give
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self._kept = self._before = 0
        """After the last time, and in the last round."""

    def start(self) -> None:
        """Begin; what the process has now is what it needs."""
        self._kept = self._before = self._size()
        if not self._loop.running:
            self._loop.start(EVERY, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()

    def _look(self) -> Any:
        size, before = self._size(), self._before
        self._before = size
        self._kept = min(self._kept, size)
        if size - self._kept < GROWN or size - before > CALM:
            return None
        gc.collect()
        return self._run_in_thread(self._give).addCallback(self._given)

    def _given(self, _: None) -> None:
        """What is still there is needed."""
        self._kept = self._before = self._size()
