"""What is kept at my suppliers of a block store: asked and written down, each in the thread that it belongs to."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.blocks import saved
from bitdust.blocks.database import fact, note
from bitdust.blocks.dropping import Dropping
from bitdust.blocks.index import Index, find
from bitdust.blocks.leases import Lease
from bitdust.blocks.packs import PackReader
from bitdust.blocks.rewriting import Rewriting
from bitdust.blocks.saved import Placed, Segment, SegmentState, Spot
from bitdust.blocks.threads import Reader, Threads
from bitdust.blocks.unsaved import Due, Walk, due
from bitdust.blocks.values import Mode, Pin
from bitdust.blocks.writing import Ledger
from bitdust.ipld.cid import Cid

STEPS = 2000
"""Blocks that are looked at in one go."""
TOGETHER = 2000
"""Blocks that are written down in one transaction."""
_LINKS = (
    "SELECT l.version, l.codec, b.multihash FROM links l JOIN blocks b ON b.id=l.child WHERE l.parent=?"
    " ORDER BY l.position"
)
_PINS = (
    "SELECT p.block, p.version, p.codec, b.multihash, p.mode, p.name, p.told FROM pins p JOIN blocks b ON b.id=p.block"
    " JOIN saved s ON s.block=p.block WHERE p.mode=0 OR s.whole=1 ORDER BY p.block, p.version, p.codec"
)
_ROOTS = (
    "SELECT r.name, r.version, r.codec, b.multihash FROM roots r JOIN blocks b ON b.id=r.block"
    " JOIN saved s ON s.block=r.block WHERE s.whole=1 ORDER BY r.name"
)


@frozen
class Described:
    """A block of a segment as its index tells of it: where its bytes begin, how many there are, what it links to."""

    cid: Cid
    offset: int
    size: int
    links: tuple[Cid, ...] = ()


@frozen
class Snapshot:
    """Pins and roots that are saved with all below them, after so many ``changes``; ``untold`` are keys of pins that
    suppliers do not know of."""

    changes: int
    pins: list[Pin]
    roots: dict[str, Cid]
    segments: list[str]
    untold: list[tuple[int, int, int]]


@frozen
class SavedPin:
    """A pin, and what of it is not saved yet: ``blocks`` with so many ``bytes``; ``is_told``: suppliers know of it."""

    pin: Pin
    blocks: int
    bytes: int
    is_told: bool


@frozen
class SavedFigures:
    """``bytes`` of blocks that stay are in so many ``segments``."""

    segments: int
    bytes: int


class Saving:
    """I stand beside the store, whose threads I use."""

    def __init__(self, threads: Threads, ledger: Ledger, index: Index, packs: PackReader) -> None:
        self._threads = threads
        self._ledger = ledger
        self._index = index
        self._packs = packs

    # what is to be saved

    def due(self, but: Iterable[int] = ()) -> "Deferred[list[Due]]":
        """Pinned and named blocks that are not saved with all that belongs to them; some are left out."""
        return self._threads.ask(Reader.WALKS, due, tuple(but))

    def walk(self, walk: Walk, most: tuple[int, int]) -> "Deferred[bool]":
        """Look for some more, until there are so many blocks, or bytes of them; fires with whether that was all."""
        return self._threads.ask(Reader.WALKS, walk.go_on, STEPS, most)

    def links(self, cids: Sequence[Cid]) -> "Deferred[list[tuple[Cid, ...]]]":
        """What some blocks link to."""
        return self._threads.ask(Reader.WALKS, _links, cids)

    def judge(self, idents: Sequence[int]) -> "Deferred[None]":
        """See which of some blocks, children before parents, are saved with all that is below them."""
        return Deferred.fromCoroutine(self._judge(idents))

    async def _judge(self, idents: Sequence[int]) -> None:
        for start in range(0, len(idents), TOGETHER):
            some = idents[start : start + TOGETHER]
            await self._threads.change(partial(_judge, some))

    # segments

    def give_up_built(self) -> "Deferred[None]":
        """What was begun before is garbage."""
        return self._threads.change(saved.give_up_built)

    def begin(self, name: str) -> "Deferred[int]":
        """A segment is on its way."""
        return self._threads.change(lambda database: saved.begin(database, name))

    def store(self, name: str, blocks: Sequence[Placed]) -> "Deferred[None]":
        """My suppliers have all of a segment."""
        return self._threads.change(lambda database: saved.store(database, name, blocks))

    def remove(self, name: str) -> "Deferred[None]":
        """A segment of which nothing was needed is gone."""
        return self._threads.change(lambda database: saved.remove(database, name))

    def lose(self, name: str) -> "Deferred[None]":
        """My suppliers have a segment no more."""
        return self._threads.change(lambda database: saved.lose(database, name))

    def unplaced(self) -> "Deferred[set[bytes]]":
        """Multihashes of blocks that are away and in no segment."""
        return self._threads.ask(Reader.WALKS, saved.unplaced)

    def segments(self, state: SegmentState) -> "Deferred[list[Segment]]":
        """All of a state, the emptiest first."""
        return self._threads.ask(Reader.WALKS, saved.segments, state)

    def blocks_of(self, segment: Segment) -> "Deferred[list[tuple[Cid, int]]]":
        """What a segment holds for somebody."""
        return self._threads.ask(Reader.WALKS, saved.blocks_of, segment.id)

    def spot(self, cid: Cid) -> "Deferred[Spot | None]":
        """Where a block is."""
        return self._threads.ask(Reader.BLOCKS, saved.spot_of, cid)

    def adopt(self, lease: Lease, name: str, blocks: Sequence[Described]) -> "Deferred[None]":
        """My suppliers have a segment that this index does not know; a lease holds what is in it."""
        return Deferred.fromCoroutine(self._adopt(lease, name, blocks))

    async def _adopt(self, lease: Lease, name: str, blocks: Sequence[Described]) -> None:
        for start in range(0, max(1, len(blocks)), TOGETHER):
            some = blocks[start : start + TOGETHER]
            await self._threads.change(partial(self._take, lease, name, some))

    def _take(self, lease: Lease, name: str, blocks: Sequence[Described], database: sqlite3.Connection) -> None:
        self._index.begin()
        self._ledger.need(lease.held, [self._index.away(database, one.cid, one.size, one.links) for one in blocks])
        saved.store(database, name, [Placed(one.cid, one.offset, one.size) for one in blocks])
        self._index.tally(database)

    # what suppliers are told

    def snapshot(self) -> "Deferred[Snapshot]":
        """What can be had back now."""
        return self._threads.ask(Reader.WALKS, _snapshot)

    def told(self, snapshot: Snapshot, at: int) -> "Deferred[None]":
        """My suppliers have this snapshot, since a moment."""
        return Deferred.fromCoroutine(self._told(snapshot, at))

    async def _told(self, snapshot: Snapshot, at: int) -> None:
        for start in range(0, len(snapshot.untold), TOGETHER):
            some = snapshot.untold[start : start + TOGETHER]
            await self._threads.change(partial(_tell, some))
        await self.note({"told_changes": snapshot.changes, "told_at": at})

    def facts(self, *names: str) -> "Deferred[list[int]]":
        """Numbers of the index by name; 0 for one that was never noted."""
        return self._threads.ask(Reader.WALKS, lambda database: [fact(database, name) for name in names])

    def facts_behind(self, prefix: str) -> "Deferred[dict[str, int]]":
        """All numbers whose names begin so, by the rest of their names."""
        return self._threads.ask(Reader.WALKS, _facts_behind, prefix)

    def note(self, facts: dict[str, int]) -> "Deferred[None]":
        """Write down some numbers."""

        def write(database: sqlite3.Connection) -> None:
            for name, value in facts.items():
                note(database, name, value)

        return self._threads.change(write)

    # what is asked about it

    def figures(self) -> "Deferred[SavedFigures]":
        """How much is saved."""
        return self._threads.ask(Reader.WALKS, _figures)

    def of_pin(self, pin: Pin) -> "Deferred[SavedPin]":
        """How far a pin is saved; what is below it is looked at as far as it is not."""
        return Deferred.fromCoroutine(self._of_pin(pin))

    async def _of_pin(self, pin: Pin) -> SavedPin:
        ident, is_told = await self._threads.ask(Reader.WALKS, _pinned, pin)
        walk, blocks, size = Walk([(ident, pin.mode)] if ident else []), 0, 0
        is_all = False
        while not is_all:
            is_all = await self.walk(walk, (STEPS, 1 << 62))
            found = walk.take()
            blocks += len(found)
            size += sum(one.size for one in found)
        return SavedPin(pin, blocks + len(walk.missing), size, is_told)

    # space

    def packed(self) -> tuple[int, int]:
        """Bytes that all packs have, and how many they may have."""
        return self._ledger.packed, self._ledger.most

    async def drop(self, wanted: int) -> int:
        """Let local copies go until packs have given back so many bytes, or there are no more; how many they were."""
        dropping, rewriting = Dropping(self._index), Rewriting(self._threads, self._ledger, self._packs)
        is_all = False
        while not is_all and rewriting.freed < wanted:
            least = dropping.bytes + wanted - rewriting.freed
            is_all = await self._threads.change(partial(dropping.go_on, least))
            while not await rewriting.go_on():
                pass
        return rewriting.freed


def _facts_behind(database: sqlite3.Connection, prefix: str) -> dict[str, int]:
    query = "SELECT substr(name, ?), value FROM meta WHERE substr(name, 1, ?)=?"
    return {name: int(value) for name, value in database.execute(query, (len(prefix) + 1, len(prefix), prefix))}


def _links(database: sqlite3.Connection, cids: Sequence[Cid]) -> list[tuple[Cid, ...]]:
    found = []
    for cid in cids:
        row = find(database, cid.multihash)
        rows = database.execute(_LINKS, (row.id,)).fetchall() if row is not None else []
        found.append(tuple(Cid(*values) for values in rows))
    return found


def _snapshot(database: sqlite3.Connection) -> Snapshot:
    database.execute("BEGIN")
    try:
        rows = database.execute(_PINS).fetchall()
        pins = [Pin(Cid(*row[1:4]), Mode(row[4]), row[5]) for row in rows]
        roots = {row[0]: Cid(*row[1:]) for row in database.execute(_ROOTS)}
        names = [one.name for one in saved.segments(database, SegmentState.STORED)]
        untold = [(row[0], row[1], row[2]) for row in rows if not row[6]]
        return Snapshot(fact(database, "changes"), pins, roots, sorted(names), untold)
    finally:
        database.execute("COMMIT")


def _judge(idents: Sequence[int], database: sqlite3.Connection) -> None:
    saved.judge(database, idents)


def _tell(keys: Sequence[tuple[int, int, int]], database: sqlite3.Connection) -> None:
    database.executemany("UPDATE pins SET told=1 WHERE block=? AND version=? AND codec=?", keys)


def _pinned(database: sqlite3.Connection, pin: Pin) -> tuple[int, bool]:
    query = (
        "SELECT p.block, p.told FROM pins p JOIN blocks b ON b.id=p.block WHERE b.multihash=? AND p.version=?"
        " AND p.codec=? UNION ALL SELECT r.block, 0 FROM roots r JOIN blocks b ON b.id=r.block WHERE b.multihash=?"
    )
    cid = pin.cid
    row = database.execute(query, (cid.multihash, cid.version, cid.codec, cid.multihash)).fetchone()
    return (row[0], bool(row[1])) if row is not None else (0, False)


def _figures(database: sqlite3.Connection) -> SavedFigures:
    query = "SELECT count(*), coalesce(sum(live), 0) FROM segments WHERE state=?"
    return SavedFigures(*database.execute(query, (SegmentState.STORED,)).fetchone())
