"""Calling customers: a supplier that is back does not wait until each of them has found it by itself."""

from bitdust.customers.promises import DAY
from bitdust.customers.store import SupplierStore
from bitdust.peers.calls import Calls
from bitdust.peers.presence import Presence
from bitdust.signal import Disconnect
from bitdust.surroundings import Connected

SEEN_DAYS = 30
"""Who was not in touch for longer is not called; such a customer finds its suppliers by itself."""


class CustomerCalls:
    """I call customers that are not connected, once whenever they might be reached; they go on from there."""

    def __init__(self, around: Connected, store: SupplierStore, presence: Presence) -> None:
        self._world = around.world
        self._store = store
        self._presence = presence
        self._calls = Calls(around)
        self._disconnect: Disconnect = lambda: None

    def start(self) -> None:
        """Call everybody now, and whenever this node is on the network again."""
        self._disconnect = self._presence.chance.connect(self.call_everybody)
        self.call_everybody()

    def stop(self) -> None:
        """Call nobody any more."""
        self._disconnect()
        self._calls.stop()

    def call_everybody(self) -> None:
        """Call each customer that was in touch lately and is not now, those first that were in touch last."""
        if not self._store.is_open:
            return
        since = self._world.wall() - SEEN_DAYS * DAY
        seen = [account.contract for account in self._store.customers() if account.contract.since >= since]
        seen.sort(key=lambda contract: -contract.since)
        self._calls.call(contract.customer for contract in seen)
