"""Reading again what a keeper holds of one folder, a portion at a time, in the order of its segments."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from attrs import define

from bitdust.crypt.files import write_safely
from bitdust.folders.blind import FORMER, MOST_DOUBTED, Blind
from bitdust.folders.journal import Journal
from bitdust.folders.segments import LAST, Spot

ROWS = 1000
"""Chunks that are read in one."""
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
    """Where one folder's walk is; my methods block, in the folder's thread. The place is noted each ten minutes."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall
        self._saved = wall()
        self._last = _BEGIN
        with contextlib.suppress(OSError, ValueError):  # a damaged file costs another walk
            segment, offset = map(int, path.read_text().split())
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
                with contextlib.suppress(OSError):  # what the disk does not give now may be there
                    if kept.look(name, Spot(segment, offset, size)) is None:
                        found.damaged += name not in blind.doubted
                        self._doubt(blind, name)
        found.others_follow = found.others_follow or len(rows) == ROWS
        self._save(found)
        return found

    @staticmethod
    def _doubt(blind: Blind, name: bytes) -> None:
        if len(blind.doubted) < MOST_DOUBTED:
            blind.doubted.add(name)

    def _save(self, found: Read) -> None:
        if not found.others_follow:
            self._last = _BEGIN
        if not found.others_follow or not 0 <= self._wall() - self._saved < SAVE_AFTER:
            self._saved = self._wall()
            write_safely(self._path, b"%d %d" % self._last)
