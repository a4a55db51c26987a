"""Suppliers that hold pieces and do not come back: each loses its place after a week, a few at a time."""

from collections.abc import Collection

from bitdust.peers.shown import Names, show_name
from bitdust.suppliers.absences import Absences
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.replacement import Replacements
from bitdust.surroundings import Surroundings
from bitdust.wire.records import Family


class LostSuppliers:
    """I observe absences, and note whom somebody else is to replace; who comes back before that keeps its place."""

    def __init__(
        self,
        around: Surroundings,
        family: MyFamily,
        absences: Absences,
        departures: Departures,
        replacements: Replacements,
    ) -> None:
        self._events = around.events
        self._identities = around.identities
        self._family = family
        self._absences = absences
        self._departures = departures
        self._replacements = replacements

    def observe(self, connected: Collection[bytes]) -> None:
        """Who is there now. With fewer than k suppliers there it may be this node that is away: that does not count."""
        family = self._family.current
        if family is None:
            return
        self._absences.observe(self._family.members, connected, len(connected) >= family.k)
        for supplier in connected:
            known = self._departures.of(supplier)
            if known is not None and known.why is Why.AWAY:
                self._departures.forget(supplier)

    def replace(self) -> None:
        """Replace those that were away for very long, as many as leave k places untouched."""
        family = self._family.current
        if family is None:
            return
        troubled = {place for place, who in enumerate(family.suppliers) if self._is_troubled(place, who)}
        for supplier in self._absences.long_away():
            place = self._family.position(supplier)
            if place is None or self._is_noted(place, supplier):
                continue
            if place in troubled or self._may_touch_one_more(family, troubled):
                troubled.add(place)
                self._note(place, supplier)

    def _is_troubled(self, place: int, supplier: bytes | None) -> bool:
        leaves = supplier is None or self._departures.of(supplier) is not None
        return leaves or self._replacements.is_moving(place)

    def _is_noted(self, place: int, supplier: bytes) -> bool:
        """Whether its place is to change hands already; a new supplier that is lost in the middle is noted again."""
        known = self._departures.of(supplier)
        return known is not None and (known.why is Why.AWAY or not self._replacements.is_moving(place))

    def _may_touch_one_more(self, family: Family, troubled: Collection[int]) -> bool:
        return len(troubled) < family.n - family.k

    def _note(self, place: int, supplier: bytes) -> None:
        self._departures.note(supplier, Departure(Why.AWAY))
        names = Names.of(self._identities, supplier)
        data = {"idurl": names.idurl, "global_id": show_name(self._identities, supplier), "position": place}
        self._events.send("supplier-lost", data)
