"""Calling customers: a supplier that is back does not wait until each of them has found it by itself."""

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from bitdust.customers.promises import DAY
from bitdust.customers.store import SupplierStore
from bitdust.outcome import outcome
from bitdust.peers.presence import Presence
from bitdust.signal import Disconnect
from bitdust.surroundings import Connected

AT_ONCE = 8
SPREAD = 2.0
"""Seconds over which calls begin, so that suppliers of one customer that come back together do not call together."""
SEEN_DAYS = 30
"""Who was not in touch for longer is not called; such a customer finds its suppliers by itself."""


class Calls:
    """I call customers that are not connected, once whenever they might be reached; they go on from there."""

    def __init__(self, around: Connected, store: SupplierStore, presence: Presence) -> None:
        self._world = around.world
        self._sessions = around.sessions
        self._store = store
        self._presence = presence
        self._waiting: deque[bytes] = deque()
        self._running: dict[bytes, Deferred[None]] = {}
        self._begin: IDelayedCall | None = None
        self._is_going_on = False
        self._disconnect: Disconnect = lambda: None

    def start(self) -> None:
        """Call everybody now, and whenever this node is on the network again."""
        self._disconnect = self._presence.chance.connect(self.call_everybody)
        self.call_everybody()

    def stop(self) -> None:
        """Call nobody any more."""
        self._disconnect()
        self._waiting.clear()
        if self._begin is not None and self._begin.active():
            self._begin.cancel()
        for calling in list(self._running.values()):
            calling.cancel()

    def call_everybody(self) -> None:
        """Call each customer that was in touch lately and is not now, those first that were in touch last."""
        if not self._store.is_open:
            return
        since = self._world.wall() - SEEN_DAYS * DAY
        seen = [account.contract for account in self._store.customers() if account.contract.since >= since]
        seen.sort(key=lambda contract: -contract.since)
        self._waiting = deque(one.customer for one in seen if not self._sessions.connected(one.customer))
        if self._waiting and not (self._begin is not None and self._begin.active()):
            chance = int.from_bytes(self._world.entropy(2), "big") / 65536
            self._begin = self._world.clock.callLater(SPREAD * chance, self._go_on)

    def _go_on(self) -> None:
        if self._is_going_on:  # a call that failed at once: calls do not pile up on each other
            return
        self._is_going_on = True
        while self._waiting and len(self._running) < AT_ONCE:
            customer = self._waiting.popleft()
            if customer not in self._running and not self._sessions.connected(customer):
                calling = self._running[customer] = Deferred.fromCoroutine(self._call(customer))
                calling.addBoth(self._over, customer)
        self._is_going_on = False

    async def _call(self, customer: bytes) -> None:
        await outcome(self._sessions.session_to(customer))

    def _over(self, _: object, customer: bytes) -> None:
        self._running.pop(customer, None)
        self._go_on()
