"""A log of one key in which several people write: each device its own part, all of it at the owner's suppliers.

A device signs the head of its own part and of no other one's, and each entry names the hash of the one before: nobody
can write for somebody else, leave something out, or change the order. It is a catalog by itself, in a file of its own.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.formats.log_entry import Entry
from bitdust.formats.operations import Op
from bitdust.outcome import Outcome, outcome, outcomes
from bitdust.replication import Replicas, keepers
from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog, begin_of
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log.proof import LONGEST_WAIT, Waits
from bitdust.storage.log.requests import LogRequests
from bitdust.storage.log.riders import Riders
from bitdust.storage.log.seen import SeenHead, read_head
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import PartHolders
from bitdust.storage.shared.lacks import Lacks
from bitdust.storage.shared.member_access import MemberAccess
from bitdust.storage.shared.member_part import MemberPart
from bitdust.storage.shared.member_renewal import MemberRenewal
from bitdust.storage.shared.parts import Parts, listed_head
from bitdust.storage.shared.shortening import READ, Shortening, forget, handed_on
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed
from bitdust.wire.table import Peer

DROPPED = "dropped:"
"""How many entries of a device's part were dropped unread; its id in hex follows."""
NOT_ALLOWED = "not-allowed"
AT_ONCE = 200
"""Entries that are opened in one go."""
MOST_NAMELESS = 200
MOST_GIVEN = 512
"""Entries of one answer."""


@frozen
class Said:
    """One operation of the log: which device said it, in which entry."""

    device: bytes
    sequence: int
    op: Op


@frozen
class Gap:
    """Entries ``first`` to ``last`` of a device's part that were dropped before they were read here."""

    device: bytes
    first: int
    last: int


