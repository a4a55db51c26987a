"""What a keeper holds of a folder that it cannot read: sealed chunks by name, in segments in the folder's own place.

Where each is stands in the journal. Each is checked by its name when it is read, so that a keeper neither takes nor
gives what is something else. `bitdust.folders.tidying` removes what no record names any more.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable

from bitdust.disk.reserve import Reserve
from bitdust.folders.fetching import Wanted
from bitdust.folders.journal import Journal
from bitdust.folders.keys import sealed_name
from bitdust.folders.segments import FULL, SegmentReader, Segments, Spot
from bitdust.folders.tree import BLIND, Special, Tree

FORMER = 0
"""The segment of a chunk that is in a file of its own, as all were in former versions."""
ROWS = 5000
"""Chunks that are looked at in one portion."""
MOST_DOUBTED = 10_000


def former_place(name: bytes) -> str:
    """Where such a file is."""
    text = name.hex()
    return f"{BLIND}/{text[:2]}/{text[2:]}"


class Kept:
    """Chunks as one thread reads them; the segment that the last one was in stays open until the end of a ``with``."""

    def __init__(self, tree: Tree, database: sqlite3.Connection | None, doubted: set[bytes]) -> None:
        self._tree = tree
        self._database = database
        self._doubted = doubted
        self._segments = SegmentReader(tree, BLIND)

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more."""
        self._segments.close()

    def read(self, name: bytes) -> bytes | None:
        """A chunk, None where it is not here, or damaged; it may move to another segment meanwhile."""
        before, spot = None, self._spot(name)
        while spot != before:
            with contextlib.suppress(OSError):
                data = self.look(name, spot) if spot is not None else None
                if data is not None:
                    return data
            self._segments.close()
            before, spot = spot, self._spot(name)
        if spot is not None and len(self._doubted) < MOST_DOUBTED:
            self._doubted.add(name)
        return None

    def _spot(self, name: bytes) -> Spot | None:
        return spot_of(self._database, name) if self._database is not None else None

    def look(self, name: bytes, spot: Spot) -> bytes | None:
        """The chunk that is there; None where it is certainly not there. Raises `OSError` where that cannot be told."""
        try:
            data = self._former(name, spot.size) if spot.segment == FORMER else self._segments.read(spot)
        except (FileNotFoundError, NotADirectoryError, Special):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise
        return data if sealed_name(data) == name else None

    def _former(self, name: bytes, size: int) -> bytes:
        with self._tree.file(former_place(name)) as descriptor:
            return os.pread(descriptor, size, 0)


def spot_of(database: sqlite3.Connection, name: bytes) -> Spot | None:
    """Where a chunk is, as far as the journal knows."""
    row = database.execute("SELECT segment, offset, size FROM kept WHERE name=?", (name,)).fetchone()
    return Spot(*row) if row is not None else None


def portion(database: sqlite3.Connection, table: str, after: bytes) -> tuple[bytes | None, bool]:
    """The last of the next names of a table, in their order, that are looked at in one; and whether others follow."""
    query = f"SELECT count(*), max(name) FROM (SELECT name FROM {table} WHERE name>? ORDER BY name LIMIT ?)"
    count, last = database.execute(query, (after, ROWS)).fetchone()
    return last, count == ROWS


def note(database: sqlite3.Connection, places: Iterable[tuple[bytes, Spot]]) -> None:
    """Chunks are at these places, in the order of a segment."""
    ends: dict[int, int] = {}
    rows = []
    for name, spot in places:
        rows.append((name, spot.size, spot.segment, spot.offset))
        ends[spot.segment] = spot.end
    database.executemany("INSERT OR REPLACE INTO kept(name, size, segment, offset) VALUES(?, ?, ?, ?)", rows)
    database.executemany("INSERT OR REPLACE INTO segments VALUES(?, ?)", ends.items())


class Blind:
    """My methods block, in the folder's thread; what `kept` gives is for any thread."""

    def __init__(self, tree: Tree, ident: bytes, journal: Journal, reserve: Reserve) -> None:
        self._tree = tree
        self._ident = ident
        self._reserve = reserve
        self._journal = journal
        self.segments = Segments(tree, BLIND)
        self.doubted: set[bytes] = set()
        """Chunks that could not be read."""
        self.unreadable: set[bytes] = set()
        """Chunks that the disk does not give for long: they stay where they are until they have come once more."""
        self._asked = b""
        """The last one of those that were asked for."""

    def open(self) -> None:
        """Find the last segment; to one that is not as the journal has it nothing is added. No number comes twice.

        Raises `OSError`.
        """
        found, database = self.segments.sizes(), self._journal.database
        known = dict(database.execute("SELECT number, size FROM segments"))
        (last,) = database.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='segments'").fetchone()
        last = max(last, *found) if found else last
        self.segments.go_on(last, known[last] if last in known and found.get(last) == known[last] else FULL)

    def kept(self, database: sqlite3.Connection | None) -> Kept:
        """To read some chunks, one after the other, in the thread of a connection."""
        return Kept(self._tree, database, self.doubted)

    def wanted(self, most: int, after: bytes) -> tuple[list[Wanted], bytes | None]:
        """Chunks that are named and not here, in the order of their names, from after one of them; and after which one
        to go on, None at the end. Where hardly any is missing it is not looked at all of them at once. At the beginning
        some of those as well that the disk does not give."""
        database = self._journal.database
        once_more = self._once_more(database, most // 2) if not after else []
        most -= len(once_more)
        last, others_follow = portion(database, "pieces", after)
        rows = database.execute(
            "SELECT name, max(length) FROM pieces WHERE name>? AND name<=?"
            " AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.name=pieces.name) GROUP BY name ORDER BY name LIMIT ?",
            (after, last, most),
        ).fetchall()
        if len(rows) == most:
            last = rows[-1][0]
        elif not others_follow:
            last = None
        return [Wanted(name, length) for name, length in (*once_more, *rows)], last

    def _once_more(self, database: sqlite3.Connection, most: int) -> list[tuple[bytes, int]]:
        """Those that the disk does not give and records name still, with their lengths: each time the next ones, since
        nobody may have the first."""
        found, names = [], sorted(self.unreadable, key=lambda name: (name <= self._asked, name))[:most]
        self._asked = names[-1] if names else b""
        for name in names:
            (length,) = database.execute("SELECT max(length) FROM pieces WHERE name=?", (name,)).fetchone()
            if length is None:
                self.unreadable.discard(name)
            else:
                found.append((name, length))
        return found

    def room(self) -> int:
        """Bytes that may be written."""
        return self._reserve.left(self._tree.root)

    def need_room(self, size: int, lent: int = 0) -> int:
        """How many of so many bytes would go into the reserve, of which so many are ``lent``.

        Raises `BitDustError` ``disk-full``.
        """
        left = self._reserve.check(self._tree.root, size, "a folder's chunks do not fit", lent)
        return max(0, size - left)

    def keep(self, chunks: list[tuple[bytes, bytes]], lent: int = 0) -> int:
        """Chunks that have come and fit their names, or move; as `need_room`.

        Raises `BitDustError` ``disk-full``, `bitdust.folders.tree.Missing`, `OSError`.
        """
        self._tree.check(self._ident)
        borrowed = self.need_room(sum(len(one) for _, one in chunks), lent)
        if chunks:
            spots = self.segments.add(chunks)
            self._tree.check(self._ident)  # its disk may have gone meanwhile, and they were written to another one
            with self._journal.change() as database:
                note(database, [(name, spot) for (name, _), spot in zip(chunks, spots, strict=True)])
            self.unreadable.difference_update(name for name, _ in chunks)
        return borrowed
