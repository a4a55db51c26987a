"""Reading from members under a certificate."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import deferLater

from bitdust.crypt.device import check_record
from bitdust.customers.healing.councils import Councils
from bitdust.customers.log_source import MOST_BYTES
from bitdust.customers.logs import ReceivedEntry
from bitdust.formats.log_entry import MAX_ENTRY, MAX_HEADS
from bitdust.formats.orders import MAX_RING
from bitdust.outcome import outcome, outcomes
from bitdust.scopes.plan import READS_OF_A_STRANGER
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, decode
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import SpareClaim
from bitdust.wire.packet import MAX_PAYLOAD, Command
from bitdust.wire.records import MAX_SUPPLIERS, Head, PackRecord
from bitdust.wire.schema import Bytes, Int, ListOf
from bitdust.wire.signed import Signed

SILENCE = 30.0
BUSY_SECONDS = 1.0
MOST_BUSY = 120
ENTRIES = 1024 * 1024
MAX_PAGE = 1024 * 1024
MAX_RINGS = 3 * (MAX_RING + 4096)
MOST_BARREN = 50
"""Pages in a row that say nothing of any pack which can be made: behind so many they are taken for made up."""
Holders = dict[int, list[bytes]]
"""By the number of a piece, who says that it has it: first who has that place."""


@frozen
class SignedPack:
    """A pack record that the owner signed, or a guest of a share (``is_guests``), with the bytes in which it did."""

    record: PackRecord
    data: bytes
    is_guests: bool = False


@frozen
class SignedHead:
    """A head that the owner signed, or a guest of a share (``is_guests``), with the bytes in which it did."""

    head: Head
    data: bytes
    counts: bool
    """Whether the device that signed it is not revoked."""
    is_guests: bool = False


class MemberReader:
    """I ask the members of one family for what the spare of one place may read. Raises ``not-allowed`` for no spare."""

    def __init__(self, around: Connected, councils: Councils, customer: bytes) -> None:
        bench, place = councils.need_bench(customer), councils.place_of_spare(customer)
        owner = around.identities.get(customer)
        if place is None or owner is None:
            raise BitDustError("not-allowed", "this node stands in for nobody in this family")
        self._outbox = around.outbox
        self._clock = around.world.clock
        self._owner = owner
        self._claim = SpareClaim(customer, place).to_bytes()
        self.counts = councils.counting(customer)
        self.customer = customer
        self.family = bench.family
        self.place = place
        self._seats = bench.seats()
        self._barren = 0
        # A refusal for too many at once costs a second, and a piece comes in a tenth of one.
        self._turns: defaultdict[bytes, DeferredSemaphore] = defaultdict(lambda: DeferredSemaphore(READS_OF_A_STRANGER))
        self.members = [who for who, seat in self._seats.items() if seat != place]

    def signed_by_owner(self, signed: Signed, *, revoked: bool = True) -> bool:
        """Whether a device of the owner signed this; a revoked one counts for what it signed before it went."""
        device = self._owner.device(signed.device)
        if device is None or (device.revoked is not None and not revoked):
            return False
        try:
            check_record(signed, device.key)
        except WireError:
            return False
        return True

    async def of_all(self, ask: "Callable[[bytes], Awaitable[Any]]") -> dict[bytes, Any]:
        """What each member answers, of those that do."""
        members = list(self.members)
        ended = await outcomes(Deferred.fromCoroutine(ask(who)) for who in members)  # type: ignore[arg-type]
        return {who: one.value for who, one in zip(members, ended, strict=True) if one.error is None}

    async def _ask(self, member: bytes, command: Command, fields: dict[str, Any], most: int) -> Any:
        """One answer of one member, which is asked again while it is busy."""
        for _ in range(MOST_BUSY):
            sending = self._outbox.send(
                member, command, fields, deadline=SILENCE, max_answer=most, owner=self.customer, capability=self._claim
            )
            asked = await outcome(sending)
            if asked.error is None:
                return asked.value
            if asked.code != "busy":
                raise asked.error
            await deferLater(self._clock, BUSY_SECONDS)
        raise BitDustError("busy", "a member was busy for two minutes")

    async def _in_turn(self, member: bytes, ask: "Callable[[], Coroutine[Any, Any, Any]]") -> Any:
        """Not more of one member at once than it gives."""
        return await self._turns[member].run(lambda: Deferred.fromCoroutine(ask()))

    async def page(self, after: bytes, most: int) -> tuple[dict[bytes, Holders], bytes, bool]:
        """Packs behind ``after`` with who has which piece, up to where all members have listed; whether more follow.

        Raises `BitDustError` where fewer than k members answer.
        """
        pages = await self.of_all(lambda who: self._list(who, after, most))
        if len(pages) < self.family.k:
            raise BitDustError("no-answer", f"{len(pages)} members list what they have, {self.family.k} are needed")
        ends = [rows[-1][0] for rows, more in pages.values() if more]
        end = min(ends) if ends else b"\xff" * 16
        packs: dict[bytes, Holders] = {}
        for who, (rows, _) in pages.items():
            for pack, number, _ in rows:
                if pack <= end and number != self.place:
                    named = packs.setdefault(pack, {}).setdefault(number, [])
                    named.insert(0 if self._seats[who] == number else len(named), who)
        found = {pack: holders for pack, holders in packs.items() if _members(holders) >= self.family.k}
        self._barren = 0 if found else self._barren + 1
        self._leave_out_inventors(packs, most)
        return found, end, bool(ends)

    def _leave_out_inventors(self, packs: dict[bytes, Holders], most: int) -> None:
        """Ask a member no more that fills a page with packs which nobody else has: its list might have no end.

        The same for several who do it together, where they go on with it.
        """
        few = self.family.k if self._barren > MOST_BARREN else 2
        made_up = [holders for holders in packs.values() if _members(holders) < few]
        alone = Counter(who for holders in made_up for named in holders.values() for who in named)
        self.members = [who for who in self.members if alone[who] <= most // 2]

    async def _list(self, member: bytes, after: bytes, most: int) -> tuple[list[list[Any]], bool]:
        reply = await self._ask(member, Command.LIST_FILES, {"after": after, "most": most}, MAX_PAGE)
        rows = decode(bytes(reply.payload), MAX_PAGE)
        if type(rows) is not list or len(rows) > most + 64:
            raise WireError("malformed", "a list of pieces is no list")
        last: list[Any] = [after, MAX_SUPPLIERS]
        for row in rows:
            if type(row) is not list or [type(part) for part in row] != [bytes, int, int] or row[:2] <= last:
                raise WireError("malformed", "a row of a list of pieces is pack, number, size, in order of packs")
            Bytes(16).check(row[0], "pack")
            Int(0, MAX_SUPPLIERS - 1).check(row[1], "number")
            last = row[:2]
        more = bool(reply.fields.get("more"))
        if more and len(rows) < most:
            raise WireError("malformed", "a page that more follows is not full")
        return rows, more

    async def piece(self, member: bytes, pack: bytes, number: int) -> tuple[SignedPack, bytes]:
        """A piece with the record that the owner signed; not compared with it yet. Raises `BitDustError`.

        Under the tag of a share others sign too, who are not known here: what they signed is as good as the members
        that give it.
        """
        fields = {"kind": "piece", "pack": pack, "index": number, "offset": 0, "length": 0}
        reply = await self._in_turn(member, lambda: self._ask(member, Command.RETRIEVE, fields, MAX_PAYLOAD))
        data = reply.fields.get("record")
        signed = Signed.from_bytes(data if isinstance(data, bytes) else b"", PackRecord.KIND)
        record = PackRecord.from_body(signed.body)
        is_owners, is_it = self.signed_by_owner(signed), (record.owner, record.pack) == (self.customer, pack)
        if not is_it or not (is_owners or self._may_be_guests(signed, record)):
            raise WireError("bad-signature", "the owner has not signed this pack")
        return SignedPack(record, data, not is_owners), bytes(reply.payload)

    def _may_be_guests(self, signed: Signed, record: PackRecord) -> bool:
        return record.scope is not None and self._owner.device(signed.device) is None

    async def heads(self, member: bytes) -> list[SignedHead]:
        """The heads of the owner's logs that a member has, and those of guests, who are not known here."""
        reply = await self._ask(member, Command.RETRIEVE, {"kind": "heads"}, MAX_HEADS + 1024)
        value = decode(bytes(reply.payload), MAX_HEADS + 1024)
        ListOf(Bytes(1, 4096), 100_000).check(value, "heads")
        read = [(Signed.from_bytes(data, Head.KIND), data) for data in value]
        found = [(one, Head.from_body(one.body), data, self.signed_by_owner(one)) for one, data in read]
        return [
            SignedHead(head, data, self.counts(one.device), not is_owners)
            for one, head, data, is_owners in found
            if is_owners or self._may_be_guests_head(one, head)
        ]

    def _may_be_guests_head(self, signed: Signed, head: Head) -> bool:
        is_own = head.scope is not None and head.device == signed.device and head.owner == self.customer
        return is_own and head.first is None and head.covers is None and self._owner.device(signed.device) is None

    async def entries(self, member: bytes, head: Head, first: int) -> list[ReceivedEntry]:
        """Entries of a log from ``first`` on, as many as come in one answer."""
        scope = {"scope": head.scope} if head.scope is not None else {}
        fields = {"kind": "log", "device": head.device, "first": first, "most": ENTRIES, **scope}
        reply = await self._ask(member, Command.RETRIEVE, fields, MOST_BYTES + 1024 * 1024)
        value = decode(bytes(reply.payload), MOST_BYTES + 1024 * 1024)
        ListOf(Bytes(1, MAX_ENTRY), 100_000).check(value, "entries")
        return [ReceivedEntry.parse(data) for data in value]

    async def key_rings(self, member: bytes) -> list[Signed]:
        """The last sealed key rings that a member has."""
        fields = {"kind": "spare-records", "customer": self.customer}
        reply = await self._outbox.send(
            member, Command.RETRIEVE, fields, deadline=SILENCE, max_answer=MAX_RINGS
        )  # fmt: skip
        value = decode(bytes(reply.payload), MAX_RINGS)
        ListOf(Bytes(1, MAX_RING + 2048), 3).check(value, "records")
        signed = [Signed.from_bytes(data, "keyring", MAX_RING + 2048) for data in value]
        return [one for one in signed if self.signed_by_owner(one)]


def _members(holders: Holders) -> int:
    """How many say that they have a piece of a pack."""
    return len({who for named in holders.values() for who in named})
