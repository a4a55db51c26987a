"""What is read of the store, in threads that change nothing: blocks, their links, lists of them, what is below."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from attrs import frozen

from bitdust.blocks.index import BROKEN, COLUMNS, OPEN, find, get, row_of
from bitdust.blocks.packs import PackReader, Place, Unreadable
from bitdust.blocks.pinning import pinned_ids
from bitdust.blocks.reach import TOGETHER, IdSet, Reach, Waiting
from bitdust.blocks.values import Mode, Row, Stat, State
from bitdust.ipld.cid import Cid

MOST_MISSING = 1000
"""CIDs of missing blocks that are named."""
_LINKS = (
    "SELECT l.position, l.version, l.codec, b.multihash, b.id, b.state, b.size FROM links l"
    " JOIN blocks b ON b.id = l.child WHERE l.parent=? AND l.position >= ? ORDER BY l.position LIMIT ?"
)
_BELOW = (
    f"SELECT l.child, b.state, {BROKEN} AS is_broken FROM links l JOIN blocks b ON b.id = l.child"
    f" WHERE l.parent IN (SELECT value FROM json_each(?)) AND ({OPEN} OR is_broken)"
)


@frozen
class Unread:
    """A block that is known to be here and cannot be read, and why."""

    row: Row
    why: str


@frozen
class Link:
    """A link of a block: where it leads, and what is known of that."""

    position: int
    cid: Cid
    ident: int
    state: State
    size: int


@frozen
class Away:
    """A block that my suppliers have."""

    row: Row


Found = bytes | Unread | Away | None
"""A block; None where it is not here."""


def read(database: sqlite3.Connection, packs: PackReader, cid: Cid) -> Found:
    """Look for one."""
    row = find(database, cid.multihash)
    while row is not None and row.pack is not None:
        try:
            return packs.block(cid, Place(row.pack, row.offset, row.size))
        except Unreadable as error:
            why = str(error)
        before, row = row, find(database, cid.multihash)
        if row is not None and (row.pack, row.offset) == (before.pack, before.offset):
            return Unread(row, why)  # else it was moved or removed meanwhile
    return Away(row) if row is not None and row.is_away else None


def read_some(database: sqlite3.Connection, packs: PackReader, cids: Sequence[Cid], most: int) -> list[Found]:
    """The first of some blocks, until they have so many bytes together; one at least."""
    found: list[Found] = []
    size = 0
    for cid in cids:
        one = cid.inline() if cid.is_inline else read(database, packs, cid)
        found.append(one)
        size += len(one) if isinstance(one, bytes) else 0
        if size >= most:
            break
    return found


def rows_of(database: sqlite3.Connection, cids: Iterable[Cid]) -> list[Row | None]:
    """What is known of some blocks, each under the name that was asked for."""
    return [find(database, cid.multihash) for cid in cids]


def links(database: sqlite3.Connection, ident: int, first: int, most: int) -> list[Link]:
    """Some links of a block, from a position on."""
    found = database.execute(_LINKS, (ident, first, most))
    return [
        Link(position, Cid(version, codec, hashed), child, State(state), size)
        for position, version, codec, hashed, child, state, size in found
    ]


def listing(database: sqlite3.Connection, after: int, most: int) -> tuple[list[Row], int]:
    """Some blocks that are here, behind an id, and the last id that was looked at; -1 behind the last one."""
    query = f"SELECT {COLUMNS} FROM blocks WHERE id > ? ORDER BY id LIMIT ?"
    found = database.execute(query, (after, most)).fetchall()
    return [row_of(values) for values in found if values[5] is not None], found[-1][0] if len(found) == most else -1


def stat(database: sqlite3.Connection, path: Path, allowed: int) -> Stat:
    """Figures, in constant time."""
    blocks, size, packed, live = database.execute("SELECT blocks, bytes, packed, live FROM totals").fetchone()
    return Stat(blocks, size, packed, live, path.stat().st_size, allowed)


class Indirect:
    """What recursive pins keep besides what is pinned itself: `go_on` to the end, then `page` to the end."""

    def __init__(self) -> None:
        self._reach = Reach()
        self._pinned = IdSet()
        self._after = -1
        self._is_begun = False
        self._left: Iterator[int] = iter(())

    def go_on(self, database: sqlite3.Connection, rounds: int) -> bool:
        """Follow some links; whether all were followed."""
        if not self._is_begun:
            found = pinned_ids(database, self._after, TOGETHER)
            for ident, mode in found:
                self._pinned.add(ident)
                if mode is Mode.RECURSIVE:
                    self._reach.start((ident,))
            self._after = found[-1][0] if found else self._after
            self._is_begun = not found
            return False
        is_done = self._reach.go_on(database, rounds)
        if is_done:
            self._left = iter(self._reach.reached)
        return is_done

    def page(self, database: sqlite3.Connection, most: int) -> list[Row]:
        """The next of them; none behind the last one."""
        wanted = list(islice((ident for ident in self._left if ident not in self._pinned), most))
        query = f"SELECT {COLUMNS} FROM blocks WHERE id IN (SELECT value FROM json_each(?))"
        rows = [row_of(values) for values in database.execute(query, (json.dumps(wanted),))]
        return rows if rows or not wanted else self.page(database, most)


class Below:
    """I look for what is missing below a block, a portion at a time."""

    def __init__(self, ident: int) -> None:
        self._seen = IdSet()
        self._waiting = Waiting()
        self._seen.add(ident)
        self._waiting.put(ident)
        self.missing: list[int] = []
        self.unreadable: dict[int, None] = {}

    def go_on(self, database: sqlite3.Connection, rounds: int) -> bool:
        """Whether all was looked at, or enough is missing."""
        for _ in range(rounds):
            taken = self._waiting.take(TOGETHER)
            if not taken or len(self.missing) + len(self.unreadable) >= MOST_MISSING:
                return True
            for child, state, is_broken in database.execute(_BELOW, (json.dumps(taken),)):
                if is_broken and state != State.ABSENT:
                    self.unreadable[child] = None
                elif self._seen.add(child):
                    self._note(child, state)
        return False

    def named(self, database: sqlite3.Connection) -> tuple[list[Cid], list[Cid]]:
        """What is missing, and what cannot be followed."""
        missing, unreadable = ([get(database, one).cid for one in ids] for ids in (self.missing, self.unreadable))
        return missing, unreadable

    def _note(self, child: int, state: int) -> None:
        if state == State.ABSENT:
            self.missing.append(child)
        else:
            self._waiting.put(child)
