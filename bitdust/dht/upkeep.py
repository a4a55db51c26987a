"""What a node does by itself: publish again what it keeps, refresh what it knows, forget what has expired."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.dht.store import RecordStore

TICK = 60.0
REPUBLISH = 3600.0
SOON = 30.0
REFRESH = 600.0
EARLY_SHOWS = (2.0, 10.0, 30.0)
AT_ONCE = 20


class UpkeepPort(Protocol):
    """What upkeep asks the node to do."""

    def republish(self, key: bytes, layer: int, then: Callable[[], None]) -> None:
        """Store a kept record again, verbatim, and say when that is over."""

    def refresh(self) -> None:
        """Look around, and save who was met."""

    def knock(self) -> None:
        """Ask a few of those who were met before and are away."""

    def show_layers(self) -> None:
        """Look around in the layers that the node is attached to."""


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
        self._refresh_due = 0.0
        self._tick: IDelayedCall | None = None
        self._early: list[Any] = []

    def start(self) -> None:
        """Own records are published soon, those of others some time within the hour."""
        now = self._clock.seconds()
        for key, _, mine in self._store.listing():
            self._due[key] = now + self._jitter(SOON if mine else REPUBLISH / 2)
        self._refresh_due = now + self._jitter(REFRESH)
        self._tick = self._clock.callLater(self._jitter(TICK), self._work)

    def stop(self) -> None:
        """Stop the timers."""
        for call in (self._tick, *self._early):
            if call is not None and call.active():
                call.cancel()
        self._tick = None
        self._early = []
        self._queue = []

    def stored(self, key: bytes) -> None:
        """A record was stored or confirmed now: the next hour it needs nothing."""
        self._due[key] = self._clock.seconds() + self._jitter(REPUBLISH)

    def show_soon(self) -> None:
        """The node has joined or left a layer, or the network: show it around a few times."""
        for call in self._early:
            if call.active():
                call.cancel()
        self._early = []
        for seconds in EARLY_SHOWS:
            self._early.append(self._clock.callLater(self._jitter(seconds), self._port.show_layers))

    def _work(self) -> None:
        self._tick = self._clock.callLater(self._jitter(TICK), self._work)
        now = self._clock.seconds()
        self._store.expire(self._wall())
        self._port.knock()
        if now >= self._refresh_due:
            self._refresh_due = now + self._jitter(REFRESH)
            self._port.refresh()
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
