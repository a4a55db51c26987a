"""Which blocks are in which segment: files of blocks that my suppliers keep. For the thread that writes, and readers.

A row of ``saved`` goes with the block that it belongs to, in the same transaction, so what a segment still holds for
somebody (``live``) is always known. A segment is BUILT before its file is on its way, so that a process that dies knows
what it may have left behind.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from enum import IntEnum

from attrs import frozen

from bitdust.blocks.database import fact
from bitdust.ipld.cid import Cid

_THESE = "IN (SELECT value FROM json_each(?))"
_PLACE = (
    "SELECT b.id, s.segment, s.size, EXISTS(SELECT 1 FROM links WHERE parent=b.id) FROM blocks b"
    " LEFT JOIN saved s ON s.block=b.id WHERE b.multihash=?"
)
_SAVE = (
    "INSERT INTO saved VALUES(?, ?, ?, ?, ?) ON CONFLICT(block) DO UPDATE SET segment=excluded.segment,"
    " offset=excluded.offset, size=excluded.size"
)
_INLINE = "INSERT OR IGNORE INTO saved SELECT id, 0, 0, 0, 0 FROM blocks WHERE id=? AND substr(multihash, 1, 1)=x'00'"
_WHOLE = (
    "UPDATE saved SET whole=1 WHERE block=? AND NOT EXISTS (SELECT 1 FROM links l LEFT JOIN saved s ON s.block=l.child"
    " WHERE l.parent=saved.block AND coalesce(s.whole, 0)=0)"
)

_UNPLACED = (
    "SELECT multihash FROM blocks b WHERE pack IS NULL AND state != 0 AND substr(multihash, 1, 1) != x'00'"
    " AND NOT EXISTS(SELECT 1 FROM saved WHERE block=b.id)"
)


class SegmentState(IntEnum):
    """BUILT: suppliers may have some of it. STORED: they have all of it. GARBAGE: nothing of it is needed."""

    BUILT = 0
    STORED = 1
    GARBAGE = 2


@frozen
class Segment:
    """A file of so many blocks with so many bytes, of which ``live`` belong to blocks that stay."""

    id: int
    name: str
    blocks: int
    bytes: int
    live: int


@frozen
class Spot:
    """Where the bytes of a block are."""

    segment: str
    offset: int
    size: int


@frozen
class Placed:
    """A block of a segment, where its bytes begin there, and how many there are."""

    cid: Cid
    offset: int
    size: int


def forget(database: sqlite3.Connection, idents: str) -> None:
    """Blocks go, whose ids are a list in JSON: what is said of them here goes as well."""
    where = f"block {_THESE}"
    rows = database.execute(
        f"SELECT segment, sum(size) FROM saved WHERE {where} GROUP BY segment", (idents,)
    ).fetchall()
    if rows:
        database.execute(f"DELETE FROM saved WHERE {where}", (idents,))
    for segment, size in rows:
        _lose(database, segment, size)


def _lose(database: sqlite3.Connection, segment: int, size: int) -> None:
    database.execute("UPDATE segments SET live=live-? WHERE id=?", (size, segment))
    state = (SegmentState.GARBAGE, segment, SegmentState.STORED)
    database.execute("UPDATE segments SET state=? WHERE id=? AND live<=0 AND state=?", state)


def spot_of(database: sqlite3.Connection, cid: Cid) -> Spot | None:
    """Where a block is, of those that are stored."""
    query = (
        "SELECT g.name, s.offset, s.size FROM blocks b JOIN saved s ON s.block=b.id JOIN segments g ON g.id=s.segment"
        " WHERE b.multihash=? AND g.state=?"
    )
    row = database.execute(query, (cid.multihash, SegmentState.STORED)).fetchone()
    return Spot(*row) if row is not None else None


def begin(database: sqlite3.Connection, name: str) -> int:
    """A segment is built; its id."""
    found = database.execute("SELECT id FROM segments WHERE name=?", (name,)).fetchone()
    if found is not None:
        return int(found[0])
    query = "INSERT INTO segments(name, blocks, bytes, live, state) VALUES(?, 0, 0, 0, ?)"
    return database.execute(query, (name, SegmentState.BUILT)).lastrowid or 0


def give_up_built(database: sqlite3.Connection) -> None:
    """Nobody goes on with segments that were built and are not stored."""
    database.execute("UPDATE segments SET state=? WHERE state=?", (SegmentState.GARBAGE, SegmentState.BUILT))


def store(database: sqlite3.Connection, name: str, blocks: Iterable[Placed]) -> None:
    """A segment is stored: its blocks are found there from now on, and no more where they were before."""
    segment = begin(database, name)
    count, size, live, lost = 0, 0, 0, dict[int, int]()
    for block in blocks:
        count, size = count + 1, size + block.size
        found = database.execute(_PLACE, (block.cid.multihash,)).fetchone()
        if found is None or found[1] == segment:
            continue
        ident, before, size_there, has_links = found
        if before is not None:
            lost[before] = lost.get(before, 0) + size_there
        database.execute(_SAVE, (ident, segment, block.offset, block.size, int(not has_links)))
        live += block.size
    now = (count, size, live, SegmentState.STORED, segment)
    database.execute("UPDATE segments SET blocks=blocks+?, bytes=bytes+?, live=live+?, state=? WHERE id=?", now)
    for one, gone in {segment: 0, **lost}.items():
        _lose(database, one, gone)


def judge(database: sqlite3.Connection, idents: Sequence[int]) -> None:
    """Blocks, children before parents: those that are saved with everything below them count as whole."""
    for ident in idents:
        database.execute(_INLINE, (ident,))
        database.execute(_WHOLE, (ident,))


def segments(database: sqlite3.Connection, state: SegmentState) -> list[Segment]:
    """All of a state, the emptiest first."""
    query = "SELECT id, name, blocks, bytes, live FROM segments WHERE state=? ORDER BY live, id"
    return [Segment(*row) for row in database.execute(query, (state,))]


def blocks_of(database: sqlite3.Connection, segment: int) -> list[tuple[Cid, int]]:
    """What a segment holds for somebody, in its order, and how many bytes each has."""
    query = (
        "SELECT b.version, b.codec, b.multihash, s.size FROM saved s JOIN blocks b ON b.id=s.block WHERE s.segment=?"
        " ORDER BY s.offset"
    )
    return [(Cid(*row[:3]), row[3]) for row in database.execute(query, (segment,))]


def lose(database: sqlite3.Connection, name: str) -> None:
    """My suppliers have a segment no more: its blocks are in none, and what was told of pins has to be told again."""
    found = database.execute("SELECT id FROM segments WHERE name=?", (name,)).fetchone()
    if found is None:
        return
    database.execute("DELETE FROM saved WHERE segment=?", found)
    database.execute("DELETE FROM segments WHERE id=?", found)
    database.execute("UPDATE saved SET whole=0 WHERE EXISTS(SELECT 1 FROM links WHERE parent=saved.block)")
    database.execute("UPDATE pins SET told=0")


def unplaced(database: sqlite3.Connection) -> set[bytes]:
    """Multihashes of blocks that are away and in no segment."""
    return {multihash for (multihash,) in database.execute(_UNPLACED)}


def remove(database: sqlite3.Connection, name: str) -> None:
    """A segment is gone from the suppliers."""
    database.execute("DELETE FROM segments WHERE name=? AND state=?", (name, SegmentState.GARBAGE))


def changes(database: sqlite3.Connection) -> int:
    """How often pins and roots have changed."""
    return fact(database, "changes")
