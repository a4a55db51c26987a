"""Parts of a log that a keeper has lacked for a while, although their devices were to bring them.

Who wrote a part may be gone for good, and so may all who kept it. So whoever has it brings it: not at once, while it is
on its way anyway, and not everybody at the same moment, because members read at different times, and see then that
another one has brought it.
"""

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

    def note(self, keeper: bytes, heads: Iterable[Head]) -> None:
        """It lacks the ends of these parts now, and of no others."""
        before, now = self._since.get(keeper, {}), self._clock.seconds()
        self._since[keeper] = {place: before.get(place, now) for place in ((one.device, one.sequence) for one in heads)}

    def is_to_be_brought(self, head: Head) -> bool:
        """Whether somebody has lacked the end of this part for a while."""
        place, latest = (head.device, head.sequence), self._clock.seconds() - A_WHILE
        return any(some.get(place, latest + 1) <= latest for some in self._since.values())
