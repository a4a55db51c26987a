"""The block store: blocks go in and come out, some are pinned or named, and what nobody needs can be collected."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.blocks import pinning, reading, removing
from bitdust.blocks.checking import Check, Portion, Position, read_again
from bitdust.blocks.collecting import Collection
from bitdust.blocks.database import note
from bitdust.blocks.fetching import Fetches
from bitdust.blocks.index import Index
from bitdust.blocks.leases import Lease
from bitdust.blocks.opening import INDEX_LOST, Opened, Opening
from bitdust.blocks.packs import PACK, PackReader, PackWriter
from bitdust.blocks.reach import IdSet
from bitdust.blocks.references import Reference, References
from bitdust.blocks.saving import Saving
from bitdust.blocks.threads import Reader, Threads
from bitdust.blocks.values import BlockSource, Change, LinkReader, Mode, Pin, Row, Stat, not_asked, not_here, not_now
from bitdust.blocks.writing import SETTING, Hold, Ledger, Store
from bitdust.disk.disk import Disk
from bitdust.disk.reserve import SETTING as DISK_RESERVE
from bitdust.disk.reserve import Reserve
from bitdust.ipld.cid import Block, Cid
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

TOGETHER = 8 * 1024 * 1024
"""Bytes of blocks that are read at once."""
PAGE = 1000
ROUNDS = 20
"""Portions of links that are followed in one go."""


class BlockStore:
    """`open` first, `close` last. ``changed`` reports pins and roots that were committed."""

    log = Logger()

    def __init__(
        self, around: Surroundings, folder: Path, links: LinkReader, disk: Disk | None = None, full: int = PACK
    ) -> None:
        self._registry = around.registry
        settings = around.settings
        disk = disk or Disk()
        self._packs = PackReader(disk, folder)
        index = Index(links, self._packs.block)
        reserve = Reserve(lambda: int(settings.get(DISK_RESERVE)))
        self._ledger = Ledger(PackWriter(disk, folder, full), index, reserve, lambda: int(settings.get(SETTING)))
        self._threads = Threads(around.world, disk, self._ledger, Opening(disk, folder, index, self._packs))
        self.saving = Saving(self._threads, self._ledger, index, self._packs)
        self._leases: set[Lease] = set()
        self._collections: list[Collection] = []
        self._checks: set[Check] = set()
        self._fetches = Fetches(around.registry, self.lease)
        self._opened: Opened | None = None
        self.changed: Signal[[Sequence[Change]]] = Signal()

    # its life

    def open(self, is_suspect: bool = False) -> "Deferred[Opened]":
        """Fires when blocks can be stored; fails as `Opening.open` says. A suspect index is read through first."""
        return self._threads.open(is_suspect).addCallback(self._is_opened)

    def _is_opened(self, opened: Opened) -> Opened:
        self._opened = opened
        for text in (*opened.problems.values(), opened.put_aside):
            if text:
                self.log.warn("the block store: {text}", text=text)
        return opened

    def close(self) -> "Deferred[None]":
        """Fires when all that was begun is written and the files are closed."""
        self._fetches.stop()
        for collection in list(self._collections):
            collection.machine.send("stop")
        for check in list(self._checks):
            check.machine.send("stop")
        for lease in list(self._leases):
            lease.end()
        return self._threads.close()

    @property
    def is_open(self) -> bool:
        return self._threads.is_open

    @property
    def damage(self) -> str:
        """What was found wrong with the index since it was opened; the next `open` makes it anew."""
        return self._threads.damage

    def problem(self) -> str:
        """Why not all that was stored can be had; empty where nothing is known to be wrong."""
        opened = self._opened
        if opened is None:
            return "the block store is not open"
        if self.damage:
            return self.damage
        if opened.index_lost:
            return "what was pinned is not known any more: the index was lost, and made anew from the packs"
        if opened.problems:
            return f"blocks cannot be read: {', '.join(opened.problems.values())}"
        if self._ledger.doubted:
            return f"{len(self._ledger.doubted)} blocks cannot be read; check the store to see which"
        return ""

    # storing

    def lease(self, is_local: bool = False) -> Lease:
        """What is put and held with it stays until its end. One that ``is_local`` reads nothing but this disk."""
        self._threads.need_open()
        lease = Lease(self, is_local)
        self._leases.add(lease)
        return lease

    async def store(self, lease: Lease, blocks: Sequence[Block], changes: Sequence[Change]) -> None:
        """See `Lease.commit`."""
        opened: list[Pin] = await self._threads.write(Store(self._ledger, lease.held, blocks, changes))
        if opened:
            for pin in opened:
                await self._need_below(await self.hold(lease, pin.cid))
            await self._threads.write(Store(self._ledger, lease.held, (), changes, looked_at=True))
        if changes:
            self.changed.emit(changes)

    async def _need_below(self, row: Row) -> None:
        """Raises ``not-found`` or ``unreadable`` for a block below one."""
        missing, unreadable = await self._below(row.id)
        if missing:
            text = f"{len(missing)} blocks below {row.cid} are not here, such as {missing[0]}"
            raise BitDustError("not-found", text, cid=str(missing[0]))
        if unreadable:
            raise pinning.unreadable(unreadable[0])
        await self._threads.change(lambda database: pinning.set_whole(database, row.id))

    def hold(self, lease: Lease, cid: Cid) -> "Deferred[Row]":
        """See `Lease.hold`."""
        return self._threads.write(Hold(self._ledger, lease.held, cid))

    def forget(self, lease: Lease) -> None:
        """A lease has ended."""
        self._leases.discard(lease)

    def held(self) -> list[IdSet]:
        """What all leases hold; for the thread that writes."""
        return [lease.held for lease in tuple(self._leases)]

    def apply(self, *changes: Change) -> "Deferred[None]":
        """Change pins and roots, all of them or none, with what is stored. Fails with ``not-found``, ``unreadable``,
        ``not-pinned`` or ``already-pinned``."""
        return Deferred.fromCoroutine(self._apply(changes))

    async def _apply(self, changes: Sequence[Change]) -> None:
        lease = self.lease()
        try:
            await lease.commit(*changes)
        finally:
            lease.end()

    def remove(self, cid: Cid) -> "Deferred[bool]":
        """Forget a block now; fires with whether it was here. Fails with ``pinned`` for what a pin, root or lease
        needs."""
        return self._threads.change(lambda database: removing.remove(database, self._ledger.index, cid, self.held()))

    # reading

    def get(self, cid: Cid, elsewhere: bool = False, is_local: bool = False) -> "Deferred[bytes]":
        """A block, checked. What cannot be read is asked for at the sources, and what is not here ``elsewhere``; nobody
        is asked where it ``is_local``.

        Fails with ``not-found`` where nobody has it, ``damaged-block`` where it is here, cannot be read, and nobody
        else has it.
        """
        if cid.is_inline:
            return succeed(cid.inline())
        return Deferred.fromCoroutine(self._get(cid, elsewhere, is_local))

    async def _get(self, cid: Cid, elsewhere: bool, is_local: bool) -> bytes:
        (found,) = await self._threads.ask(
            Reader.BLOCKS, reading.read_some, self._threads.packs[Reader.BLOCKS], [cid], TOGETHER
        )
        if isinstance(found, bytes):
            return found
        if isinstance(found, reading.Away):
            if is_local:
                raise not_asked(cid)
            return await self._bring(cid)
        if found is None:
            if elsewhere:
                return await self._fetches.fetch(cid)
            raise not_here(cid)
        await self.doubt([found])
        damaged = BitDustError("damaged-block", f"block {cid} cannot be read: {found.why}", cid=str(cid))
        if is_local:
            raise damaged
        try:
            return await self._fetches.fetch(cid)
        except BitDustError as error:
            raise damaged from error

    async def _bring(self, cid: Cid) -> bytes:
        try:
            return await self._fetches.fetch(cid)
        except BitDustError as error:
            raise not_now(cid) from error

    def get_some(self, cids: Sequence[Cid], most: int = TOGETHER, is_local: bool = False) -> "Deferred[list[bytes]]":
        """The first of some blocks, until they have ``most`` bytes together; one at least. Fails as `get`."""
        return Deferred.fromCoroutine(self._get_some(cids, most, is_local))

    async def _get_some(self, cids: Sequence[Cid], most: int, is_local: bool) -> list[bytes]:
        packs = self._threads.packs[Reader.BLOCKS]
        found = await self._threads.ask(Reader.BLOCKS, reading.read_some, packs, cids, most)
        whole: list[bytes] = []
        for one in found:
            if not isinstance(one, bytes):
                break
            whole.append(one)
        return whole or [await self._get(cids[0], False, is_local)]

    def get_range(self, cid: Cid, offset: int, length: int) -> "Deferred[bytes]":
        """Some bytes of a block, of which all were checked; fewer where it ends. Fails as `get`."""
        return self.get(cid).addCallback(lambda data: data[offset : offset + length])

    def rows(self, cids: Sequence[Cid]) -> "Deferred[list[Row | None]]":
        """What is known of some blocks; a block is here where its ``pack`` is not None."""
        return self._threads.ask(Reader.BLOCKS, reading.rows_of, cids)

    def has(self, cid: Cid) -> "Deferred[bool]":
        """Whether a block is here."""
        if cid.is_inline:
            return succeed(True)
        return self.rows([cid]).addCallback(lambda rows: rows[0] is not None and rows[0].pack is not None)

    def links(self, ident: int, first: int = 0, most: int = PAGE) -> "Deferred[list[reading.Link]]":
        """Some links of a block by its id, from a position on."""
        return self._threads.ask(Reader.WALKS, reading.links, ident, first, most)

    def references(self, found: References, most: int = PAGE) -> "Deferred[list[Reference]]":
        """The next links below a block; none behind the last one."""
        return self._threads.ask(Reader.WALKS, found.page, most)

    def listing(self, after: int = -1, most: int = PAGE) -> "Deferred[tuple[list[Row], int]]":
        """Some blocks that are here, and where to go on; -1 behind the last one."""
        return self._threads.ask(Reader.WALKS, reading.listing, after, most)

    def missing(self, ident: int) -> "Deferred[list[Cid]]":
        """What is missing below a block, a thousand at most."""
        return Deferred.fromCoroutine(self._below(ident)).addCallback(lambda found: found[0])

    async def _below(self, ident: int) -> tuple[list[Cid], list[Cid]]:
        below = reading.Below(ident)
        while not await self._threads.ask(Reader.WALKS, below.go_on, ROUNDS):
            pass
        return await self._threads.ask(Reader.WALKS, below.named)

    def stat(self) -> "Deferred[Stat]":
        """Figures, in constant time."""
        return self._threads.ask(Reader.BLOCKS, reading.stat, self._threads.path, self._ledger.most)

    # pins

    def pins(
        self, mode: Mode | None = None, after: pinning.Key = pinning.FIRST, most: int = PAGE
    ) -> "Deferred[list[tuple[pinning.Key, Pin]]]":
        """Some pins behind one, with the key from which to go on."""
        return self._threads.ask(Reader.WALKS, pinning.pins, mode, after, most)

    def indirect(self) -> "Deferred[reading.Indirect]":
        """What recursive pins keep besides the pinned blocks themselves, to be listed by portions."""
        return Deferred.fromCoroutine(self._indirect())

    async def _indirect(self) -> reading.Indirect:
        found = reading.Indirect()
        while not await self._threads.ask(Reader.WALKS, found.go_on, ROUNDS):
            pass
        return found

    def indirect_page(self, found: reading.Indirect) -> "Deferred[list[Row]]":
        """The next of them; none behind the last one."""
        return self._threads.ask(Reader.WALKS, found.page, PAGE)

    def pin_of(self, cid: Cid) -> "Deferred[Pin | None]":
        """How a block itself is pinned."""
        return self._threads.ask(Reader.BLOCKS, pinning.pin_of, cid)

    def pinned_through(self, cid: Cid) -> "Deferred[Cid | None]":
        """A recursive pin below which a block is."""
        return self._threads.ask(Reader.WALKS, pinning.pinned_through, cid)

    def roots(self) -> "Deferred[dict[str, Cid]]":
        """All named roots."""
        return self._threads.ask(Reader.BLOCKS, pinning.roots)

    # collecting

    def collect(self, removed: Callable[[list[Cid]], object] | None = None) -> Collection:
        """Begin to remove what nobody needs, when the runs before have ended; ``removed`` is told what goes.

        Raises ``pins-unknown`` while nobody knows what was pinned.
        """
        self._threads.need_open()
        if self._opened is not None and self._opened.index_lost:
            text = (
                "the index of blocks was made anew, and what was pinned is not known: pin again what is to stay first"
            )
            raise BitDustError("pins-unknown", text)
        collection = Collection(self, self._threads, self._ledger, self._packs, self._registry)
        if removed is not None:
            collection.removed.connect(removed)
        self._collections.append(collection)
        if len(self._collections) == 1:
            collection.machine.send("start")
        return collection

    def pins_known(self) -> "Deferred[None]":
        """Everything that is to stay is pinned again: what is not may be collected."""
        return self._threads.change(lambda database: note(database, INDEX_LOST, 0)).addCallback(self._pins_are_known)

    def _pins_are_known(self, _: None) -> None:
        if self._opened is not None:
            self._opened.index_lost = False

    def over(self, run: Collection | Check, failure: Any) -> None:
        """A collection or a check has ended."""
        if failure is not None:
            self.log.warn("{run} of blocks: {failure}", run=type(run).__name__, failure=failure)
        if isinstance(run, Check):
            self._checks.discard(run)
            if run.mended:
                self._threads.change(self._look_at_packs)
            return
        self._collections.remove(run)
        if self._collections and self.is_open:
            self._collections[0].machine.send("start")

    # what cannot be read

    def add_source(self, source: BlockSource, is_first: bool = False) -> None:
        """Ask it, after those before it, or before them, for blocks that cannot be read; begin with packs that are
        known to be bad."""
        self._fetches.sources.insert(0 if is_first else len(self._fetches.sources), source)
        if self._opened is not None and self._opened.problems:
            self.check(list(self._opened.problems))

    def remove_source(self, source: BlockSource) -> None:
        """Ask it no more."""
        if source in self._fetches.sources:
            self._fetches.sources.remove(source)

    def check(self, only: Sequence[int] | None = None) -> Check:
        """Begin to read all blocks again, or those of some packs, and mend what can be mended."""
        self._threads.need_open()
        if only is None:
            self._threads.change(lambda database: self._ledger.doubted.clear())
        check = Check(self, self._registry, only, lambda: bool(self._fetches.sources))
        self._checks.add(check)
        check.machine.send("start")
        return check

    def _look_at_packs(self, database: sqlite3.Connection) -> None:
        """Packs whose blocks are all stored elsewhere now are no problem any more."""
        problems = self._opened.problems if self._opened is not None else {}
        for pack in list(problems):
            if database.execute("SELECT 1 FROM blocks WHERE pack=? LIMIT 1", (pack,)).fetchone() is None:
                del problems[pack]

    def read_again(self, after: Position, only: Sequence[int] | None) -> "Deferred[Portion]":
        """For checks."""
        return self._threads.ask(Reader.WALKS, read_again, self._threads.packs[Reader.WALKS], after, only)

    def doubt(self, unread: Sequence[reading.Unread]) -> "Deferred[list[reading.Unread]]":
        """Blocks could not be read; fires with those that stand where they stood."""
        return self._threads.change(lambda database: removing.doubt(database, self._ledger.doubted, unread))

    def fetch(self, cid: Cid) -> "Deferred[bytes]":
        """Ask the sources for a block, and store it."""
        return self._fetches.fetch(cid)
