"""My customers, as lists show them (`customers_list`, `customers_ping`)."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.customers.contracts import Account
from bitdust.customers.keepsakes import IDENTITY, Keepsake
from bitdust.customers.store import SupplierStore
from bitdust.identity.document import IdentityDocument
from bitdust.peers.presence import CUSTOMER, Presence
from bitdust.peers.shown import Names, show_contract
from bitdust.signal import Disconnect, Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.encoding import WireError

LOOK_AGAIN = 30.0
"""Seconds for which a customer is taken for a newcomer, or for none, before it is looked up again."""
MOST_KNOWN = 10_000


class Customers:
    """I know who my customers are, and renew the contract of one that comes.

    ``spared`` is emitted when nothing happens of what a device of a customer had ordered, because it was revoked.
    """

    log = Logger()

    def __init__(self, around: Surroundings, store: SupplierStore, presence: Presence) -> None:
        self._store = store
        self._presence = presence
        self._events = around.events
        self._identities = around.identities
        self._wall = around.world.wall
        self._uptime = around.world.clock.seconds
        self._newcomers: dict[bytes, tuple[bool, float]] = {}
        self._disconnect: list[Disconnect] = []
        self.unread: Sequence[str] = ()
        """Folders and files of theirs that the disk did not give at the start."""
        self.spared: Signal[[bytes]] = Signal()

    def note_unread(self, paths: Sequence[str]) -> None:
        """The disk does not give these."""
        self.unread = tuple(paths)

    def start(self) -> None:
        """Follow who of them comes, and know their newest documents, whatever else is known of identities."""
        for document in self._store.keepsakes(IDENTITY):
            self._know(document)
        for account in self._store.customers():
            self._presence.watch(account.contract.customer, CUSTOMER)
            self._renew(account.contract.customer, self._presence.is_online(account.contract.customer))
        self._disconnect = [
            self._presence.changed.connect(self._renew),
            self._identities.changed.connect(lambda document: self._keep_document(document.fingerprint)),
            self._identities.changed.connect(self._shut_out),
        ]

    def stop(self) -> None:
        """Follow nobody."""
        disconnect, self._disconnect = self._disconnect, []
        for each in disconnect:
            each()

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        self._identities.let_go(customer)
        self._presence.forget(customer, CUSTOMER)
        self._newcomers.pop(customer, None)

    def is_customer(self, fingerprint: bytes) -> bool:
        """Whether something is promised to this peer."""
        return self._store.has_contract(fingerprint)

    def is_newcomer(self, fingerprint: bytes) -> bool:
        """Whether a customer has little to lose here yet; asked with every packet, so that it is looked up rarely."""
        now = self._uptime()
        known, until = self._newcomers.get(fingerprint, (True, now))
        if now < until:
            return known
        account = self._store.contract_of(fingerprint)
        is_new = account is None or account.is_newcomer(self._wall())
        if len(self._newcomers) >= MOST_KNOWN:
            self._newcomers.clear()
        self._newcomers[fingerprint] = (is_new, now + LOOK_AGAIN)
        return is_new

    def _know(self, kept: Keepsake) -> None:
        try:
            self._identities.hold(IdentityDocument.parse(kept.data))
        except WireError as error:
            self.log.warn("a customer's document cannot be read: {error}", error=error)

    def _keep_document(self, fingerprint: bytes) -> None:
        """A customer may show, or others may bring, a newer document than it had when it made its contract."""
        document, kept = self._identities.get(fingerprint), self._store.keepsake(IDENTITY, fingerprint)
        if (
            document is not None
            and self.is_customer(fingerprint)
            and (kept is None or kept.revision < document.revision)
        ):
            new = Keepsake(fingerprint, document.revision, 0, document.xml)
            keeping = self._store.keep(IDENTITY, new)
            keeping.addErrback(lambda failure: self.log.warn("a document is not kept: {why}", why=failure.value))

    def _shut_out(self, document: IdentityDocument) -> None:
        """What a device has ordered that was revoked since does not happen."""
        if self._store.is_open and (waiting := self._store.delays.of(document.fingerprint)):
            known = {one.device: document.device(one.device) for one in waiting}
            gone = [ident for ident, device in known.items() if device is None or device.revoked is not None]
            undoing = self._store.delays.undo(document.fingerprint, gone)
            undoing.addCallback(lambda count: self.spared.emit(document.fingerprint) if count else None)
            undoing.addErrback(lambda failure: self.log.warn("an order is not undone: {why}", why=failure.value))

    def _renew(self, fingerprint: bytes, online: bool) -> None:
        if online:
            self._keep_document(fingerprint)
        renewed = self._store.touch(fingerprint) if online else None
        if renewed is not None:
            renewed.addErrback(lambda failure: self._not_renewed(str(failure.value)))

    def _not_renewed(self, reason: str) -> None:
        self._events.send("customer-not-renewed", {"reason": reason})

    def list(self, verbose: bool = False) -> list[dict[str, Any]]:
        """One entry a customer; ``position`` is my place in its family. Anybody may call himself ``global_id``: who is
        meant is the ``fingerprint``, unless ``name_proven``.

        A verbose entry has ``used`` bytes in ``pieces``, ``missing`` bytes that the disk has lost, ``log_bytes``,
        ``record_bytes``; of its ``quota`` ``taken`` bytes with what is beside the pieces, and ``unfilled`` ones that
        nobody else can have; the ``network`` from which they were asked for, empty for the household; ``last_seen``
        (to the hour, since the epoch), and ``until``, before which nothing is deleted.
        """
        return [self._entry(account, verbose) for account in self._store.customers()]

    def _entry(self, account: Account, verbose: bool) -> dict[str, Any]:
        customer = account.contract.customer
        names = Names.of(self._identities, customer)  # newer than those of the contract, where the customer has moved
        entry = {
            "position": account.contract.position,
            "fingerprint": customer.hex(),
            "idurl": names.idurl or account.idurl,
            "global_id": names.global_id or account.global_id,
            "name_proven": self._identities.is_proven(customer),
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
                "record_bytes": account.record_bytes,
                "taken": account.charged,
                "unfilled": account.allotted - account.charged,
                "network": account.network,
                "last_seen": account.contract.since,
                "until": account.purge_at or account.until,
            }
        return entry

    def ping(self) -> "Deferred[int]":
        """Ping all of them; fires with how many answered."""
        return self._presence.ping_all([account.contract.customer for account in self._store.customers()])
