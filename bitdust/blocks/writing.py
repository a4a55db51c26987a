"""What the writing thread works with, and its job: blocks, and pins and roots that change with them, in one commit.

The order is that of `bitdust.disk.commit`: blocks of all jobs go to the end of the last pack, the pack is synced once
(`bitdust.blocks.unsynced` says when not), then one transaction says where they are. A process that dies before the end
of it has answered nobody; what it left behind the end of the pack is written over.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from bitdust.blocks.index import Index, find, get, note_pack
from bitdust.blocks.packs import PackWriter, Place, record_size
from bitdust.blocks.pinning import change, is_open
from bitdust.blocks.reach import IdSet
from bitdust.blocks.unsynced import Unsynced
from bitdust.blocks.values import Change, Pin, Row, State, Unpin, not_here
from bitdust.disk.commit import Job
from bitdust.disk.reserve import Reserve
from bitdust.ipld.cid import Block, Cid
from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

SETTING = "services/block-store/storage-max"
AHEAD = 1024 * 1024
"""Bytes for which the disk is asked once whether it has room, and not for each small add."""


class Barrier(Protocol):
    """Who removes what nobody needs, while others store."""

    def needed(self, idents: Iterable[int]) -> None:
        """These are needed from now on, with all below them."""


class Ledger:
    """I hold what jobs share. My methods are for the writing thread, but for `packed`."""

    def __init__(self, packs: PackWriter, index: Index, reserve: Reserve, most: Callable[[], int]) -> None:
        self.packs = packs
        self.unsynced = Unsynced(packs)
        self.index = index
        self._reserve = reserve
        self._most = most
        self.database: sqlite3.Connection | None = None
        self.barrier: Barrier | None = None
        """Set while there is one."""
        self.packed = 0
        """Bytes of all packs."""
        self._granted = 0
        self.doubted: set[int] = set()
        """Blocks that could not be read when that was last tried: they are stored again when somebody brings them."""

    @property
    def most(self) -> int:
        """Bytes that packs may have together."""
        return self._most()

    def need_room(self, size: int) -> None:
        """Raises ``storage-full`` where so many bytes are too many, or ``disk-full``."""
        left = self.most - self.packed
        if size > left:
            raise BitDustError(
                "storage-full",
                f"{in_words(size)} of blocks would be stored and {in_words(max(0, left))} may be, because the block "
                f"store has at most {in_words(self.most)}: unpin something and collect garbage, or raise {SETTING}",
                needed=size,
                available=max(0, left),
            )
        if size > self._granted:
            left = self._reserve.check(self.packs.folder, size, "blocks")
            self._granted = min(AHEAD, left)
        self._granted -= size

    def add(self, blocks: Sequence[Block]) -> list[Place]:
        """Bring blocks to the end of the last pack. Raises `OSError`."""
        before = self.packs.number, self.packs.end
        places = self.packs.add(blocks)
        self.packed += sum(record_size(len(cid.multihash), len(data)) for cid, data in blocks)
        self.packed += len(blocks) and before[0] != self.packs.number and 16
        return places

    def sync(self, database: sqlite3.Connection, places: Sequence[Place]) -> None:
        """Return when these are on the disk in their packs. Raises `OSError`."""
        self.packs.sync(places)
        self.unsynced.forget(database)

    def need(self, held: IdSet, idents: Iterable[int]) -> None:
        """A lease holds these from now on."""
        listed = list(idents)
        for ident in listed:
            held.add(ident)
        if self.barrier is not None:
            self.barrier.needed(listed)


class Store(Job):
    """Blocks of one lease, and changes. Fires with those pins for which the caller has to look below first; then none
    of the changes was made, and all blocks are stored."""

    def __init__(
        self,
        ledger: Ledger,
        held: IdSet,
        blocks: Sequence[Block],
        changes: Sequence[Change] = (),
        looked_at: bool = False,
    ) -> None:
        self._ledger = ledger
        self._held = held
        self._blocks = {block.cid.multihash: block for block in blocks}
        self._others = [block for block in blocks if self._blocks[block.cid.multihash].cid != block.cid]
        self._changes = changes
        self._looked_at = looked_at
        self._places: dict[bytes, Place] = {}
        self._leaves: dict[Cid, Row] = {}
        """Blocks of which this job was the first to hear, and below which nothing is."""

    def prepare(self) -> None:
        ledger = self._ledger
        if ledger.database is None:
            raise BitDustError("busy", "the block store is not open")
        new = []
        for multihash, block in self._blocks.items():
            if not block.cid.matches(block.data):
                raise BitDustError("bad-block", f"what was brought as block {block.cid} is something else")
            row = find(ledger.database, multihash)
            if row is None or row.pack is None or row.id in ledger.doubted:
                new.append(block)
            if row is not None:
                ledger.need(self._held, (row.id,))
        if new:
            ledger.need_room(sum(record_size(len(block.cid.multihash), len(block.data)) for block in new))
            places = ledger.add(new)
            self._places = {block.cid.multihash: place for block, place in zip(new, places, strict=True)}

    def apply(self, database: sqlite3.Connection) -> list[Pin]:
        ledger = self._ledger
        is_small = ledger.unsynced.takes(sum(place.size for place in self._places.values()))
        if self._places and not is_small:
            ledger.sync(database, list(self._places.values()))
        for pack in {place.pack for place in self._places.values()}:
            end = max(place.offset + place.size for place in self._places.values() if place.pack == pack)
            note_pack(database, pack, end)
        ledger.index.begin()
        for multihash, block in self._blocks.items():
            place = self._places.get(multihash)
            ident = self._put(database, block, place)
            if place is not None and is_small:
                ledger.unsynced.keep(database, ident, block.data)
            ledger.need(self._held, (ident,))
            ledger.doubted.discard(ident)
        for block in self._others:
            ledger.index.put(database, block.cid, block.data, None)
        opened = self._change(database)
        ledger.index.tally(database)
        return opened

    def _put(self, database: sqlite3.Connection, block: Block, place: Place | None) -> int:
        leaf = self._ledger.index.put_leaf(database, block.cid, block.data, place) if place is not None else None
        if leaf is None:
            return self._ledger.index.put(database, block.cid, block.data, place)
        self._leaves[block.cid] = leaf
        return leaf.id

    def _change(self, database: sqlite3.Connection) -> list[Pin]:
        concerned = [(one, self._row(database, one)) for one in self._changes]
        opened = [
            one
            for one, row in concerned
            if row is not None
            and not self._looked_at
            and one.cid not in self._leaves
            and is_open(database, row, one)
            and isinstance(one, Pin)
        ]
        if opened:
            return opened
        for one, row in concerned:
            if row is not None and not isinstance(one, Unpin):
                self._ledger.need(self._held, (row.id,))
            change(database, one, row.id if row is not None else 0)
        return []

    def _row(self, database: sqlite3.Connection, one: Change) -> Row | None:
        """What a change is about; None for a root that goes, or for an unknown block that is to be pinned no more."""
        if one.cid is None:
            return None
        row = self._leaves.get(one.cid) or find(database, one.cid.multihash)
        if isinstance(one, Unpin):
            return row
        if (row is None or row.state is State.ABSENT) and not one.cid.is_inline:
            raise not_here(one.cid)
        if row is not None and row.cid.codec == one.cid.codec:
            return row
        return get(database, self._ledger.index.name(database, one.cid))


class Hold(Job):
    """A lease holds a block, here or not, with all below it; fires with its row."""

    def __init__(self, ledger: Ledger, held: IdSet, cid: Cid) -> None:
        self._ledger = ledger
        self._held = held
        self._cid = cid

    def apply(self, database: sqlite3.Connection) -> Row:
        row = get(database, self._ledger.index.name(database, self._cid))
        self._ledger.need(self._held, (row.id,))
        return row
