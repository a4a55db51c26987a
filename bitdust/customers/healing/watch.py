"""Watching over the families of customers that are away: one `family_watch` a place of each family."""

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.family_watch import FamilyWatch
from bitdust.crypt.spare_votes import LONGEST
from bitdust.customers.healing.councils import STEPS, SURE, Councils
from bitdust.customers.healing.election import Elections
from bitdust.peers.shown import Names, show_name
from bitdust.surroundings import Connected
from bitdust.wire.mandate import Mandate
from bitdust.wire.packet import Command

PING_SECONDS = 15.0
WITHOUT_MANDATE = 6 * 3600.0
LEAST_PAUSE = 1.0
NOT_NOW = ("stale", "busy")
"""Codes with which a spare that is there does not take a certificate at once."""


@frozen
class WatchedPlace:
    """The port of one `family_watch`."""

    watches: "FamilyWatches"
    customer: bytes
    place: int

    def pause(self) -> float:
        return self.watches.pause(self.customer)

    def may_rest(self) -> bool:
        return self.watches.may_rest(self.customer, self.place)

    def ping(self) -> "Deferred[object]":
        return self.watches.ping(self.customer, self.place)

    def note_there(self) -> None:
        self.watches.note_there(self.customer, self.place)

    def note_silent(self) -> None:
        self.watches.note_silent(self.customer, self.place)

    def is_certified(self) -> bool:
        return self.watches.is_certified(self.customer, self.place)

    def is_due(self) -> bool:
        return self.watches.is_due(self.customer, self.place)

    def is_spare_gone(self) -> bool:
        return self.watches.is_spare_gone(self.customer, self.place)

    def choose(self) -> "Deferred[bytes]":
        return Deferred.fromCoroutine(self.watches.elections.choose(self.customer, self.place))

    def ask_votes(self, spare: bytes) -> "Deferred[object]":
        return Deferred.fromCoroutine(self.watches.elections.elect(self.customer, self.place, spare))

    def publish(self) -> None:
        self.watches.publish(self.customer, self.place)


