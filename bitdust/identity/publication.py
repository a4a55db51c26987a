"""Bringing my document to its ID servers, and joining it with what another device of mine published meanwhile."""

from twisted.internet.defer import Deferred

from bitdust.identity.client import IdentityClient, Outcome
from bitdust.identity.joining import join
from bitdust.identity.me import Me
from bitdust.wire.names import IDURL

PUSHES = 3


class Publication:
    """I publish the newest revision of my document, up to three times where others wrote at the same time."""

    def __init__(self, me: Me, client: IdentityClient) -> None:
        self._me = me
        self._client = client

    def publish(self) -> "Deferred[dict[IDURL, Outcome]]":
        """Push to every source; what another device of mine published meanwhile is joined and published again."""
        return Deferred.fromCoroutine(self._publish())

    async def _publish(self) -> dict[IDURL, Outcome]:
        outcomes: dict[IDURL, Outcome] = {}
        for _ in range(PUSHES):
            outcomes = await self._client.publish(self._me.document)
            newer = [outcome.document for outcome in outcomes.values() if outcome.document is not None]
            joined = [join(self._me, document) for document in newer]
            if not any(joined):
                break
        return outcomes
