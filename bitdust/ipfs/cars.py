"""CAR files: blocks that come in and go out as one stream."""

from collections.abc import AsyncIterator, Awaitable, Callable

from attrs import Factory, define

from bitdust.blocks.leases import Lease
from bitdust.blocks.values import Pin
from bitdust.ipfs.adding import Source
from bitdust.ipfs.blocks import AHEAD, LARGE_BLOCK, MOST_AHEAD, Ahead, Blocks, InThread, get, work
from bitdust.ipld import car, codecs
from bitdust.ipld.car import CarReader
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.walking import Walk
from bitdust.wire.errors import BitDustError

PIECE = 256 * 1024
MOST_ROOTS = 10_000
MISSING = ("not-found", "unreadable")
"""Codes of errors because of what is below a root; blocks were stored then."""


async def export(blocks: Blocks, root: Cid) -> AsyncIterator[bytes]:
    """A CAR of everything below a root: each block once, a node before what it links to.

    Nothing comes before the root was found; a block that is missing further down ends it with ``not-found``.
    """
    walk, gathered, size = Walk([root]), [car.header([root])], 0
    ahead, usual = Ahead(blocks), LARGE_BLOCK
    while (visit := walk.next()) is not None:
        if not ahead.has(visit.cid):
            await ahead.look([visit.cid, *walk.coming(min(AHEAD - 1, MOST_AHEAD // 2 // max(1, usual)))])
        data = await get(ahead, visit.cid)
        usual += (len(data) - usual) // 8
        await work(blocks.in_thread, len(data), walk.give, data)
        if visit.cid.is_inline:
            continue
        gathered.append(car.section(Block(visit.cid, data)))
        size += len(data)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


@define
class CarImport:
    """Blocks of CAR files, each checked, on their way into the store; ``roots`` are those that the files name, and are
    pinned where that is wanted."""

    _lease: Lease
    _in_thread: InThread
    _pin: bool = True
    roots: dict[Cid, str] = Factory(dict)
    """Why each cannot be pinned; empty where nothing is known to be wrong."""
    _seen: set[Cid] = Factory(set)

    async def take(self, source: Source) -> None:
        """Every file. Raises `BitDustError` where there is none."""
        count = 0
        while await source.next() is not None:
            count += 1
            await self._file(source.read)
        if not count:
            raise BitDustError("bad-argument", "file argument 'path' is required")

    async def _file(self, read: Callable[[], Awaitable[bytes]]) -> None:
        """One file, to its end. Raises `FormatError` for one that is none, ends early, or has a block that is not what
        its CID names."""
        reader, is_begun = CarReader(), False
        while data := await read():
            blocks = await self._in_thread(reader.feed, data)
            if reader.roots is not None and not is_begun:
                is_begun = True
                self._begin(reader.roots)
            for block in blocks:
                await self._put(block)
        reader.finish()
        self._begin(reader.roots or ())

    def _begin(self, roots: tuple[Cid, ...]) -> None:
        for root in roots:
            self.roots.setdefault(root, "")
        if len(self.roots) > MOST_ROOTS:
            raise BitDustError("too-large", f"CAR files of one import have at most {MOST_ROOTS} roots")

    async def _put(self, block: Block) -> None:
        if block.cid in self.roots:
            self._seen.add(block.cid)
            try:
                await work(self._in_thread, len(block.data), codecs.links, block.cid, block.data)
            except BitDustError as error:
                self.roots[block.cid] = str(error)
        waiting = self._lease.put(block)
        if waiting is not None:
            await waiting

    async def finish(self) -> list[Cid]:
        """Commit everything, and the pins of all roots with it. A root that cannot be pinned, because something below
        it is missing, says why, and holds up nothing else."""
        if self._pin:
            await self._commit_pinned()
        else:
            await self._lease.commit()
        return list(self.roots)

    async def _commit_pinned(self) -> None:
        sound = [root for root, why in self.roots.items() if not why]
        brought = [root for root in sound if root in self._seen]
        others = [root for root in sound if root not in self._seen]
        try:
            await self._lease.commit(*(Pin(root) for root in brought))
        except BitDustError as error:
            if error.code not in MISSING:
                raise
            others = sound
        for root in others:
            try:
                await self._lease.commit(Pin(root))
            except BitDustError as error:
                if error.code not in MISSING:
                    raise
                self.roots[root] = str(error)
