"""The clock of a grid: a `task.Clock` for thousands of calls at once."""

from bisect import insort
from collections.abc import Callable

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock


def _time(call: DelayedCall) -> float:
    return float(call.time)


class GridClock(Clock):
    """Calls are kept in order instead of sorted at each step; as in a reactor, what was put off is moved when due."""

    calls: list[DelayedCall]

    def callLater(  # noqa: N802 - the interface's name
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """See `Clock`."""
        call = DelayedCall(
            self.seconds() + delay, callable, args, kw, self.calls.remove, lambda _: self._sort(), self.seconds
        )
        insort(self.calls, call, key=_time)
        later: IDelayedCall = call
        return later

    def _sort(self) -> None:
        self.calls.sort(key=_time)

    def next_call(self) -> float | None:
        """When the next call is due, None where nothing is to come."""
        while self.calls and self.calls[0].delayed_time:
            call = self.calls.pop(0)
            call.activate_delay()
            insort(self.calls, call, key=_time)
        return _time(self.calls[0]) if self.calls else None

    def advance(self, amount: float) -> None:
        """See `Clock`."""
        self.rightNow += amount
        while (due := self.next_call()) is not None and due <= self.seconds():
            call = self.calls.pop(0)
            call.called = 1
            call.func(*call.args, **call.kw)
