"""What a spare does: it takes the owner's records from members, and makes the pieces of its place out of theirs.

Nothing that a member says is believed. Log entries must be the chain that a head signed by the owner ends; a piece must
fit the root in the pack record that the owner signed, and so must the piece that is made of k of them. The log is taken
from k members at least: any k include one that has the newest of it.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.merkle import root
from bitdust.customers.healing.councils import Councils
from bitdust.customers.healing.election import Elections
from bitdust.customers.healing.inheritance import Inheritance
from bitdust.customers.healing.reading import Holders, MemberReader, SignedPack
from bitdust.customers.names import PieceName
from bitdust.customers.store import SupplierStore
from bitdust.outcome import outcomes
from bitdust.peers.shown import Names
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord
from bitdust.wiring import Wire

PAGE = 200
AT_A_TIME = 3


class PieceMaker(Protocol):
    """How a piece is made of others."""

    def make(self, record: PackRecord, pieces: Mapping[int, bytes], index: int, /) -> bytes:
        """One piece out of k others that were checked; for a thread. Raises `WireError`."""


class Rebuilds:
    """What all rebuilds share."""

    maker = Wire(PieceMaker)

    def __init__(self, around: Connected, store: SupplierStore, councils: Councils, elections: Elections) -> None:
        self.around = around
        self.store = store
        self.councils = councils
        self.elections = elections


@define(eq=False)
class SpareWork:
    """The port of one `spare_rebuild`. ``made`` counts the pieces of this run."""

    log = Logger()

    rebuilds: Rebuilds
    customer: bytes
    made: int = 0
    _seen: int = field(default=0, init=False)

    def is_certified(self) -> bool:
        return self.rebuilds.councils.place_of_spare(self.customer) is not None

    def has_moved(self) -> bool:
        before, self._seen = self._seen, self.made
        return self.made > before

    def report_whole(self) -> None:
        around, place = self.rebuilds.around, self.rebuilds.councils.place_of_spare(self.customer)
        account = self.rebuilds.store.contract_of(self.customer)
        idurl = Names.of(around.identities, self.customer).idurl
        used = account.used if account is not None else 0
        around.events.send("customer-spare-rebuilt", {"idurl": idurl, "position": place, "bytes": used})

    def _reader(self) -> MemberReader:
        return MemberReader(self.rebuilds.around, self.rebuilds.councils, self.customer)

    def prepare(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._prepare())

    async def _prepare(self) -> None:
        await self.rebuilds.elections.publish(self.customer)
        reader = self._reader()
        await Inheritance(self.rebuilds.store, reader).take()

    def rebuild(self) -> "Deferred[int]":
        return Deferred.fromCoroutine(self._rebuild())

    async def _rebuild(self) -> int:
        """Go through all packs in their order, some at a time; how many could not be made."""
        reader = self._reader()
        cursor, more, failed = b"", True, 0
        while more:
            packs, end, more = await reader.page(cursor, PAGE)
            missing = [pack for pack in sorted(packs) if not self._has(reader, pack)]
            for start in range(0, len(missing), AT_A_TIME):
                some = missing[start : start + AT_A_TIME]
                making = [Deferred.fromCoroutine(self._make(reader, pack, packs[pack])) for pack in some]
                for ended in await outcomes(making):
                    if ended.error is not None:
                        failed += 1
                        self.log.info("a piece for a customer cannot be made now: {error}", error=ended.error)
            cursor = end
        return failed

    def _has(self, reader: MemberReader, pack: bytes) -> bool:
        # The pack before this one in order: a listing begins behind the pack that it names.
        before = (int.from_bytes(pack, "big") - 1).to_bytes(len(pack), "big") if any(pack) else b""
        kept = self.rebuilds.store.listing(self.customer, before, 1).pieces
        return any(row[0] == pack and row[1] == reader.place for row in kept)

    async def _make(self, reader: MemberReader, pack: bytes, holders: Holders) -> None:
        signed, pieces = await self._gather(reader, pack, holders)
        record = signed.record
        if reader.place >= record.scheme.n:
            return
        make = self.rebuilds.maker.make
        data = await self.rebuilds.around.world.run_in_thread(make, record, pieces, reader.place)
        name = PieceName(self.customer, pack, reader.place)
        intake = self.rebuilds.store.receive(name, record, signed.data)
        waiting = intake.write(memoryview(data))
        if waiting is not None:
            await waiting
        await intake.store()
        self.made += 1

    async def _gather(self, reader: MemberReader, pack: bytes, holders: Holders) -> tuple[SignedPack, dict[int, bytes]]:
        """k checked pieces and the pack's record. Raises `BitDustError` ``not-enough-pieces``."""
        # Every pack begins elsewhere in the family, so that all members have the same to do. Anybody may say that it
        # has a piece: whoever comes second for it is asked when the first of none is left.
        left = sorted(
            (rank, (number + pack[-1]) % 251, number, who)
            for number, named in holders.items()
            for rank, who in enumerate(named)
        )
        signed: SignedPack | None = None
        pieces: dict[int, bytes] = {}
        needed = reader.family.k
        while len(pieces) < needed and left:
            some, left = left[: needed - len(pieces)], left[needed - len(pieces) :]
            asked = [Deferred.fromCoroutine(reader.piece(who, pack, number)) for _, _, number, who in some]
            for (_, _, number, _), ended in zip(some, await outcomes(asked), strict=True):
                if ended.error is not None:
                    continue
                found, data = ended.value
                record = (signed or found).record
                if found.record == record and await self._fits(record, number, data):
                    signed = signed or found
                    pieces[number] = data
                    needed = record.scheme.k
            left = [choice for choice in left if choice[2] not in pieces]
        if signed is None or len(pieces) < needed:
            raise BitDustError("not-enough-pieces", f"{len(pieces)} members gave a piece where {needed} are needed")
        return signed, pieces

    async def _fits(self, record: PackRecord, number: int, data: bytes) -> bool:
        if number >= len(record.roots):
            return False
        run = self.rebuilds.around.world.run_in_thread
        return bool(await run(lambda: root(data) == record.roots[number]))
