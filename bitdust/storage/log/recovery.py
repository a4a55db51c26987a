"""Bringing log entries back from suppliers: the highest head anywhere counts, and what is missing is said.

A supplier can hold entries back or serve old ones, but neither forge nor change one: every entry is sealed under a
storage secret of its log's key and chained to the one before, and heads carry a device's signature. A secret may have
come into the wrong hands, so entries count up to a head that a device of the owner has signed, and no further.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.device import check_record
from bitdust.crypt.writers import GuestDevice, Marks
from bitdust.formats.log_entry import Content, Entry, LogName, NewerEntry, hash_of
from bitdust.formats.operations import Op
from bitdust.outcome import outcome
from bitdust.storage.catalog.catalog import Catalog, lamport
from bitdust.storage.catalog.database import set_base
from bitdust.storage.catalog.guests import of_guest
from bitdust.storage.log.access import LogAccess
from bitdust.storage.log.held_up import HeldUp
from bitdust.storage.log.missing import Missing
from bitdust.storage.log.taking import Unusable, check_start, following, insert_what_applies, open_one
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed

Fetch = Callable[[bytes, LogName, int], "Deferred[list[bytes]]"]


@frozen
class SeenHead:
    """A head and the suppliers that told it; ``proven`` when a device of the owner signed it, and while it counted.

    ``signer`` is the device that signed it: the log's own, or one that counts in place of one that does no more.
    ``end`` is how much counts of the log to which it leads: all of it where it is proven; of a device that went on to
    write after it was revoked, what was there before.
    """

    head: Head
    holder: bytes | None
    proven: bool
    signed: bytes = b""
    signer: bytes = b""
    end: int = 0


def read_head(data: bytes, access: LogAccess, holder: bytes) -> SeenHead | None:
    """One signed head as a supplier told it; None for one of another owner, or not signed by its device.

    In place of a device that counts no more another one signs, which may have been revoked since: that leads to the
    log, as far as that one counts, and proves nothing.
    """
    try:
        signed = Signed.from_bytes(data, Head.KIND, 4096)
        head = Head.from_body(signed.body)
        device, guest = access.device(signed.device), access.guest(head.scope, head.device)
        if guest is not None and device is None:
            return _of_guest(data, signed, head, guest, access.owner, holder)
        is_own = head.device == signed.device
        if access.is_each_for_itself and (not is_own or device is None):
            return None
        writer = access.device(head.device)
        is_ended = writer is not None and writer.revoked is not None
        if head.owner != access.owner or not (is_own or (device is not None and (device.revoked is None or is_ended))):
            return None
        if device is None:
            return SeenHead(head, holder, False, signer=signed.device)
        check_record(signed, device.key)
    except WireError:
        return None
    end = head.sequence if device.revoked is None else min(head.sequence, device.sequence or 0)
    if not is_own and device.revoked is not None and writer is not None:
        end = min(head.sequence, writer.sequence or 0)
    if guest is not None and guest.end is not None:
        end = min(end, guest.end)
    is_proven = end == head.sequence and (is_own or device.revoked is None)
    return SeenHead(head, holder, is_proven, data, signed.device, end if is_proven or (head.first or 1) <= end else 0)


def _of_guest(
    data: bytes, signed: Signed, head: Head, guest: GuestDevice, owner: bytes, holder: bytes | None
) -> SeenHead | None:
    """The head of a guest's log, which its device signs itself, and which only ever grows."""
    if head.owner != owner or head.device != signed.device or head.first is not None or head.covers is not None:
        return None
    check_record(signed, guest.key)
    end = head.sequence if guest.end is None else min(head.sequence, guest.end)
    return SeenHead(head, holder, end == head.sequence, data, signed.device, end)


@frozen
class Reader:
    """Who reads: the owner's ``device``, at the time ``learnt`` in milliseconds, from which on what entries delete is
    held (0 holds nothing). ``was_here``: it has read all so lately that there may be no gap. ``resting``: by device
    what is held up, and is not to be tried now."""

    device: bytes = b""
    learnt: int = 0
    was_here: bool = False
    resting: Mapping[bytes, HeldUp] = field(factory=dict)


@define
class Merged:
    """What a recovery brought, what nobody gave, and what was given and cannot be taken over."""

    entries: int = 0
    missing: list[Missing] = field(factory=list)
    held_up: dict[bytes, HeldUp] = field(factory=dict)

    @property
    def lacking(self) -> set[bytes]:
        """Devices of whose logs not all was taken over."""
        return {one.device for one in self.missing} | self.held_up.keys()


