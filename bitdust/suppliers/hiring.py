"""Hiring: what the `fire_hire` machine acts on.

Searches for empty places run at once, each a `supplier_finder` with candidates of the settings first and of the DHT
after them. A hired supplier is in the saved record before anybody is told.
"""

from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList, succeed

from bitdust.automats.fire_hire import FireHire, Next
from bitdust.automats.kernel import Registry
from bitdust.outcome import outcome
from bitdust.peers.ports import Candidate, Events, Gateway, Identities, Me, Names, Outbox, Settings
from bitdust.suppliers.absences import Absences
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departure, Departures
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.suppliers.orphans import Orphans
from bitdust.suppliers.relations import NEEDED, SUPPLIERS, HiringWorld, Relations
from bitdust.suppliers.replacement import Replacing
from bitdust.suppliers.search import CANDIDATES, HiringPorts, Searches
from bitdust.suppliers.spread import Spread
from bitdust.wire.records import Family

REPLACE = "services/employer/replace-critically-offline-enabled"
LEAVE_AFTER = 60.0
"""Seconds after which a supplier that cannot be reached, and keeps nothing yet, is replaced."""


@frozen
class SupplierShown:
    """One place of the family, as lists show it. ``since`` is when its connector came into its state.

    ``departure`` tells that and why the supplier is to be replaced; ``leaving`` had the place before and still holds
    its pieces.
    """

    position: int
    fingerprint: bytes | None
    state: str
    reason: str
    since: float
    departure: Departure | None = None
    leaving: bytes | None = None
    address: str | None = None


