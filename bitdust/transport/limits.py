"""Bandwidth limits: a token bucket that tells how long to wait, so that nobody has to poll."""

from twisted.internet.interfaces import IReactorTime


class TokenBucket:
    """``rate`` bytes a second with a burst of one second; a rate of 0 never waits."""

    def __init__(self, clock: IReactorTime, rate: int = 0) -> None:
        self._clock = clock
        self.rate = rate
        self._debt_until = 0.0

    def spend(self, size: int) -> float:
        """Seconds to wait before anything more is sent or read."""
        if self.rate <= 0:
            return 0.0
        now = self._clock.seconds()
        self._debt_until = max(self._debt_until, now - 1.0) + size / self.rate
        return max(0.0, self._debt_until - now)
