"""My family, place by place, as lists show it."""

from attrs import evolve, frozen

from bitdust.suppliers.connectors import Connectors
from bitdust.suppliers.departures import Departure
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.life import Unread
from bitdust.suppliers.replacement import Replacements
from bitdust.suppliers.spread import Spread
from bitdust.surroundings import Connected


@frozen
class SupplierShown:
    """One place of the family. ``since`` is when its connector came into its state.

    ``departure`` says that and why the supplier is to be replaced; ``leaving`` had the place before and still holds
    its pieces; ``replacement`` is the state of the machine that sees to it, empty where there is none. ``beyond`` says
    of a place that is none of the family whether it is ``to come`` or ``to go``.
    """

    position: int
    fingerprint: bytes | None
    state: str = "DISCONNECTED"
    reason: str = ""
    since: float = 0.0
    departure: Departure | None = None
    leaving: bytes | None = None
    address: str | None = None
    replacement: str = ""
    beyond: str = ""


class Roster:
    """I know the state of every place."""

    def __init__(self, around: Connected, family: MyFamily, connectors: Connectors, replacements: Replacements) -> None:
        self._family = family
        self._connectors = connectors
        self._replacements = replacements
        self._spread = Spread(around, family)

    def suppliers(self) -> list[SupplierShown]:
        """One entry a place, in order; those beyond the family after its own."""
        family = self._family.current
        if family is None:
            return []
        beyond = [
            evolve(self._shown(place, who), beyond="to come" if place < family.size_to_come else "to go")
            for place, who in enumerate(family.seats)
            if place >= family.n and who is not None
        ]
        return [self._shown(place, who) for place, who in enumerate(family.suppliers)] + beyond

    def leaving(self) -> list[bytes]:
        """Those who have left their places and still hold something."""
        return self._family.current.departing if self._family.current is not None else []

    def unread(self) -> list[Unread]:
        """Lives of before of which not all is known."""
        return self._replacements.unread()

    @property
    def is_one_waiting(self) -> bool:
        """Whether a life of before has no room beside mine, and waits for it."""
        return self._family.has_guests_aside

    def _shown(self, position: int, who: bytes | None) -> SupplierShown:
        former, replacement = self._replacements.former(position), self._replacements.state(position)
        if who is None:
            return SupplierShown(position, None, leaving=former, replacement=replacement)
        connector = self._connectors.find(who)
        shown = (connector.state, connector.reason, connector.since) if connector else ("DISCONNECTED", "", 0.0)
        departure, address = self._replacements.departure(who), self._spread.address(who)
        return SupplierShown(position, who, *shown, departure, former, address, replacement)