class LogRecovery:
    """I fetch what the heads of one key's logs promise, check it, and put it into the catalog."""

    log = Logger()

    def __init__(self, catalog: Catalog, access: LogAccess, key: str, fetch: Fetch) -> None:
        self._catalog = catalog
        self._access = access
        self._key = key
        self._fetch = fetch
        self._reader = Reader()
        self._told: dict[bytes, tuple[int, bytes]] = {}
        """By device, for what of its log a snapshot of a doubted device stands."""
        self._newer: dict[bytes, HeldUp] = {}
        """What somebody gave as a newer program's, and may have made up: others may give what can be read."""

    async def recover(self, heads: Sequence[SeenHead], reader: Reader | None = None) -> Merged:
        """Merge all entries up to the highest heads; what no supplier gave is named. What was fetched is kept."""
        merged = Merged()
        self._reader, self._told = reader or Reader(), {}
        await self._read_all(heads, merged)
        while told := {one: self._told.pop(one) for one in merged.lacking if one in self._told}:
            await self._catalog.change(partial(_set_bases, key=self._key, bases=told))
            await self._read_all(heads, merged)
        return merged

    async def _read_all(self, heads: Sequence[SeenHead], merged: Merged) -> None:
        trusted = [seen for seen in heads if not self._is_doubted(seen.head.device)]
        devices = sorted({seen.head.device for seen in heads}, key=lambda device: (_is_told(trusted, device), device))
        before = -1
        while merged.entries > before:  # A snapshot may tell where the log of another device goes on.
            before, merged.missing, merged.held_up = merged.entries, [], {}
            for device in devices:
                await self._device(device, [seen for seen in heads if seen.head.device == device], merged)

    def _is_doubted(self, device: bytes) -> bool:
        """Whether a log was that of a stolen device, perhaps: all is read that is left of what its snapshot stands for.

        Suppliers forget that after some days. Only where nothing is left of it the snapshot counts.
        """
        known = self._access.device(device)
        return known is not None and known.revoked is not None and not known.was_let_go

    async def _device(self, device: bytes, heads: list[SeenHead], merged: Merged) -> None:
        """The log of a device is in one scope: the one that is known already, or that of its highest head."""
        counted = (seen for seen in heads if seen.end)
        by_height = sorted(counted, key=lambda seen: (-seen.end, not seen.proven, not self._counts(seen.signer)))
        scope = self._catalog.scope(self._key, device) or next((seen.head.scope for seen in by_height), None)
        by_height = [seen for seen in by_height if seen.head.scope == scope]
        if not by_height or self._is_unknown(scope, device):
            return
        target = by_height[0].end
        holders = dict.fromkeys(seen.holder for seen in by_height if seen.holder is not None)
        rests = self._reader.resting.get(device)
        if rests is not None and rests.sequence == self._first(device, by_height):
            merged.held_up[device] = rests
            return
        for holder in holders:
            if self._catalog.end(self._key, device).sequence >= target or device in merged.held_up:
                break
            merged.entries += await self._from(holder, device, by_height, merged)
        reached, newer = self._catalog.end(self._key, device).sequence, self._newer.pop(device, None)
        if newer is not None and reached < newer.sequence:
            merged.held_up.setdefault(device, newer)
        if device in merged.held_up:
            return
        if reached < target and self._access.guest(scope, device) is None:
            merged.missing.append(Missing(device, reached + 1, target))  # a guest spoils nothing but its own log

    def _first(self, device: bytes, heads: Sequence[SeenHead]) -> int:
        """Which entry of a log is wanted next: what is left of before a snapshot is read where there is no need to
        begin with that."""
        after = self._catalog.end(self._key, device).sequence + 1
        return after if self._is_doubted(device) or self._reader.was_here else max(after, heads[0].head.first or 1)

    def _is_unknown(self, scope: bytes | None, device: bytes) -> bool:
        """Whether a log under a tag is of a device that the owner's document does not name: it may be a guest's whom
        nobody has named here yet, and what that one says is never the owner's word."""
        return scope is not None and self._access.device(device) is None and self._access.guest(scope, device) is None

    def _counts(self, signer: bytes) -> bool:
        """What a revoked device says of where its log begins is worth less than what another one says."""
        device = self._access.device(signer)
        return device is not None and device.revoked is None

    async def _from(self, holder: bytes, device: bytes, heads: Sequence[SeenHead], merged: Merged) -> int:
        """As many entries as one supplier gives, up to the highest of some heads; the number of them."""
        target, guest = heads[0].end, self._access.guest(heads[0].head.scope, device)
        marks = guest.marks if guest is not None else None
        count, log = 0, LogName(self._access.owner, heads[0].head.scope, device)
        while (end := self._catalog.end(self._key, device)).sequence < target:
            first = self._first(device, heads)
            got = await outcome(self._fetch(holder, log, first))
            if got.error is not None or not got.value:
                return count
            try:
                opened = self._opened(_up_to_heads(following(got.value, log, first, end), heads))
                if opened and not (end.sequence and opened[0][0].sequence == end.sequence + 1):
                    check_start(opened[0])
            except BitDustError as error:
                self.log.warn("log entries of a supplier are refused: {error}", error=error)
                if isinstance(error, Unusable | NewerEntry):
                    found = merged.held_up if isinstance(error, Unusable) else self._newer
                    found[device] = HeldUp.by(self._key, device, first, error)
                return count
            taken, why = await self._take(opened, marks)
            ops = [op for _, content in taken for op in content.ops]
            if taken:
                self._catalog.learnt.emit(self._key, device, ops if marks is None else [*of_guest(ops, marks)])
            count += len(taken)
            if why is not None:
                at = opened[len(taken)][0].sequence
                self.log.error("log entry {at} that came cannot be applied: {error!r}", at=at, error=why)
                merged.held_up[device] = HeldUp.by(self._key, device, at, why)
            if why is not None or not taken:
                return count
        return count

    async def _take(
        self, opened: list[tuple[Entry, Content]], marks: Marks | None
    ) -> tuple[list[tuple[Entry, Content]], BaseException | None]:
        """Keep and apply entries, as many as can be: those, and what is wrong with the next one. Raises disk errors."""
        if not opened:
            return [], None
        clean = self._without_snapshot if self._is_doubted(opened[0][0].device) else self._with_true_bases
        opened = [(entry, clean(content)) for entry, content in opened]
        inserting = partial(insert_what_applies, key=self._key, opened=opened, learnt=self._reader.learnt, guest=marks)
        count, error = await self._catalog.change(inserting)
        return opened[:count], error

    def _opened(self, entries: Sequence[Entry]) -> list[tuple[Entry, Content]]:
        """As many as can be opened and have a place in the order: one that has none hides nothing before it.

        Raises `BitDustError` where the first one is so: `Unusable` if nobody can have made that up without its secret.
        """
        opened: list[tuple[Entry, Content]] = []
        known = lamport(self._catalog.read, self._key)
        for entry in entries:
            try:
                content = open_one(entry, self._access.secrets(self._key, entry.epoch), known)
            except BitDustError:
                if not opened:
                    raise
                break
            opened.append((entry, content))
            known = max(known, content.lamport)
        return opened

    def _without_snapshot(self, content: Content) -> Content:
        for op in content.ops:
            if op["op"] == "snapshot":
                self._told |= {head["device"]: (head["sequence"], head["hash"]) for head in op["heads"]}
        return evolve(content, ops=[op for op in content.ops if op["op"] != "snapshot"])

    def _with_true_bases(self, content: Content) -> Content:
        """Nobody knows more of my log than I do: who says so keeps me from writing on."""
        mine = self._reader.device
        end = self._catalog.end(self._key, mine).sequence if mine else 0

        def clean(op: Op) -> Op:
            heads = [head for head in op["heads"] if head["device"] != mine or head["sequence"] <= end]
            return op | {"heads": heads}

        if not end or all(op["op"] != "snapshot" for op in content.ops):
            return content
        return evolve(content, ops=[clean(op) if op["op"] == "snapshot" else op for op in content.ops])


