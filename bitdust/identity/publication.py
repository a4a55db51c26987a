"""Bringing my document to its ID servers, and joining it with what another device of mine published meanwhile."""

from twisted.internet.defer import Deferred

from bitdust.identity.client import IdentityClient, Outcome
from bitdust.identity.document import IdentityDocument
from bitdust.identity.joining import join
from bitdust.identity.me import Me
from bitdust.wire.encoding import WireError
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
            joined = [self._join(outcomes, source, outcome.document) for source, outcome in list(outcomes.items())]
            if not any(joined):
                break
        return outcomes

    def _join(self, outcomes: dict[IDURL, Outcome], source: IDURL, document: IdentityDocument | None) -> bool:
        """Join what a source has; one that has nonsense is named in the outcomes."""
        try:
            return document is not None and join(self._me, document)
        except WireError as error:
            outcomes[source] = Outcome("refused", str(error))
            return False
