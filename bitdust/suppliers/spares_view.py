"""Healing while I am away, as lists show it: my mandate, and spares about which nothing is decided yet."""

from typing import Any

from bitdust.peers.shown import Names, show_name
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.mandates import AFTER, Mandates
from bitdust.suppliers.spares import OwnSpares, SpareShown
from bitdust.surroundings import Connected


class SparesView:
    """I show them."""

    def __init__(self, around: Connected, family: MyFamily, mandates: Mandates, spares: OwnSpares) -> None:
        self._identities = around.identities
        self._settings = around.settings
        self._family = family
        self._mandates = mandates
        self._spares = spares

    def status(self) -> dict[str, Any]:
        """``spares`` may stand in, ``places`` are those where one does; ``problem`` is why nobody would."""
        family = self._family.current
        mandate = family.mandate if family is not None else None
        return {
            "after_days": int(self._settings.get(AFTER)),
            "spares": [show_name(self._identities, spare) for spare in (mandate.spares if mandate is not None else ())],
            "ends": mandate.ends if mandate is not None else None,
            "problem": self._mandates.problem,
            "places": [self._entry(shown) for shown in self._spares.shown()],
        }

    def _entry(self, shown: SpareShown) -> dict[str, Any]:
        names = Names.of(self._identities, shown.spare)
        return {
            "position": shown.position,
            "idurl": names.idurl,
            "global_id": names.global_id,
            "fingerprint": shown.spare.hex(),
            "instead_of": show_name(self._identities, shown.gone),
            "since": shown.since,
            "state": shown.state,
        }

    def decide(self, position: int, confirm: bool) -> dict[str, Any]:
        """A person's word about the spare of a place; the entry of the place. Raises `BitDustError`."""
        entry = next((self._entry(one) for one in self._spares.shown() if one.position == position), {})
        self._spares.decide(position, confirm)
        return entry
