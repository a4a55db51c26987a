"""Hiring: what the `fire_hire` machine acts on.

Searches for vacancies run at once, each a `supplier_finder` with candidates of the settings first and of the DHT after
them. A hired supplier is in the saved record before anything is sent to it.
"""

from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.automats.fire_hire import FireHire
from bitdust.identity.awaited import FAMILY
from bitdust.outcome import outcome
from bitdust.peers.shown import show_name
from bitdust.suppliers.connectors import SUPPLIERS, Connectors
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.finding import FamilyFinding
from bitdust.suppliers.former import FormerFamily
from bitdust.suppliers.lost import AWAY_DAYS, REPLACE, LostSuppliers
from bitdust.suppliers.membership import Membership
from bitdust.suppliers.replacement import Replacements, StoredPieces
from bitdust.suppliers.requests import KnownCustomers
from bitdust.suppliers.resizing import Resizing
from bitdust.suppliers.search import CANDIDATES, Candidate, Candidates, Searches
from bitdust.suppliers.spread import Spread
from bitdust.surroundings import Connected
from bitdust.wire.records import Contract
from bitdust.wiring import Wire

LEAVE_AFTER = 60.0
"""Seconds after which a supplier that cannot be reached, and keeps nothing yet, loses its place."""
LEAVE_AFTER_ALONE = 600.0
"""The same while no supplier at all can be reached: it may be this node that is away."""
LOOK_SOON = 3.0
"""Seconds after which somebody new is looked for, where nobody was known: those who come, come together."""


@frozen
class AbsentParts:
    """What is looked for before anybody new is hired: the family itself, and suppliers that were away for long; and the
    family of before, whose suppliers are not hired while it is looked for."""

    family: FamilyFinding
    suppliers: LostSuppliers
    former: FormerFamily


