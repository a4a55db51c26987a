"""Notices to customers: this supplier takes nothing more from you, and answers until then.

A notice goes to a connected customer at once and to any other when it comes; the grace of its pieces begins when it
has acknowledged. `RequestService` is answered with the same, so that neither side can miss it.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.customers.contracts import Account, ContractState
from bitdust.customers.promises import DAY
from bitdust.customers.store import SupplierStore
from bitdust.outcome import outcome
from bitdust.ports import Session
from bitdust.signal import Disconnect
from bitdust.surroundings import Connected
from bitdust.wire.packet import Command

KIND = "notice"
SEND_SECONDS = 15.0


class Notices:
    """I send them. ``retires`` is until when this node is a supplier at all, 0 while it stays one."""

    log = Logger()

    def __init__(self, around: Connected, store: SupplierStore, retires: Callable[[], int]) -> None:
        self._store = store
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._wall = around.world.wall
        self._retires = retires
        self._disconnect: Disconnect = lambda: None

    def start(self) -> None:
        """Notify those who are connected, and whoever comes from now on."""
        self._disconnect = self._sessions.on_session(self._session)
        for account in self._store.customers():
            if account.is_ending:
                self.deliver(account.contract.customer)

    def stop(self) -> None:
        """Send nothing any more."""
        self._disconnect()

    def until(self, account: Account) -> int:
        """Until when a customer is answered, in seconds since the epoch; 0 for one that has no notice."""
        if not account.is_ending:
            return 0
        granted = account.purge_at or int(self._wall()) + account.contract.grace * DAY
        leaving = self._retires()
        return min(leaving, granted) if account.state == ContractState.RETIRING and leaving else granted

    def deliver_all(self) -> None:
        """Notify everybody who is connected of what holds now."""
        for account in self._store.customers():
            self.deliver(account.contract.customer)

    def deliver(self, customer: bytes) -> None:
        """Notify one customer of what holds now, if it is connected."""
        account = self._store.contract_of(customer)
        if account is not None and self._sessions.connected(customer):
            sending = Deferred.fromCoroutine(self._send(account))
            sending.addErrback(lambda failure: self.log.warn("a notice was not sent: {why}", why=failure.value))

    async def _send(self, account: Account) -> None:
        fields: dict[str, Any] = {"kind": KIND, "contract": account.contract.contract, "until": self.until(account)}
        customer = account.contract.customer
        sent = await outcome(self._outbox.send(customer, Command.CANCEL_SERVICE, fields, deadline=SEND_SECONDS))
        if sent.error is None and account.is_ending and self._store.is_open:
            await self._store.announce(customer)

    def _session(self, session: Session, up: bool) -> None:
        customer = session.peer.fingerprint
        account = self._store.contract_of(customer) if up and self._store.is_open else None
        if account is not None and account.is_ending:
            self.deliver(customer)
