"""Searching for suppliers: candidates of the settings first, of the DHT after them, several searches at once.

Of the DHT a few are drawn by chance, and the one of them is asked that has behaved best (`bitdust.suppliers.scoring`).
Customers of this node, and those who have lost a place, are asked where nobody else is known.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from bitdust.automats.supplier_finder import SupplierFinder
from bitdust.outcome import outcome
from bitdust.suppliers.reputation import Reputation
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

CANDIDATES = "services/employer/candidates"
FORGET_REFUSAL = 600.0
"""Seconds for which somebody who could not be hired is not asked again."""
STARTING = 20.0
"""The same of one that did not know the request: it is starting, or keeps nothing for others."""
LOOKUPS = 6
DRAWN = 3
"""Candidates of the DHT among whom one is chosen."""


@frozen
class Candidate:
    """Somebody who may become a supplier; ``addresses`` (``tcp://host:port``) may be empty."""

    fingerprint: bytes
    addresses: tuple[str, ...] = ()


Meet = Callable[[Candidate], "Deferred[Any]"]
"""Gives a session with a candidate."""


class Candidates(Protocol):
    """Where candidates are found."""

    def random_supplier(self, exclude: frozenset[bytes], /) -> "Deferred[Candidate | None]":
        """Somebody who offers to be a supplier, picked by chance; None where nobody else is known."""

    def identify(self, idurl: str, /) -> "Deferred[bytes]":
        """The fingerprint of the user at an IDURL; fails where nobody can be found there."""


class Employer(Protocol):
    """Who wants suppliers; `bitdust.suppliers.hiring`."""

    @property
    def candidates(self) -> Candidates:
        """Where candidates are found."""

    def excluded(self) -> frozenset[bytes]:
        """Who cannot be hired."""

    @property
    def reputation(self) -> Reputation:
        """How candidates have behaved."""

    def unwanted(self) -> frozenset[bytes]:
        """Those among them who are no suppliers of this node, or are to be none any more."""

    def avoided(self) -> frozenset[bytes]:
        """Who is hired only where nobody else is known."""

    def leavers(self, position: int, /) -> list[bytes]:
        """Who leaves a place that nobody has, and may have it where nobody else is known."""

    def chosen(self, position: int, /) -> bytes | None:
        """Whom a person chose for a place: then nobody else is asked."""

    def ask(self, position: int, candidate: Candidate, /) -> "Deferred[Any]":
        """Fires with the candidate's contract for a place, fails with its refusal."""

    def place(self, position: int, candidate: Candidate, /) -> None:
        """The candidate is hired."""

    def reject(self, supplier: bytes, /) -> None:
        """The candidate was not hired."""

    def search_failed(self, reason: str, /) -> None:
        """Nobody was found for one place."""


@define(eq=False)
class Search:
    """The port of one `supplier_finder`."""

    searches: "Searches"
    position: int
    ended: "Deferred[bool]" = field(factory=Deferred)
    asked: bytes | None = None
    refusal: str | None = None

    def candidate(self) -> "Deferred[Candidate | None]":
        return self.searches.candidate(self)

    def ping(self, candidate: Candidate) -> "Deferred[Any]":
        return self.searches.meet(candidate).addErrback(self._exclude)

    def request(self, candidate: Candidate) -> "Deferred[Any]":
        return self.searches.employer.ask(self.position, candidate).addErrback(self._exclude)

    def _exclude(self, failure: Failure) -> Failure:
        if self.asked is not None:
            self.refusal = failure.getErrorMessage()
            seconds = STARTING if getattr(failure.value, "code", "") == "unknown-command" else FORGET_REFUSAL
            self.searches.exclude(self.asked, failure.getErrorMessage(), seconds)
            self.asked = None
        return failure

    def hired(self, candidate: Candidate, contract: Any) -> None:
        self.searches.forget_refusal(candidate.fingerprint)
        try:
            self.searches.employer.place(self.position, candidate)
        except OSError as error:
            self.searches.employer.reject(candidate.fingerprint)
            self.failed(f"whoever was found cannot be written down: {error}")
            return
        self.ended.callback(True)

    def failed(self, reason: str) -> None:
        self.searches.employer.search_failed(reason)
        self.ended.callback(False)


class Searches:
    """I run one `supplier_finder` for every vacancy, and see to it that no two ask the same node."""

    def __init__(self, around: Connected, employer: Employer) -> None:
        self.employer = employer
        self._clock = around.world.clock
        self._registry = around.registry
        self._settings = around.settings
        self._sessions = around.sessions
        self._running: dict[int, tuple[Search, SupplierFinder]] = {}
        self._refused_until: dict[bytes | str, float] = {}
        self._reasons: dict[bytes | str, str] = {}
        self._named: dict[bytes, str] = {}
        self._events = around.events
        self.knows_nobody = False
        """Whether a search of the last round has found nobody at all who might be asked."""
        self.refused_by_name: dict[str, str] = {}
        """By IDURL, why somebody whom the settings name could not be hired when that was tried last."""

    def run(self, positions: list[int]) -> "Deferred[int]":
        """Search for all these places; fires with how many of them are still vacant. To cancel it ends the searches."""
        self.stop()
        self.knows_nobody = False
        for position in positions:
            search = Search(self, position)
            self._running[position] = (search, SupplierFinder(self._registry, str(position), search))
        running = list(self._running.values())
        for _, finder in running:
            finder.send("start")
        left: Deferred[int] = Deferred(lambda _: self.stop())
        ended = DeferredList([search.ended for search, _ in running], consumeErrors=True)
        ended.addCallback(self._over).addCallback(left.callback)
        return left

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
        self._refused_until = {}
        self.refused_by_name = {}

    def exclude(self, who: bytes | str, reason: str = "", seconds: float = FORGET_REFUSAL) -> None:
        """Do not ask this one again for a while."""
        self._reasons = {one: text for one, text in self._reasons.items() if one in self._refused_until} | {who: reason}
        now = self._clock.seconds()
        self._refused_until = {one: until for one, until in self._refused_until.items() if now < until}
        self._refused_until[who] = now + seconds
        name = self._named.get(who) if isinstance(who, bytes) else who
        if name is not None and reason:
            self._tell(name, reason)
        if isinstance(who, bytes):
            self.employer.reject(who)

    def _tell(self, idurl: str, reason: str) -> None:
        """Whoever named somebody hears why it is not hired, once for each reason."""
        if self.refused_by_name.get(idurl) != reason:
            self.refused_by_name[idurl] = reason
            self._events.send("supplier-candidate-refused", {"idurl": idurl, "reason": reason})

    def forget_refusal(self, supplier: bytes) -> None:
        """It is hired after all."""
        self.refused_by_name.pop(self._named.get(supplier, ""), None)

    def _refused(self, who: bytes | str) -> bool:
        return self._clock.seconds() < self._refused_until.get(who, 0.0)

    def excluded(self) -> frozenset[bytes]:
        """Whom not to ask: those who cannot be hired, those being asked, and those who said no a short while ago."""
        refused = {who for who in self._refused_until if isinstance(who, bytes) and self._refused(who)}
        return frozenset({*self.employer.excluded(), *self._asked(), *refused})

    def _asked(self) -> set[bytes]:
        return {search.asked for search, _ in self._running.values() if search.asked is not None}

    def candidate(self, search: Search) -> "Deferred[Candidate | None]":
        """Somebody whom no other search asks: of the settings first, then of the DHT."""
        return Deferred.fromCoroutine(self._candidate(search))

    async def _candidate(self, search: Search) -> Candidate | None:
        search.asked = None
        chosen = self.employer.chosen(search.position)
        if chosen is not None:
            return self._chosen(search, chosen)
        avoided = self.employer.avoided()
        for avoiding in (avoided, frozenset[bytes]()) if avoided else (avoided,):
            found = await self._of_settings(avoiding) or await self._drawn(avoiding)
            if found is not None:
                search.asked = found.fingerprint
                return found
        for who in self.employer.leavers(search.position):
            if who not in self._asked() and not self._refused(who):
                search.asked = who
                return Candidate(who)
        self._raise_reasons()
        self.knows_nobody = True
        return None

    async def _of_settings(self, avoided: frozenset[bytes]) -> Candidate | None:
        """Somebody whom the settings name."""
        for idurl in candidates_of(self._settings.get(CANDIDATES)):
            if self._refused(idurl):
                continue
            found = await outcome(self.employer.candidates.identify(idurl))
            if found.error is not None:
                self.exclude(idurl, f"{idurl}: {found.error}")
                continue
            self._named[found.value] = idurl
            if found.value in avoided:
                self._tell(idurl, "it is a customer of yours, and hired only where nobody else is known")
            elif found.value not in self.excluded():
                return Candidate(found.value)
            elif found.value in self.employer.unwanted():
                self._tell(idurl, "it is this node itself, or leaves, or has not proved lately what it keeps")
        return None

    async def _drawn(self, avoided: frozenset[bytes]) -> Candidate | None:
        """Somebody of the DHT: the best of a few, where anything is known of anybody."""
        drawn: list[Candidate] = []
        wanted = 1 if self.employer.reputation.is_empty else DRAWN
        for _ in range(LOOKUPS):
            exclude = self.excluded() | avoided | {one.fingerprint for one in drawn}
            node = await self.employer.candidates.random_supplier(exclude)
            drawn += [node] if node is not None else []
            excluded = self.excluded() | avoided  # other searches have gone on meanwhile, and may ask it now
            drawn = [one for one in drawn if one.fingerprint not in excluded]
            if node is None or len(drawn) == wanted:
                break
        if not drawn:
            return None
        return drawn[self.employer.reputation.choose([one.fingerprint for one in drawn])]

    def _raise_reasons(self) -> None:
        """Where everybody who is known has said no: raise that, rather than that nobody is known."""
        reasons = [reason for who, reason in self._reasons.items() if reason and self._refused(who)]
        if reasons:
            raise BitDustError("no-candidate", "; ".join(dict.fromkeys(reasons[-3:])))

    def _chosen(self, search: Search, chosen: bytes) -> Candidate | None:
        """Nobody else is asked for the place: what it says counts for this search alone; the next one asks again."""
        if search.refusal is not None:
            raise BitDustError("no-service", f"the supplier that you chose: {search.refusal or 'no answer'}")
        if chosen in self.employer.excluded() or chosen in self._asked():
            return None
        search.asked = chosen
        return Candidate(chosen)

    def meet(self, candidate: Candidate) -> "Deferred[Any]":
        """Fires with a session with the candidate, over one of its addresses or wherever the DHT finds it."""
        return Deferred.fromCoroutine(self._meet(candidate))

    async def _meet(self, candidate: Candidate) -> Any:
        if not self._sessions.connected(candidate.fingerprint):
            for address in candidate.addresses:
                dialled = await outcome(self._sessions.dial(address, expect=candidate.fingerprint))
                if dialled.error is None:
                    return dialled.value
        return await self._sessions.session_to(candidate.fingerprint)


def candidates_of(setting: object) -> list[str]:
    """IDURLs of the setting: a list, or a text with commas, spaces or brackets around them."""
    if isinstance(setting, (list, tuple)):
        return [str(item) for item in setting]
    return [part for part in re.split(r"[\s,;\[\]\"']+", str(setting or "")) if part]
