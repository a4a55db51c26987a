"""Names that were not proven are looked up at their ID servers, so that people read names and not fingerprints."""

from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import IdentityDocument
from bitdust.outcome import outcome
from bitdust.wire.names import IDURL

LOOK_AGAIN = 300.0
"""Seconds until a name that was not proven is looked up again, if it is wanted then."""


class LooksUp(Protocol):
    """Who fetches identity documents by name."""

    def look_up(self, idurl: IDURL, /) -> "Deferred[IdentityDocument]": ...


class NameProver:
    """I look up names one after the other; nobody waits for me."""

    def __init__(self, clock: IReactorTime, identities: IdentityCache, looks_up: LooksUp) -> None:
        self._clock = clock
        self._identities = identities
        self._looks_up = looks_up
        self._looked: dict[bytes, float] = {}
        self._wanted: list[bytes] = []
        self._proving: Deferred[Any] = succeed(None)

    def want(self, people: Iterable[bytes]) -> None:
        """The names of these are to be shown, as far as their documents are known."""
        now = self._clock.seconds()
        self._looked = {who: at for who, at in self._looked.items() if now - at < LOOK_AGAIN}
        new = sorted(who for who in {*people} - {*self._looked} if not self._identities.is_proven(who))
        self._looked |= dict.fromkeys(new, now)
        self._wanted += new
        if new and self._proving.called:
            self._proving = Deferred.fromCoroutine(self._prove_all())
            self._proving.addErrback(lambda why: why.trap(CancelledError) and None)

    def renamed(self, who: bytes) -> None:
        """Somebody has another name, which is looked up even if the one before was just now."""
        self._looked.pop(who, None)
        self.want([who])

    async def _prove_all(self) -> None:
        while self._wanted:
            who = self._wanted.pop(0)
            document = self._identities.get(who)
            if document is not None:
                await self.prove(who, document.idurl)

    async def prove(self, who: bytes, idurl: IDURL) -> None:
        """Take over what is found under a name, if it is theirs."""
        found = await outcome(self._looks_up.look_up(idurl))
        if found.error is None and found.value.fingerprint == who:
            self._identities.accept(found.value, idurl)

    def stop(self) -> None:
        """Nothing is looked up any more."""
        self._wanted = []
        self._looked = {}
        self._proving.cancel()
