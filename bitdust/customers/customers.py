"""My customers, as lists show them (`customers_list`, `customers_ping`)."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.customers.contracts import Account
from bitdust.customers.store import SupplierStore
from bitdust.peers.presence import Presence
from bitdust.peers.shown import show_contract
from bitdust.signal import Disconnect
from bitdust.surroundings import Surroundings


class Customers:
    """I know who my customers are, and renew the contract of one that comes."""

    def __init__(self, around: Surroundings, store: SupplierStore, presence: Presence) -> None:
        self._store = store
        self._presence = presence
        self._events = around.events
        self._disconnect: Disconnect = lambda: None

    def start(self) -> None:
        """Follow who of them comes."""
        for account in self._store.customers():
            self._presence.watch(account.contract.customer)
            self._renew(account.contract.customer, self._presence.is_online(account.contract.customer))
        self._disconnect = self._presence.changed.connect(self._renew)

    def stop(self) -> None:
        """Follow nobody."""
        self._disconnect()

    def is_customer(self, fingerprint: bytes) -> bool:
        """Whether something is promised to this peer."""
        return self._store.contract_of(fingerprint) is not None

    def _renew(self, fingerprint: bytes, online: bool) -> None:
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
        return [self._entry(account, verbose) for account in self._store.customers()]

    def _entry(self, account: Account, verbose: bool) -> dict[str, Any]:
        customer = account.contract.customer
        entry = {
            "position": account.contract.position,
            "idurl": account.idurl,
            "global_id": account.global_id,
            "fingerprint": customer.hex(),
            "contact_state": self._presence.state(customer),
            "customer_state": str(account.state),
            "contract": show_contract(account.contract),
        }
        if verbose:
            pieces, missing = self._store.holdings(customer)
            entry |= {
                "used": account.used,
                "quota": account.contract.room,
                "pieces": pieces,
                "missing": missing,
                "log_bytes": account.log_bytes,
                "last_seen": account.contract.since,
                "until": account.purge_at or account.until,
            }
        return entry

    def ping(self) -> "Deferred[int]":
        """Ping all of them; fires with how many answered."""
        return self._presence.ping_all([account.contract.customer for account in self._store.customers()])
