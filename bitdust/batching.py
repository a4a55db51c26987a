"""One job at a time: what comes while a job runs is taken together with the next one, or after it; and jobs that wait a
moment.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")


class InTurn:
    """Calls about one thing, one after the other; those about others go on meanwhile."""

    def __init__(self) -> None:
        self._waiting: dict[object, deque[Deferred[None]]] = {}
        """Who waits behind the one whose turn it is, by what it is about."""
        self._passing: dict[object, bool] = {}
        """What turns are just given about, and whether the one who got the last of them has ended."""

    @asynccontextmanager
    async def of(self, about: object) -> AsyncIterator[None]:
        """Begins when all that was begun about the same thing has ended."""
        waiting = self._waiting.get(about)
        if waiting is None:
            self._waiting[about] = deque()
        else:
            waiting.append(Deferred())
            await waiting[-1]
        try:
            yield
        finally:
            self._pass(about)

    def _pass(self, about: object) -> None:
        """The turn is for the next one who has not given up. Who ends at once gives it to nobody within this call: many
        such calls would exhaust the stack."""
        is_giving = about in self._passing
        self._passing[about] = True
        while not is_giving and self._passing[about]:
            self._passing[about] = False
            waiting = self._waiting[about]
            while waiting and waiting[0].called:
                waiting.popleft()
            if waiting:
                waiting.popleft().callback(None)
            else:
                del self._waiting[about]
        if not is_giving:
            del self._passing[about]

    def run(self, about: object, call: Callable[[], Awaitable[T]]) -> "Deferred[T]":
        """Call when all that was called about the same thing has ended; ends as the call does."""
        return Deferred.fromCoroutine(self._run(about, call))

    async def _run(self, about: object, call: Callable[[], Awaitable[T]]) -> T:
        async with self.of(about):
            return await call()

    def settled(self) -> "Deferred[Any]":
        """Fires when all that was begun until now has ended."""
        return gatherResults([self.run(about, lambda: succeed(None)) for about in [*self._waiting]])


class Batcher(Generic[T]):
    """Gives ``work`` lists of at most ``most`` items, in the order in which they came, one list at a time.

    ``work`` answers with one result for each item, at once or by a Deferred; a result that is an exception is that
    item's failure, and when ``work`` itself fails, all items of the list fail with its error. Whoever cancels the
    Deferred of an item only stops waiting: the item is worked on all the same.
    """

    def __init__(self, work: Callable[[list[T]], Any], most: int = 1) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[tuple[T, Deferred[Any]]] = deque()
        self._idle: list[Deferred[None]] = []
        self._is_busy = self._is_giving = False

    def put(self, item: T) -> "Deferred[Any]":
        """Fires with the item's result."""
        done: Deferred[Any] = Deferred()
        self._waiting.append((item, done))
        self._next()
        return done

    @property
    def size(self) -> int:
        """How many items wait for their turn."""
        return len(self._waiting)

    def when_idle(self) -> "Deferred[None]":
        """Fires when nothing is worked on and nothing waits."""
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        self._next()
        return done

    def drop_waiting(self) -> None:
        """Items whose turn has not come fail with `CancelledError`."""
        waiting, self._waiting = self._waiting, deque()
        for _, done in waiting:
            if not done.called:
                done.errback(CancelledError())

    def _next(self) -> None:
        """Work that ends at once is followed by the next one in this loop, not within itself."""
        if self._is_giving:
            return
        self._is_giving = True
        while not self._is_busy and self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._is_busy = True
            working = maybeDeferred(self._work, [item for item, _ in batch])
            working.addCallbacks(self._worked, self._broken, callbackArgs=(batch,), errbackArgs=(batch,))
        self._is_giving = False
        if not self._is_busy:
            idle, self._idle = self._idle, []
            for done in idle:
                done.callback(None)

    def _worked(self, results: Sequence[Any], batch: list[tuple[T, "Deferred[Any]"]]) -> None:
        self._is_busy = False
        for (_, done), result in zip(batch, results, strict=True):
            if isinstance(result, (BaseException, Failure)):
                done.errback(result)
            else:
                done.callback(result)
        self._next()

    def _broken(self, failure: Failure, batch: list[tuple[T, "Deferred[Any]"]]) -> None:
        self._is_busy = False
        for _, done in batch:
            done.errback(failure)
        self._next()


class ThreadQueue:
    """Calls that run in a thread, in order, one at a time; who gives up waiting for one does not disturb it."""

    def __init__(self, run_in_thread: "Callable[..., Deferred[Any]]") -> None:
        self._run_in_thread = run_in_thread
        self._calls: Batcher[tuple[Callable[..., Any], tuple[Any, ...]]] = Batcher(self._run)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
        """Fires with what the call returns."""
        return self._calls.put((call, arguments))

    async def _run(self, calls: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
        return [await self._run_in_thread(call, *arguments) for call, arguments in calls]

    def when_idle(self) -> "Deferred[None]":
        """Fires when nothing runs and nothing waits."""
        return self._calls.when_idle()

    def stop(self) -> None:
        """What has not begun fails with `CancelledError`."""
        self._calls.drop_waiting()


class Soon:
    """Does a job a moment after it was wanted, once for all who wanted it until then, and ``EVERY`` seconds apart.

    A job that answers False could not be done now, and is tried again.
    """

    MOMENT = 0.1
    EVERY = 1.0

    def __init__(self, clock: IReactorTime, job: Callable[[], bool]) -> None:
        self._clock = clock
        self._job = job
        self._call: IDelayedCall | None = None
        self._done = float("-inf")

    def want(self) -> None:
        """Do it soon."""
        if self._call is None:
            wait = max(self.MOMENT, self._done + self.EVERY - self._clock.seconds())
            self._call = self._clock.callLater(wait, self._now)

    def stop(self) -> None:
        """Nobody wants it any more."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _now(self) -> None:
        self._call = None
        if self._job():
            self._done = self._clock.seconds()
        else:
            self.want()
