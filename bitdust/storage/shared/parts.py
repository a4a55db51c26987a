"""Parts of a log in which several people write, one for each device: read from whoever holds them, and taken.

Who holds a part may be a member, who knows the secrets and could make up entries. So entries count when all of them
lead to a head that the writing device has signed, and are kept together with that head.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, maybeDeferred
from twisted.logger import Logger

from bitdust.formats.log_entry import Content, Entry, LogName, check_chain, hash_of
from bitdust.outcome import outcome, outcomes
from bitdust.storage.catalog.catalog import Catalog, LogEnd, lamport, log_end
from bitdust.storage.catalog.database import set_meta
from bitdust.storage.log.proof import Waits
from bitdust.storage.log.seen import SeenHead, common
from bitdust.storage.log.taking import check_order, check_start, insert_entries
from bitdust.storage.shared.member_access import MemberAccess
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed

HEAD = "head:"
"""The signed head of the part of a device, whose id in hex follows."""
MOST_PART = 32 * 1024 * 1024
"""Bytes of one part, from where its head says that it begins: a device shortens its own before."""
MOST_OF_PERSON = 8 * MOST_PART
"""Bytes of the parts of all devices of one person, former ones too: whoever takes a new one each day has no more."""
AT_ONCE = 4
"""Parts that are read side by side: where many write at once, each takes a way there and back."""
MOST_TOGETHER = 64
"""Entries that one part may be behind so that it is asked for together with others."""
MOST_PARTS = 256
"""Parts that are asked for together."""
BESIDE = 320
"""Bytes of memory that an entry takes besides its own."""
MOST_BEGUN = 3 * MOST_PART
"""Bytes of memory for parts of one holder that were read in part, which are remembered for later readings: enough for
one of the shortest entries."""
MOST_BEGUN_BY_ALL = 2 * MOST_BEGUN
BEGUN_FOR = 86_400.0
"""Seconds for which it is remembered: who has given it may be gone, or its writer."""
Fetch = Callable[[bytes, LogName, int], "Deferred[list[bytes]]"]
Together = Callable[[bytes, Sequence[tuple[LogName, int]]], "Deferred[list[list[bytes]]]"]


@frozen
class Start:
    """Where the reading of a part begins: what is here of it, and the first entry to ask for."""

    seen: SeenHead
    end: LogEnd
    log: LogName
    first: int

    @property
    def after(self) -> tuple[int, bytes] | None:
        """What the first entry has to follow; None where it is the first one that anybody keeps."""
        return (self.end.sequence, self.end.hash) if self.first == self.end.sequence + 1 else None


@frozen
class Begun:
    """Entries of a part that follow each other, and their bytes."""

    entries: list[Entry] = field(factory=list)
    size: int = 0
    left: float = 0.0
    """When it was left off, in seconds of the reactor's clock."""

    @property
    def weight(self) -> int:
        """Bytes of memory."""
        return self.size + BESIDE * len(self.entries)


@frozen
class SignedHead:
    """A head as its device has signed it."""

    head: Head
    signed: bytes


