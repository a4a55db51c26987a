"""Connections with suppliers: one `supplier_connector` each, for the family, for who leaves it, and for candidates.

A member of the family has a connector that reconnects by itself; a candidate has one while it is asked.
"""

from collections.abc import Callable
from math import inf
from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.automats.supplier_connector import Refused, SupplierConnector
from bitdust.identity.awaited import FAMILY
from bitdust.peers.shown import show_idurl
from bitdust.ports import Session
from bitdust.signal import Signal
from bitdust.suppliers.contracts import ContractBook, Wish
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.growth import Growth
from bitdust.suppliers.link import SupplierLink
from bitdust.suppliers.orphans import Orphans
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Contract, Scheme

SUPPLIERS = "services/customer/suppliers-number"
NEEDED = "services/customer/needed-space"
SOON = 30.0
"""Seconds after its first absence in which a supplier that does not answer may still come: it may be starting, too."""
ANSWERED = ("CONNECTED", "NO_SERVICE", "DISCONNECTED", "CLOSED")


class Connectors:
    """I connect suppliers and ask them for contracts, from `open` to `close`.

    ``accepted`` names a holder of my pieces that is connected, ``enlarged`` one that gives more room than before,
    ``refused`` a member that says no, ``leaving`` a holder and until when it answers, 0 when it stays.
    """

    def __init__(self, around: Connected, family: MyFamily, book: ContractBook) -> None:
        self._around = around
        self._clock = around.world.clock
        self._settings = around.settings
        self._family = family
        self.book = self._book = book
        self._connectors: dict[bytes, SupplierConnector] = {}
        self._lost_since: dict[bytes, float] = {}
        self._tried_again = -inf
        self.growth = Growth(self._clock, book)
        self._orphans = Orphans(self._clock, book, family, self.end)
        self._removers: list[Callable[[], None]] = []
        self.asked: dict[bytes, Wish] = {}
        self.accepted: Signal[[bytes]] = Signal()
        self.enlarged: Signal[[bytes]] = Signal()
        self.refused: Signal[[bytes]] = Signal()
        self.leaving: Signal[[bytes, int]] = Signal()

    def find(self, supplier: bytes) -> SupplierConnector | None:
        """The connector of a supplier that has one."""
        return self._connectors.get(supplier)

    def of(self, supplier: bytes) -> SupplierConnector:
        """The connector of a supplier."""
        connector = self._connectors.get(supplier)
        if connector is None or connector.state == "CLOSED":
            link = SupplierLink(self._around, supplier, self, self._book)
            connector = SupplierConnector(self._around.registry, supplier.hex()[:8], link)
            self._connectors[supplier] = connector
        return connector

    @property
    def _is_open(self) -> bool:
        return bool(self._removers)

    def open(self) -> None:
        """Connect everybody who holds something of mine, and reconnect whoever is lost."""
        if self._removers:
            return
        self._removers = [
            self._around.sessions.on_session(self._follow_session),
            self._settings.on_change(NEEDED, lambda key, old, new: self._renew()),
            self._family.changed.connect(self.follow_family),
        ]
        self._orphans.start()
        self.follow_family()
        for supplier in self._family.holders:
            self.of(supplier).send("connect")

    def try_again(self) -> None:
        """Suppliers that could not be reached a moment ago may be reached now: nobody waits for the end of a pause."""
        self._tried_again = self._clock.seconds()
        for connector in list(self._connectors.values()) if self._is_open else ():
            if connector.state in ("DISCONNECTED", "NO_SERVICE"):
                connector.failures = 0
                connector.send("connect")

    def close(self) -> None:
        """Connect nobody any more; contracts stay."""
        self._orphans.stop()
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        connectors, self._connectors = self._connectors, {}
        for connector in connectors.values():
            connector.send("shutdown")

    def connected(self) -> list[bytes]:
        """Members of the family that are CONNECTED."""
        members = [(who, self._connectors.get(who)) for who in self._family.members]
        return [who for who, connector in members if connector is not None and connector.state == "CONNECTED"]

    def neglected(self) -> list[bytes]:
        """Holders of my pieces without a connector, or with one that never tries again."""
        return [
            who
            for who in self._family.holders
            if (connector := self._connectors.get(who)) is None or not connector.timers()
        ]

    def settled(self, supplier: bytes) -> "Deferred[str]":
        """Fires when a supplier has answered or cannot be reached."""
        if not self._is_open:
            return succeed("CLOSED")
        connector = self.of(supplier)
        if connector.state in ("DISCONNECTED", "NO_SERVICE"):
            connector.send("connect")
        return connector.when(*ANSWERED)

    def _renew(self) -> None:
        """Something else is needed now: ask every member for it."""
        for supplier in self._family.members:
            self.of(supplier).send("connect")

    def end(self, supplier: bytes) -> None:
        """End the contract with a supplier as soon as it can be reached."""
        if self._is_open:
            self.of(supplier).send("disconnect")

    def absent_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has not been connected in this run."""
        since = self._lost_since.get(supplier)
        return self._clock.seconds() - since if since is not None else 0.0

    def is_coming(self, supplier: bytes) -> bool:
        """Whether a supplier is asked for the first time in this run, was lost or may be reached since just now."""
        connector = self._connectors.get(supplier)
        is_away = connector is not None and connector.state in ("REQUEST", "DISCONNECTED")
        waited = min(self.absent_for(supplier), self._clock.seconds() - self._tried_again)
        return is_away and waited < SOON

    def refuses(self, supplier: bytes) -> bool:
        """Whether a supplier said no when it was asked last."""
        connector = self._connectors.get(supplier)
        return connector is not None and connector.state == "NO_SERVICE"

    def follow_family(self) -> None:
        """The record changed: its members have connectors, everybody else's contract is ended."""
        if not self._is_open:
            return
        members = set(self._family.holders)
        for supplier in self._family.holders:
            self.asked.pop(supplier, None)
            connector, contract = self.of(supplier), self._book.of(supplier)
            wish = self.wish_for(supplier)
            moved = contract is not None and (contract.position, contract.n) != (wish.position, wish.n)
            if moved or (self._around.me.awaits(FAMILY) and connector.state == "DISCONNECTED"):
                connector.send("connect")
        for supplier in [one for one in self._connectors if one not in members and one not in self.asked]:
            self._connectors.pop(supplier).send("disconnect")
            self._lost_since.pop(supplier, None)
            self.growth.forget(supplier)

    def end_orphans(self) -> None:
        """End contracts without a place in the family, which is known by now."""
        self._orphans.end(released=False)

    def _follow_session(self, session: Session, up: bool) -> None:
        """A session began or ended; another one with the same peer may still stand."""
        peer = session.peer.fingerprint
        if up:
            self._orphans.retry(peer)
        connector = self._connectors.get(peer)
        if connector is not None and up == self._around.sessions.connected(peer):
            connector.send("supplier-online" if up else "supplier-offline")

    # candidates

    async def ask(self, position: int, supplier: bytes) -> Contract | None:
        """The contract of a candidate for a place. Raises `BitDustError` ``no-service``; ``unknown-command`` where it
        does not know the request: it is starting, or keeps nothing for others."""
        if not self._is_open:
            raise BitDustError("no-service", "suppliers are not looked after now")
        n, share = self._shape(position)
        self.asked[supplier] = self.growth.first(share, n, position)
        connector = self.of(supplier)
        connector.send("connect")
        state = await connector.when(*ANSWERED)
        if state != "CONNECTED":
            code = connector.code if connector.code == "unknown-command" else "no-service"
            raise BitDustError(code, connector.reason or "the candidate does not answer")
        return self._book.of(supplier)

    def reject(self, supplier: bytes) -> None:
        """A candidate was not hired."""
        self.asked.pop(supplier, None)
        self._lost_since.pop(supplier, None)
        self.growth.forget(supplier)
        connector = self._connectors.pop(supplier, None)
        if connector is not None:
            connector.send("shutdown")

    def size(self) -> int:
        """How many places the family has, or is to have."""
        family = self._family.current
        return max(family.n, family.size_to_come) if family is not None else int(self._settings.get(SUPPLIERS))

    def _shape(self, position: int) -> tuple[int, int]:
        """The number of places that a contract names, and one place's share of the space that I need.

        While the family changes its size a supplier may have to hold pieces of the largest kind.
        """
        family, n = self._family.current, self.size()
        sizes = [family.n, family.size_to_come, family.former or family.n] if family is not None else [n]
        share = -(-int(self._settings.get(NEEDED)) // Scheme.for_family(min(sizes)).k)
        return family.n if family is not None and position < family.n else n, share

    def note_taken(self, supplier: bytes, taken: int | None) -> None:
        """A supplier says how much of its room is taken; None: it has refused a piece because all of it is."""
        position, contract = self._family.seat(supplier), self._book.of(supplier)
        if position is None or contract is None:
            return
        if self.growth.note(supplier, contract.room if taken is None else taken, self._shape(position)[1]):
            self.of(supplier).send("raise")

    def room(self) -> int | None:
        """Bytes of my own data for which there is room; None while nobody has promised any.

        That is what I said I need, or what the smallest contract holds of those who give no more.
        """
        family, book, growth = self._family.current, self._book, self.growth
        contracts = [contract for who in self._family.members if (contract := book.of(who)) is not None]
        if family is None or not contracts:
            return None
        rooms = [contract.room * family.k for contract in contracts if growth.gives_no_more(contract.supplier)]
        return min([int(self._settings.get(NEEDED)), *rooms])

    # the terms of links

    def wish_for(self, supplier: bytes) -> Wish:
        """What a supplier is asked for: its share of the space that I need, at its place.

        One that leaves its place is asked for what it gives already. A member whose contract I lost (this node was
        recovered) keeps my pieces already: whatever it gives counts.
        """
        family, contract = self._family.current, self._book.of(supplier)
        if family is not None and supplier in family.departing:
            place = family.left_by(supplier)[0]
            return Wish(room=contract.room if contract is not None else 0, n=family.n, position=place, least=0)
        position = self._family.seat(supplier)
        if family is not None and position is not None and position >= self.size():
            room = contract.room if contract is not None else 0
            return Wish(room=room, n=len(family.seats), position=position, least=0)
        if position is None and supplier in self.asked:
            return self.asked[supplier]
        n, share = self._shape(position or 0)
        return Wish(self.growth.wanted(supplier, share), n, position or 0, least=0)

    def report_leaving(self, supplier: bytes, leaves: object) -> None:
        """A supplier says with its contract until when it answers, 0 when it stays. One that leaves is not hired."""
        if isinstance(leaves, int) and supplier in self._family.holders:
            self.leaving.emit(supplier, leaves)
        elif leaves:
            raise Refused("no-service", "this supplier has given notice")

    def report_room(self, supplier: bytes, is_given: bool) -> None:
        """Whether a supplier gives the room that it was asked for, or more than it did."""
        (self.growth.given if is_given else self.growth.refused)(supplier)

    def report_contract(self, before: Contract | None, now: Contract) -> None:
        """A supplier has promised something, in the place of what it had promised before."""
        if before is not None and before.contract != now.contract:
            self.growth.begin_again(now.supplier)
        if before is not None and now.room > before.room:
            self.enlarged.emit(now.supplier)

    def report_state(self, supplier: bytes, state: str) -> None:
        """A connector came to another state."""
        if state == "CONNECTED":
            self._report_connected(supplier)
        else:
            self._lost_since.setdefault(supplier, self._clock.seconds())
        if state == "NO_SERVICE" and supplier in self._family.members:
            self.refused.emit(supplier)

    def _report_connected(self, supplier: bytes) -> None:
        self._lost_since.pop(supplier, None)
        contract = self._book.of(supplier)
        data: dict[str, Any] = {
            "supplier_idurl": show_idurl(self._around.identities, supplier),
            "needed_bytes": contract.room if contract else 0,
        }
        self._around.events.send("supplier-connected", data)
        if supplier in self._family.holders:
            self.accepted.emit(supplier)

    def jitter(self) -> float:
        """A random number from 0 to 1."""
        return int.from_bytes(self._around.world.entropy(4), "big") / 2.0**32
