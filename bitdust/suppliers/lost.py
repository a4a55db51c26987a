"""Suppliers that lose their places: those that do not come back, those that do not prove what they have, and new ones
that take nothing.

A place changes hands after so many days, or failed audits in a row, as the settings say. Never more places at a time
than a family may lose; who comes back, or proves its pieces, before anybody else was found keeps its place.
"""

from collections.abc import Collection
from typing import Protocol

from twisted.logger import Logger

from bitdust.peers.shown import Names, show_name
from bitdust.suppliers.absences import DAY, Absences
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.replacement import Replacements
from bitdust.suppliers.reputation import Reputation
from bitdust.surroundings import Surroundings
from bitdust.wire.records import Family
from bitdust.wiring import Wire

REPLACE = "services/employer/replace-critically-offline-enabled"
AWAY_DAYS = "services/employer/replace-after-days"
FAILED_AUDITS = "services/employer/replace-after-failed-audits"
_EVENTS = {Why.AWAY: "supplier-lost", Why.AUDITS: "supplier-distrusted", Why.REFUSES: "supplier-lost"}


class AuditResults(Protocol):
    """What audits have found out."""

    def failed_in_a_row(self, supplier: bytes, /) -> int | None:
        """How many a supplier has failed since it passed one; None while that is not known."""

    def rounds(self, supplier: bytes, /) -> tuple[int, int]:
        """How many audits a supplier has passed, and failed, as far as is known."""

    def failing(self, least: int, /) -> frozenset[bytes]:
        """Everybody who has failed so many in a row, whether it is my supplier still or not."""


class LostSuppliers:
    """I observe my suppliers, and note whom somebody else is to replace, and why."""

    log = Logger()
    audits = Wire(AuditResults)

    def __init__(
        self,
        around: Surroundings,
        family: MyFamily,
        absences: Absences,
        departures: Departures,
        replacements: Replacements,
        reputation: Reputation,
    ) -> None:
        self.reputation = reputation
        self._settings = around.settings
        self._events = around.events
        self._identities = around.identities
        self._family = family
        self._absences = absences
        self._departures = departures
        self._replacements = replacements
        self._follow_settings()
        around.settings.on_change(AWAY_DAYS, lambda key, old, new: self._follow_settings())

    def _follow_settings(self) -> None:
        self._absences.away = int(self._settings.get(AWAY_DAYS)) * DAY

    def observe(self, connected: Collection[bytes]) -> None:
        """Who is there now. With fewer than k suppliers there it may be this node that is away: that does not count."""
        family = self._family.current
        if family is None:
            return
        members, counts = self._family.members, len(connected) >= family.k
        self._absences.observe(members, connected, counts)
        self.reputation.observe(members, connected, counts)
        for member in members:
            self.reputation.audited(member, *self.audits.rounds(member))
        for supplier in self._departures.suppliers():
            known = self._departures.of(supplier)
            is_well = {
                Why.AWAY: supplier in connected,
                Why.AUDITS: self._is_trusted(supplier),
                Why.REFUSES: supplier not in self._refusing(),
            }
            if known is not None and is_well.get(known.why):
                self._forget(supplier)

    def _forget(self, supplier: bytes) -> None:
        try:
            self._departures.forget(supplier)
        except OSError as error:
            self.log.warn("who stays cannot be written down, and will be with the next look: {error}", error=error)

    def distrusted(self) -> frozenset[bytes]:
        """Who has failed so many audits that it is not hired again."""
        limit = int(self._settings.get(FAILED_AUDITS))
        return self.audits.failing(limit) if limit else frozenset()

    def _is_trusted(self, supplier: bytes) -> bool:
        """Whether it is known to have passed its last audit, or no audit costs it its place."""
        return self.audits.failed_in_a_row(supplier) == 0 or not self._settings.get(FAILED_AUDITS)

    def replace(self) -> None:
        """Replace those away, those that fail audits, and new ones that refuse; as many as leave k places untouched."""
        family = self._family.current
        if family is None:
            return
        troubled = {place for place, who in enumerate(family.suppliers) if self._is_troubled(place, who)}
        for supplier, why in self._unwanted():
            place = self._family.position(supplier)
            if place is None or self._is_noted(place, supplier):
                continue
            if place in troubled or self._may_touch_one_more(family, troubled):
                troubled.add(place)
                self._note(place, supplier, why)

    def _unwanted(self) -> list[tuple[bytes, Why]]:
        """Who is to go and why: those away first, the longest away at the head; nothing comes back from them."""
        gone = self._absences.long_away() if self._settings.get(REPLACE) else []
        limit = int(self._settings.get(FAILED_AUDITS))
        members = [(self.audits.failed_in_a_row(who) or 0, who) for who in self._family.members if limit]
        failed = [who for count, who in sorted(members, reverse=True) if count >= limit and who not in gone]
        refusing = [who for who in self._refusing() if self._departures.of(who) is None]
        return [
            *((who, Why.AWAY) for who in gone),
            *((who, Why.AUDITS) for who in failed),
            *((who, Why.REFUSES) for who in refusing),
        ]

    def _refusing(self) -> list[bytes]:
        """Who has got a place, and takes nothing that belongs there."""
        family = self._family.current
        suppliers = enumerate(family.suppliers) if family is not None else ()
        return [who for place, who in suppliers if who is not None and self._replacements.is_refused(place)]

    def _is_troubled(self, place: int, supplier: bytes | None) -> bool:
        leaves = supplier is None or self._departures.of(supplier) is not None
        return leaves or self._replacements.is_moving(place)

    def _is_noted(self, place: int, supplier: bytes) -> bool:
        """Whether its place is to change hands already; a new supplier that is lost in the middle is noted again."""
        known = self._departures.of(supplier)
        return known is not None and (known.why in _EVENTS or not self._replacements.is_moving(place))

    def _may_touch_one_more(self, family: Family, troubled: Collection[int]) -> bool:
        return len(troubled) < family.n - family.k

    def _note(self, place: int, supplier: bytes, why: Why) -> None:
        self._departures.note(supplier, Departure(why))
        names = Names.of(self._identities, supplier)
        data = {"idurl": names.idurl, "global_id": show_name(self._identities, supplier), "position": place}
        reasons = {
            Why.AUDITS: f"it failed {self.audits.failed_in_a_row(supplier)} audits in a row",
            Why.AWAY: f"it was away for more than {self._settings.get(AWAY_DAYS)} days",
            Why.REFUSES: "it takes none of the pieces, or not the records, of the place that it has got",
        }
        self._events.send(_EVENTS[why], {**data, "reason": reasons[why]})
