"""Greeting friends: who comes back calls, so that nobody waits for the end of a pause; one timer serves all of them.

A friend that goes away is called again soon, because a line may have failed that works again in a moment; then less and
less often, because it calls by itself when it is back. Only where both are here and do not know it, as after a failure
between the two, the pauses decide.
"""

from collections.abc import Iterable

from attrs import define
from twisted.internet.interfaces import IDelayedCall

from bitdust.peers.calls import Calls
from bitdust.surroundings import Connected

FIRST = 20.0
LONGEST = 6 * 3600.0
SHARE = 0.2
"""A pause lasts such a share of the absence until then."""
GAP = 5.0
"""Seconds that two rounds of calls are apart: those who are due in between are called together."""


@define
class _Absence:
    """Since when a friend is away, and when it is called again, both by the clock."""

    since: float
    due: float


class Greetings:
    """I call friends that are not connected, as soon as they might be reached, and now and then after that."""

    def __init__(self, around: Connected) -> None:
        self._world = around.world
        self._clock = around.world.clock
        self._calls = Calls(around)
        self._absent: dict[bytes, _Absence] = {}
        self._timer: IDelayedCall | None = None

    def stop(self) -> None:
        """Call nobody any more."""
        self._absent.clear()
        self._calls.stop()
        self._schedule()

    def greet(self, friends: Iterable[bytes]) -> None:
        """Call these now: they, or this node, may be back."""
        now = self._clock.seconds()
        greeted = list(friends)
        for friend in greeted:
            self._absent[friend] = _Absence(now, now + self._pause(0.0))
        self._calls.call(greeted)
        self._schedule()

    def went(self, friend: bytes) -> None:
        """A friend is not connected any more."""
        now = self._clock.seconds()
        self._absent[friend] = _Absence(now, now + self._pause(0.0))
        self._schedule()

    def came(self, friend: bytes) -> None:
        """A friend is here, or is none any more."""
        if self._absent.pop(friend, None) is not None:
            self._schedule()

    def _pause(self, absence: float) -> float:
        jitter = 0.5 + int.from_bytes(self._world.entropy(2), "big") / 65536
        return min(LONGEST, max(FIRST, SHARE * absence)) * jitter

    def _schedule(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if self._absent:
            due = min(absence.due for absence in self._absent.values())
            self._timer = self._clock.callLater(max(GAP, due - self._clock.seconds()), self._call_due)

    def _call_due(self) -> None:
        now = self._clock.seconds()
        due = [friend for friend, absence in self._absent.items() if absence.due <= now]
        for friend in due:
            absence = self._absent[friend]
            absence.due = now + self._pause(now - absence.since)
        self._calls.call(due)
        self._schedule()
