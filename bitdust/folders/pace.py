"""How fast bytes come and go, over the last few seconds."""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

SECONDS = 3.0


class Pace:
    """I look at two counters whenever I am asked."""

    def __init__(self, clock: IReactorTime, moved: Callable[[], tuple[int, int]]) -> None:
        self._clock = clock
        self._moved = moved
        self._seen: deque[tuple[float, int, int]] = deque()

    def now(self) -> tuple[int, int]:
        """Bytes a second in and out since the oldest look of the last seconds; 0, 0 where nothing moves."""
        time, (received, sent) = self._clock.seconds(), self._moved()
        while self._seen and (time - self._seen[0][0] > SECONDS and len(self._seen) > 1):
            self._seen.popleft()
        self._seen.append((time, received, sent))
        begun, first_received, first_sent = self._seen[0]
        passed = time - begun
        if passed <= 0:
            return 0, 0
        return int((received - first_received) / passed), int((sent - first_sent) / passed)
