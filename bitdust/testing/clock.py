"""The clock of a grid, a `task.Clock` for thousands of calls at once, and those of the processes that live by it."""

from bisect import bisect_left, insort
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

_time = attrgetter("time")


class GridClock(Clock):
    """Calls are kept in order instead of sorted at each step; as in a reactor, what was put off is moved when due."""

    calls: list[DelayedCall]

    def __init__(self) -> None:
        super().__init__()
        self._of_each_call = self._remove, self._sort, self.seconds

    def callLater(  # noqa: N802 - the interface's name
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """See `Clock`."""
        call = DelayedCall(self.rightNow + delay, callable, args, kw, *self._of_each_call)
        insort(self.calls, call, key=_time)
        later: IDelayedCall = call
        return later

    def _sort(self, call: DelayedCall) -> None:
        self.calls.sort(key=_time)

    def _remove(self, call: DelayedCall) -> None:
        place = bisect_left(self.calls, call.time, key=_time)
        while self.calls[place] is not call:
            place += 1
        del self.calls[place]

    def next_call(self) -> float | None:
        """When the next call is due, None where nothing is to come."""
        while self.calls and self.calls[0].delayed_time:
            call = self.calls.pop(0)
            call.activate_delay()
            insort(self.calls, call, key=_time)
        return self.calls[0].time if self.calls else None

    def advance(self, amount: float) -> None:
        """See `Clock`."""
        self.rightNow += amount
        while (due := self.next_call()) is not None and due <= self.rightNow:
            call = self.calls.pop(0)
            call.called = 1
            func, args, kw = call.func, call.args, call.kw
            del call.func, call.args, call.kw  # as after a cancel: what knows its call is no circle then
            func(*args, **kw)


@implementer(IReactorTime)
class LifeClock:
    """The clock of one process: when that is killed, nothing more happens in it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_dead = False

    def seconds(self) -> float:
        """Virtual time."""
        return self._clock.seconds()

    def callLater(  # noqa: N802 - the interface's name
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> IDelayedCall:
        """See `IReactorTime`."""

        if self.is_dead:
            ignore = lambda call: None  # noqa: E731
            return DelayedCall(self.seconds() + delay, callable, args, kwargs, ignore, ignore, self.seconds)
        return self._clock.callLater(delay, self._run, callable, args, kwargs)

    def _run(self, callable: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.is_dead:
            callable(*args, **kwargs)

    def getDelayedCalls(self) -> list[IDelayedCall]:  # noqa: N802
        """Those of this process that are still to come."""
        return [call for call in self._clock.getDelayedCalls() if getattr(call, "func", None) == self._run]

    def die(self) -> None:
        """The process is gone."""
        self.is_dead = True
        for call in self.getDelayedCalls():
            call.cancel()
