"""My relations with suppliers: one `supplier_connector` each, for the family, for who leaves it, and for candidates.

Whoever is in the family record keeps a connector that comes back by itself; a candidate has one while it is asked.
"""

from collections.abc import Callable
from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from bitdust.automats.kernel import Registry
from bitdust.automats.supplier_connector import Refused, SupplierConnector
from bitdust.peers.ports import Events, Gateway, Identities, Me, Names, Outbox, Settings
from bitdust.suppliers.connectors import SupplierLink
from bitdust.suppliers.contracts import ContractBook, Wish
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Scheme

SUPPLIERS = "services/customer/suppliers-number"
NEEDED = "services/customer/needed-space"


class HiringWorld(Protocol):
    """Time and chance."""

    @property
    def clock(self) -> IReactorTime: ...

    @property
    def entropy(self) -> Callable[[int], bytes]: ...


class Relations:
    """I connect suppliers and ask them for contracts.

    ``on_refused`` is called when a member says no, ``on_leaving`` with what a supplier says about leaving.
    """

    def __init__(
        self,
        world: HiringWorld,
        settings: Settings,
        events: Events,
        registry: Registry,
        me: Me,
        gateway: Gateway,
        outbox: Outbox,
        identities: Identities,
        family: MyFamily,
        publisher: FamilyPublisher,
        book: ContractBook,
    ) -> None:
        self._world = world
        self._settings = settings
        self._events = events
        self._registry = registry
        self._me = me
        self._gateway = gateway
        self._outbox = outbox
        self._identities = identities
        self._family = family
        self._publisher = publisher
        self._book = book
        self._connectors: dict[bytes, SupplierConnector] = {}
        self._lost_since: dict[bytes, float] = {}
        self._is_open = False
        self.asked: dict[bytes, Wish] = {}
        self.on_refused: Callable[[], None] = lambda: None
        self.on_leaving: Callable[[bytes, int], None] = lambda supplier, until: None

    # connectors

    def known(self, supplier: bytes) -> SupplierConnector | None:
        """The connector of a supplier that has one."""
        return self._connectors.get(supplier)

    def of(self, supplier: bytes) -> SupplierConnector:
        """The connector of a supplier."""
        connector = self._connectors.get(supplier)
        if connector is None or connector.state == "CLOSED":
            link = SupplierLink(supplier, self, self._me, self._gateway, self._outbox, self._identities, self._book)
            connector = self._connectors[supplier] = SupplierConnector(self._registry, supplier.hex()[:8], link)
        return connector

    def connect(self) -> None:
        """Connect everybody who holds something of mine."""
        self._is_open = True
        self.follow()
        for supplier in self._family.holders:
            self.of(supplier).send("connect")

    def close(self) -> None:
        """Connect nobody any more; contracts stay."""
        self._is_open = False
        connectors, self._connectors = self._connectors, {}
        for connector in connectors.values():
            connector.send("shutdown")

    def connected(self) -> list[bytes]:
        """Members of the family that are CONNECTED."""
        members = [(who, self._connectors.get(who)) for who in self._family.members]
        return [who for who, connector in members if connector is not None and connector.state == "CONNECTED"]

    def settled(self, supplier: bytes) -> "Deferred[str]":
        """Fires when a supplier has answered or cannot be reached."""
        if not self._is_open:
            return succeed("CLOSED")
        connector = self.of(supplier)
        if connector.state in ("DISCONNECTED", "NO_SERVICE"):
            connector.send("connect")
        return connector.when("CONNECTED", "NO_SERVICE", "DISCONNECTED", "CLOSED")

    def end(self, supplier: bytes) -> None:
        """End the contract with a supplier as soon as it can be told."""
        if self._is_open:
            self.of(supplier).send("disconnect")

    def lost_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has not been connected in this run."""
        since = self._lost_since.get(supplier)
        return self._world.clock.seconds() - since if since is not None else 0.0

    def refuses(self, supplier: bytes) -> bool:
        """Whether a supplier said no when it was asked last."""
        connector = self._connectors.get(supplier)
        return connector is not None and connector.state == "NO_SERVICE"

    def follow(self) -> None:
        """The record changed: its members have connectors, everybody else's contract is ended."""
        if not self._is_open:
            return
        members = set(self._family.holders)
        for supplier in self._family.holders:
            self.asked.pop(supplier, None)
            connector, contract = self.of(supplier), self._book.of(supplier)
            wish = self.wish_for(supplier)
            if contract is not None and (contract.position, contract.n) != (wish.position, wish.n):
                connector.send("connect")
        for supplier in [one for one in self._connectors if one not in members and one not in self.asked]:
            self._connectors.pop(supplier).send("disconnect")
            self._lost_since.pop(supplier, None)

    def session(self, session: Any, up: bool) -> None:
        """A session began or ended."""
        peer = session.peer.fingerprint
        connector = self._connectors.get(peer)
        if connector is not None and up == self._gateway.connected(peer):
            connector.send("supplier-online" if up else "supplier-offline")

    # candidates

    async def ask(self, position: int, supplier: bytes) -> Any:
        """The contract of a candidate for a place. Raises `BitDustError` ``no-service``."""
        if not self._is_open:
            raise BitDustError("no-service", "suppliers are not looked after now")
        self.asked[supplier] = self._wish(position)
        connector = self.of(supplier)
        connector.send("connect")
        state = await connector.when("CONNECTED", "NO_SERVICE", "DISCONNECTED", "CLOSED")
        if state != "CONNECTED":
            raise BitDustError("no-service", connector.reason or "the candidate does not answer")
        return self._book.of(supplier)

    def let_go(self, supplier: bytes) -> None:
        """A candidate was not hired."""
        self.asked.pop(supplier, None)
        self._lost_since.pop(supplier, None)
        connector = self._connectors.pop(supplier, None)
        if connector is not None:
            connector.send("shutdown")

    def size(self) -> int:
        """How many places the family has, or is to have."""
        return self._family.current.n if self._family.current is not None else int(self._settings.get(SUPPLIERS))

    def _wish(self, position: int) -> Wish:
        n = self.size()
        room = -(-int(self._settings.get(NEEDED)) // Scheme.for_family(n).k)
        return Wish(room=room, n=n, position=position, least=room)

    # what connectors ask and tell

    def wish_for(self, supplier: bytes) -> Wish:
        """What a supplier is asked for: its share of the space that I need, at its place.

        One that leaves its place is asked for what it gives already. A member whose contract I lost (this node was
        recovered) keeps my pieces already: whatever it gives counts.
        """
        family, contract = self._family.current, self._book.of(supplier)
        if family is not None and supplier in family.departing:
            place = (family.leaving or []).index(supplier)
            return Wish(room=contract.room if contract is not None else 0, n=family.n, position=place, least=0)
        position = self._family.position(supplier)
        if position is None:
            return self.asked.get(supplier) or self._wish(0)
        wish = self._wish(position)
        return evolve(wish, least=0) if contract is None else wish

    def notice(self, supplier: bytes, leaves: object) -> None:
        """A supplier told with its contract until when it answers, 0 when it stays. One that leaves is not hired."""
        if isinstance(leaves, int) and supplier in self._family.holders:
            self.on_leaving(supplier, leaves)
        elif leaves:
            raise Refused("no-service", "this supplier has given notice")

    def supplier_changed(self, supplier: bytes, state: str) -> None:
        """A connector came to another state."""
        if state == "CONNECTED":
            self._lost_since.pop(supplier, None)
            contract, document = self._book.of(supplier), self._identities(supplier)
            idurl = Names.of(document).idurl or supplier.hex()
            data = {"supplier_idurl": idurl, "needed_bytes": contract.room if contract else 0}
            self._events.send("supplier-connected", data)
            if supplier in self._family.holders:
                self._publisher.tell(supplier)
        else:
            self._lost_since.setdefault(supplier, self._world.clock.seconds())
        if state == "NO_SERVICE" and supplier in self._family.members:
            self.on_refused()

    def jitter(self) -> float:
        """A random number from 0 to 1."""
        return int.from_bytes(self._world.entropy(4), "big") / 2.0**32
