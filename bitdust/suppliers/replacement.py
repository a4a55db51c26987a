"""Replacing a supplier that holds pieces, place by place.

1. The new supplier takes the place in the family record, and the old one stands beside it as leaving. The record is on
   the disk, at every supplier and in the DHT: whatever happens from here on, everybody knows both.
2. The storage moves the place's pieces, its log and its key ring to the new supplier. The old one keeps what it has.
3. When all of it is acknowledged by the new one, the old one is taken out of the record, and after that its contract
   is ended with my signed word, on which it frees the space.

Each step follows from the record and from the catalog alone, so a killed node goes on where it was. Where the new
supplier is lost in the middle, the place goes to another one, and whoever had it first still stays until that one has
everything; the contract of the lost one ends by its term, since it may hold what nobody else does.
"""

from collections.abc import Callable, Iterable

from bitdust.peers.ports import Events, Identities, Me, Names
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.wire.errors import BitDustError

Moved = Callable[[int, bytes], bool]
"""Whether everything of a place lies at a supplier."""


class Replacing:
    """I tell which places are to change hands, and which have; ``look`` is called when that may have changed."""

    def __init__(
        self,
        me: Me,
        family: MyFamily,
        departures: Departures,
        book: ContractBook,
        publisher: FamilyPublisher,
        events: Events,
        identities: Identities,
        look: Callable[[], None],
    ) -> None:
        self._me = me
        self._family = family
        self._departures = departures
        self._book = book
        self._publisher = publisher
        self._events = events
        self._identities = identities
        self._look = look

    # who wants a change

    def gave_notice(self, supplier: bytes, until: int) -> None:
        """A supplier of mine stops to be one at ``until`` (seconds since the epoch). Raises ``not-allowed``."""
        if supplier not in self._family.holders:
            raise BitDustError("not-allowed", "you are none of my suppliers")
        known = self._departures.of(supplier)
        successor = known.successor if known is not None else None
        if self._departures.note(supplier, Departure(Why.NOTICE, until, successor)):
            self._events.send("supplier-gave-notice", {**self._named(supplier), "until": until})
        self._look()

    def heard(self, supplier: bytes, until: int) -> None:
        """A supplier says until when it answers, 0 when it stays. Raises ``not-allowed``."""
        if until:
            self.gave_notice(supplier, until)
        else:
            self.took_notice_back(supplier)

    def took_notice_back(self, supplier: bytes) -> None:
        """A supplier stays after all; a change of hands that has begun goes on."""
        known = self._departures.of(supplier)
        if known is not None and known.why is Why.NOTICE and self._departures.forget(supplier):
            self._events.send("supplier-took-notice-back", self._named(supplier))

    def change(self, supplier: bytes, successor: bytes | None) -> None:
        """Replace one of my suppliers, by somebody certain or by anybody. Raises `BitDustError`.

        Codes: ``not-found`` when it is none of mine, ``exists`` when the successor is one already or is I.
        """
        if supplier not in self._family.members:
            raise BitDustError("not-found", f"{self._named(supplier)['global_id']} is none of your suppliers")
        if successor is not None and (successor == self._me.fingerprint or successor in self._family.holders):
            raise BitDustError("exists", f"{self._named(successor)['global_id']} is you or your supplier already")
        known = self._departures.of(supplier)
        why, until = (known.why, known.until) if known is not None else (Why.ASKED, 0)
        self._departures.note(supplier, Departure(why, until, successor))
        self._look()

    def miss(self, suppliers: Iterable[bytes]) -> None:
        """Replace suppliers that were away for very long, as many as leave k places untouched."""
        family = self._family.current
        if family is None:
            return
        leaving = family.leaving or [None] * family.n
        troubled = {
            place
            for place, who in enumerate(family.suppliers)
            if who is None or leaving[place] is not None or self._departures.of(who) is not None
        }
        for who in suppliers:
            place = self._family.position(who)
            known = self._departures.of(who)
            if place is None or (known is not None and (known.why is Why.AWAY or leaving[place] is None)):
                continue
            if place in troubled or len(troubled) < family.n - family.k:
                troubled.add(place)
                self._departures.note(who, Departure(Why.AWAY))
                self._events.send("supplier-lost", {**self._named(who), "position": place})

    def came_back(self, suppliers: Iterable[bytes]) -> None:
        """Suppliers that were missed are there: who still has its place keeps it."""
        for who in suppliers:
            known = self._departures.of(who)
            if known is not None and known.why is Why.AWAY:
                self._departures.forget(who)

    def _named(self, supplier: bytes) -> dict[str, str]:
        names = Names.of(self._identities(supplier))
        return {"idurl": names.idurl, "global_id": names.global_id or supplier.hex()[:16]}

    # which places change hands

    def due(self) -> list[int]:
        """Places whose supplier is to be replaced; one that changes hands already only where its new one is lost."""
        family = self._family.current
        if family is None:
            return []
        leaving = family.leaving or [None] * family.n
        return [
            place
            for place, who in enumerate(family.suppliers)
            if who is not None
            and (known := self._departures.of(who)) is not None
            and (leaving[place] is None or known.why is Why.AWAY)
        ]

    def successor(self, place: int) -> bytes | None:
        """Whom a person chose for a place."""
        family = self._family.current
        who = family.suppliers[place] if family is not None else None
        departure = self._departures.of(who) if who is not None else None
        return departure.successor if departure is not None else None

    def leaving(self, place: int) -> bytes | None:
        """Who still holds the pieces of a place that has a new supplier."""
        family = self._family.current
        return family.leaving[place] if family is not None and family.leaving is not None else None

    def done(self, moved: Moved) -> list[int]:
        """Places whose former supplier is needed no more, now that enough others know who has the place."""
        family = self._family.current
        if family is None or family.leaving is None or not self._publisher.is_safe():
            return []
        return [
            place
            for place, (old, new) in enumerate(zip(family.leaving, family.suppliers, strict=True))
            if old is not None and new is not None and self._publisher.knows(new) and moved(place, new)
        ]

    def after(self, done: Iterable[int]) -> list[bytes | None]:
        """Who is still leaving without those at these places, whose contracts may be ended from now on."""
        family = self._family.current
        leaving = list(family.leaving or []) if family is not None else []
        for place in done:
            old = leaving[place]
            if old is not None and old not in self._family.members:
                self._book.release(old)
                self._events.send("supplier-dismissed", {**self._named(old), "position": place})
            leaving[place] = None
        return leaving

    def tidy(self) -> None:
        """Forget departures of those who have left."""
        family = self._family.current
        holders = family.holders if family is not None else []
        for who in self._departures.suppliers():
            if who not in holders:
                self._departures.forget(who)
