"""Reading again what a keeper holds of one folder, a portion at a time, in the order of its segments."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from attrs import define

from bitdust.crypt.files import write_safely
from bitdust.folders.blind import FORMER, MOST_DOUBTED, Blind, spot_of
from bitdust.folders.journal import Journal
from bitdust.folders.segments import LAST, Spot

ROWS = 1000
"""Chunks that are read in one."""
TRIES = 3
"""Walks in which the disk does not give a chunk, and gives others: a sector is bad, and it is to be fetched again."""
SAVE_AFTER = 600.0
NEXT = "SELECT name, segment, offset, size FROM kept WHERE (segment, offset)>(?, ?) ORDER BY segment, offset LIMIT ?"
_BEGIN = FORMER, 2**62
"""What is in files of its own is read where it moves."""


@define
class Read:
    """Chunks that were read in one: their bytes, how many were found damaged just now, whether others follow."""

    size: int
    damaged: int
    others_follow: bool


class Walk:
    """Where one folder's walk is; my methods block, in the folder's thread. The place is noted each ten minutes, with
    it which chunks the disk has not given, and how often: three walks over a large folder take months."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall
        self._saved = wall()
        self._last = _BEGIN
        self._gives = False
        """Whether the disk has given anything in this walk."""
        self._refused: set[bytes] = set()
        """Chunks that it has not given in this walk, before it has given anything."""
        self._tries: dict[bytes, int] = {}
        with contextlib.suppress(OSError, ValueError):  # a damaged file costs another walk
            place, *tries = path.read_text().splitlines()
            segment, offset = map(int, place.split())
            self._tries = dict(map(_tried, tries[:MOST_DOUBTED]))
            if FORMER < segment <= LAST and 0 <= offset < _BEGIN[1]:
                self._last = segment, offset

    def read(self, journal: Journal, blind: Blind, most: int) -> Read:
        """So many bytes, and a chunk at least. Raises `OSError` where the place cannot be noted."""
        found = Read(0, 0, False)
        rows = journal.database.execute(NEXT, (*self._last, ROWS)).fetchall()
        with blind.kept(journal.database) as kept:
            for name, segment, offset, size in rows:
                found.others_follow = found.size >= most
                if found.others_follow:
                    break
                self._last = segment, offset
                found.size += size
                try:
                    data = kept.look(name, Spot(segment, offset, size))
                except OSError:  # what the disk does not give now may be there
                    self._refuse(name)
                    continue
                self._is_given(blind, name)
                if data is None:
                    found.damaged += name not in blind.doubted
                    self._doubt(blind, name)
        found.damaged += self._count_refused(blind)
        found.others_follow = found.others_follow or len(rows) == ROWS
        if not found.others_follow:
            self._begin_anew(journal)
        self._save(found)
        return found

    def _begin_anew(self, journal: Journal) -> None:
        """The walk has come to its end. What the folder has no more is nothing to wait for."""
        self._last, self._gives = _BEGIN, False
        self._refused.clear()
        gone = [name for name in self._tries if spot_of(journal.database, name) is None]
        for name in gone:
            del self._tries[name]

    def _refuse(self, name: bytes) -> None:
        if len(self._refused) < MOST_DOUBTED:  # a disk that gives nothing may hold millions
            self._refused.add(name)

    def _is_given(self, blind: Blind, name: bytes) -> None:
        self._gives = True
        self._tries.pop(name, None)
        blind.unreadable.discard(name)

    def _count_refused(self, blind: Blind) -> int:
        """Chunks that the disk has not given often enough; none while it gives nothing."""
        if not self._gives:
            return 0
        names, self._refused = self._refused, set()
        for name in names if len(self._tries) < MOST_DOUBTED else ():
            self._tries[name] = self._tries.get(name, 0) + 1
        bad = {name for name in names if self._tries.get(name, 0) >= TRIES} - blind.unreadable
        blind.unreadable |= bad
        return len(bad)

    @staticmethod
    def _doubt(blind: Blind, name: bytes) -> None:
        if len(blind.doubted) < MOST_DOUBTED:
            blind.doubted.add(name)

    def _save(self, found: Read) -> None:
        if not found.others_follow or not 0 <= self._wall() - self._saved < SAVE_AFTER:
            self._saved = self._wall()
            lines = [b"%d %d" % self._last, *(b"%s %d" % (name.hex().encode(), n) for name, n in self._tries.items())]
            write_safely(self._path, b"\n".join(lines))


def _tried(line: str) -> tuple[bytes, int]:
    """Raises `ValueError`."""
    name, count = line.split()
    return bytes.fromhex(name), int(count)
