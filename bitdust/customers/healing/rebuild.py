"""What a spare does: it takes the owner's records from members, and makes the pieces of its place out of theirs.

Nothing that a member says is believed. Log entries must be the chain that a head signed by the owner ends; a piece must
fit the root in the pack record that the owner signed, and so must the piece that is made of k of them. What guests
brought to a share they signed themselves, and who they are is not known here: of such a pack k members must give the
same record. The log is taken from k members at least: any k include one that has the newest of it.
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


@define
class Gathered:
    """Checked pieces of one record. One that a guest signed has to come from k members, who cannot all be wrong."""

    signed: SignedPack | None
    k: int
    pieces: dict[int, bytes] = field(factory=dict)
    members: set[bytes] = field(factory=set)

    @property
    def is_owners(self) -> bool:
        """Whether the owner has signed the record."""
        return self.signed is not None and not self.signed.is_guests

    @property
    def is_whole(self) -> bool:
        """Whether a piece can be made of these."""
        return len(self.pieces) >= self.k and (self.is_owners or len(self.members) >= self.k)

    @property
    def lacking(self) -> int:
        """How many more are to be asked for, one at least."""
        return max(1, self.k - len(self.pieces))

    def add(self, signed: SignedPack, number: int, member: bytes, data: bytes) -> None:
        """One more came; the owner's signature goes before a guest's."""
        if not self.is_owners:
            self.signed = signed
        self.pieces[number] = data
        self.members.add(member)


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
        found: dict[bytes, Gathered] = {}
        best = Gathered(None, reader.family.k)
        while left and not best.is_whole:
            some, left = left[: best.lacking], left[best.lacking :]
            asked = [Deferred.fromCoroutine(reader.piece(who, pack, number)) for _, _, number, who in some]
            for (_, _, number, who), ended in zip(some, await outcomes(asked), strict=True):
                signed, data = ended.value if ended.error is None else (None, b"")
                if signed is not None and await self._fits(signed.record, number, data):
                    one = found.setdefault(signed.record.to_body(), Gathered(signed, signed.record.scheme.k))
                    one.add(signed, number, who, data)
            best = max(found.values(), key=lambda one: (one.is_whole, one.is_owners, len(one.pieces)), default=best)
            left = [choice for choice in left if choice[2] not in best.pieces]
        if best.signed is None or not best.is_whole:
            raise BitDustError("not-enough-pieces", f"{len(best.pieces)} of {best.k} pieces were given by members")
        return best.signed, best.pieces

    async def _fits(self, record: PackRecord, number: int, data: bytes) -> bool:
        if number >= len(record.roots):
            return False
        run = self.rebuilds.around.world.run_in_thread
        return bool(await run(lambda: root(data) == record.roots[number]))
