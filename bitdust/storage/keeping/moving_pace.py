"""How fast pieces move between suppliers on behalf of nobody's upload or download: rebuilding and re-encoding.

The limit (``services/data-motion/moving-limit``) counts what comes in and what goes out. A pack begins when what went
before it is paid for, so that the mean stays under the limit however large packs are.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from bitdust.wire.records import PackRecord, Scheme

MOVING_LIMIT = "services/data-motion/moving-limit"


class MovingPace:
    """``limit`` gives bytes a second, 0 for none."""

    def __init__(self, clock: IReactorTime, limit: Callable[[], int]) -> None:
        self._clock = clock
        self._limit = limit
        self._paid_at = 0.0
        self.moved = 0
        """Bytes of all moves since the start."""

    def spend(self, size: int) -> None:
        """So many bytes move now."""
        self.moved += size
        limit = self._limit()
        if limit > 0:
            self._paid_at = max(self._paid_at, self._clock.seconds()) + size / limit

    @property
    def wait(self) -> float:
        """Seconds until the next pack may move."""
        return max(0.0, self._paid_at - self._clock.seconds()) if self._limit() > 0 else 0.0

    def turn(self) -> "Deferred[None]":
        """Fires when the next pack may move."""
        wait = self.wait
        return deferLater(self._clock, wait) if wait > 0 else succeed(None)


def bytes_of(record: PackRecord, scheme: Scheme, pieces: int) -> int:
    """What is moved to bring a pack here and ``pieces`` pieces of another scheme to suppliers."""
    return record.scheme.k * record.piece_size + pieces * scheme.piece_size(record.size)
