"""Bandwidth limits over all sessions of a node: token buckets, and turns in which sessions send.

A limit holds a session back between two parts of a payload, never inside one; with a limit the parts are as small as a
twentieth of a second. Sessions that want to send wait in a queue and send one part a turn, so that each gets the same;
those with a small packet are in a queue of their own, which goes first. What is no payload (questions without one,
acknowledgements, credit, pings) never waits, and counts.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

SMALL = 4096
"""Bytes of a payload that goes before larger ones."""
SMALLEST_PART = 1024
PARTS_A_SECOND = 20
PATIENCE = 0.01
"""Seconds that are not worth a pause."""


class TokenBucket:
    """``rate`` bytes a second with a burst of one second; a rate of 0 never waits."""

    def __init__(self, clock: IReactorTime, rate: int = 0) -> None:
        self._clock = clock
        self.rate = rate
        self._debt_until = 0.0

    def change(self, rate: int) -> None:
        """Another limit from now on; what was owed under the old one is forgiven."""
        self.rate = rate
        self._debt_until = self._clock.seconds()

    def spend(self, size: int) -> float:
        """Seconds to wait before anything more is sent or read."""
        if self.rate <= 0:
            return 0.0
        now = self._clock.seconds()
        self._debt_until = max(self._debt_until, now - 1.0) + size / self.rate
        return max(0.0, self._debt_until - now)

    @property
    def wait(self) -> float:
        """Seconds until nothing is owed."""
        return max(0.0, self._debt_until - self._clock.seconds()) if self.rate > 0 else 0.0

    def part(self, most: int) -> int:
        """How many bytes to send in one turn."""
        return min(most, max(SMALLEST_PART, self.rate // PARTS_A_SECOND)) if self.rate > 0 else most


class Sender(Protocol):
    """A session that has something to send."""

    def pump(self) -> None:
        """Send what may be sent now."""


class Turns:
    """Who sends next when there is a limit of sending."""

    def __init__(self, clock: IReactorTime, bucket: TokenBucket) -> None:
        self._clock = clock
        self.bucket = bucket
        self._urgent: dict[Sender, None] = {}
        self._bulk: dict[Sender, None] = {}
        self._turn: tuple[Sender, bool] | None = None
        self._timer: IDelayedCall | None = None

    def allow(self, sender: Sender, size: int) -> bool:
        """Whether a part of a payload of ``size`` bytes may be sent now; else the sender is called when it may."""
        if self.bucket.rate <= 0:
            return True
        urgent = size <= SMALL
        if self._turn == (sender, urgent):
            self._turn = None
            return True
        someone_waits = self._urgent or (self._bulk and not urgent)
        if not someone_waits and self._turn is None and self.bucket.wait <= PATIENCE:
            return True
        (self._urgent if urgent else self._bulk)[sender] = None
        self._schedule()
        return False

    def waits(self, sender: Sender) -> bool:
        """Whether the sender waits for its turn."""
        return sender in self._bulk or sender in self._urgent

    def leave(self, sender: Sender) -> None:
        """The sender has nothing to send any more, for good."""
        self._urgent.pop(sender, None)
        self._bulk.pop(sender, None)
        self._schedule()

    def changed(self) -> None:
        """The limit is another one: whoever waits tries again."""
        waiting = [*self._urgent, *self._bulk]
        self._urgent.clear()
        self._bulk.clear()
        self._schedule()
        for sender in waiting:
            sender.pump()

    def _schedule(self) -> None:
        if self._timer is not None:
            if self._urgent or self._bulk:
                return
            self._timer.cancel()
            self._timer = None
        elif self._urgent or self._bulk:
            self._timer = self._clock.callLater(self.bucket.wait, self._serve)

    def _serve(self) -> None:
        self._timer = None
        try:
            while (self._urgent or self._bulk) and self.bucket.wait <= PATIENCE:
                queue = self._urgent or self._bulk
                sender = next(iter(queue))
                del queue[sender]
                self._turn = (sender, queue is self._urgent)
                sender.pump()
                self._turn = None
        finally:  # One session that breaks does not hold up all others.
            self._turn = None
            self._schedule()


class Reader(Protocol):
    """The link of a session, as far as reading goes."""

    def pause_reading(self) -> None:
        """Read no more."""

    def resume_reading(self) -> None:
        """Read again."""


class ReadingPause:
    """Keeps one session from reading while limits want it: those of receiving, and what `Reading` adds to them."""

    def __init__(self, clock: IReactorTime, until: Callable[[], float] = lambda: 0.0) -> None:
        """``until()`` gives seconds for which nothing may be read yet, whatever was said before."""
        self._clock = clock
        self._until = until
        self._call: IDelayedCall | None = None
        self._reader: Reader | None = None
        self.ended = 0.0

    @property
    def paused(self) -> bool:
        """Whether nothing is read now."""
        return self._call is not None

    def hold(self, reader: Reader, seconds: float) -> None:
        """A link may hand over what it has already, paused or not, so the moment may move later still."""
        if seconds <= PATIENCE:
            return
        if self._call is not None:
            self._call.reset(seconds)
            return
        self._reader = reader
        reader.pause_reading()
        self._call = self._clock.callLater(seconds, self.end)

    def end(self) -> None:
        """Read on, now, unless there is a reason not to."""
        if self._reader is not None:
            reader, wait = self._reader, self._until()
            if self._reader is None:
                return
            self._forget_call()
            if wait > PATIENCE:
                self._call = self._clock.callLater(wait, self.end)
                return
            self._reader = None
            self.ended = self._clock.seconds()
            reader.resume_reading()

    def cancel(self) -> None:
        """There is nothing to read any more."""
        self._forget_call()
        self._reader = None

    def _forget_call(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
