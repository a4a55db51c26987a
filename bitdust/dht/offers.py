"""Offers to holders of keys (`bitdust.wire.offers`): written by their owners, found by whoever has the public key.

Two offers of an owner lie side by side, each part of them at a position of its own: what is written takes the place of
the older one, so that whoever reads meanwhile finds the newer one as a whole. Where positions are scarce there is one,
and others find a place.
"""

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.dht.directory import STALE, at_all_positions, is_held
from bitdust.dht.node import DHTNode
from bitdust.identity.me import Me
from bitdust.outcome import outcome, outcomes
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.offers import MOST_PARTS, PART, PlacedOffer, blinded
from bitdust.wire.providers import subject
from bitdust.wire.schema import U63
from bitdust.wire.signed import Signed

LEFT = 2
"""Positions that nobody takes for a second offer: they are for owners who have none there."""
Name = tuple[bytes, bytes, int]
"""Owner, device and time of an offer."""


@frozen
class Offered:
    """What a device of an owner offers, sealed to the holder; nothing where it has withdrawn what there was."""

    owner: bytes
    device: bytes
    time: int
    sealed: bytes


@frozen
class _Placed:
    """A part that lies at a position, and the id of the device that has signed it."""

    position: int
    device: bytes
    part: PlacedOffer

    @property
    def offer(self) -> Name:
        """Which offer it is of."""
        return self.part.owner, self.device, self.part.time


@frozen
class _Part:
    """What lies at the positions of one part, and which of them are free; ``error`` where nobody answers at all."""

    placed: tuple[_Placed, ...]
    free: tuple[int, ...]
    error: BaseException | None = None


