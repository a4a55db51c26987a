"""A keeper at work: the sealed chunks that records name are fetched, checked by their names, and kept.

Where the disk has no room for more, what is there is kept and given all the same, and the rest is tried again.
"""

import contextlib
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.kernel import doubled
from bitdust.folders.fetching import MOST_NAMES, Fetcher, Wanted
from bitdust.folders.keys import TAG
from bitdust.folders.problems import code_of
from bitdust.folders.segments import HEAD
from bitdust.folders.store import Store
from bitdust.folders.tidying import STEP
from bitdust.outcome import Outcome, outcome

AT_ONCE = 2 * MOST_NAMES
_END = object()
LANES = 3
"""So many times chunks are fetched, or wait for the disk, at a time."""
AGAIN, LONGEST = 10.0, 60.0
"""Seconds until what could not be had, or kept, is tried again: the first time, and in the end on a full disk."""


@define
class _Room:
    """How many bytes, and chunks, may be asked for in one go through all names."""

    size: int
    count: int
    asked: int = 0
    lacking: int = 0
    """Bytes of the first one for which there was no room; 0 while there was for all."""

    def some(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """The first of them, as many as there is room for."""
        fitting = list[Wanted]()
        for one in wanted:
            size = one.length + TAG + HEAD.size
            if size > self.size or self.asked == self.count:
                self.lacking = size
                break
            self.size -= size
            self.asked += 1
            fitting.append(one)
        return fitting


class Keeping:
    """I fetch what is missing until nothing more can be had now."""

    log = Logger()

    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher
        self._missing: set[bytes] = set()
        self._running: Deferred[Any] | None = None
        self._tidying: Deferred[Any] | None = None
        self._later: IDelayedCall | None = None
        self._has_come = False
        self.is_behind = False
        """Whether chunks are missing that nobody had when they were asked for, or for which there is no room."""
        self.full: Exception | None = None
        """Why there is no room for what is missing; None where there is."""
        self._full_runs = 0

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def run(self) -> "Deferred[bool]":
        """Fires when nothing more can be had: whether anything has come. May not be called while it runs."""
        self._missing.clear()
        running = Deferred.fromCoroutine(self._run())
        self._running = running
        return running.addBoth(self._over)

    def _over(self, result: Any) -> Any:
        self._running = None
        return result

    def pause(self) -> float:
        """Seconds after which another run may bring more."""
        return doubled(AGAIN, self._full_runs, LONGEST)

    def stop(self) -> None:
        """Fetch nothing any more."""
        self._fetcher.drop(self)
        self._forget_later()
        for work in (self._running, self._tidying):
            if work is not None:
                work.cancel()

    async def _run(self) -> bool:
        self._has_come = False
        try:
            await self._through(self._store.tidying.mend())
            await self._bring_all_or_make_room()
        except Exception as error:
            if code_of(error) != "disk-full":
                raise
            self._note_full(error)
        else:
            self.full, self._full_runs = None, 0
            self.is_behind = bool(self._missing)
            self._tidy()
        return self._has_come

    def _note_full(self, why: Exception) -> None:
        if self.full is None:
            self.log.warn("a keeper keeps nothing more now: {why}", why=why)
        self.full, self.is_behind = why, True
        self._full_runs += 1

    async def _bring_all_or_make_room(self) -> None:
        try:
            await self._bring_all()
        except Exception as error:
            if code_of(error) != "disk-full" or not await self._make_room():
                raise
            await self._bring_all()

    async def _bring_all(self) -> None:
        """After a disk was full one chunk goes before the others: where it cannot be kept, nothing more has come for
        nothing. Where nobody has it twice as many are asked for, until one has come."""
        count = sys.maxsize if self.full is None else 1
        while await self._once(count):
            count = sys.maxsize if self._has_come else 2 * count

    async def _through(self, portions: Iterator[None]) -> int:
        """Do all portions, between which others may use the folder's thread; how many there were."""
        count = 0
        while await self._store.run(next, portions, _END) is not _END:
            count += 1
        return count

    async def _make_room(self) -> bool:
        """Whether anything was looked at: what is needed no more may be what fills the disk."""
        if self._tidying is not None:
            self._tidying.cancel()
        return await self._through(self._store.tidying.collect(self._fetcher.is_met)) > 0

    def _tidy(self) -> None:
        """It may take long, and nobody waits for it."""
        self._forget_later()
        if self._tidying is None:
            self._tidying = Deferred.fromCoroutine(self._through(self._store.tidying.collect(self._fetcher.is_met)))
            self._tidying.addBoth(self._tidied)

    def _tidied(self, result: Any) -> None:
        self._tidying = None
        if isinstance(result, Failure):
            if result.check(CancelledError):
                return
            self.log.warn("what a keeper needs no more was not removed now: {why}", why=result.getErrorMessage())
        if self._store.tidying.is_waiting:
            self._later = self._store.clock.callLater(STEP, self._tidy)

    def _forget_later(self) -> None:
        later, self._later = self._later, None
        if later is not None and later.active():
            later.cancel()

    async def _once(self, count: int) -> bool:
        """What is missing and fits on the disk, in the order of names, so many chunks at most; whether another go may
        bring more. Raises `BitDustError` ``disk-full`` where there is room for nothing."""
        has_come, new = False, list[Wanted]()
        room = _Room(await self._store.run(self._store.blind.room), count)
        last: bytes | None = b""
        coming: deque[Deferred[Outcome]] = deque()
        try:
            while last is not None:
                wanted, last = await self._store.run(self._store.blind.wanted, AT_ONCE - len(new), last)
                new += room.some([one for one in wanted if one.name not in self._missing])
                last = None if room.lacking else last
                if not new or len(new) < AT_ONCE and last is not None:
                    continue
                coming.append(outcome(Deferred.fromCoroutine(self._bring(new))))
                new = []
                if len(coming) == LANES:
                    has_come = _value(await coming.popleft()) or has_come
            while coming:
                has_come = _value(await coming.popleft()) or has_come
        finally:
            await self._end(coming)
        if room.lacking and not room.asked:
            await self._store.run(self._store.blind.need_room, room.lacking)
        return has_come or bool(room.lacking)

    async def _end(self, coming: "deque[Deferred[Outcome]]") -> None:
        """Where one has failed, or all were given up, the others would write into the next run."""
        if coming:
            self._fetcher.drop(self)
        for lane in coming:
            lane.cancel()
        for lane in coming:
            with contextlib.suppress(CancelledError):
                await lane

    async def _bring(self, wanted: Sequence[Wanted]) -> bool:
        found = await self._fetcher.fetch(self, wanted)
        await self._store.run(self._store.blind.keep, list(found.items()))
        self._missing.update(one.name for one in wanted if one.name not in found)
        self._has_come = self._has_come or bool(found)
        return bool(found)


def _value(ended: Outcome) -> bool:
    if ended.error is not None:
        raise ended.error
    return bool(ended.value)
