"""My suppliers, as lists show them (`suppliers_list`, `suppliers_ping`)."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.peers.presence import Presence
from bitdust.peers.shown import Names, show_contract, show_name
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departure
from bitdust.suppliers.resizing import Resizing
from bitdust.suppliers.roster import Roster, SupplierShown
from bitdust.surroundings import Connected


def _notice(departure: Departure | None) -> dict[str, Any] | None:
    return {"why": departure.why.value, "until": departure.until} if departure is not None else None


class SuppliersView:
    """I show and ping my suppliers."""

    def __init__(
        self, around: Connected, roster: Roster, presence: Presence, book: ContractBook, resizing: Resizing
    ) -> None:
        self._identities = around.identities
        self._roster = roster
        self._presence = presence
        self._book = book
        self._resizing = resizing

    def list(self) -> list[dict[str, Any]]:
        """One entry a place of the family, in order; an empty place has an empty ``idurl``.

        ``notice`` says why the supplier is to be replaced and until when it answers; ``replaces`` is who had the place
        before and still holds its pieces, ``replacement`` how far the machine has come that sees to it. While the
        number of suppliers changes, further entries are ``beyond`` the family: ``to come``, or ``to go`` in the end.
        """
        return [self._entry(shown) for shown in self._roster.suppliers()]

    def _entry(self, shown: SupplierShown) -> dict[str, Any]:
        who = shown.fingerprint
        names = Names.of(self._identities, who)
        return {
            "position": shown.position,
            "idurl": names.idurl,
            "global_id": names.global_id,
            "fingerprint": who.hex() if who is not None else "",
            "name_proven": who is not None and self._identities.is_proven(who),
            "supplier_state": shown.state if who is not None else "NO_SUPPLIER",
            "connected": shown.since if shown.state == "CONNECTED" else None,
            "contact_state": self._presence.state(who) if who is not None else "OFFLINE",
            "reason": shown.reason,
            "contract": show_contract(self._book.of(who)) if who is not None else None,
            "address": shown.address or "",
            "notice": _notice(shown.departure),
            "replaces": Names.of(self._identities, shown.leaving).global_id,
            "replacement": shown.replacement,
            "beyond": shown.beyond,
        }

    def change(self) -> str:
        """What is being done about another number of suppliers, in words; empty where nothing is."""
        return self._resizing.reason()

    def leaving(self) -> Sequence[dict[str, Any]]:
        """Those who have left their places and still hold something, with their names."""
        found = [(who, Names.of(self._identities, who)) for who in self._roster.leaving()]
        return [{"fingerprint": who.hex(), "idurl": one.idurl, "global_id": one.global_id} for who, one in found]

    def unread(self) -> Sequence[dict[str, Any]]:
        """Families of before of which not all is known that was stored with them: who was not read, how many of these
        are needed, and until when they are waited for, 0 while that is not known. Until then nobody leaves."""
        found = self._roster.unread()
        return [
            {
                "suppliers": [show_name(self._identities, who) for who in one.silent],
                "needed": one.needed,
                "until": one.until,
            }
            for one in found
        ]

    @property
    def is_one_waiting(self) -> bool:
        """Whether a family of before that a revoked device has named waits for its turn to be read beside mine."""
        return self._roster.is_one_waiting

    def ping(self) -> "Deferred[int]":
        """Ping all of them; fires with how many answered."""
        return self._presence.ping_all([shown.fingerprint for shown in self._roster.suppliers() if shown.fingerprint])
