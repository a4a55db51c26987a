"""The backup of pins at work: what is new goes into segments, suppliers are told of pins, half-empty segments go."""

from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.pin_keeper import PinKeeper
from bitdust.blocks.backup.adopting import TAKEN, Adoption
from bitdust.blocks.backup.formats import Told, write_state
from bitdust.blocks.backup.mending import mend
from bitdust.blocks.backup.others import Others
from bitdust.blocks.backup.segments import CAR, INDEX, STATE, Built, clear
from bitdust.blocks.backup.shelf import Records, Shelf, digest_of
from bitdust.blocks.backup.source import SegmentSource
from bitdust.blocks.leases import Lease
from bitdust.blocks.saved import Segment, SegmentState
from bitdust.blocks.saving import Snapshot
from bitdust.blocks.store import BlockStore
from bitdust.blocks.unsaved import Unsaved, Walk
from bitdust.blocks.values import Change
from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.ipld.cid import Block, Cid
from bitdust.outcome import outcome
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

SEGMENT = "services/ipfs-backup/segment-size"
LOCAL = "services/ipfs-backup/keep-local-percent"
FOLDER = "blocks-backup"
MOST_BLOCKS = 20_000
"""Blocks of a segment."""
TOGETHER = 500
"""Blocks that are asked for at once."""
REFRESH = 30 * 24 * 3600
"""Seconds after which suppliers are told again what they know, so that other devices see that this one lives."""
HYSTERESIS = 10
"""Percent of the space that are given back at once."""
ADOPTED, RECORDS, SEGMENTS = "backup_adopted", "told_records", "told_segments"


@frozen
class Due:
    """What is to be done, by kind."""

    is_lost: bool = False
    is_new: bool = False
    is_untold: bool = False
    is_garbage: bool = False
    is_sparse: bool = False


