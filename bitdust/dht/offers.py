"""Offers to holders of keys (`bitdust.wire.offers`): written by their owners, found by whoever has the public key."""

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.dht.directory import is_held
from bitdust.dht.node import DHTNode
from bitdust.identity.me import Me
from bitdust.outcome import outcome, outcomes
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.offers import MOST_PARTS, PART, PlacedOffer, blinded
from bitdust.wire.providers import POSITIONS, subject
from bitdust.wire.signed import Signed


@frozen
class Offered:
    """What an owner offers, sealed to the holder."""

    owner: bytes
    sealed: bytes


class Offers:
    """I write and read them."""

    log = Logger()

    def __init__(self, node: DHTNode, me: Me) -> None:
        self._node = node
        self._me = me

    async def put(self, holder: bytes, sealed: bytes, time: int, seconds: int) -> None:
        """Offer something of mine for so many seconds, nothing to withdraw what was offered; ``time`` is milliseconds.

        Raises ``too-large``, ``not-stored`` where no other node keeps it.
        """
        parts = [sealed[at : at + PART] for at in range(0, len(sealed), PART)]
        if len(parts) > MOST_PARTS:
            raise BitDustError("too-large", f"an offer of {len(sealed)} bytes; at most {MOST_PARTS * PART} are kept")
        puts = await outcomes(
            Deferred.fromCoroutine(self._put(blinded(holder, number), (time, len(parts), part), seconds))
            for number, part in enumerate(parts or [b""])
        )  # at once: until all are there nobody finds an offer
        for put in puts:
            if put.error is not None:
                raise put.error

    async def _put(self, key: bytes, content: tuple[int, int, bytes], seconds: int) -> None:
        for position in range(POSITIONS):
            found = await self._at(key, position)
            if found is not None and found.owner != self._me.fingerprint:
                continue
            record = PlacedOffer(self._me.fingerprint, key, position, *content)
            signed = self._me.sign(PlacedOffer.KIND, record.to_body())
            putting = self._node.put(PlacedOffer.KIND, record.subject, record.time, signed.to_bytes(), seconds)
            if is_held(await outcome(putting)):
                return
        raise BitDustError("not-stored", "all places for that offer are taken")

    async def find(self, holder: bytes) -> list[Offered]:
        """All that is offered to a holder and is there as a whole; nothing while the node is off."""
        if not self._node.running:
            return []
        heads: dict[bytes, PlacedOffer] = {}
        for head in sorted(await self._part(holder, 0), key=lambda one: one.time):
            heads[head.owner] = head  # an owner may have an older one at another position
        return [one for head in heads.values() if (one := await self._whole(holder, head)) is not None]

    async def _whole(self, holder: bytes, head: PlacedOffer) -> Offered | None:
        if not head.parts:
            return None
        sealed = [head.sealed]
        for number in range(1, head.parts):
            others = await self._part(holder, number)
            mine = [one.sealed for one in others if (one.owner, one.time) == (head.owner, head.time)]
            if not mine:
                return None
            sealed.append(mine[0])
        return Offered(head.owner, b"".join(sealed))

    async def _part(self, holder: bytes, number: int) -> list[PlacedOffer]:
        """At any position: whoever was at one before may be gone, and its record with it."""
        key = blinded(holder, number)
        found = await outcomes(Deferred.fromCoroutine(self._at(key, position)) for position in range(POSITIONS))
        return [one.value for one in found if one.value is not None]

    async def _at(self, key: bytes, position: int) -> PlacedOffer | None:
        record = await self._node.get(PlacedOffer.KIND, subject(key, position), thorough=True)
        try:
            return PlacedOffer.from_body(Signed.from_bytes(record.value, PlacedOffer.KIND).body) if record else None
        except WireError as error:
            self.log.warn("an offer in the DHT cannot be read: {error}", error=error)
            return None
