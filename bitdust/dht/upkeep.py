"""What a node does by itself: publish again what it keeps, refresh what it knows, forget what has expired."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.dht.store import RecordStore

TICK = 60.0
REPUBLISH = 3600.0
SOON = 30.0
FIRST_REFRESH, REFRESH = 60.0, 600.0
"""Seconds until it looks around again: after it came in they grow from the first to the second."""
EARLY_SHOWS = (2.0, 10.0, 30.0)
GROWN = 5.0
"""Seconds after which own records go to those who are nearer, where twice as many nodes are known as before."""
AT_ONCE = 20


class UpkeepPort(Protocol):
    """What upkeep asks the node to do."""

    def republish(self, key: bytes, layer: int, then: Callable[[], None]) -> None:
        """Store a kept record again, verbatim, and say when that is over."""

    def refresh(self) -> None:
        """Look around, and save who was met."""

    def knock(self) -> None:
        """Ask a few of those who were met before and are away."""

    def look_around(self) -> None:
        """Look for neighbours, in the layers that the node is attached to as well."""

    def known(self) -> int:
        """How many nodes are known."""


class Upkeep:
    """One timer. A record that somebody else published lately is not published again."""

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        jitter: Callable[[float], float],
        store: RecordStore,
        port: UpkeepPort,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._jitter = jitter
        self._store = store
        self._port = port
        self._due: dict[bytes, float] = {}
        self._queue: list[tuple[bytes, int]] = []
        self._running = 0
        self._refresh_due, self._pause = 0.0, FIRST_REFRESH
        self._tick: IDelayedCall | None = None
        self._early: list[Any] = []
        self._among: int | None = None
        self._growing: IDelayedCall | None = None

    def start(self) -> None:
        """Own records are published soon, those of others some time within the hour."""
        now = self._clock.seconds()
        for key, _, mine in self._store.listing():
            self._due[key] = now + self._jitter(SOON if mine else REPUBLISH / 2)
        self._refresh_due = now + self._jitter(self._pause)
        self._tick = self._clock.callLater(self._jitter(TICK), self._work)

    def stop(self) -> None:
        """Stop the timers."""
        for call in (self._tick, self._growing, *self._early):
            if call is not None and call.active():
                call.cancel()
        self._tick = self._growing = None
        self._early = []
        self._queue = []

    def stored(self, key: bytes) -> None:
        """A record was stored or confirmed now: the next hour it needs nothing."""
        self._due[key] = self._clock.seconds() + self._jitter(REPUBLISH)

    def show_soon(self) -> None:
        """The node has joined or left a layer, or the network: show it around a few times.

        After an outage all come back at once: who was first has met almost nobody.
        """
        self._among, self._pause = max(1, self._port.known()), FIRST_REFRESH
        for call in self._early:
            if call.active():
                call.cancel()
        self._early = []
        for seconds in EARLY_SHOWS:
            self._early.append(self._clock.callLater(self._jitter(seconds), self._port.look_around))

    def met(self) -> None:
        """Somebody new is known. Who published while few were known did not reach those who are nearest."""
        waits = self._growing is not None and self._growing.active()
        if self._tick is not None and self._among is not None and not waits and self._port.known() >= 2 * self._among:
            self._growing = self._clock.callLater(self._jitter(GROWN), self._publish_own)

    def _publish_own(self) -> None:
        self._among = max(1, self._port.known())
        now = self._clock.seconds()
        self._due.update((key, now) for key, _, mine in self._store.listing() if mine)
        self._publish_due()

    def _work(self) -> None:
        self._tick = self._clock.callLater(self._jitter(TICK), self._work)
        now = self._clock.seconds()
        self._store.expire(self._wall())
        self._port.knock()
        if now >= self._refresh_due:
            self._pause = min(2 * self._pause, REFRESH)
            self._refresh_due = now + self._jitter(self._pause)
            self._port.refresh()
        self._publish_due()

    def _publish_due(self) -> None:
        now = self._clock.seconds()
        keys = {key: layer for key, layer, _ in self._store.listing()}
        self._due = {key: self._due.get(key, now) for key in keys}
        self._queue = [(key, keys[key]) for key, due in self._due.items() if due <= now]
        while self._running < AT_ONCE and self._queue:
            self._next()

    def _next(self) -> None:
        if not self._queue or self._tick is None:
            return
        key, layer = self._queue.pop()
        self.stored(key)
        self._running += 1
        self._port.republish(key, layer, self._over)

    def _over(self) -> None:
        self._running -= 1
        self._next()
