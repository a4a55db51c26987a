"""Parts of a log that a keeper has lacked for a while, although their devices were to bring them.

Who wrote a part may be gone for good, and so may all who kept it. So whoever has it brings it: not at once, while it is
on its way anyway, and not everybody at the same moment, because members read at different times, and see then that
another one has brought it.
"""

import math
from collections.abc import Iterable

from twisted.internet.interfaces import IReactorTime

from bitdust.wire.records import Head

A_WHILE = 60.0
"""Seconds."""


class Lacks:
    """I remember what each keeper lacked when it was read, and since when."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._since: dict[bytes, dict[tuple[bytes, int], float]] = {}
        self._oldest: dict[bytes, float] = {}
        """When the first of what each keeper lacks was noted."""

    def note(self, keeper: bytes, heads: Iterable[Head]) -> None:
        """It lacks the ends of these parts now, and of no others."""
        before, now = self._since.get(keeper, {}), self._clock.seconds()
        lacked = {place: before.get(place, now) for place in ((one.device, one.sequence) for one in heads)}
        self._since[keeper], self._oldest[keeper] = lacked, min(lacked.values(), default=math.inf)

    def to_be_brought(self) -> set[tuple[bytes, int]]:
        """Device and end of each part that somebody has lacked for a while."""
        latest = self._clock.seconds() - A_WHILE
        old = [self._since[keeper] for keeper, oldest in self._oldest.items() if oldest <= latest]
        return {place for some in old for place, since in some.items() if since <= latest}