class Parts:
    """I keep what other devices wrote, each part with the head up to which it is here."""

    log = Logger()

    def __init__(self, catalog: Catalog, access: MemberAccess, key: str, waits: Waits | None = None) -> None:
        self._catalog = catalog
        self._access = access
        self._key = key
        self._heads: dict[bytes, SignedHead] = {}
        self._known: dict[bytes, bytes] = {}
        """The bytes of each head that is kept, and whose it is."""
        self._sizes: dict[bytes, tuple[int, int]] = {}
        """By device where its part begins, and its bytes from there on."""
        self._begun: dict[tuple[bytes | None, bytes], Begun] = {}
        """By holder and device what was fetched where the last reading of that part was cut off; the newest is last."""
        self._cut: set[bytes] = set()
        """Devices of whose parts somebody may give more another time."""
        self._waits = waits or Waits()

    def load(self) -> None:
        """Read the heads that are kept, when the catalog is open."""
        rows = self._catalog.read.execute("SELECT value FROM meta WHERE name>=? AND name<?", (HEAD, HEAD[:-1] + ";"))
        for (signed,) in rows:
            self._note(bytes(signed))

    def _note(self, signed: bytes) -> None:
        head = Head.from_body(Signed.from_bytes(signed, Head.KIND).body)
        self._keep_head(SignedHead(head, signed))

    def _keep_head(self, new: SignedHead) -> None:
        former = self._heads.get(new.head.device)
        if former is not None:
            self._known.pop(former.signed, None)
        self._heads[new.head.device], self._known[new.signed] = new, new.head.device

    def known(self, signed: bytes) -> Head | None:
        """A head that is kept here, byte for byte."""
        device = self._known.get(signed)
        return self._heads[device].head if device is not None else None

    def head(self, device: bytes) -> SignedHead | None:
        """The head of a device's part, which is here up to it."""
        return self._heads.get(device)

    def heads(self) -> list[SignedHead]:
        """Those of all devices but this one."""
        return list(self._heads.values())

    async def read(self, heads: Iterable[SeenHead], fetch: Fetch, together: Together | None = None) -> None:
        """Take over what others hold: of each device what most list first, then the highest head, then the rest.

        With ``together`` parts of which little is new are asked for at once, before all that this did not bring.
        """
        self._cut = set()
        self._begun = {place: begun for place, begun in self._begun.items() if self._is_wanted(place[1], begun)}
        by_device: dict[bytes, list[SeenHead]] = {}
        for one in heads:
            if one.proven:
                by_device.setdefault(one.head.device, []).append(one)
        if together is not None:
            await self._read_together(by_device.values(), together)
        places = DeferredSemaphore(AT_ONCE)
        reading = [places.run(self._begin, by_device[device], fetch) for device in sorted(by_device)]
        for ended in await outcomes(reading):
            if ended.error is not None:
                raise ended.error

    async def _read_together(self, heads: Iterable[Sequence[SeenHead]], together: Together) -> None:
        by_holder: dict[bytes, list[Start]] = {}
        for seen in (min(some, key=_turns(some)) for some in heads):
            start = self._start(seen)
            if 0 <= seen.head.sequence - start.first < MOST_TOGETHER:
                by_holder.setdefault(seen.holder or b"", []).append(start)
        reading = [self._read_from_one(holder, some, together) for holder, some in by_holder.items() if len(some) > 1]
        await outcomes(Deferred.fromCoroutine(one) for one in reading)

    async def _read_from_one(self, holder: bytes, some: Sequence[Start], together: Together) -> None:
        """What is wrong or incomplete is left to whoever asks for that part alone."""
        some = some[:MOST_PARTS]
        got = await outcome(together(holder, [(start.log, start.first) for start in some]))
        if got.error is None:
            keeping = [self._keep_whole(start, data) for start, data in zip(some, got.value, strict=True)]
            await outcomes(one for one in keeping if one is not None)

    def _keep_whole(self, start: Start, data: Sequence[bytes]) -> "Deferred[None] | None":
        last = start.seen.head.sequence
        try:
            self._need_room(start.seen.head.device, self._size(start.seen.head)[1] + sum(map(len, data)))
            entries = [one for one in check_chain(list(data), start.log, start.after) if one.sequence <= last]
            is_whole = entries and entries[0].sequence == start.first and entries[-1].sequence == last
            return self._keep(start.seen, start.end, entries) if is_whole else None
        except BitDustError as error:
            self.log.warn("a part of a log is not taken: {why}", why=error)
            return None

    def _start(self, seen: SeenHead) -> Start:
        head, end = seen.head, self._catalog.end(self._key, seen.head.device)
        log = LogName(self._access.owner, head.scope, head.device)
        return Start(seen, end, log, max(end.sequence + 1, head.first or 1))

    def _begin(self, heads: Sequence[SeenHead], fetch: Fetch) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._read_one(heads, fetch))

    async def _read_one(self, heads: Sequence[SeenHead], fetch: Fetch) -> None:
        shared, waits = common(heads), False
        for seen in sorted(heads, key=_turns(heads)):
            device, is_shared = seen.head.device, seen.place in shared
            if waits and not is_shared and self._is_waited_for(self._start(seen)):
                break  # what contradicts that which most list may be all that is given now
            if self._catalog.end(self._key, device).sequence >= seen.head.sequence:
                continue
            was_read = await self._read_from(seen, fetch)
            waits = is_shared and not was_read and device in self._cut
            if was_read and not is_shared:
                break

    def _is_waited_for(self, start: Start) -> bool:
        begun = ((holder, found) for (holder, device), found in self._begun.items() if device == start.log.device)
        reached = {holder: found.entries[-1].sequence for holder, found in begun}
        return self._waits.once_more(start.log, start.end.sequence, reached)

    async def _read_from(self, seen: SeenHead, fetch: Fetch) -> bool:
        start, head = self._start(seen), seen.head
        log, first, after, begun = start.log, start.first, start.after, self._left_off(start)
        found, here = begun.entries, self._size(head)[1]
        if found:
            first, after = found[-1].sequence + 1, (found[-1].sequence, hash_of(found[-1].to_bytes()))
        while first <= head.sequence:
            try:
                got = await outcome(fetch(seen.holder or b"", log, first))
            except CancelledError:  # a reading has a limit, and the next one goes on
                self._leave_off(seen, begun)
                raise
            if got.error is not None:
                self._cut.add(head.device)
                self._leave_off(seen, begun)
            try:
                entries = check_chain(got.value or [], log, after)
                if not entries or entries[0].sequence != first:
                    raise WireError("broken-chain", f"entry {first} of a part was not given")
                begun = Begun(found, begun.size + sum(map(len, got.value)))
                self._need_room(head.device, here + begun.size)
            except BitDustError as error:
                self.log.warn("a part of a log is not taken: {why}", why=got.error or error)
                return False
            found += entries
            first, after = entries[-1].sequence + 1, (entries[-1].sequence, hash_of(got.value[-1]))
        entries = [one for one in found if one.sequence <= head.sequence]
        kept = await outcome(maybeDeferred(self._keep, seen, start.end, entries))
        if kept.error is not None:
            self.log.warn("a part of a log is not kept: {why}", why=kept.error)
        return kept.error is None

    def _left_off(self, start: Start) -> Begun:
        """What a reading that was cut off has fetched: it counts as what is fetched now, where it leads to the head."""
        begun = self._begun.pop((start.seen.holder, start.log.device), Begun())
        follows = bool(begun.entries) and begun.entries[0].sequence == start.first
        is_next = follows and start.after in (None, (start.first - 1, begun.entries[0].previous))
        return begun if is_next else Begun()

    def _is_wanted(self, device: bytes, begun: Begun) -> bool:
        is_here = self._catalog.end(self._key, device).sequence >= begun.entries[-1].sequence
        return not is_here and self._waits.now() - begun.left < BEGUN_FOR

    def _leave_off(self, seen: SeenHead, begun: Begun) -> None:
        """What one holder gives takes the room of no other one's: it may never lead to anything. Of its own parts that
        one stays of which most is here, as it comes to its end first."""
        if begun.entries:
            self._begun[seen.holder, seen.head.device] = evolve(begun, left=self._waits.now())
        of_holder = [place for place in self._begun if place[0] == seen.holder]
        self._forget(sorted(of_holder, key=lambda place: self._begun[place].weight), MOST_BEGUN)
        self._forget(list(self._begun), MOST_BEGUN_BY_ALL)

    def _forget(self, places: list[tuple[bytes | None, bytes]], most: int) -> None:
        left = sum(self._begun[place].weight for place in places)
        while left > most:
            left -= self._begun.pop(places.pop(0)).weight

    async def take(self, seen: SeenHead, data: Sequence[bytes]) -> int:
        """Keep what somebody brings, up to the head that comes with it; the last entry that is held.

        Raises ``conflict`` with ``sequence`` and ``hash`` of what is held, ``no-space``, ``not-allowed``,
        `WireError`, disk errors.
        """
        head, end = seen.head, self._catalog.end(self._key, seen.head.device)
        if not seen.proven:
            raise BitDustError("not-allowed", "the device that signed this counts no more")
        if head.sequence <= end.sequence:
            if head.sequence == end.sequence and head.hash != end.hash:
                raise _conflict(end)
            return end.sequence
        log = LogName(self._access.owner, head.scope, head.device)
        entries = [one for one in check_chain(list(data), log, None) if one.sequence > end.sequence]
        if not entries or not _follows(entries[0], end, head):
            raise _conflict(end)
        self._need_room(head.device, self._size(head)[1] + sum(map(len, data)))
        await self._keep(seen, end, entries)
        return head.sequence

    def _need_room(self, device: bytes, size: int) -> None:
        """Raises ``no-space`` for a part that is so large, or with which all that name its device have too much."""
        if size > MOST_PART:
            text = f"a part of a log has at most {MOST_PART} bytes; its device has to shorten it"
            raise BitDustError("no-space", text)
        if len(self._heads) < MOST_OF_PERSON // MOST_PART:
            return
        beside = self._access.beside(device, self._heads)
        if beside and all(size + sum(map(self._size_of, some)) > MOST_OF_PERSON for some in beside):
            raise BitDustError("no-space", f"the parts of one person have at most {MOST_OF_PERSON} bytes together")

    def _size_of(self, device: bytes) -> int:
        if device not in self._sizes:
            self._sizes[device] = self._size(self._heads[device].head)
        return self._sizes[device][1]

    def _size(self, head: Head) -> tuple[int, int]:
        """Counted anew only where the part begins elsewhere than before."""
        begin, known = head.first or 1, self._sizes.get(head.device)
        if known is not None and known[0] == begin:
            return known
        return begin, self._catalog.bytes_of(self._key, head.device, begin)

    def _keep(self, seen: SeenHead, end: LogEnd, entries: Sequence[Entry]) -> "Deferred[None]":
        """Open and keep entries with their head, in one commit; nothing of them where anything is wrong."""
        head = seen.head
        if not entries or entries[-1].sequence != head.sequence or hash_of(entries[-1].to_bytes()) != head.hash:
            raise WireError("broken-chain", "these entries do not lead to what their device has signed")
        secrets = {name: self._access.secrets(self._key, name) for name in {one.epoch for one in entries}}
        begin, size = self._size(head)

        def keep(database: sqlite3.Connection) -> None:
            if log_end(database, self._key, head.device) != end:
                raise BitDustError("busy", "more of this part has come meanwhile; ask again")
            opened = [(one, one.open(secrets[one.epoch])) for one in entries]
            if not end.sequence or entries[0].sequence != end.sequence + 1:
                check_start(opened[0])
            check_order(opened, lamport(database, self._key))
            clean = [(one, _messages_alone(content)) for one, content in opened]
            insert_entries(database, self._key, clean, 0, None)
            set_meta(database, HEAD + head.device.hex(), seen.signed)

        def kept(result: Any) -> None:
            self._sizes[head.device] = (begin, size + sum(len(one.to_bytes()) for one in entries))
            self._keep_head(SignedHead(head, seen.signed))

        return self._catalog.change(keep, [(self._key, head.device)]).addCallback(kept)


def _turns(heads: Sequence[SeenHead]) -> Callable[[SeenHead], tuple[bool, int]]:
    """In which order heads of one device are tried: what most list goes before higher ones, which a thief may sign."""
    shared = common(heads)
    return lambda seen: (seen.place not in shared, -seen.head.sequence)


def _messages_alone(content: Content) -> Content:
    """Where several people write nobody says anything but messages: a snapshot would stand for the parts of others."""
    return evolve(content, ops=[op for op in content.ops if op["op"] == "message"])


def _follows(entry: Entry, end: LogEnd, head: Head) -> bool:
    if entry.sequence == end.sequence + 1:
        return entry.previous == end.hash
    return entry.sequence == head.first


def _conflict(end: LogEnd) -> BitDustError:
    text = "the entries do not follow the last one that is held"
    return BitDustError("conflict", text, sequence=end.sequence, hash=end.hash)


def listed_head(signed: bytes) -> Head | None:
    """What is listed; None for what is no head."""
    with suppress(WireError):
        return Head.from_body(Signed.from_bytes(signed, Head.KIND, 4096).body)
    return None