class MemberLog:
    """I write, bring what was written to suppliers, and read what others wrote. ``grown`` reports both."""

    log = Logger()

    def __init__(self, around: Connected, path: Path, access: MemberAccess, holders: PartHolders) -> None:
        self._access = access
        self._holders = holders
        self.catalog = Catalog(around.world, path)
        self._writer = LogWriter(around.world, self.catalog, access)
        self._key = access.readable_keys()[0]
        self.parts = Parts(self.catalog, access, self._key, Waits(around.world.clock.seconds))
        self._part = MemberPart(
            around, self._key, self._writer, holders, Riders(around.world.clock), lambda supplier: True
        )
        self._lacks = Lacks(around.world.clock)
        self._part.parts, self._part.brings_all, self._part.lacks = self.parts, holders.brings_all, self._lacks
        self._replicas = Replicas(around.registry, f"group {self._key}", self._part, holders.is_online)
        self._renewal = MemberRenewal(around.me, self._writer, holders, lambda: around.me.device_number)
        self._part.forked.connect(lambda device: around.me.copies.note(device, around.world.wall()))
        self._me = around.me
        self._seconds = around.world.clock.seconds
        self._mine_listed: int | None = None
        """Up to which entry anybody who keeps this device's part has listed it; None before half of them were heard, or
        one that lists it. Who is heard later may be behind."""
        self._behind_since: float | None = None
        self._wall = around.world.wall
        self._short = Shortening(self.catalog, access, self._key, lambda: around.me.device.id, self._held)
        self._is_shortening = False
        self._gaps: dict[bytes, tuple[int, int]] = {}
        self._read: dict[bytes, int] = {}
        """Up to which entry the part of a device was handed on, as far as that was looked up."""
        self._ends_read: frozenset[bytes] = frozenset()
        """Revoked devices since whose end half of those who keep it, rounded up, were heard in one go."""
        self.nameless: set[bytes] = set()
        """Devices that have parts at those who were asked last, and that no document of a member names."""
        self.grown: Signal[[bytes]] = Signal()
        """There is more, which this device has brought: the one that wrote it, or this one where it was fetched."""
        self.acknowledged: Signal[[]] = Signal()
        """A supplier holds more of what this device wrote."""
        self.shut_out: Signal[[]] = Signal()
        """One of those who keep it does not let this device write any more."""
        self._writer.written.connect(self._written)
        self.acknowledged.connect(self._shorten)
        self._replicas.acknowledged.connect(lambda supplier: self.acknowledged.emit())
        self._replicas.refused.connect(self._refused)

    def makes_secrets(self, make_secret: Callable[[str], object]) -> None:
        """Whom to ask where the key has no secret for anything new, as that of a `LogWriter`."""
        self._writer.make_secret = make_secret

    async def open(self) -> None:
        """Open the file. Raises ``damaged-catalog``, ``disk-full``."""
        await self.catalog.open()
        self._part.holdings.load()
        self.parts.load()
        await self._renewal.begin()

    async def close(self) -> None:
        """Stop everything; the file stays."""
        self._replicas.stop()
        await self.catalog.close()

    def _refused(self, code: str) -> None:
        if code == NOT_ALLOWED:
            self.shut_out.emit()

    def place(self) -> None:
        """Suppliers came, went or changed: bring them what they lack."""
        self._replicas.place_at(self._others())

    def _others(self) -> list[bytes]:
        """Those who keep it besides this node; another device of this person may be one of them."""
        return [
            who
            for who in keepers(self._holders.family())
            if who != self._me.fingerprint or self._holders.is_online(who)
        ]

    def write(self, op: Op) -> "Deferred[int]":
        """Say something; fires when it is on the disk here, and goes on its way. Raises ``busy``, disk errors."""
        self._short.need_room()
        return self._writer.write([op])

    def _written(self) -> None:
        self._replicas.update()
        self.grown.emit(self._me.device.id)
        self._shorten()

    def _shorten(self) -> None:
        if not self._is_shortening and self.catalog.is_open and self._short.is_due():
            self._is_shortening = True
            outcome(self.catalog.change(self._short.shorten(self._wall()))).addCallback(self._shortened)

    def _shortened(self, ended: Outcome) -> None:
        self._is_shortening = False
        if ended.error is not None:
            self.log.warn("the part of this device was not made shorter: {why}", why=ended.error)
        elif ended.value:
            self._replicas.update()

    def _held(self) -> int:
        """The last entry of this device that somebody else keeps; all of it where this node is a keeper itself."""
        mine = self._me.device.id
        if self._holders.is_keeper():
            return self.end()
        return max((self._part.holdings.safely(who, mine) for who in self._others()), default=0)

    def end(self) -> int:
        """The last entry of this device."""
        return self.catalog.end(self._key, self._me.device.id).sequence

    def holders_of(self, sequence: int) -> int:
        """How many suppliers hold the part of this device up to an entry."""
        mine = self._me.device.id
        return sum(self._part.holdings.safely(who, mine) >= sequence for who in self._others())

    def entries(self) -> int:
        """How many entries are known here, those included that nobody keeps any more."""
        return sum(self.catalog.end(self._key, device).sequence for device in self.catalog.devices(self._key))

    def dropped(self) -> int:
        """How many entries were dropped by who keeps them before this node had read them."""
        rows = self.catalog.read.execute(
            "SELECT value FROM meta WHERE name>=? AND name<?", (DROPPED, DROPPED[:-1] + ";")
        )
        return sum(int(value) for (value,) in rows)

    async def pull(self, suppliers: Iterable[bytes], least: int = 1) -> None:
        """Take over what these suppliers hold. Fails as the first of them did where fewer than ``least`` answered;
        with ``not-allowed`` where nobody did, and the owner or most of those who keep it let this person in no more."""
        requests, asked = LogRequests(self._access, self._holders), list(suppliers)
        self.nameless.clear()
        revoked = self._me.document.open_ends
        answers = await outcomes(Deferred.fromCoroutine(self._heads_of(requests, who)) for who in asked)
        seen = [one for answer in answers if answer.error is None for one in answer.value]
        scopes = self._access.scopes(self._key)
        heads = [one for one in seen if one.head.scope in scopes]
        self._learn(heads)
        if self._renewal.former is not None and 2 * sum(one.error is None for one in answers) >= len(self._others()):
            await self._renew()
        before = self.entries()
        await self.parts.read(heads, requests.entries, requests.parts if self._holders.gives_together() else None)
        self._learn(heads)
        if self.entries() > before:
            self.grown.emit(self._me.device.id)
        self._note_lacks(who for who, answer in zip(asked, answers, strict=True) if answer.error is None)
        self.place()
        failed = [answer.error for answer in answers if answer.error is not None]
        heard = len(answers) - len(failed)
        if is_enough := bool(heard) and 2 * heard >= len(self._others()):
            self._ends_read |= revoked - {one.head.device for one in heads if one.proven and not self._has_read(one)}
        self._note_mine(heads, is_enough)
        refused = [who for who, answer in zip(asked, answers, strict=True) if answer.code == NOT_ALLOWED]
        if len(answers) == len(failed) and self._is_final(refused):
            raise next(error for error in failed if getattr(error, "code", "") == NOT_ALLOWED)
        if len(answers) - len(failed) < least:
            raise self._failure(failed)

    def _learn(self, heads: Iterable[SeenHead]) -> None:
        for one in heads:
            if one.holder is not None:
                self._part.holdings.learn(one.holder, one)

    async def _renew(self) -> None:
        """Before what another program has said under a former key of this device takes the place of that."""
        renewed = await outcome(Deferred.fromCoroutine(self._renewal.run([self._part])))
        self._read.clear()
        self.log.info("what this node said as a former device: {why}", why=renewed.error or "said again")

    def _note_mine(self, heads: Iterable[SeenHead], is_enough: bool) -> None:
        listed = [one.end for one in heads if one.head.device == self._me.device.id and one.proven]
        known = [*listed, self._mine_listed, 0 if is_enough else None]
        self._mine_listed = max((end for end in known if end is not None), default=None)
        if not self._is_mine_behind():
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._seconds()

    def _is_mine_behind(self) -> bool:
        return self._mine_listed is None or self._mine_listed > self.end()

    def lacks_mine(self, has_said: bool) -> bool:
        """Whether those who keep it may have more of this device's part than there is here, where its file was lost:
        what is said now would stand in the place of that, and be heard by nobody. For a day at most: they may never
        give it. ``has_said`` says whether this device has ever said anything, in a file in which there is nothing."""
        if self._mine_listed is None and (self.end() or not has_said):
            return False
        is_over = self._behind_since is not None and self._seconds() - self._behind_since >= LONGEST_WAIT
        return self._is_mine_behind() and not is_over

    def _has_read(self, seen: SeenHead) -> bool:
        return self.end_of(seen.head.device) >= seen.end

    def knows_end_of(self, device: bytes) -> bool:
        """Whether all was read, in this run, that is listed of a device of mine, after it was revoked."""
        return device in self._ends_read

    def is_alone(self) -> bool:
        """Whether nobody else keeps it, so that there is nobody to read it from."""
        return not self._others()

    def _is_final(self, refused: Collection[bytes]) -> bool:
        """Whether these may shut this person out: one who keeps it may know less than the others, or lie."""
        owner, mine = self._access.owner, self._me.fingerprint
        if mine == owner:
            return False
        others = [who for who in keepers(self._holders.family()) if who != mine]
        count = len({*refused} - {mine})
        return owner in refused or count > 0 and 2 * count > len(others)

    def _failure(self, failed: Sequence[BaseException]) -> BaseException:
        """Why nobody could be read."""
        others = [error for error in failed if getattr(error, "code", "") != NOT_ALLOWED]
        if others or not failed:
            return others[0] if others else BitDustError("too-few-suppliers", "too few suppliers can be asked")
        return BitDustError("no-answer", f"the others who keep it are silent, and one says: {failed[0]}")

    def _note_lacks(self, keepers: Iterable[bytes]) -> None:
        """What these lack of the parts of others, of whom nobody else may be left."""
        mine, at = self._me.device.id, self._part.holdings.at
        others = [one.head for one in self.parts.heads() if one.head.device != mine]
        for who in keepers if self._holders.takes_from_all() else ():
            self._lacks.note(who, [head for head in others if at(who, head.device) < head.sequence])

    async def _heads_of(self, requests: LogRequests, keeper: bytes) -> list[SeenHead]:
        """Those that a keeper has and that are not known here: most are, and checking signatures takes time. What it
        does not list of this log, among all that suppliers list to their owner, it has lost."""
        found, listed, holdings = list[SeenHead | None](), dict[bytes, int](), self._part.holdings
        before, access, scopes = holdings.of(keeper), None, self._access.scopes(self._key)
        for data in await requests.signed_heads(keeper):
            known = self.parts.known(data)
            head = known or listed_head(data)
            if head is None or head.scope not in scopes:
                continue
            listed[head.device] = head.sequence
            if known is not None:
                holdings.acknowledge(keeper, known.device, known.sequence, known.sequence)
            elif not self._is_mine(head, keeper):
                access = access or self._access.now()
                found.append(read_head(data, access, keeper))
                if found[-1] is None:
                    self._note_nameless(data, access)
        if holdings.take_back(keeper, before, listed):
            self._part.patience.took_back(keeper)
        return [seen for seen in found if seen is not None]

    def _note_nameless(self, signed: bytes, access: MemberAccess) -> None:
        device = Signed.from_bytes(signed, Head.KIND, 4096).device
        if access.device(device) is None and len(self.nameless) < MOST_NAMELESS:
            self.nameless.add(device)

    def _is_mine(self, head: Head, keeper: bytes) -> bool:
        """Whether it is a head of this device's that leads to an entry which is here; then its keeper has that."""
        if head.device != self._me.device.id or head.hash != self._part.end_at(head.device, head.sequence).hash:
            return False
        if head.sequence >= self._part.holdings.at(keeper, head.device):
            self._part.holdings.acknowledge(keeper, head.device, head.sequence, head.sequence)
        return True

    async def take(self, signed: bytes, entries: Sequence[bytes], bringer: Peer) -> int:
        """Keep what a member brings; the last entry that is held. Raises what `Parts.take` does, ``bad-signature``."""
        seen = read_head(signed, self._access, bringer.fingerprint)
        if seen is None or seen.head.scope not in self._access.scopes(self._key):
            raise BitDustError("bad-signature", "this is not signed by a device of a member")
        before = self.end_of(seen.head.device)
        last = await self.parts.take(seen, entries)
        if last > before:
            self.grown.emit(bringer.device)
        return last

    def end_of(self, device: bytes) -> int:
        """The last entry of a device's part that is here; 0 without one."""
        return self.catalog.end(self._key, device).sequence

    def heads(self) -> list[bytes]:
        """Signed heads of all parts that are here, each up to its head."""
        mine = self._part.signed()
        others = [one.signed for one in self.parts.heads() if one.head.device != self._me.device.id]
        return others if mine is None else [mine, *others]

    def give(self, device: bytes, first: int, most: int) -> list[bytes]:
        """Entries of a device's part, as many as fit ``most`` bytes, and one at least where there is one."""
        return self.catalog.entries(self._key, device, first, first + MOST_GIVEN - 1, most)

    def unread(self) -> list[Said]:
        """What was not handed on yet, each device's in its order, some hundred entries at most; also what is mine."""
        found: list[Said] = []
        for device in self.catalog.devices(self._key):
            after = self._read.get(device) or handed_on(self.catalog.read, device)
            self._read[device] = after
            if self.end_of(device) <= after:
                continue
            first = self.catalog.next_sequence(self._key, device, after)
            if first is None:
                continue
            if first > after + 1:
                self._gaps[device] = (after + 1, first - 1)
            for data in self.catalog.entries(self._key, device, first, first + AT_ONCE - 1):
                entry = Entry.parse(data)
                content = entry.open(self._access.secrets(self._key, entry.epoch))
                found += [Said(device, entry.sequence, op) for op in content.ops] or [Said(device, entry.sequence, {})]
        return found

    async def handed_on(self, said: Sequence[Said]) -> list[Gap]:
        """These need not be handed on again. What was dropped before them is said once."""
        ends = {one.device: one.sequence for one in said}
        gaps = [Gap(device, *self._gaps.pop(device)) for device in ends if device in self._gaps]

        def note(database: sqlite3.Connection) -> None:
            for gap in gaps:
                name = DROPPED + gap.device.hex()
                set_meta(database, name, b"%d" % (int(meta(database, name) or b"0") + gap.last - gap.first + 1))
            for device, sequence in ends.items():
                set_meta(database, READ + device.hex(), b"%d" % sequence)
                begin = self._begin(database, device)
                if begin > 1:
                    forget(database, self._key, device, begin)

        await self.catalog.change(note, [(self._key, device) for device in ends])
        self._read |= ends
        return gaps

    def _begin(self, database: sqlite3.Connection, device: bytes) -> int:
        known = self.parts.head(device)
        if device == self._me.device.id:
            return begin_of(database, self._key, device).first or 1
        return known.head.first or 1 if known is not None else 1
