"""Bringing my document to its ID servers, and joining it with what another device of mine published meanwhile."""

from twisted.internet.defer import Deferred

from bitdust.identity.client import IdentityClient, Outcome
from bitdust.identity.devices import union
from bitdust.identity.document import IdentityDocument, compare
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
            joined = [self._join(document) for document in newer]
            if not any(joined):
                break
        return outcomes

    def _join(self, other: IdentityDocument) -> bool:
        """Take over another device's changes; True when there is something new to publish.

        A newer document that has all of my devices is taken as it is: two devices that both wrote a next revision over
        the other's would go on with that for ever.
        """
        mine = self._me.document
        order = compare(other, mine)
        if other.fingerprint != mine.fingerprint or order == "refresh":
            return False
        devices = union(mine.devices, other.devices, self._me.device.public)
        if devices == mine.devices and order == "stale":  # joined a moment ago: several servers had the same document
            return False
        if devices == other.devices and order == "newer":
            self._me.replace_document(other)
            return False
        self._me.replace_document(self._me.revise(devices=devices, revision=max(mine.revision, other.revision) + 1))
        return True
