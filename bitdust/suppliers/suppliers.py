"""My suppliers, as lists show them (`suppliers_list`, `suppliers_ping`)."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.peers.ports import Identities, Names
from bitdust.peers.presence import Presence
from bitdust.peers.shown import show_contract
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departure
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.suppliers.hiring import Hiring
from bitdust.wire.errors import BitDustError

Stored = Callable[[], Mapping[bytes, int]]


def _notice(departure: Departure | None) -> dict[str, Any] | None:
    return {"why": departure.why.value, "until": departure.until} if departure is not None else None


class SuppliersView:
    """I show and ping my suppliers. ``stored`` gives the bytes that lie at each of them, for verbose lists."""

    def __init__(
        self,
        hiring: Hiring,
        presence: Presence,
        identities: Identities,
        book: ContractBook,
        stored: Stored = dict,
    ) -> None:
        self._hiring = hiring
        self._presence = presence
        self._identities = identities
        self._book = book
        self._stored = stored

    def list(self, verbose: bool = False) -> list[dict[str, Any]]:
        """One entry a place of the family, in order; an empty place has an empty ``idurl``.

        ``notice`` tells why the supplier is to be replaced and until when it answers; ``replaces`` is who had the place
        before and still holds its pieces.
        """
        stored = self._stored() if verbose else {}
        return [self._entry(shown, stored, verbose) for shown in self._hiring.suppliers()]

    def _entry(self, shown: Any, stored: Mapping[bytes, int], verbose: bool) -> dict[str, Any]:
        who: bytes | None = shown.fingerprint
        names = Names.of(self._identities(who)) if who is not None else Names()
        entry = {
            "position": shown.position,
            "idurl": names.idurl,
            "global_id": names.global_id,
            "fingerprint": who.hex() if who is not None else "",
            "supplier_state": shown.state if who is not None else "NO_SUPPLIER",
            "connected": shown.since if shown.state == "CONNECTED" else None,
            "contact_state": self._presence.state(who) if who is not None else "OFFLINE",
            "reason": shown.reason,
            "contract": show_contract(self._book.of(who)) if who is not None else None,
            "address": shown.address or "",
            "notice": _notice(shown.departure),
            "replaces": Names.of(self._identities(shown.leaving)).global_id if shown.leaving is not None else "",
        }
        if verbose:
            entry["used"] = stored.get(who, 0) if who is not None else 0
        return entry

    def ping(self) -> "Deferred[int]":
        """Ping all of them; fires with how many answered."""
        return self._presence.ping_all([shown.fingerprint for shown in self._hiring.suppliers() if shown.fingerprint])

    def family(self, family: MyFamily, publisher: FamilyPublisher) -> dict[str, Any]:
        """My family record as JSON, as `suppliers_list_dht` shows others'. Raises ``not-found``."""
        current = family.current
        if current is None:
            raise BitDustError("not-found", "there is no family yet; it is made when the first supplier is hired")
        names = [Names.of(self._identities(who)).idurl if who is not None else "" for who in current.suppliers]
        return {
            "customer_idurl": Names.of(self._identities(current.customer)).idurl,
            "suppliers": names,
            "ecc_map": current.ecc_map,
            "revision": current.revision,
            "timestamp": current.time,
            "known_by": publisher.known_by,
        }
