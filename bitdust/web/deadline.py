"""Time limits of connections."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

ROUND = 30.0


class Deadline:
    """I call somebody once when a time is over. Being set for every request costs next to nothing: a timer that runs is
    left alone, checks when it fires whether I am due, and is set again where I am not."""

    def __init__(self, clock: IReactorTime, overdue: Callable[[], None]) -> None:
        self._clock = clock
        self._overdue = overdue
        self._due: float | None = None
        self._timer: IDelayedCall | None = None
        self._fires = 0.0

    def set(self, seconds: float) -> None:
        """Due in so many seconds from now."""
        self._due = due = self._clock.seconds() + seconds
        if self._timer is None:
            self._start(seconds)
        elif self._fires > due:
            self._timer.reset(seconds)
            self._fires = due

    def _start(self, seconds: float) -> None:
        left = min(seconds, ROUND)
        self._fires = self._clock.seconds() + left
        self._timer = self._clock.callLater(left, self._check)

    def clear(self) -> None:
        """Not due at all until it is set again."""
        self._due = None

    def stop(self) -> None:
        """Leave no timer behind."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._due is None:
            return
        left = self._due - self._clock.seconds()
        if left > 0:
            self._start(left)
        else:
            self._due = None
            self._overdue()
