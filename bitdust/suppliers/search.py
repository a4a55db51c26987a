"""Searching for suppliers: candidates of the settings first, of the DHT after them, several searches at once."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from bitdust.automats.kernel import Registry
from bitdust.automats.supplier_finder import SupplierFinder
from bitdust.outcome import outcome
from bitdust.peers.ports import Candidate, Gateway, Settings
from bitdust.wire.errors import BitDustError
from bitdust.wire.signed import Signed

CANDIDATES = "services/employer/candidates"
FORGET_REFUSAL = 600.0
"""Seconds for which somebody who could not be hired is not asked again."""
LOOKUPS = 6


def _nobody(exclude: frozenset[bytes]) -> "Deferred[Candidate | None]":
    return succeed(None)


def _no_records() -> "Deferred[list[Signed]]":
    return succeed([])


def _unknown(idurl: str) -> "Deferred[bytes]":
    return fail(BitDustError("not-found", f"{idurl} cannot be looked up"))


@define
class HiringPorts:
    """What the services connect: lookups in the DHT and at ID servers, and what is known of data and peers.

    ``addresses_of`` gives the addresses that a peer told in its session, for the hints in the family record. ``moved``
    tells whether everything that belongs to a place lies at a supplier; ``address_of`` gives the other end of the
    session with a peer, which is proven, and None without a session.
    """

    random_supplier: "Callable[[frozenset[bytes]], Deferred[Candidate | None]]" = _nobody
    identify: "Callable[[str], Deferred[bytes]]" = _unknown
    find_family: "Callable[[], Deferred[list[Signed]]]" = _no_records
    has_data: Callable[[], bool] = lambda: False
    network_up: Callable[[], bool] = lambda: True
    addresses_of: Callable[[bytes], list[str]] = lambda fingerprint: []
    moved: Callable[[int, bytes], bool] = lambda position, supplier: True
    address_of: Callable[[bytes], str | None] = lambda fingerprint: None


class Employer(Protocol):
    """Who wants suppliers; `bitdust.suppliers.hiring`."""

    def taken(self) -> frozenset[bytes]:
        """Who cannot be hired: I myself, and those who are."""

    def chosen(self, position: int, /) -> bytes | None:
        """Whom a person chose for a place: then nobody else is asked."""

    def ask(self, position: int, candidate: Candidate, /) -> "Deferred[Any]":
        """Fires with the candidate's contract for a place, fails with its refusal."""

    def place(self, position: int, candidate: Candidate, /) -> None:
        """The candidate is hired."""

    def let_go(self, supplier: bytes, /) -> None:
        """The candidate was not hired."""

    def search_failed(self, reason: str, /) -> None:
        """Nobody was found for one place."""


@define(eq=False)
class _Search:
    """The port of one `supplier_finder`."""

    searches: "Searches"
    position: int
    done: "Deferred[bool]" = field(factory=Deferred)
    asked: bytes | None = None

    def candidate(self) -> "Deferred[Candidate | None]":
        return self.searches.candidate(self)

    def ping(self, candidate: Candidate) -> "Deferred[Any]":
        return self.searches.meet(candidate).addErrback(self._turn_down)

    def request(self, candidate: Candidate) -> "Deferred[Any]":
        return self.searches.employer.ask(self.position, candidate).addErrback(self._turn_down)

    def _turn_down(self, failure: Failure) -> Failure:
        if self.asked is not None:
            self.searches.turn_down(self.asked, failure.getErrorMessage())
            self.asked = None
        return failure

    def hired(self, candidate: Candidate, contract: Any) -> None:
        self.searches.employer.place(self.position, candidate)
        self.done.callback(True)

    def failed(self, reason: str) -> None:
        self.searches.employer.search_failed(reason)
        self.done.callback(False)