class Keeper:
    """I am the port of a `pin_keeper` machine, over one open store."""

    log = Logger()

    def __init__(self, around: Surroundings, store: BlockStore, shelf: Shelf, records: dict[str, Records]) -> None:
        self._around = around
        self._store = store
        self._shelf = shelf
        self._records = records
        self._folder: Path = around.world.home / "temp" / FOLDER
        self.source = SegmentSource(store, shelf)
        self._others = Others(around, shelf)
        self._walk: Walk | None = None
        self._built: Built | None = None
        self._is_walked = self._is_mended = False
        self._walked: set[int] = set()
        self._stuck: set[int] = set()
        self._kept: set[int] = set()
        self._full_at = -1
        self._walk_lease: Lease | None = None
        self._told_lease: Lease | None = None
        self.unreadable: dict[Cid, str] = {}
        """Blocks that should be in a segment and cannot be read, and why."""
        self.lost: list[str] = []
        """Pins of a home that was lost that have not come back whole."""
        self.failure = ""
        """Why it does not go on; empty while it does."""
        self.failing_since = 0.0
        self._disconnect = store.changed.connect(self._changed)
        self.machine = PinKeeper(around.registry, self)

    # life

    async def start(self) -> None:
        """Go on where the last process has stopped."""
        await self._around.world.run_in_thread(clear, self._folder)
        await self._store.saving.give_up_built()
        self._store.add_source(self.source, is_first=True)
        self.machine.send("start")

    def stop(self) -> None:
        """Do nothing more."""
        self._disconnect()
        self._store.remove_source(self.source)
        self.machine.send("stop")
        self._let_go()

    def _let_go(self) -> None:
        for lease in (self._walk_lease, self._told_lease):
            if lease is not None:
                lease.end()
        self._walk_lease = self._told_lease = None

    def _changed(self, changes: Sequence[Change]) -> None:
        self.machine.send("changed")

    def changed(self) -> None:
        """Records have changed."""
        self.machine.send("changed")

    def suppliers(self) -> None:
        """What suppliers hold is known, or they are here again."""
        self.machine.send("suppliers")

    # the port

    def can_keep(self) -> bool:
        return self._shelf.can_keep()

    def look(self) -> "Deferred[Due]":
        return Deferred.fromCoroutine(self._look())

    async def _look(self) -> Due:
        saving = self._store.saving
        adopted, told, changes, told_at, records, told_segments = await saving.facts(
            ADOPTED, "told_changes", "changes", "told_at", RECORDS, SEGMENTS
        )
        if not adopted:
            return Due(is_lost=True)
        if not self._is_mended:
            await mend(self._around, self._store, self._shelf)
            self._is_mended = True
        is_old = bool(told_at) and not 0 <= self._around.world.wall() - told_at < REFRESH
        written = await self._written()
        is_new = written is not None and records != digest_of(written)
        stored = {one.name: b"" for one in await saving.segments(SegmentState.STORED)}
        is_untold = self._is_walked or told != changes or is_old or is_new or told_segments != digest_of(stored)
        garbage = await saving.segments(SegmentState.GARBAGE)
        return Due(
            is_new=not self._is_walked and bool(self._walk or await saving.due(self._stuck)),
            is_untold=is_untold,
            is_garbage=bool(garbage),
            is_sparse=bool(await self._sparse()),
        )

    async def _written(self) -> dict[str, bytes] | None:
        """Records of all parts that have any; None where some cannot be had now, such as keys that are locked."""
        written = {}
        for name, records in self._records.items():
            found = await outcome(_ensured(records.written()))
            if found.error is not None:
                self.log.info("{name} are not in the backup yet: {why}", name=name, why=found.error)
                return None
            written[name] = found.value
        return {name: data for name, data in written.items() if data}

    # what a lost home has left

    def adopt(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._adopt())

    async def _adopt(self) -> None:
        adoption = Adoption(self._around, self._store, self._shelf, self._records)
        try:
            await adoption.run()
        finally:
            adoption.lease.end()
        self.lost = adoption.lost
        await self._store.saving.note({ADOPTED: 1})

    # gathering

    def gather(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._gather())

    async def _gather(self) -> bool:
        walk = self._walk
        if walk is None:
            walk = self._walk = Walk(await self._store.saving.due(self._stuck))
            self._walked = set(walk.roots)
            if self._walk_lease is not None:
                self._walk_lease.end()
            self._walk_lease = self._store.lease()
            await _hold(self._walk_lease, (await self._store.roots()).values())
        most = (MOST_BLOCKS, self._segment_size)
        is_all = False
        while not is_all and len(walk.found) < most[0] and walk.size < most[1]:
            is_all = await self._store.saving.walk(walk, most)
        found = walk.take()
        if found and await self._build(found):
            return True
        if is_all:
            await self._store.saving.judge(walk.visited)
            self._stuck |= {ident for ident, _ in await self._store.saving.due()} & self._walked
            self.unreadable |= dict.fromkeys(walk.missing, "it is not here")
            self._walk, self._is_walked = None, True
        return False

    @property
    def _segment_size(self) -> int:
        return int(self._around.settings.get(SEGMENT))

    async def _build(self, found: Sequence[Unsaved]) -> bool:
        """Make a segment of blocks, those with links first: whoever looks for names finds them in few packs. Whether
        any of them could be read."""
        built = Built(self._around.world.entropy(8).hex(), self._folder)
        run = self._around.world.run_in_thread
        await run(built.begin)
        waiting = sorted(found, key=lambda one: not one.has_links)
        while waiting:
            some = waiting[:TOGETHER]
            blocks = await self._read(some)
            waiting = waiting[max(1, len(blocks)) :]
            if blocks:
                await run(built.add, blocks)
        if not built.blocks:
            await run(built.remove)
            return False
        await run(built.finish, await self._store.saving.links([one.cid for one in built.blocks]))
        await self._store.saving.begin(built.name)
        self._built = built
        return True

    async def _read(self, some: Sequence[Unsaved]) -> list[Block]:
        """The first of some blocks; none where the first one cannot be read."""
        (row,) = await self._store.rows([some[0].cid])
        if row is not None and row.is_away:
            brought = await outcome(self.source.fetch(row.cid))
            if brought.error is not None:
                raise brought.error
            data = brought.value
            if data is None or not row.cid.matches(data):
                self.unreadable[row.cid] = "it is at no supplier any more, and not on this disk"
                return []
            return [Block(row.cid, data)]
        read = await outcome(self._store.get_some([one.cid for one in some]))
        if read.error is not None and not isinstance(read.error, BitDustError):
            raise read.error
        if read.error is not None:
            self.unreadable[some[0].cid] = str(read.error)
            self._stuck.add(some[0].root)
            return []
        return [Block(one.cid, data) for one, data in zip(some, read.value, strict=False)]

    # bringing

    def upload(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._upload())

    async def _upload(self) -> None:
        built = self._built
        if built is None:
            return
        self._shelf.make_key()
        await self._shelf.keep(built.name + CAR, built.car, True)
        await self._shelf.keep(built.name + INDEX, built.index)
        await self._store.saving.store(built.name, built.placed)
        self._built = None
        self._went_well()
        await self._around.world.run_in_thread(built.remove)

    def tell(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._tell())

    async def _tell(self) -> None:
        now, written = int(self._around.world.wall()), await self._written()
        if written is None:
            written = await self._others.my_records()
        snapshot = await self._store.saving.snapshot()
        lease = self._store.lease()
        try:
            await _hold(lease, snapshot.roots.values())
            await self._tell_of(snapshot, now, written)
        except BaseException:
            lease.end()
            raise
        self._let_go()
        self._told_lease = lease
        self._is_walked = self._is_mended = False
        self._went_well()

    async def _tell_of(self, snapshot: Snapshot, now: int, written: dict[str, bytes]) -> None:
        self._shelf.make_key()
        taken = await self._store.saving.facts_behind(TAKEN)
        told = Told(now, snapshot.pins, snapshot.roots, snapshot.segments, written, taken)
        name = self._around.me.device.id.hex() + STATE
        path = self._folder / name
        await self._around.world.run_in_thread(_write, path, told, self._shelf.secrets()[-1])
        try:
            await self._shelf.keep(name, path)
        finally:
            await self._around.world.run_in_thread(remove_safely, path)
        await self._store.saving.told(snapshot, now)
        segments = dict.fromkeys(snapshot.segments, b"")
        await self._store.saving.note({RECORDS: digest_of(written), SEGMENTS: digest_of(segments)})

    def _went_well(self) -> None:
        self.failure, self.failing_since = "", 0.0

    # what suppliers keep in vain

    def clean(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._clean())

    async def _clean(self) -> None:
        needed = await self._others.segments()
        for segment in await self._store.saving.segments(SegmentState.GARBAGE):
            if segment.name not in needed:
                await self._shelf.remove(segment.name + INDEX)
                await self._shelf.remove(segment.name + CAR)
            await self._store.saving.remove(segment.name)

    async def _sparse(self) -> list[Segment]:
        """Segments that are to be rewritten: those that are half empty, or many small ones that are one together."""
        stored = [one for one in await self._store.saving.segments(SegmentState.STORED) if one.id not in self._kept]
        small = [one for one in stored if one.live * 2 < self._segment_size and one.blocks * 2 < MOST_BLOCKS]
        size, blocks = sum(one.live for one in small), sum(one.blocks for one in small)
        if size >= self._segment_size or blocks >= MOST_BLOCKS:
            return small
        return [one for one in stored if one.live * 2 < one.bytes]

    def rewrite(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._rewrite())

    async def _rewrite(self) -> bool:
        found: list[Unsaved] = []
        size = 0
        for segment in await self._sparse():
            self._kept.add(segment.id)
            for cid, length in await self._store.saving.blocks_of(segment):
                found.append(Unsaved(cid, length, False, 0))
                size += length
            if size >= self._segment_size or len(found) >= MOST_BLOCKS:
                break
        return bool(found) and await self._build(found)

    # space on this disk

    def is_short(self) -> bool:
        packed, most = self._store.saving.packed()
        percent = int(self._around.settings.get(LOCAL))
        return percent < 100 and packed * 100 > most * percent and packed != self._full_at

    def make_room(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._make_room())

    async def _make_room(self) -> None:
        packed, most = self._store.saving.packed()
        percent = max(0, int(self._around.settings.get(LOCAL)) - HYSTERESIS)
        await self._store.saving.drop(packed - most * percent // 100)
        self._full_at = self._store.saving.packed()[0]

    # when something goes wrong

    def try_again(self) -> None:
        self._is_mended = False
        self._stuck.clear()
        self._kept.clear()
        self.unreadable.clear()
        self._full_at = -1

    def give_up(self, why: Any) -> None:
        error = getattr(why, "value", why)
        if not isinstance(error, BitDustError | OSError | str):
            self.log.failure("the backup of pins has met something unexpected", why)
        self.failure = str(error)
        self.failing_since = self.failing_since or self._around.world.wall()
        self.log.info("the backup of pins goes on later: {why}", why=self.failure)
        built, self._built, self._walk, self._is_walked = self._built, None, None, False
        if built is not None:
            Deferred.fromCoroutine(self._forget(built)).addErrback(lambda failure: None)

    async def _forget(self, built: Built) -> None:
        await self._store.saving.give_up_built()
        await self._around.world.run_in_thread(built.remove)


def _write(path: Path, told: Told, secret: bytes) -> None:
    make_private_folder(path.parent)
    write_safely(path, write_state(told, secret))


async def _hold(lease: Lease, cids: Iterable[Cid]) -> None:
    """Let nothing go of these, until suppliers know of something newer."""
    for cid in cids:
        await lease.hold(cid)


async def _awaited(work: Awaitable[bytes]) -> bytes:
    return await work


def _ensured(work: Awaitable[bytes]) -> "Deferred[bytes]":
    return Deferred.fromCoroutine(_awaited(work))