class Hiring:
    """I complete my family from `start` to `stop`, while `Connectors` stay in touch with it."""

    log = Logger()
    candidates = Wire(Candidates)
    customers = Wire(KnownCustomers)
    pieces = Wire(StoredPieces)

    def __init__(
        self,
        around: Connected,
        family: MyFamily,
        connectors: Connectors,
        replacements: Replacements,
        resizing: Resizing,
        absent: AbsentParts,
    ) -> None:
        self._around = around
        self._settings = around.settings
        self._family = family
        self._book = connectors.book
        self._connectors = connectors
        self._replacements = replacements
        self._resizing = resizing
        self._lost = absent.suppliers
        self.reputation = absent.suppliers.reputation
        self._finding = absent.family
        self._former = absent.former
        self._membership = Membership(around, family)
        self._spread = Spread(around, family)
        self._refusal = ""
        self._search_problem = ""
        self._was_complete: bool | None = None
        self._removers: list[Callable[[], None]] = []
        self._soon: IDelayedCall | None = None
        self.searches = Searches(around, self)
        self.machine = FireHire(around.registry, self)
        connectors.refused.connect(lambda supplier: self.restart())
        replacements.searching.connect(self._search)
        replacements.replaced.connect(self.reputation.note_replaced)
        self._finding.known.connect(self._family_is_known)
        resizing.searching.connect(self._search)

    # life

    def start(self) -> None:
        """Hire where a place is vacant. May follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = FireHire(self._around.registry, self)
        self._was_complete = None
        if self._family.current is None and self._book.suppliers():
            self._around.me.lost(FAMILY)
        if not self._removers:
            self._removers = [
                self._settings.on_change("services/customer/", lambda key, old, new: self.restart()),
                self._settings.on_change(CANDIDATES, lambda key, old, new: self._search(everybody=True)),
            ]
        self.machine.send("start")

    def stop(self) -> None:
        """Hire nobody any more; those who are hired stay connected."""
        self.machine.send("shutdown")
        self._finding.stop()
        self.searches.stop()
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()

    def restart(self) -> None:
        """Something changed: compare again now."""
        if self.machine.state not in ("AT_STARTUP", "CLOSED"):
            self.machine.send("restart")

    def somebody_came(self) -> None:
        """Somebody offers to be a supplier who was not known: where nobody was, the next round does not wait."""
        waits = self._soon is not None and self._soon.active()
        if self.searches.knows_nobody and not waits and self.machine.state not in ("AT_STARTUP", "CLOSED"):
            self._soon = self._around.world.clock.callLater(LOOK_SOON, self.restart)

    def _search(self, everybody: bool) -> None:
        if everybody:
            self.searches.forgive()
        self.restart()

    @property
    def complete(self) -> bool:
        """True when every place of the family is taken, reachable or not."""
        return self._family.current is not None and self._family.current.complete

    @property
    def is_usable(self) -> bool:
        """Whether the family is complete, or something may be stored and come back from those who are known."""
        family = self._family.current
        if family is None or len(self._family.members) < family.k:
            return False
        return family.complete or self.is_recovering or self.has_data()

    @property
    def is_recovering(self) -> bool:
        """Whether the family is searched for still: nobody is hired or dismissed until it is known."""
        return self._around.me.awaits(FAMILY)

    @property
    def reason(self) -> str:
        """Why the family is not as the settings want it; empty when it is."""
        problem = self._search_problem if self.has_vacancy() or not self.complete else ""
        known = (self._refusal, self._resizing.reason(), problem)
        return self._finding.reason or "; ".join(part for part in known if part)

    def has_data(self) -> bool:
        """Whether pieces are stored at my suppliers, as far as anybody knows: an inherited family may hold some."""
        family, pieces = self._family, self.pieces
        return family.inherited or family.has_unread(pieces) or pieces.has_data()

    def dismiss(self, suppliers: Collection[bytes]) -> "Deferred[list[bytes]]":
        """End contracts for good, whatever is stored there: my signed word goes to each, on which it erases all.

        Fires with those that could not be reached yet; they get it when they are next connected.
        """
        for who in suppliers:
            self.searches.exclude(who, "you have ended the contract with it")
            self.reputation.note_replaced(who)
        connectors = [self._connectors.of(who) for who in suppliers]
        ended = DeferredList([connector.when("CLOSED") for connector in connectors], consumeErrors=True)
        for who in suppliers:
            self._book.release(who)
        if self._family.current is not None:
            self._family.end_guests(suppliers)
            self._membership.remove(suppliers)
        self.restart()
        return ended.addCallback(lambda _: [who for who in suppliers if self._book.of(who) is not None])

    # the port of fire_hire

    def search_family(self) -> None:
        """Find the newest record; whoever is in one that is found is connected at once."""
        self._finding.start()

    def _family_is_known(self) -> None:
        self._resizing.follow_record()
        self.machine.send("family-known")

    def connect(self) -> "Deferred[Any]":
        """Bring every connector to an answer."""
        return Deferred.fromCoroutine(self._connect())

    async def _connect(self) -> None:
        self._connectors.follow_family()
        self._connectors.end_orphans()
        settled = [self._connectors.settled(supplier) for supplier in self._family.members]
        await DeferredList(settled, consumeErrors=True)

    def compare(self) -> None:
        """Note who is lost or back, and what the settings want and cannot have."""
        self._lost.observe(self._connectors.connected())
        self._replacements.note_read()
        has_data = self.has_data()
        lost = [who for who in self._resizing.to_come() if self._is_gone(who)]
        try:
            if has_data:
                self._lost.replace()
            if lost:
                self._membership.remove(lost)
        except OSError as error:
            self.log.warn("who is lost cannot be written down, and will be with the next look: {error}", error=error)
        family = self._family.current
        self._refusal = self._refused() if family is not None and has_data else ""

    def _refused(self) -> str:
        gone = self._gone()
        if gone:
            names = ", ".join(sorted(show_name(self._around.identities, supplier) for supplier in gone))
            return (
                f"{names} cannot be reached; the place is kept because your pieces are there, until"
                f" {self._settings.get(AWAY_DAYS)} days have passed or you say: bitdust supplier replace"
            )
        return ""

    def has_surplus(self) -> bool:
        family = self._family.current
        if family is None:
            return True
        return not self.has_data() and (family.n != int(self._settings.get(SUPPLIERS)) or bool(self._gone()))

    def has_vacancy(self) -> bool:
        return bool(self._vacancies())

    def _vacancies(self) -> list[int]:
        family = self._family.current
        vacant = [place for place, who in enumerate(family.suppliers) if who is None] if family is not None else []
        return sorted({*vacant, *self._replacements.wanted(), *self._resizing.vacancies()})

    def _gone(self) -> frozenset[bytes]:
        """Members that left."""
        return frozenset(supplier for supplier in self._family.members if self._is_gone(supplier))

    def _is_gone(self, supplier: bytes) -> bool:
        if self._connectors.refuses(supplier):
            return True
        longest = LEAVE_AFTER if self._connectors.connected() else LEAVE_AFTER_ALONE
        return bool(self._settings.get(REPLACE)) and self._connectors.absent_for(supplier) >= longest

    def fire(self) -> "Deferred[None]":
        """Write a record of the wanted size without those who left; their contracts are ended in the background."""
        return Deferred.fromCoroutine(self._fire())

    async def _fire(self) -> None:
        if self.has_surplus():
            self._membership.arrange(int(self._settings.get(SUPPLIERS)), self._gone())

    def hire(self) -> "Deferred[int]":
        """Search for every vacancy at once; fires with for how many nobody was found."""
        self._search_problem = ""
        return self.searches.run(self._vacancies())

    def report(self) -> None:
        """Send an event at each change between complete and not; where nobody had room, ask for less at once."""
        if self._search_problem and self._connectors.growth.becomes_modest():
            self._search(everybody=True)
        if self.complete is not self._was_complete:
            self._was_complete = self.complete
            self._around.events.send("my-suppliers-all-hired" if self.complete else "my-suppliers-yet-not-hired", {})

    def is_urgent(self) -> bool:
        return self.has_vacancy() and self.has_data()

    def jitter(self) -> float:
        return self._connectors.jitter()

    # what searches ask and report

    def excluded(self) -> frozenset[bytes]:
        """Who cannot be hired: I myself, those who are, those who leave, those who have still to hear my last word, and
        those who do not prove what they have.

        That word erases everything that is stored there under the contract that it names.
        """
        return self.unwanted() | frozenset(self._family.holders)

    def unwanted(self) -> frozenset[bytes]:
        """The same without those who are to stay."""
        dismissed = [who for who in self._book.suppliers() if self._book.is_released(who)]
        departing = self._replacements.departing()
        awaited = self._former.awaited
        return frozenset({self._around.me.fingerprint, *departing, *dismissed, *self._lost.distrusted(), *awaited})

    def avoided(self) -> frozenset[bytes]:
        """My own customers: two that keep each other's pieces are one place less to lose. And whoever has lost a place:
        a disk that fails, or a person who wants somebody else, would be met again in the next place."""
        return self.customers.fingerprints() | self.reputation.replaced()

    def leavers(self, position: int) -> list[bytes]:
        """Those of another life who leave a place that is vacant: each has the pieces of it already."""
        family = self._family.current
        if family is None or position >= family.n or family.suppliers[position] is not None:
            return []
        going = {*self._replacements.departing(), *self._lost.distrusted(), *self._family.members}
        return [who for who in family.leavers(position) if who not in going]

    def chosen(self, position: int) -> bytes | None:
        """Whom a person chose for a place."""
        return self._replacements.successor(position)

    def ask(self, position: int, candidate: Candidate) -> "Deferred[Contract | None]":
        """Fires with the candidate's contract for a place, fails with its refusal."""
        return Deferred.fromCoroutine(self._ask(position, candidate.fingerprint))

    async def _ask(self, position: int, supplier: bytes) -> Contract | None:
        if self.chosen(position) != supplier:
            asked, size = self._connectors.asked, self._connectors.size()
            self._spread.check(supplier, position, size, asked)
        began = self._around.world.clock.seconds()
        answer = await outcome(Deferred.fromCoroutine(self._connectors.ask(position, supplier)))
        if answer.error is None or self._connectors.growth.gives_no_more(supplier):
            self.reputation.answered(supplier, self._around.world.clock.seconds() - began, answer.error is None)
        if answer.error is not None:
            raise answer.error
        return self._connectors.book.of(supplier)

    def reject(self, supplier: bytes) -> None:
        """A candidate was not hired."""
        self._connectors.reject(supplier)

    def search_failed(self, reason: str) -> None:
        """Nobody was found for one place."""
        self._search_problem = reason

    def place(self, position: int, candidate: Candidate) -> None:
        """The candidate is hired: it stands in the saved record before anything is sent to it."""
        if position not in self._vacancies():
            self.reject(candidate.fingerprint)
            return
        addresses = [*self._around.sessions.known_addresses(candidate.fingerprint), *candidate.addresses, None]
        self._membership.give(position, candidate.fingerprint, addresses[0])
        self.restart()  # a round that has found anybody is followed by the next one at once
