"""The block store: blocks go in and come out, some are pinned or named, and what nobody needs can be collected."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.batching import ThreadQueue
from bitdust.blocks import pinning, reading
from bitdust.blocks.collecting import Collection
from bitdust.blocks.database import close, connect, note, trouble
from bitdust.blocks.index import Index, get
from bitdust.blocks.leases import Lease
from bitdust.blocks.opening import INDEX_LOST, Opened, Opening, is_index_lost
from bitdust.blocks.packs import PACK, PackReader, PackWriter
from bitdust.blocks.reach import IdSet
from bitdust.blocks.values import Change, LinkReader, Mode, Pin, Row, Stat, State, not_here
from bitdust.blocks.writing import SETTING, Hold, Ledger, Store
from bitdust.disk.commit import GroupCommit, Job
from bitdust.disk.disk import Disk
from bitdust.disk.reserve import SETTING as DISK_RESERVE
from bitdust.disk.reserve import Reserve
from bitdust.ipld.cid import Block, Cid
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

T = TypeVar("T")
ROUNDS = 20
TOGETHER = 8 * 1024 * 1024
"""Bytes of blocks that are read at once."""
PAGE = 1000


class BlockStore:
    """`open` first, `close` last. ``changed`` reports pins and roots that were committed."""

    log = Logger()

    def __init__(
        self,
        around: Surroundings,
        folder: Path,
        links: LinkReader,
        disk: Disk | None = None,
        full: int = PACK,
    ) -> None:
        self._world, self._registry = around.world, around.registry
        self.folder = folder
        disk = disk or Disk()
        settings = around.settings
        self._packs = [PackReader(disk, folder) for _ in range(3)]
        """Of the thread that writes, of the one that reads blocks, of the one that walks."""
        writer = PackWriter(disk, folder, full)
        index = Index(links, self._packs[0].block)
        reserve = Reserve(lambda: int(settings.get(DISK_RESERVE)))
        self.ledger = Ledger(writer, index, reserve, lambda: int(settings.get(SETTING)))
        self._opening = Opening(disk, folder, index, self._packs[0])
        self._commits = GroupCommit(self._world.run_in_thread, disk, self._writer, self._trouble)
        self._readers: list[sqlite3.Connection] = []
        self._queues = [ThreadQueue(self._world.run_in_thread) for _ in range(2)]
        self._leases: set[Lease] = set()
        self._collections: list[Collection] = []
        self.problems: dict[int, str] = {}
        """By pack: what is wrong with it."""
        self.changed: Signal[[Sequence[Change]]] = Signal()

    def _trouble(self, error: OSError | sqlite3.Error) -> BitDustError:
        return trouble(error, self._opening.path)

    # its life

    def open(self) -> "Deferred[Opened]":
        """Fires when blocks can be stored; fails as `Opening.open` says."""
        return self._world.run_in_thread(self._open)

    def _open(self) -> Opened:
        opened = self._opening.open(self.ledger.packs, int(self._world.wall()))
        self.problems = opened.problems
        (self.ledger.packed,) = opened.database.execute("SELECT packed FROM totals").fetchone()
        self._readers = [connect(self._opening.path) for _ in self._queues]
        self.ledger.database = opened.database
        return opened

    def close(self) -> "Deferred[None]":
        """Fires when all that was begun is written and the files are closed."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        for collection in list(self._collections):
            collection.machine.send("stop")
        for lease in list(self._leases):
            lease.end()
        await self._commits.when_idle()
        for queue in self._queues:
            await queue.when_idle()
        writer, self.ledger.database = self.ledger.database, None
        readers, self._readers = self._readers, []
        close(*readers, writer)
        self.ledger.packs.close()
        for packs in self._packs:
            packs.close()

    @property
    def is_open(self) -> bool:
        return self.ledger.database is not None

    def _writer(self) -> sqlite3.Connection:
        if self.ledger.database is None:
            raise BitDustError("busy", "the block store is not open")
        return self.ledger.database

    def change(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        """Run something in the writing thread, inside a transaction."""
        return self._commits.change(call)

    def write(self, job: Job) -> "Deferred[Any]":
        """The same for a job."""
        return self._commits.run(job)

    # storing

    def lease(self) -> Lease:
        """What is put and held with it stays until its end."""
        self._writer()
        lease = Lease(self)
        self._leases.add(lease)
        return lease

    def store(self, lease: Lease, blocks: Sequence[Block], changes: Sequence[Change]) -> "Deferred[None]":
        """See `Lease.commit`."""
        return Deferred.fromCoroutine(self._store(lease, blocks, changes))

    async def _store(self, lease: Lease, blocks: Sequence[Block], changes: Sequence[Change]) -> None:
        opened: list[Pin] = await self.write(Store(self.ledger, lease.held, blocks, changes))
        if opened:
            for pin in opened:
                row = await self.hold(lease, pin.cid)
                await self._need_below(row)
            await self.write(Store(self.ledger, lease.held, (), changes, looked_at=True))
        if changes:
            self.changed.emit(changes)

    async def _need_below(self, row: Row) -> None:
        """Raises ``not-found`` or ``unreadable`` for a block below one."""
        missing, unreadable = await self._below(row)
        if missing:
            text = f"{len(missing)} blocks below {row.cid} are not here, such as {missing[0]}"
            raise BitDustError("not-found", text, cid=str(missing[0]))
        if unreadable:
            raise pinning.unreadable(unreadable[0])
        await self.change(lambda database: self._is_whole(database, row))

    def _is_whole(self, database: sqlite3.Connection, row: Row) -> None:
        database.execute("UPDATE blocks SET state=? WHERE id=? AND state=?", (State.WHOLE, row.id, State.HERE))

    def hold(self, lease: Lease, cid: Cid) -> "Deferred[Row]":
        """See `Lease.hold`."""
        return self.write(Hold(self.ledger, lease.held, cid))

    def forget(self, lease: Lease) -> None:
        """A lease has ended."""
        self._leases.discard(lease)

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

    # reading

    def _ask(self, which: int, call: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        return self._queues[which].submit(self._reading, which, call, arguments)

    def _reading(self, which: int, call: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        self._writer()
        try:
            return call(self._readers[which], *arguments)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block, checked. Fails with ``not-found`` where it is not here, ``damaged-block`` where it is unreadable."""
        if cid.is_inline:
            return succeed(cid.inline())
        return self.get_some([cid]).addCallback(lambda found: found[0])

    def get_some(self, cids: Sequence[Cid], most: int = TOGETHER) -> "Deferred[list[bytes]]":
        """The first of some blocks, until they have ``most`` bytes together; one at least."""
        return Deferred.fromCoroutine(self._get_some(cids, most))

    async def _get_some(self, cids: Sequence[Cid], most: int) -> list[bytes]:
        found = await self._ask(0, reading.read_some, self._packs[1], cids, most)
        blocks: list[bytes] = []
        for cid, one in zip(cids, found, strict=False):
            if isinstance(one, bytes):
                blocks.append(one)
            elif blocks:
                break  # what is wrong is told to whoever asks for this one first
            else:
                blocks.append(self._unread(cid, one))
        return blocks

    def _unread(self, cid: Cid, one: reading.Unread | None) -> bytes:
        if one is None:
            raise not_here(cid)
        raise BitDustError("damaged-block", f"block {cid} cannot be read: {one.why}", cid=str(cid))

    def rows(self, cids: Sequence[Cid]) -> "Deferred[list[Row | None]]":
        """What is known of some blocks; a block is here where its ``pack`` is not None."""
        return self._ask(0, reading.rows_of, cids)

    def has(self, cid: Cid) -> "Deferred[bool]":
        """Whether a block is here."""
        if cid.is_inline:
            return succeed(True)
        return self.rows([cid]).addCallback(lambda rows: rows[0] is not None and rows[0].pack is not None)

    def links(self, ident: int, first: int = 0, most: int = PAGE) -> "Deferred[list[reading.Link]]":
        """Some links of a block by its id, from a position on."""
        return self._ask(1, reading.links, ident, first, most)

    def listing(self, after: int = -1, most: int = PAGE) -> "Deferred[tuple[list[Row], int]]":
        """Some blocks that are here, and where to go on; -1 behind the last one."""
        return self._ask(1, reading.listing, after, most)

    async def _below(self, row: Row) -> tuple[list[Cid], list[Cid]]:
        below = reading.Below(row.id)
        while not await self._ask(1, below.go_on, ROUNDS):
            pass
        found = await self._ask(1, lambda database: [[get(database, one).cid for one in ids] for ids in (
            below.missing, below.unreadable)])  # fmt: skip
        return found[0], found[1]

    def missing(self, row: Row) -> "Deferred[list[Cid]]":
        """What is missing below a block, a thousand at most."""
        return Deferred.fromCoroutine(self._below(row)).addCallback(lambda found: found[0])

    def stat(self) -> "Deferred[Stat]":
        """Figures, in constant time."""
        return self._ask(0, self._stat)

    def _stat(self, database: sqlite3.Connection) -> Stat:
        blocks, size, packed, live = database.execute("SELECT blocks, bytes, packed, live FROM totals").fetchone()
        return Stat(blocks, size, packed, live, self._opening.path.stat().st_size, self.ledger.most)

    # pins

    def pins(
        self, mode: Mode | None = None, after: pinning.Key = pinning.FIRST, most: int = PAGE
    ) -> "Deferred[list[tuple[pinning.Key, Pin]]]":
        """Some pins behind one, with the key from which to go on."""
        return self._ask(1, pinning.pins, mode, after, most)

    def pin_of(self, cid: Cid) -> "Deferred[Pin | None]":
        """How a block itself is pinned."""
        return self._ask(0, pinning.pin_of, cid)

    def pinned_through(self, cid: Cid) -> "Deferred[Cid | None]":
        """A recursive pin below which a block is."""
        return self._ask(1, pinning.pinned_through, cid)

    def roots(self) -> "Deferred[dict[str, Cid]]":
        """All named roots."""
        return self._ask(0, pinning.roots)

    # collecting

    def collect(self) -> "Deferred[Collection]":
        """Begin to remove what nobody needs; fires with the run, which begins when those before it have ended. Fails
        with ``pins-unknown`` while nobody knows what was pinned."""
        return self._ask(0, is_index_lost).addCallback(self._collect)

    def _collect(self, is_lost: bool) -> Collection:
        if is_lost:
            text = (
                "the index of blocks was made anew, and what was pinned is not known: pin again what is to stay first"
            )
            raise BitDustError("pins-unknown", text)
        collection = Collection(self, self.ledger, self._packs[0], self._registry)
        self._collections.append(collection)
        if len(self._collections) == 1:
            collection.machine.send("start")
        return collection

    def held(self) -> list[IdSet]:
        """What all leases hold."""
        return [lease.held for lease in tuple(self._leases)]

    def over(self, collection: Collection, failure: Any) -> None:
        """A collection has ended."""
        self._collections.remove(collection)
        if failure is not None:
            self.log.warn("blocks were not collected: {failure}", failure=failure)
        if self._collections and self.is_open:
            self._collections[0].machine.send("start")

    def gone(self, pack: int) -> None:
        """A pack was removed: nobody keeps it open."""
        for which, queue in enumerate(self._queues, 1):
            queue.submit(self._packs[which].forget, pack)

    def pins_known(self) -> "Deferred[None]":
        """Everything that is to stay is pinned again: what is not may be collected."""
        return self.change(lambda database: note(database, INDEX_LOST, 0))