def _up_to_heads(entries: Sequence[Entry], heads: Sequence[SeenHead]) -> list[Entry]:
    """What is signed of some entries. Raises `WireError` where they lead elsewhere than to a head."""
    for at in {seen.head.sequence for seen in heads}:
        wanted = {seen.head.hash for seen in heads if seen.head.sequence == at}
        if any(one.sequence == at and hash_of(one.to_bytes()) not in wanted for one in entries):
            raise WireError("broken-chain", f"entry {at} is not the one that a device of the owner has signed")
    return [one for one in entries if one.sequence <= heads[0].end]


def _set_bases(database: sqlite3.Connection, key: str, bases: Mapping[bytes, tuple[int, bytes]]) -> None:
    for device, (sequence, digest) in bases.items():
        set_base(database, key, device, sequence, digest)


def covered(heads: Iterable[SeenHead], device: bytes) -> int:
    """Up to which entry the snapshots of others tell a device's log."""
    told = [one for seen in heads if seen.proven for one in seen.head.covers or ()]
    return max((one["sequence"] for one in told if one["device"] == device), default=0)


def _is_told(heads: Sequence[SeenHead], device: bytes) -> bool:
    """Whether a snapshot of another device stands for a log from its beginning on.

    That one is read first: a supplier that is behind, or holds the log in another scope, may still have what was
    deleted since, and nobody tells that any more.
    """
    begin = max((seen.head.first or 1 for seen in heads if seen.proven and seen.head.device == device), default=1)
    return begin <= covered(heads, device)


def highest(heads: Iterable[SeenHead], device: bytes) -> int:
    """The highest sequence of a device."""
    return max((seen.head.sequence for seen in heads if seen.head.device == device), default=0)
