"""Searching for those who bear a nickname: what `nickname_observer` acts on."""

from collections.abc import Iterable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from bitdust.automats.nickname_observer import WAVE, NicknameObserver
from bitdust.identity.document import IdentityDocument
from bitdust.outcome import outcomes
from bitdust.people.names.ports import NicknameTable
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.nicknames import POSITIONS, Claim


@frozen
class Bearer:
    """Somebody who bears a nickname, at a position; the document proves by itself whose it is, not what it is named."""

    nickname: str
    position: int
    document: IdentityDocument


class Search:
    """One search. ``done`` fires with those who were found, each once, by position. Cancelling it stops the search."""

    def __init__(self, around: Connected, table: NicknameTable, nickname: str, attempts: int) -> None:
        self._around = around
        self._table = table
        self._nickname = nickname
        self._found: dict[bytes, Bearer] = {}
        self.done: Deferred[list[Bearer]] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = NicknameObserver(around.registry, nickname, self, attempts)

    def read(self, position: int) -> "Deferred[int]":
        return Deferred.fromCoroutine(self._read(range(position, min(position + WAVE, POSITIONS))))

    async def _read(self, positions: Iterable[int]) -> int:
        asked = [self._table.claims(self._nickname, position) for position in positions]
        answers = await outcomes(asked)
        heard = [answer.value for answer in answers if answer.error is None]
        if not heard:
            raise answers[0].error or BitDustError("no-answer", "the DHT does not answer")
        claims = [claim for some in heard for claim in some if not claim.nickname.released]
        new = [claim for claim in claims if claim.nickname.owner not in self._found]
        await gatherResults([Deferred.fromCoroutine(self._meet(claim)) for claim in new], consumeErrors=True)
        return len(claims)

    async def _meet(self, claim: Claim) -> None:
        """Whoever signed it must be a device of its owner's that counts; a revoked one has nothing to say."""
        owner = claim.nickname.owner
        document = await self._document(owner)
        if document is not None and document.valid_device(claim.device_key):
            place = claim.nickname.position
            known = self._found.get(owner)
            if known is None or place < known.position:
                self._found[owner] = Bearer(self._nickname, place, document)

    async def _document(self, owner: bytes) -> IdentityDocument | None:
        me, identities = self._around.me, self._around.identities
        if me.present and owner == me.fingerprint:
            return me.document
        raw = await self._table.identity_of(owner)
        try:
            document = IdentityDocument.parse(raw) if raw is not None else None
        except WireError:
            document = None
        if document is not None and document.fingerprint == owner:
            identities.accept(document)
        return identities.get(owner)

    def report(self) -> None:
        found = sorted(self._found.values(), key=lambda bearer: (bearer.position, bearer.document.fingerprint))
        self.done.callback(found)

    def give_up(self, reason: Any) -> None:
        if not self.done.called:
            silence = BitDustError("no-answer", f"the DHT did not say in time who is called {self._nickname}")
            self.done.errback(reason if isinstance(reason, (Failure, Exception)) else silence)
