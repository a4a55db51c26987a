"""Who is to be replaced: suppliers that give notice, and those that a person does not want any more."""

from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.supplier_replacement import SupplierReplacement
from bitdust.outcome import outcome
from bitdust.peers.shown import Names, show_name
from bitdust.suppliers.connectors import Connectors
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.replacement import Replacements
from bitdust.suppliers.search import Candidate, Meet
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wiring import Wire

PATIENCE = 20.0
"""Seconds for which somebody whom a person names is looked for."""
LATEST = 253_402_300_799
"""The end of the year 9999: whoever says a later time is taken to say this one, which can be shown."""


class KnownCustomers(Protocol):
    """Whose pieces this node keeps."""

    def fingerprints(self) -> frozenset[bytes]:
        """All of them that have not moved away."""


class ReplacementRequests:
    """I note why a place is to change hands, before anything is done about it; `Replacements` does it."""

    customers = Wire(KnownCustomers)

    def __init__(
        self,
        around: Connected,
        family: MyFamily,
        departures: Departures,
        replacements: Replacements,
        connectors: Connectors,
        meet: Meet,
    ) -> None:
        self._clock = around.world.clock
        self._connectors = connectors
        self._meet = meet
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
        are. Codes: ``not-found`` when it is none of mine, ``exists`` when the successor is one already or is I,
        ``is-customer`` when it is my customer.
        """
        position = self._check(supplier, successor)
        known = self._departures.of(supplier)
        why, until = (known.why, known.until) if known is not None else (Why.ASKED, 0)
        self._departures.note(supplier, Departure(why, until, successor))
        return self._replacements.replace(position)

    def _check(self, supplier: bytes, successor: bytes | None) -> int:
        """The place that is to change hands."""
        position = self._family.position(supplier)
        if position is None:
            raise BitDustError("not-found", f"{self._names(supplier)['global_id']} is none of your suppliers")
        if successor == self._me.fingerprint:
            raise BitDustError("exists", "that is you: your own disk cannot keep your pieces")
        if successor is not None and successor in self._family.holders:
            raise BitDustError("exists", f"{self._names(successor)['global_id']} is your supplier already")
        if successor is not None and successor in self.customers.fingerprints():
            raise BitDustError("is-customer", f"{self._names(successor)['global_id']} is a customer of yours")
        return position

    def try_out(self, supplier: bytes, successor: bytes) -> "Deferred[None]":
        """Ask somebody whom a person names for the place of a supplier of mine; nothing is changed by it.

        Fails as `replace` does, with ``unreachable``, ``no-space``, or ``no-service`` where it refuses otherwise.
        """
        return Deferred.fromCoroutine(self._try_out(supplier, successor))

    async def _try_out(self, supplier: bytes, successor: bytes) -> None:
        position, name = self._check(supplier, successor), self._names(successor)["global_id"]
        meeting = self._meet(Candidate(successor)).addTimeout(PATIENCE, self._clock)
        met = await outcome(meeting)
        if met.error is not None:
            raise BitDustError("unreachable", f"{name} cannot be reached: {met.error}")
        asked = await outcome(Deferred.fromCoroutine(self._connectors.ask(position, successor)))
        if asked.error is None:
            return
        is_full = self._connectors.growth.gives_no_more(successor)
        self._connectors.reject(successor)
        why = "it keeps nothing for others" if asked.code == "unknown-command" else str(asked.error)
        raise BitDustError("no-space" if is_full else "no-service", f"{name} does not take the place: {why}")

    def _names(self, supplier: bytes) -> dict[str, str]:
        names = Names.of(self._identities, supplier)
        return {"idurl": names.idurl, "global_id": show_name(self._identities, supplier)}