class FamilyWatches:
    """I have the machines while I am started.

    Each member looks for each other one every quarter of a day (for a mandate of seven days), at a time of its own.
    """

    log = Logger()

    def __init__(self, around: Connected, councils: Councils, elections: Elections) -> None:
        self._me = around.me
        self._registry = around.registry
        self._events = around.events
        self._identities = around.identities
        self._outbox = around.outbox
        self._wall = around.world.wall
        self._entropy = around.world.entropy
        self._councils = councils
        self._machines: dict[tuple[bytes, int], FamilyWatch] = {}
        self._is_open = False
        self.elections = elections

    def start(self) -> None:
        """Watch from now on, whom `refresh` names."""
        self._is_open = True

    def stop(self) -> None:
        """Watch nobody any more."""
        self._is_open = False
        machines, self._machines = self._machines, {}
        for machine in machines.values():
            machine.send("shutdown")

    def refresh(self, customer: bytes) -> None:
        """The family of a customer is known, or has changed."""
        family = self._councils.family(customer) if self._is_open else None
        places = range(family.n) if family is not None and family.mandate is not None else range(0)
        for place in places:
            if (customer, place) not in self._machines:
                port = WatchedPlace(self, customer, place)
                machine = FamilyWatch(self._registry, f"{customer.hex()[:8]} {place}", port)
                self._machines[customer, place] = machine
        for key in [key for key in self._machines if key[0] == customer and key[1] not in places]:
            self._machines.pop(key).send("shutdown")

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        for key in [key for key in self._machines if key[0] == customer]:
            self._machines.pop(key).send("shutdown")

    def state(self, customer: bytes, place: int) -> str:
        """The machine's state; empty where there is none."""
        machine = self._machines.get((customer, place))
        return machine.state if machine is not None else ""

    # the ports

    def pause(self, customer: bytes) -> float:
        """A part of the mandate's time, half as long or half as long again by chance."""
        mandate = self._councils.mandate(customer)
        usual = mandate.after / STEPS if mandate is not None else WITHOUT_MANDATE
        chance = int.from_bytes(self._entropy(2), "big") / 0xFFFF
        return float(max(LEAST_PAUSE, usual * (0.5 + chance)))

    def _holder(self, customer: bytes, place: int) -> bytes | None:
        family = self._councils.family(customer)
        return family.suppliers[place] if family is not None and place < family.n else None

    def may_rest(self, customer: bytes, place: int) -> bool:
        mandate, holder = self._councils.mandate(customer), self._holder(customer, place)
        if mandate is None or holder in (None, self._me.fingerprint):
            return True
        bench = self._councils.bench(customer)
        seated = bench is not None and self._councils.seat(bench) not in (None, place)
        return not seated or self._councils.owner_away(customer) < mandate.after / SURE

    def ping(self, customer: bytes, place: int) -> "Deferred[object]":
        bench = self._councils.bench(customer)
        spare = bench.spare_at(place) if bench is not None else None
        if spare is not None and spare != self._me.fingerprint:
            # It may not have heard of its certificate yet, or have lost it.
            there = self._tell(customer, spare)
            there.addCallbacks(
                lambda _: self._councils.note_there(customer, spare),
                lambda failure: self._note_spare(customer, spare, getattr(failure.value, "code", "")),
            )
        holder = self._holder(customer, place) or b""
        return self._outbox.send(holder, Command.IDENTITY, {}, deadline=PING_SECONDS)

    def _note_spare(self, customer: bytes, spare: bytes, code: str) -> None:
        """A spare that does not take its certificate is as good as gone, unless it knows better or has much to do."""
        mandate = self._councils.mandate(customer) if self._is_open and code not in NOT_NOW else None
        if mandate is not None:
            self._councils.note_silent(customer, spare, mandate.after)

    def note_there(self, customer: bytes, place: int) -> None:
        holder = self._holder(customer, place)
        if holder is not None:
            self._councils.note_there(customer, holder)
            if self.is_certified(customer, place):
                # Whoever comes back hears that a spare stands in; it keeps what it has until the owner decides.
                telling = self._tell(customer, holder)
                telling.addErrback(lambda failure: self.log.info("a member was not told: {why}", why=failure.value))

    def _tell(self, customer: bytes, who: bytes) -> "Deferred[object]":
        payload = self._councils.dossier(customer).to_bytes()
        fields = {"kind": "spare-certificate", "customer": customer}
        return self._outbox.send(who, Command.EVENT, fields, payload, deadline=PING_SECONDS)

    def note_silent(self, customer: bytes, place: int) -> None:
        mandate, holder = self._councils.mandate(customer), self._holder(customer, place)
        if mandate is not None and holder is not None:
            self._councils.note_silent(customer, holder, mandate.after)

    def is_certified(self, customer: bytes, place: int) -> bool:
        bench = self._councils.bench(customer)
        return bench is not None and bench.spare_at(place) is not None

    def is_due(self, customer: bytes, place: int) -> bool:
        bench, mandate = self._councils.bench(customer), self._councils.mandate(customer)
        holder = self._holder(customer, place)
        if bench is None or mandate is None or not self._may_heal(customer, holder, mandate):
            return False
        ends = max((one.ends for one in bench.certificates if one.terms.place == place), default=0)
        return ends - self._wall() < (LONGEST - 1) * mandate.after

    def _may_heal(self, customer: bytes, holder: bytes | None, mandate: Mandate) -> bool:
        """Whether a member and the owner have been gone for long enough."""
        if holder is None or not mandate.spares or not self._councils.is_gone(customer, holder):
            return False
        return self._councils.owner_away(customer) >= mandate.after

    def is_spare_gone(self, customer: bytes, place: int) -> bool:
        bench, mandate = self._councils.bench(customer), self._councils.mandate(customer)
        spare = bench.spare_at(place) if bench is not None else None
        if spare is None or mandate is None or not self._councils.is_spare_gone(customer, spare):
            return False
        return self._may_heal(customer, self._holder(customer, place), mandate)

    def publish(self, customer: bytes, place: int) -> None:
        bench = self._councils.need_bench(customer)
        spare = bench.spare_at(place)
        if spare is not None:
            data = {
                "idurl": Names.of(self._identities, customer).idurl,
                "position": place,
                "spare": show_name(self._identities, spare),
            }
            self._events.send("customer-spare-elected", data)
        self.elections.publish(customer)
