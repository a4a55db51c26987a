"""The threads in which a process uses its disk."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Threads:
    """What is called here is done at once, or later where the disk is slow."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._seconds = 0.0
        self._begun: dict[IDelayedCall, None] = {}

    @property
    def seconds(self) -> float:
        """How long the disk takes for anything."""
        return self._seconds

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        """A disk that hangs no more answers whoever waits for it, the first one first."""
        self._seconds = seconds
        if not seconds:
            for later in self._begun:
                if later.active():
                    later.reset(0)

    def run(self, call: Callable[..., Any], *args: Any) -> "Deferred[Any]":
        """The result of a call. Who waits for it no longer does not stop it: nobody stops a thread."""
        if not self._seconds:
            return maybeDeferred(call, *args)
        result: Deferred[Any] = Deferred()

        def end() -> None:
            del self._begun[later]
            maybeDeferred(call, *args).addBoth(result.callback)

        later = self._clock.callLater(self._seconds, end)
        self._begun[later] = None
        return result
