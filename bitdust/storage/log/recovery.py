"""Bringing log entries back from suppliers: the highest head anywhere counts, and what is missing is said.

A supplier can hold entries back or serve old ones, but neither forge nor change one: every entry is sealed under a
storage secret of its log's key and chained to the one before, and heads carry a device's signature. A secret may have
come into the wrong hands, so entries count when they lead to a head that a device of the owner has signed (`Walk`).

A head may lead to nothing, or say that its log begins where nobody has it: a device was stolen, or what it stored
reached one supplier alone. So what the highest one promises is asked for first, and then what the next one does.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from attrs import define, evolve, field, frozen
from twisted.logger import Logger

from bitdust.crypt.writers import Marks
from bitdust.formats.log_entry import Content, Entry, Link, LogName, NewerEntry
from bitdust.formats.operations import Op
from bitdust.storage.catalog.catalog import Catalog, LogEnd, lamport
from bitdust.storage.catalog.database import set_base
from bitdust.storage.catalog.guests import of_guest
from bitdust.storage.log.access import LogAccess
from bitdust.storage.log.held_up import HeldUp
from bitdust.storage.log.missing import Missing
from bitdust.storage.log.proof import Fetch, Goal, Noted, Walk
from bitdust.storage.log.seen import Place, SeenHead, by_device, leading, told_elsewhere
from bitdust.storage.log.taking import Unusable, can_open, check_start, insert_what_applies, open_one, try_what_applies
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

MOST_AT_ONCE = 4 * 1024 * 1024
"""Bytes of entries that are opened and applied together."""


@frozen
class Reader:
    """Who reads: the owner's ``device``, at the time ``learnt`` in milliseconds, from which on what entries delete is
    held (0 holds nothing). ``was_here``: all of a device's log was read so lately that there may be no gap.
    ``may_be_safe``: whether an entry was safe, perhaps, by those who were heard. ``rebuilds``: where a gap is in what
    was safe the catalog is built again. ``resting``: by device what is held up, and is not to be tried now."""

    device: bytes = b""
    learnt: int = 0
    was_here: Callable[[bytes], bool] = lambda device: False
    may_be_safe: Callable[[bytes, int], bool] = lambda device, sequence: True
    rebuilds: bool = False
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

    def __init__(self, catalog: Catalog, access: LogAccess, key: str, fetch: Fetch, noted: Noted | None = None) -> None:
        self._catalog = catalog
        self._access = access
        self._key = key
        self._fetch = fetch
        self._noted = noted or Noted()
        self._can_open = partial(can_open, access, key)
        self._reader, self._rebuilds = Reader(), False
        self._told: dict[bytes, tuple[int, bytes]] = {}
        """By device, for what of its log a snapshot of a doubted device stands."""
        self._cut = set[bytes]()  # devices of whose logs somebody may give more another time
        self._silent: set[tuple[bytes, bytes, bytes | None, int, bool, bool]] = set()
        """Who has just given nothing that is proven of a device's log, by its scope, from an entry on."""
        self._newer: dict[bytes, HeldUp] = {}
        """What somebody gave as a newer program's, and may have made up: others may give what can be read."""
        self._begins: dict[bytes, HeldUp] = {}
        """Snapshots with which logs begin behind a gap, as `is_outdated` has found them, where none can be read."""

    async def recover(self, heads: Sequence[SeenHead], reader: Reader | None = None) -> Merged:
        """Merge all entries up to the highest heads; what no supplier gave is named. What was fetched is kept."""
        merged = Merged()
        self._read_for(reader or Reader())
        await self._read_all(heads, merged)
        while told := {one: self._told.pop(one) for one in merged.lacking if one in self._told}:
            await self._catalog.change(partial(_set_bases, key=self._key, bases=told))
            await self._read_all(heads, merged)
        return merged

    def _read_for(self, reader: Reader) -> None:
        self._reader, self._told, self._silent, self._cut = reader, {}, set(), set()
        self._rebuilds = reader.rebuilds and bool(self._catalog.devices(self._key))

    async def _read_all(self, heads: Sequence[SeenHead], merged: Merged) -> None:
        trusted = [seen for seen in heads if not self._is_doubted(seen.head.device)]
        told, sorted_heads = told_elsewhere(trusted), by_device(heads)
        # What a snapshot stands for is not read from elsewhere, nor of more devices than its head can name.
        begin = {seen.head.device for seen in trusted if seen.proven and seen.head.first}
        devices = sorted(sorted_heads, key=lambda device: (device in told, device not in begin, device))
        before = -1
        while merged.entries > before:  # A snapshot may tell where the log of another device goes on.
            before, merged.missing, merged.held_up = merged.entries, [], {}
            for device in devices:
                await self._device(device, sorted_heads[device], merged)

    def _is_doubted(self, device: bytes) -> bool:
        """Whether a log was that of a stolen device, perhaps: all is read that is left of what its snapshot stands for.

        Suppliers forget that after some days. Only where nothing is left of it the snapshot counts.
        """
        known = self._access.device(device)
        return known is not None and known.revoked is not None and not known.was_let_go

    async def _device(self, device: bytes, heads: list[SeenHead], merged: Merged) -> None:
        """The log of a device is in one scope: the one that is known already, or that of the highest head to which
        somebody gives entries."""
        by_height, shared = self._by_height(heads), self._leading(device, heads)

        def turn(seen: SeenHead) -> tuple[bool, bool]:
            return not seen.proven, seen.place not in shared if seen.proven else not seen.is_own

        for one in sorted(by_height, key=turn):
            if not self._is_in_scope(one, by_height) or self._is_unknown(one.head.scope, device):
                continue
            if self._end(device) < one.end and device not in merged.held_up:
                await self._up_to(one, by_height, _goal(one, heads, shared), merged)
            is_first = one.place in shared or self._begins_later(one)
            if is_first and self._end(device) < one.end and device in self._cut:
                log = LogName(one.head.owner, one.head.scope, device)
                if self._noted.waits.once_more(log, self._end(device), self._noted.reached(log)):
                    break  # what contradicts it, or was deleted before it, may be all that is given now
        reached = self._end(device)
        for held_up in (self._newer.pop(device, None), self._begins.get(device)):
            if held_up is not None and reached < held_up.sequence:
                merged.held_up.setdefault(device, held_up)
        if device in merged.held_up:
            return
        target = max((one.end for one in by_height if self._is_in_scope(one, by_height)), default=0)
        scope = by_height[0].head.scope if by_height else None
        if reached < target and not self._is_unknown(scope, device) and self._access.guest(scope, device) is None:
            merged.missing.append(Missing(device, reached + 1, target))  # a guest spoils nothing but its own log

    def _leading(self, device: bytes, heads: Iterable[SeenHead]) -> set[Place]:
        """Which entries most name, and are read first. Of a log that was a thief's, perhaps, no snapshot counts."""
        begins = (lambda first: False) if self._is_doubted(device) else partial(self._reader.may_be_safe, device)
        return leading(heads, begins)

    def _end(self, device: bytes) -> int:
        return self._catalog.end(self._key, device).sequence

    def _by_height(self, heads: Iterable[SeenHead]) -> list[SeenHead]:
        """Those that count, the highest first; of one supplier no more than one in each scope, as it has one log."""
        counted = (seen for seen in heads if seen.end)
        by_height = sorted(counted, key=lambda seen: (-seen.end, not seen.proven, not self._counts(seen.signer)))
        found = dict[tuple[bytes | None, bytes | None, int], SeenHead]()
        for seen in by_height:
            found.setdefault((seen.holder, seen.head.scope, seen.end if seen.holder is None else 0), seen)
        return list(found.values())

    def _is_in_scope(self, one: SeenHead, by_height: Sequence[SeenHead]) -> bool:
        """Whether a log is where a head says: nobody reads it in another place while the first may be the right one."""
        known = self._catalog.scope(self._key, one.head.device)
        higher = [other for other in by_height if other.end > one.end and other.head.scope != one.head.scope]
        if known is not None:
            return one.head.scope == known
        return not any(self._reader.may_be_safe(other.head.device, other.end) for other in higher)

    async def _up_to(self, one: SeenHead, by_height: Sequence[SeenHead], goal: Goal, merged: Merged) -> None:
        """Read a log up to one of its heads, from whoever lists any."""
        device, rests = one.head.device, self._reader.resting.get(one.head.device)
        in_scope = [seen for seen in by_height if seen.head.scope == one.head.scope]
        for holder in dict.fromkeys(seen.holder for seen in in_scope if seen.holder is not None):
            if self._end(device) >= one.end or device in merged.held_up or self._is_behind_gap(one):
                return
            if rests is not None and rests.sequence in (self._first(one), self._begin(one)):
                merged.held_up[device] = rests
                return
            merged.entries += await self._from(holder, one, goal, merged)

    def _first(self, one: SeenHead) -> int:
        """Which entry of a log is wanted next: what is left of before a snapshot is read where there is no need to
        begin with that."""
        after = self._end(one.head.device) + 1
        goes_on = self._is_read_on(one) or (self._rebuilds and not self._is_behind_gap(one))
        return after if goes_on else self._begin(one)

    def _begin(self, one: SeenHead) -> int:
        """Which entry of a log somebody gives who has nothing of before its snapshot."""
        return max(self._end(one.head.device) + 1, one.head.first or 1)

    def _begins_later(self, one: SeenHead) -> bool:
        """Whether it begins with a snapshot, perhaps safe, that leaves out what others may still give of before it."""
        begin = self._first(one)
        return (
            one.proven and begin > self._end(one.head.device) + 1 and self._reader.may_be_safe(one.head.device, begin)
        )

    def _is_read_on(self, one: SeenHead) -> bool:
        return self._is_doubted(one.head.device) or self._reader.was_here(one.head.device)

    def _is_behind_gap(self, one: SeenHead) -> bool:
        """Whether a log begins, and perhaps safely, behind what would be next: the catalog is built again for that.

        What was never safe is no reason for that; it comes on top of what is known, if anybody gives it.
        """
        begin = one.head.first or 1
        is_gap = self._rebuilds and begin > self._end(one.head.device) + 1 and not self._is_read_on(one)
        return is_gap and self._reader.may_be_safe(one.head.device, begin)

    async def is_outdated(self, heads: Iterable[SeenHead], reader: Reader) -> bool:
        """Whether the catalog is to be built again: such a log is given by somebody, so that it can be.

        One that begins with what cannot be taken over now is held up, by what `recover` says after this.
        """
        self._read_for(reader)
        self._begins = {}
        for one in [one for one in heads if one.proven and self._is_behind_gap(one)]:
            if await self._is_begun(one):
                return True
        return False

    async def _is_begun(self, one: SeenHead) -> bool:
        """Whether a supplier gives the snapshot with which a log begins by its head, and that leads to it."""
        device, begin, rests = one.head.device, one.head.first or 1, self._reader.resting.get(one.head.device)
        if one.holder is None:
            return False
        if rests is not None and rests.sequence == begin:
            self._begins[device] = rests
            return False
        walk = Walk(self._fetch, one.holder, Goal.by(one, [one]), (begin, LogEnd()), self._can_open, self._noted)
        try:
            opened = self._opened((await walk.more())[:1])
            if opened:
                check_start(opened[0])
        except BitDustError as error:
            self.log.warn("the snapshot of a supplier is refused: {error}", error=error)
            if isinstance(error, Unusable | NewerEntry):
                self._begins[device] = HeldUp.by(self._key, device, begin, error)
            return False
        return bool(opened) and await self._applies(opened[0])

    async def _applies(self, first: tuple[Entry, Content]) -> bool:
        """Whether a snapshot can be applied: else the catalog would be built again for it without end."""
        _, why = await self._catalog.change_quietly(partial(try_what_applies, key=self._key, opened=[first]))
        if why is not None:
            entry = first[0]
            self.log.error("snapshot {at} that came cannot be applied: {error!r}", at=entry.sequence, error=why)
            self._begins[entry.device] = HeldUp.by(self._key, entry.device, entry.sequence, why)
        return why is None

    def _is_unknown(self, scope: bytes | None, device: bytes) -> bool:
        """Whether a log under a tag is of a device that the owner's document does not name: it may be a guest's whom
        nobody has named here yet, and what that one says is never the owner's word."""
        return scope is not None and self._access.device(device) is None and self._access.guest(scope, device) is None

    def _counts(self, signer: bytes) -> bool:
        """What a revoked device says of where its log begins is worth less than what another one says."""
        device = self._access.device(signer)
        return device is not None and device.revoked is None

    async def _from(self, holder: bytes, one: SeenHead, goal: Goal, merged: Merged) -> int:
        """As many entries as one supplier gives and proves; the number of them."""
        device, count, is_fine = one.head.device, 0, True
        asked = (holder, device, goal.log.scope, self._first(one), one.proven, goal.is_common)
        if asked in self._silent:
            return 0
        end = self._catalog.end(self._key, device)
        walk = Walk(self._fetch, holder, goal, (self._first(one), end), self._can_open, self._noted)
        try:
            while is_fine and (links := await walk.more()):
                for some in _by_size(links):
                    taken, is_fine = await self._apply(some, goal, merged)
                    count += taken
                    if not is_fine:
                        break
        except WireError as error:
            self._refuse(error, device, walk.position, merged)
        if self._end(device) < goal.wanted and device not in self._newer and device not in merged.held_up:
            self._silent.add((*asked[:3], self._first(one), *asked[4:]))
        self._cut |= {device} if walk.was_cut else set()
        return count

    async def _apply(self, links: Sequence[Link], goal: Goal, merged: Merged) -> tuple[int, bool]:
        """Take over what is proven: how many entries, and whether all of them. Raises disk errors."""
        device, guest = goal.log.device, self._access.guest(goal.log.scope, goal.log.device)
        marks, count = guest.marks if guest is not None else None, 0
        while count < len(links):
            try:
                opened = self._opened(links[count:])
                self._check_place(links[count], opened[0])
            except BitDustError as error:
                self._refuse(error, device, links[count].sequence, merged)
                break
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
                break
        return count, count == len(links)

    def _check_place(self, link: Link, first: tuple[Entry, Content]) -> None:
        """What was fetched a while ago still follows what is known. Raises `WireError`."""
        end = self._catalog.end(self._key, first[0].device)
        if not end.sequence or link.sequence > end.sequence + 1:
            check_start(first)
        elif (link.sequence, link.previous) != (end.sequence + 1, end.hash):
            raise WireError("broken-chain", f"entry {link.sequence} does not follow what is known")

    def _refuse(self, error: BitDustError, device: bytes, at: int, merged: Merged) -> None:
        self.log.warn("log entries of a supplier are refused: {error}", error=error)
        if isinstance(error, Unusable | NewerEntry):
            found = merged.held_up if isinstance(error, Unusable) else self._newer
            found[device] = HeldUp.by(self._key, device, at, error)

    async def _take(
        self, opened: list[tuple[Entry, Content]], marks: Marks | None
    ) -> tuple[list[tuple[Entry, Content]], BaseException | None]:
        """Keep and apply entries, as many as can be: those, and what is wrong with the next one. Raises disk errors."""
        clean = self._without_snapshot if self._is_doubted(opened[0][0].device) else self._with_true_bases
        opened = [(entry, clean(content)) for entry, content in opened]
        inserting = partial(insert_what_applies, key=self._key, opened=opened, learnt=self._reader.learnt, guest=marks)
        count, error = await self._catalog.change(inserting)
        return opened[:count], error

    def _opened(self, links: Sequence[Link]) -> list[tuple[Entry, Content]]:
        """As many as can be opened and have a place in the order: one that has none hides nothing before it.

        Raises `BitDustError` where the first one is so: `Unusable` if nobody can have made that up without its secret.
        """
        opened: list[tuple[Entry, Content]] = []
        known = lamport(self._catalog.read, self._key)
        for link in links:
            try:
                entry = link.readable()
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


def _goal(one: SeenHead, heads: Sequence[SeenHead], shared: Collection[object]) -> Goal:
    """Where most name one entry no lower head counts that leads elsewhere: a thief may have signed it."""
    if not one.proven or one.place not in shared:
        return Goal.by(one, heads)
    return evolve(Goal.by(one, [seen for seen in heads if seen.place == one.place]), is_common=True)


def _by_size(links: Sequence[Link]) -> Iterator[Sequence[Link]]:
    first = size = 0
    for number, link in enumerate(links):
        size += link.size
        if size > MOST_AT_ONCE:
            yield links[first : number + 1]
            first, size = number + 1, 0
    if first < len(links):
        yield links[first:]


def _set_bases(database: sqlite3.Connection, key: str, bases: Mapping[bytes, tuple[int, bytes]]) -> None:
    for device, (sequence, digest) in bases.items():
        set_base(database, key, device, sequence, digest)
