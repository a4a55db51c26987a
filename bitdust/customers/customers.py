"""My customers, as lists show them (`customers_list`, `customers_ping`)."""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.customers.patrol import Promise
from bitdust.peers.ports import Events
from bitdust.peers.presence import Presence
from bitdust.peers.shown import show_contract


class CustomersStore(Protocol):
    """The supplier's store, as far as this goes."""

    def customers(self) -> Sequence[Promise]: ...

    def touch(self, customer: bytes, /) -> "Deferred[None] | None": ...

    def contract_of(self, customer: bytes, /) -> Promise | None: ...

    def holdings(self, customer: bytes, /) -> tuple[int, int]: ...


class Customers:
    """I know who my customers are, and that hearing from one renews its contract."""

    def __init__(self, store: CustomersStore, presence: Presence, events: Events) -> None:
        self._store = store
        self._presence = presence
        self._events = events
        self._remove: Any = None

    def start(self) -> None:
        """Follow who of them comes."""
        for kept in self._store.customers():
            self._presence.watch(kept.contract.customer)
            self._heard(kept.contract.customer, self._presence.is_online(kept.contract.customer))
        self._remove = self._presence.on_change(self._heard)

    def stop(self) -> None:
        """Follow nobody."""
        if self._remove is not None:
            self._remove()
            self._remove = None

    def is_customer(self, fingerprint: bytes) -> bool:
        """Whether something is promised to this peer."""
        return self._store.contract_of(fingerprint) is not None

    def _heard(self, fingerprint: bytes, online: bool) -> None:
        renewed = self._store.touch(fingerprint) if online else None
        if renewed is not None:
            renewed.addErrback(lambda failure: self._not_renewed(str(failure.value)))

    def _not_renewed(self, reason: str) -> None:
        self._events.send("customer-not-renewed", {"reason": reason})

    def list(self, verbose: bool = False) -> list[dict[str, Any]]:
        """One entry a customer; ``position`` is my place in its family.

        A verbose entry has ``used`` bytes of its ``quota`` in ``pieces``, ``missing`` bytes that the disk has lost,
        ``log_bytes`` beside the quota, ``last_seen`` (to the hour, since the epoch), and ``until``, before which
        nothing is deleted.
        """
        return [self._entry(kept, verbose) for kept in self._store.customers()]

    def _entry(self, kept: Promise, verbose: bool) -> dict[str, Any]:
        customer = kept.contract.customer
        entry = {
            "position": kept.contract.position,
            "idurl": kept.idurl,
            "global_id": kept.global_id,
            "fingerprint": customer.hex(),
            "contact_state": self._presence.state(customer),
            "customer_state": str(kept.state),
            "contract": show_contract(kept.contract),
        }
        if verbose:
            pieces, missing = self._store.holdings(customer)
            entry |= {
                "used": kept.used,
                "quota": kept.contract.room,
                "pieces": pieces,
                "missing": missing,
                "log_bytes": kept.log_bytes,
                "last_seen": kept.contract.since,
                "until": kept.purge_at or kept.until,
            }
        return entry

    def ping(self) -> "Deferred[int]":
        """Ping all of them; fires with how many answered."""
        return self._presence.ping_all([kept.contract.customer for kept in self._store.customers()])
