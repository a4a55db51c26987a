"""Who is to be replaced: suppliers that give notice, and those that a person does not want any more."""

from bitdust.automats.supplier_replacement import SupplierReplacement
from bitdust.peers.shown import Names, show_name
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.replacement import Replacements
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

LATEST = 253_402_300_799
"""The end of the year 9999: whoever says a later time is taken to say this one, which can be shown."""


class ReplacementRequests:
    """I note why a place is to change hands, before anything is done about it; `Replacements` does it."""

    def __init__(
        self, around: Surroundings, family: MyFamily, departures: Departures, replacements: Replacements
    ) -> None:
        self._me = around.me
        self._events = around.events
        self._identities = around.identities
        self._family = family
        self._departures = departures
        self._replacements = replacements

    def receive_notice(self, supplier: bytes, until: int) -> None:
        """A supplier says until when it answers (seconds since the epoch), 0 when it stays. Raises ``not-allowed``."""
        if not until:
            self._withdraw(supplier)
            return
        if supplier not in self._family.holders:
            raise BitDustError("not-allowed", "you are none of my suppliers")
        until = max(1, min(int(until), LATEST))
        known = self._departures.of(supplier)
        successor = known.successor if known is not None else None
        if self._departures.note(supplier, Departure(Why.NOTICE, until, successor)):
            self._events.send("supplier-gave-notice", {**self._names(supplier), "until": until})

    def _withdraw(self, supplier: bytes) -> None:
        """A supplier stays after all; a change of hands that has begun goes on."""
        known = self._departures.of(supplier)
        if known is not None and known.why is Why.NOTICE and self._departures.forget(supplier):
            self._events.send("supplier-took-notice-back", self._names(supplier))

    def replace(self, supplier: bytes, successor: bytes | None) -> SupplierReplacement | None:
        """A person wants one of my suppliers replaced, by somebody certain or by anybody. Raises `BitDustError`.

        Gives the machine that does it; None while my suppliers are not looked after: then it begins as soon as they
        are. Codes: ``not-found`` when it is none of mine, ``exists`` when the successor is one already or is I.
        """
        position = self._family.position(supplier)
        if position is None:
            raise BitDustError("not-found", f"{self._names(supplier)['global_id']} is none of your suppliers")
        if successor is not None and (successor == self._me.fingerprint or successor in self._family.holders):
            raise BitDustError("exists", f"{self._names(successor)['global_id']} is you or your supplier already")
        known = self._departures.of(supplier)
        why, until = (known.why, known.until) if known is not None else (Why.ASKED, 0)
        self._departures.note(supplier, Departure(why, until, successor))
        return self._replacements.replace(position)

    def _names(self, supplier: bytes) -> dict[str, str]:
        names = Names.of(self._identities, supplier)
        return {"idurl": names.idurl, "global_id": show_name(self._identities, supplier)}
