"""Many who wait for a network, and are not to go on all at the moment in which it is there."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from twisted.internet.interfaces import IDelayedCall

from bitdust.world import World

WITHIN = 10.0
"""Seconds over which they go on, unless said otherwise: neither this node nor those that it calls have everything at
once."""
One = TypeVar("One")


class Waking:
    """I wake each of some by chance within some seconds, and once, however often the network comes meanwhile."""

    def __init__(self, world: World, within: float = WITHIN) -> None:
        self._world = world
        self._within = within
        self._calls: dict[object, IDelayedCall] = {}

    def wake(self, some: Iterable[One], how: Callable[[One], object]) -> None:
        """Wake these."""
        for one in some:
            if one not in self._calls:
                chance = int.from_bytes(self._world.entropy(2), "big") / 65536
                self._calls[one] = self._world.clock.callLater(self._within * chance, self._now, one, how)

    def _now(self, one: One, how: Callable[[One], object]) -> None:
        del self._calls[one]
        how(one)

    def stop(self) -> None:
        """Wake nobody any more."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()
