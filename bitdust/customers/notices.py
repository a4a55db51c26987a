"""Notices to customers: this supplier takes nothing more from you, and answers until then.

A notice goes to a connected customer at once and to any other when it comes; the grace of its pieces begins when it
has acknowledged. `RequestService` is answered with the same, so that neither side can miss it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.customers.patrol import DAY, Promise
from bitdust.outcome import outcome
from bitdust.peers.ports import Gateway, Outbox, Session
from bitdust.wire.packet import Command

KIND = "notice"
TELL_SECONDS = 15.0


class NoticesStore(Protocol):
    """The supplier's store, as far as notices go."""

    @property
    def is_open(self) -> bool: ...

    def customers(self) -> Sequence[Promise]: ...

    def contract_of(self, customer: bytes, /) -> Promise | None: ...

    def announce(self, customer: bytes, /) -> "Deferred[None]": ...


class Notices:
    """I tell customers. ``retires`` is until when this node is a supplier at all, 0 while it stays one."""

    log = Logger()

    def __init__(
        self,
        store: NoticesStore,
        gateway: Gateway,
        outbox: Outbox,
        wall: Callable[[], float],
        retires: Callable[[], int] = lambda: 0,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._outbox = outbox
        self._wall = wall
        self._retires = retires
        self._remove: Callable[[], None] | None = None

    def start(self) -> None:
        """Tell whoever comes from now on."""
        self._remove = self._gateway.on_session(self._session)
        for kept in self._store.customers():
            if kept.is_ending:
                self.tell(kept.contract.customer)

    def stop(self) -> None:
        """Tell nobody."""
        if self._remove is not None:
            self._remove()
            self._remove = None

    def until(self, kept: Promise) -> int:
        """Until when a customer is answered, in seconds since the epoch; 0 for one that has no notice."""
        if not kept.is_ending:
            return 0
        granted = kept.purge_at or int(self._wall()) + kept.contract.grace * DAY
        return min(self._retires(), granted) if kept.state == "retiring" and self._retires() else granted

    def tell_all(self) -> None:
        """Say to everybody who is connected what holds now."""
        for kept in self._store.customers():
            self.tell(kept.contract.customer)

    def tell(self, customer: bytes) -> None:
        """Say to one customer what holds now, if it is connected."""
        kept = self._store.contract_of(customer)
        if kept is not None and self._gateway.connected(customer):
            telling = Deferred.fromCoroutine(self._tell(kept))
            telling.addErrback(lambda failure: self.log.warn("a notice was not told: {why}", why=failure.value))

    async def _tell(self, kept: Promise) -> None:
        fields: dict[str, Any] = {"kind": KIND, "contract": kept.contract.contract, "until": self.until(kept)}
        customer = kept.contract.customer
        told = await outcome(self._outbox.send(customer, Command.CANCEL_SERVICE, fields, deadline=TELL_SECONDS))
        if told.error is None and kept.is_ending and self._store.is_open:
            await self._store.announce(customer)

    def _session(self, session: Session, up: bool) -> None:
        customer = session.peer.fingerprint
        kept = self._store.contract_of(customer) if up and self._store.is_open else None
        if kept is not None and kept.is_ending:
            self.tell(customer)