class Searches:
    """I run one `supplier_finder` for every empty place, and see to it that no two ask the same node."""

    def __init__(
        self,
        employer: Employer,
        clock: IReactorTime,
        registry: Registry,
        settings: Settings,
        gateway: Gateway,
        ports: HiringPorts,
    ) -> None:
        self.employer = employer
        self._clock = clock
        self._registry = registry
        self._settings = settings
        self._gateway = gateway
        self._ports = ports
        self._running: dict[int, tuple[_Search, SupplierFinder]] = {}
        self._turned_down: dict[bytes | str, float] = {}
        self._why: dict[bytes | str, str] = {}

    def run(self, positions: list[int]) -> "Deferred[int]":
        """Search for all these places; fires with how many of them are still empty."""
        self.stop()
        for position in positions:
            search = _Search(self, position)
            self._running[position] = (search, SupplierFinder(self._registry, str(position), search))
        running = list(self._running.values())
        for _, finder in running:
            finder.send("start")
        return DeferredList([search.done for search, _ in running], consumeErrors=True).addCallback(self._over)

    def _over(self, results: list[tuple[bool, Any]]) -> int:
        self._running = {}
        return sum(1 for ok, hired in results if not (ok and hired))

    def stop(self) -> None:
        """Give up all searches."""
        running, self._running = self._running, {}
        for _, finder in running.values():
            finder.send("shutdown")

    def forgive(self) -> None:
        """Those who said no may be asked again."""
        self._turned_down = {}

    def turn_down(self, who: bytes | str, why: str = "") -> None:
        """Do not ask this one again for a while."""
        self._why = {one: text for one, text in self._why.items() if one in self._turned_down} | {who: why}
        now = self._clock.seconds()
        self._turned_down = {one: since for one, since in self._turned_down.items() if now - since < FORGET_REFUSAL}
        self._turned_down[who] = now
        if isinstance(who, bytes):
            self.employer.let_go(who)

    def _refused(self, who: bytes | str) -> bool:
        since = self._turned_down.get(who)
        return since is not None and self._clock.seconds() - since < FORGET_REFUSAL

    def excluded(self) -> frozenset[bytes]:
        """Whom not to ask: those taken, those being asked, and those who said no a short while ago."""
        asked = {search.asked for search, _ in self._running.values() if search.asked is not None}
        refused = {who for who in self._turned_down if isinstance(who, bytes) and self._refused(who)}
        return frozenset({*self.employer.taken(), *asked, *refused})

    def candidate(self, search: _Search) -> "Deferred[Candidate | None]":
        """Somebody whom no other search asks: of the settings first, then of the DHT."""
        return Deferred.fromCoroutine(self._candidate(search))

    async def _candidate(self, search: _Search) -> Candidate | None:
        search.asked = None
        chosen = self.employer.chosen(search.position)
        if chosen is not None:
            return self._chosen(search, chosen)
        for idurl in candidates_of(self._settings.get(CANDIDATES)):
            if self._refused(idurl):
                continue
            found = await outcome(self._ports.identify(idurl))
            if found.error is not None:
                self.turn_down(idurl)
            elif found.value not in self.excluded():
                search.asked = found.value
                return Candidate(found.value)
        for _ in range(LOOKUPS):
            node = await self._ports.random_supplier(self.excluded())
            if node is None:
                break
            if node.fingerprint not in self.excluded():
                search.asked = node.fingerprint
                return node
        self._tell_why()
        return None

    def _tell_why(self) -> None:
        """Where everybody who is known has said no: raise that, rather than that nobody is known."""
        reasons = [why for who, why in self._why.items() if why and self._refused(who)]
        if reasons:
            raise BitDustError("no-candidate", "; ".join(dict.fromkeys(reasons[-3:])))

    def _chosen(self, search: _Search, chosen: bytes) -> Candidate | None:
        if self._refused(chosen):
            raise BitDustError("no-service", f"the supplier that you chose: {self._why.get(chosen) or 'no answer'}")
        if chosen in self.excluded():
            return None
        search.asked = chosen
        return Candidate(chosen)

    def meet(self, candidate: Candidate) -> "Deferred[Any]":
        """Fires with a session with the candidate, over one of its addresses or wherever the DHT finds it."""
        return Deferred.fromCoroutine(self._meet(candidate))

    async def _meet(self, candidate: Candidate) -> Any:
        if not self._gateway.connected(candidate.fingerprint):
            for address in candidate.addresses:
                dialled = await outcome(self._gateway.dial(address, expect=candidate.fingerprint))
                if dialled.error is None:
                    return dialled.value
        return await self._gateway.session_to(candidate.fingerprint)


def candidates_of(setting: object) -> list[str]:
    """IDURLs of the setting: a list, or a text with commas, spaces or brackets around them."""
    if isinstance(setting, (list, tuple)):
        return [str(item) for item in setting]
    return [part for part in re.split(r"[\s,;\[\]\"']+", str(setting or "")) if part]
