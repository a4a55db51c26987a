"""Calling peers: sessions with those who are not connected, a few at a time; what follows is up to who follows them."""

from collections import deque
from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from bitdust.outcome import outcome
from bitdust.surroundings import Connected

AT_ONCE = 8
SPREAD = 2.0
"""Seconds over which calls begin, so that many who come back together do not call one peer together."""


class Calls:
    """I call each peer once, in the order in which they are named, beginning a moment later."""

    def __init__(self, around: Connected) -> None:
        self._world = around.world
        self._sessions = around.sessions
        self._waiting: deque[bytes] = deque()
        self._running: dict[bytes, Deferred[None]] = {}
        self._begin: IDelayedCall | None = None
        self._is_going_on = False

    def call(self, peers: Iterable[bytes]) -> None:
        """Call those who are not connected; who waits already, or is being called, is not called beside that."""
        known = {*self._waiting, *self._running}
        for peer in dict.fromkeys(peers):
            if peer not in known and not self._sessions.connected(peer):
                self._waiting.append(peer)
        if self._waiting and not (self._begin is not None and self._begin.active()):
            chance = int.from_bytes(self._world.entropy(2), "big") / 65536
            self._begin = self._world.clock.callLater(SPREAD * chance, self._go_on)

    def stop(self) -> None:
        """Call nobody any more."""
        self._waiting.clear()
        if self._begin is not None and self._begin.active():
            self._begin.cancel()
        for calling in list(self._running.values()):
            calling.cancel()

    def _go_on(self) -> None:
        if self._is_going_on:  # a call that failed at once: calls do not pile up on each other
            return
        self._is_going_on = True
        while self._waiting and len(self._running) < AT_ONCE:
            peer = self._waiting.popleft()
            if not self._sessions.connected(peer):
                calling = self._running[peer] = Deferred.fromCoroutine(self._call(peer))
                calling.addBoth(self._over, peer)
        self._is_going_on = False

    async def _call(self, peer: bytes) -> None:
        await outcome(self._sessions.session_to(peer))

    def _over(self, _: object, peer: bytes) -> None:
        self._running.pop(peer, None)
        self._go_on()