class Hiring:
    """I keep my family: `open` connects it, `start` makes it complete; `stop` and `close` undo them."""

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
        departures: Departures,
        absences: Absences,
        ports: HiringPorts | None = None,
    ) -> None:
        self._settings = settings
        self._events = events
        self._registry = registry
        self._me = me
        self._gateway = gateway
        self._identities = identities
        self._family = family
        self._publisher = publisher
        self._book = book
        self._departures = departures
        self.absences = absences
        self.replacing = Replacing(me, family, departures, book, publisher, events, identities, self._change)
        self._relations = Relations(
            world, settings, events, registry, me, gateway, outbox, identities, family, publisher, book
        )
        self._relations.on_refused, self._relations.on_leaving = self.restart, self.replacing.heard
        self._orphans = Orphans(world.clock, book, family, self._relations.end)
        self.ports = ports or HiringPorts()
        self._spread = Spread(settings, family, self.ports.address_of)
        self._refusal = ""
        self._complete: bool | None = None
        self._removers: list[Callable[[], None]] = []
        self._searches = Searches(self, world.clock, registry, settings, gateway, self.ports)
        self.machine = FireHire(registry, self)

    # life

    def open(self) -> None:
        """Connect the family and keep hold of it, without hiring: the duty of the customer's service."""
        if self._removers:
            return
        self._orphans.start()
        self._removers = [
            self._gateway.on_session(self._session),
            self._settings.on_change("services/customer/", self._setting_changed),
            self._settings.on_change(CANDIDATES, self._setting_changed),
            self._family.on_change(self._relations.follow),
        ]
        self._publisher.start()
        self._relations.connect()

    def close(self) -> None:
        """Hire and connect nobody any more; contracts stay."""
        self.stop()
        self._orphans.stop()
        for remove in self._removers:
            remove()
        self._removers = []
        self._relations.close()
        self._publisher.stop()

    def start(self) -> None:
        """Hire where a place is empty, after `open`: the duty of the employer's service. May follow a `stop`."""
        self.open()
        if self.machine.state == "CLOSED":
            self.machine = FireHire(self._registry, self)
        self._complete = None
        self.machine.send("start")

    def stop(self) -> None:
        """Hire nobody any more; those who are hired stay connected."""
        self.machine.send("shutdown")
        self._searches.stop()

    @property
    def complete(self) -> bool:
        """True when every place of the family is taken, reachable or not."""
        return self._family.current is not None and self._family.current.complete

    @property
    def reason(self) -> str:
        """Why the family is not as the settings want it; empty when it is."""
        wanting = self.replacing.due() or not self.complete
        return self._refusal or (self.machine.reason if wanting else "")

    def restart(self) -> None:
        """Something changed: look again now."""
        if self.machine.state not in ("AT_STARTUP", "CLOSED"):
            self.machine.send("restart")

    def has_data(self) -> bool:
        """Whether pieces lie at my suppliers, as far as anybody knows: a family that was inherited may hold some."""
        return self._family.inherited or self.ports.has_data()

    def suppliers(self) -> list[SupplierShown]:
        """My family, place by place."""
        family = self._family.current
        return [] if family is None else [self._shown(place, who) for place, who in enumerate(family.suppliers)]

    def _shown(self, position: int, who: bytes | None) -> SupplierShown:
        leaving = self.replacing.leaving(position)
        if who is None:
            return SupplierShown(position, None, "DISCONNECTED", "", 0.0, None, leaving)
        departure, address, connector = self._departures.of(who), self._spread.address(who), self._relations.known(who)
        if connector is None:
            return SupplierShown(position, who, "DISCONNECTED", "", 0.0, departure, leaving, address)
        state, reason, since = connector.state, connector.reason, connector.since
        return SupplierShown(position, who, state, reason, since, departure, leaving, address)

    def connected(self) -> int:
        """How many suppliers of the family are CONNECTED."""
        return sum(1 for shown in self.suppliers() if shown.state == "CONNECTED")

    # the port of fire_hire

    def connect(self) -> "Deferred[Any]":
        """Find my record where there is none, and bring every connector to an answer."""
        return Deferred.fromCoroutine(self._connect())

    async def _connect(self) -> None:
        if self._family.current is None:
            found = await outcome(self.ports.find_family())
            if found.value and self._family.adopt_best(found.value) and self._family.current is not None:
                self._settings.set(SUPPLIERS, self._family.current.n)
        self._relations.follow()
        self._orphans.end(released=False)
        await DeferredList(
            [self._relations.settled(fingerprint) for fingerprint in self._family.members], consumeErrors=True
        )

    def _change(self) -> None:
        """Somebody is to be replaced: look at once, and ask again those who said no."""
        self._searches.forgive()
        self.restart()

    def decide(self) -> Next:
        """The next thing to do; what cannot be done is told by `refusal`."""
        self._refusal = ""
        family = self._family.current
        self._look_for_the_lost()
        if family is None or self._dismissed(family) or self._wrong_size(family):
            return Next.FIRE
        if self.replacing.done(self.ports.moved):
            return Next.FIRE
        return Next.HIRE if self.replacing.due() or not family.complete else Next.COMPLETE

    def _look_for_the_lost(self) -> None:
        """Somebody else takes the place of a supplier that has been away for very long; never at n−k places at once."""
        family = self._family.current
        if family is None:
            return
        there = self._relations.connected()
        self.absences.look(self._family.members, there, self.ports.network_up() and len(there) >= family.k)
        self.replacing.came_back(there)
        if self._settings.get(REPLACE) and self.has_data():
            self.replacing.miss(self.absences.long_away())

    def refusal(self) -> str:
        return self._refusal

    def _wrong_size(self, family: Family) -> bool:
        wanted = int(self._settings.get(SUPPLIERS))
        if wanted == family.n:
            return False
        if self.has_data():
            self._refusal = (
                f"{wanted} suppliers are wanted and {family.n} keep your files; the number can change only while"
                " nothing is stored, so set it back or delete your files first"
            )
            return False
        return True

    def _dismissed(self, family: Family) -> frozenset[bytes]:
        """Members that left, and keep nothing yet."""
        if not self.ports.network_up():
            return frozenset()
        gone = {supplier for supplier in family.suppliers if supplier is not None and self._is_gone(supplier)}
        if gone and self.has_data():
            names = ", ".join(sorted(self._name(supplier) for supplier in gone))
            self._refusal = (
                f"{names} cannot be reached; the place is kept because your pieces lie there, until a week has passed"
                " or you say: bitdust supplier replace"
            )
            return frozenset()
        return frozenset(gone)

    def _is_gone(self, supplier: bytes) -> bool:
        if self._relations.refuses(supplier):
            return True
        return bool(self._settings.get(REPLACE)) and self._relations.lost_for(supplier) >= LEAVE_AFTER

    def fire(self) -> "Deferred[Any]":
        """Write a record of the wanted size without those who left; their contracts are ended in the background.

        Those whose place has changed hands, and whose pieces lie at their successor, go as well.
        """
        wanted = int(self._settings.get(SUPPLIERS))
        family = self._family.current
        places: list[tuple[bytes | None, str | None]] = []
        leaving: list[bytes | None] | None = None
        if family is not None:
            leaving = self.replacing.after(self.replacing.done(self.ports.moved))
            gone = self._dismissed(family)
            addresses = family.addresses or [None] * family.n
            places = [
                (None, None) if supplier in gone else (supplier, address)
                for supplier, address in zip(family.suppliers, addresses, strict=False)
            ]
            if len(places) != wanted and self.has_data():
                wanted = len(places)
            if len(places) != wanted:
                places = [place for place in places if place[0] is not None]
        places = (places + [(None, None)] * wanted)[:wanted]
        self._write(places, leaving if leaving is not None and len(leaving) == wanted else [])
        self.replacing.tidy()
        return succeed(None)

    def hire(self) -> "Deferred[int]":
        """Search for every empty or changing place at once; fires with for how many nobody was found."""
        family = self._family.current
        empty = [place for place, who in enumerate(family.suppliers) if who is None] if family is not None else []
        return self._searches.run(sorted({*empty, *self.replacing.due()}))

    def dismiss(self, suppliers: Collection[bytes]) -> "Deferred[list[bytes]]":
        """End contracts for good, whatever lies there: my signed word goes to each, on which it erases everything.

        Fires with those that could not be told yet; they are told when they are next connected.
        """
        family = self._family.current
        gone = set(suppliers)
        for who in suppliers:
            self._searches.turn_down(who, "you have ended the contract with it")
        connectors = [self._relations.of(who) for who in suppliers]
        ended = DeferredList([connector.when("CLOSED") for connector in connectors], consumeErrors=True)
        for who in suppliers:
            self._book.release(who)
            self._departures.forget(who)
        if family is not None:
            addresses = family.addresses or [None] * family.n
            places = [
                (None, None) if who in gone else (who, address)
                for who, address in zip(family.suppliers, addresses, strict=True)
            ]
            leaving = [None if who in gone else who for who in family.leaving or [None] * family.n]
            self._write(places, leaving)
        self.restart()
        return ended.addCallback(lambda _: [who for who in suppliers if self._book.of(who) is not None])

    def publish(self) -> None:
        self._publisher.publish(self._gateway.connected)

    def hired(self, complete: bool) -> None:
        """Tell once of each change between complete and not."""
        complete = self.complete
        if complete:
            self.publish()
        if complete is not self._complete:
            self._complete = complete
            self._events.send("my-suppliers-all-hired" if complete else "my-suppliers-yet-not-hired", {})

    def is_changing(self) -> bool:
        return self._family.current is not None and bool(self._family.current.departing)

    def jitter(self) -> float:
        return self._relations.jitter()

    # searching

    def taken(self) -> frozenset[bytes]:
        """Who cannot be hired: I myself, those who are, those who leave, and those who have still to hear my last word.

        That word erases everything that lies there under the contract that it names.
        """
        dismissed = [who for who in self._book.suppliers() if self._book.is_released(who)]
        return frozenset({self._me.fingerprint, *self._family.holders, *self._departures.suppliers(), *dismissed})

    def chosen(self, position: int) -> bytes | None:
        """Whom a person chose for a place."""
        return self.replacing.successor(position)

    def ask(self, position: int, candidate: Candidate) -> "Deferred[Any]":
        """Fires with the candidate's contract for a place, fails with its refusal."""
        return Deferred.fromCoroutine(self._ask(position, candidate.fingerprint))

    async def _ask(self, position: int, supplier: bytes) -> Any:
        if self.chosen(position) != supplier:
            asked, size = self._relations.asked, self._relations.size()
            self._spread.check(supplier, self._name(supplier), position, size, asked)
        return await self._relations.ask(position, supplier)

    def let_go(self, supplier: bytes) -> None:
        """A candidate was not hired."""
        self._relations.let_go(supplier)

    def search_failed(self, reason: str) -> None:
        """Nobody was found for one place."""
        self.machine.reason = reason

    def place(self, position: int, candidate: Candidate) -> None:
        """The candidate is hired: it stands in the saved record before anything is sent to it.

        Whoever had the place before stays beside it, until everything that belongs there has moved.
        """
        family = self._family.current
        changing = self.replacing.due()
        if family is None or position >= family.n or not (family.suppliers[position] is None or position in changing):
            self.let_go(candidate.fingerprint)
            return
        leaving = list(family.leaving or [None] * family.n)
        if position in changing:
            leaving[position] = leaving[position] or family.suppliers[position]
        places: list[tuple[bytes | None, str | None]] = list(
            zip(family.suppliers, family.addresses or [None] * family.n, strict=True)
        )
        addresses = [*self.ports.addresses_of(candidate.fingerprint), *candidate.addresses, None]
        places[position] = (candidate.fingerprint, addresses[0])
        self._write(places, leaving)

    def _write(self, places: list[tuple[bytes | None, str | None]], leaving: list[bytes | None]) -> None:
        before = list(self._family.current.suppliers) if self._family.current is not None else []
        suppliers, addresses = [supplier for supplier, _ in places], [address for _, address in places]
        family = self._family.write(suppliers, addresses, leaving)
        for position, supplier in enumerate(family.suppliers):
            old = before[position] if position < len(before) else None
            if old != supplier:
                self._events.send("supplier-modified", self._modified(family, position, old, supplier))

    def _modified(self, family: Family, position: int, old: bytes | None, new: bytes | None) -> dict[str, Any]:
        names = {"old_idurl": old, "new_idurl": new}
        told: dict[str, Any] = {key: self._idurl(who) if who is not None else None for key, who in names.items()}
        snapshot = [self._idurl(who) if who is not None else None for who in family.suppliers]
        return {**told, "position": position, "ecc_map": family.ecc_map, "family_snapshot": snapshot}

    def _idurl(self, fingerprint: bytes) -> str:
        return Names.of(self._identities(fingerprint)).idurl or fingerprint.hex()

    def _name(self, fingerprint: bytes) -> str:
        return Names.of(self._identities(fingerprint)).global_id or fingerprint.hex()[:16]

    # what changes

    def _session(self, session: Any, up: bool) -> None:
        if up:
            self._orphans.came(session.peer.fingerprint)
        self._relations.session(session, up)

    def _setting_changed(self, key: str, old: Any, new: Any) -> None:
        if key == NEEDED:
            for supplier in self._family.members:
                self._relations.of(supplier).send("connect")
        if key == CANDIDATES:
            self._searches.forgive()
        self.restart()