class Offers:
    """I write and read them."""

    log = Logger()

    def __init__(self, node: DHTNode, me: Me) -> None:
        self._node = node
        self._me = me

    async def put(self, holder: bytes, sealed: bytes, time: int, seconds: int) -> None:
        """Offer something of mine for so many seconds, nothing to withdraw what was offered; ``time`` is milliseconds.

        Raises ``too-large``, ``not-stored`` where no other node keeps it, ``not-found`` where it is not found again.
        """
        parts = [sealed[at : at + PART] for at in range(0, len(sealed), PART)]
        if len(parts) > MOST_PARTS:
            raise BitDustError("too-large", f"an offer of {len(sealed)} bytes; at most {MOST_PARTS * PART} are kept")
        read = await self._read(holder, len(parts))
        time = max(time, 1 + max(map(self._followed, read[0].placed), default=0))
        if parts:
            await self._put_all(holder, [(time, len(parts), part) for part in parts], read, seconds)
        else:
            await self._withdraw(blinded(holder, 0), time, read[0], seconds)
        if not any(self._is_mine(one.owner, one.device) and one.time >= time for one in await self.find(holder)):
            raise BitDustError("not-found", "it was written into the DHT, and is not found there again")

    async def _put_all(
        self, holder: bytes, parts: Sequence[tuple[int, int, bytes]], read: Sequence[_Part], seconds: int
    ) -> None:
        last = next((one for one in _whole(read) if self._is_mine(one.owner, one.device)), None)
        kept = (last.owner, last.device, last.time) if last is not None else None
        for part in read[: len(parts)]:
            if part.error is not None:
                raise part.error
        puts = await outcomes(
            Deferred.fromCoroutine(
                self._put(blinded(holder, number), content, self._places(read[number], kept, content[0]), seconds)
            )
            for number, content in enumerate(parts)
        )  # at once: until all are there the one before is found
        for put in puts:
            if put.error is not None:
                raise put.error

    async def _withdraw(self, key: bytes, time: int, read: _Part, seconds: int) -> None:
        """Wherever one of mine lies; the newest counts, so one that is written is enough."""
        if read.error is not None:
            raise read.error
        mine = self._places(_Part(read.placed, ()), None, time)
        places = [[position] for position in mine] or [list(read.free)]
        puts = await outcomes(Deferred.fromCoroutine(self._put(key, (time, 0, b""), one, seconds)) for one in places)
        if all(put.error is not None for put in puts):
            raise puts[0].error or BitDustError("not-stored", "")

    def _places(self, read: _Part, kept: Name | None, time: int) -> list[int]:
        """Where a part may go, the best first. The offer that is kept gives way only where there is no room beside."""
        mine = [one for one in read.placed if one.part.owner == self._me.fingerprint and one.part.time < time]
        former = [one.position for one in mine if one.offer != kept]
        last = [one.position for one in mine if one.offer == kept]
        free = read.free if not last or len(read.free) > LEFT else ()
        return [*former, *free, *last]

    async def _put(self, key: bytes, content: tuple[int, int, bytes], places: Sequence[int], seconds: int) -> None:
        for position in places:
            record = PlacedOffer(self._me.fingerprint, key, position, *content)
            signed = self._me.sign(PlacedOffer.KIND, record.to_body())
            putting = self._node.put(PlacedOffer.KIND, record.subject, record.time, signed.to_bytes(), seconds)
            put = await outcome(putting)
            if put.code != STALE and is_held(put):
                return
        raise BitDustError("not-stored", "all places for that offer are taken")

    def _is_mine(self, owner: bytes, device: bytes) -> bool:
        """Whether a device of mine that counts has written something."""
        found = self._me.document.device(device) if owner == self._me.fingerprint else None
        return found is not None and found.revoked is None

    def _followed(self, placed: _Placed) -> int:
        """A time that what I write now has to be later than: a clock that was ahead may have dated one of mine."""
        time = placed.part.time
        return time if self._is_mine(placed.part.owner, placed.device) and time < U63 else 0

    async def find(self, holder: bytes) -> list[Offered]:
        """All that is offered to a holder and is there as a whole, and what was withdrawn: the newest first. Of an
        owner the first counts that a device of his has written which was not revoked since.

        Nothing while the node is off.
        """
        return _whole(await self._read(holder)) if self._node.running else []

    async def _read(self, holder: bytes, least: int = 0) -> list[_Part]:
        """So many parts, and all that offers which are there have."""
        read = await self._parts(holder, range(max(least, 1)))
        most = max((one.part.parts for one in read[0].placed), default=0)
        return read + await self._parts(holder, range(len(read), most))

    async def _parts(self, holder: bytes, numbers: Sequence[int]) -> list[_Part]:
        read = await outcomes(Deferred.fromCoroutine(self._part(blinded(holder, number))) for number in numbers)
        return [one.value if one.error is None else _Part((), (), one.error) for one in read]

    async def _part(self, key: bytes) -> _Part:
        """A position that cannot be asked about is not free."""
        found = await at_all_positions(lambda position: self._at(key, position))
        free = [position for position, one in enumerate(found) if one.error is None and one.value is None]
        error = found[0].error if all(one.error is not None for one in found) else None
        return _Part(tuple(one.value for one in found if one.value is not None), tuple(free), error)

    async def _at(self, key: bytes, position: int) -> _Placed | None:
        record = await self._node.get(PlacedOffer.KIND, subject(key, position), thorough=True)
        if record is None:
            return None
        try:
            signed = Signed.from_bytes(record.value, PlacedOffer.KIND)
            return _Placed(position, signed.device, PlacedOffer.from_body(signed.body))
        except WireError as error:
            self.log.warn("an offer in the DHT cannot be read: {error}", error=error)
            return None


def _whole(read: Sequence[_Part]) -> list[Offered]:
    """Offers of which all parts were read, the newest first; of those that were withdrawn there is none to read."""
    found = []
    for head in sorted(read[0].placed, key=lambda one: -one.part.time):
        parts = [
            next((one.part.sealed for one in part.placed if one.offer == head.offer), None)
            for part in read[: head.part.parts]
        ]
        sealed = [part for part in parts if part is not None]
        if len(sealed) == head.part.parts:
            found.append(Offered(*head.offer, b"".join(sealed)))
    return found
