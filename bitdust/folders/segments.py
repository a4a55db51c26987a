"""Segments: files to whose ends sealed chunks are added, many in each. Nothing in them is changed.

====================  ==========================================================================================
``BitDust sealed 1``  the first 16 bytes of a segment; the number of a format is its last one
record                u32 bytes of data ‖ name: 16 ‖ data
====================  ==========================================================================================

Integers are big-endian; records follow each other without gaps. How long a segment is, as far as it counts, is for
others to know: to one that has another length nothing is added any more.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from struct import Struct

from attrs import frozen

from bitdust.crypt.files import write_all
from bitdust.folders.keys import TAG
from bitdust.folders.records import LONGEST_CHUNK
from bitdust.folders.tree import Tree

MAGIC = b"BitDust sealed 1"
HEAD = Struct(">I16s")
FULL = 16 * 1024 * 1024
"""A segment that has so many bytes is full."""
AT_ONCE = 1024 * 1024
"""Bytes that are given to the system in one call."""
PAGE = 64 * 1024
"""No system has larger pages: of one from whose middle on it is to forget something it forgets nothing."""
LONGEST = LONGEST_CHUNK + TAG
"""Bytes of a chunk, sealed."""
LAST = 10**12 - 1
"""The highest number: a file that somebody has called by a higher one is no segment, nor does one follow it. The first
one is 1."""
_NAME = re.compile(r"(?!0+\.)([0-9]{8,12})\.seg")
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@frozen
class Spot:
    """Where the data of a chunk begins, and how long it is."""

    segment: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.offset + self.size


def name_of(segment: int) -> str:
    """A segment's file in its folder."""
    return f"{segment:08}.seg"


class Segments:
    """I add to the segments that are at one place of a tree. My methods block, in one thread."""

    def __init__(self, tree: Tree, place: str) -> None:
        self._tree = tree
        self._place = place
        self._last, self._end = 0, FULL
        self.spoilt: set[int] = set()
        """Segments to which something was added that is not on the disk, and could not be taken back either."""

    def sizes(self) -> dict[int, int]:
        """How long the files are that are called like segments. Raises `OSError` where the place is no folder."""
        found: dict[int, int] = {}
        try:
            with self._tree.folder(self._place) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    match = _NAME.fullmatch(entry.name)
                    if match and entry.name == name_of(int(match[1])):
                        with contextlib.suppress(FileNotFoundError):
                            state = entry.stat(follow_symlinks=False)
                            if stat.S_ISREG(state.st_mode):
                                found[int(match[1])] = state.st_size
        except FileNotFoundError:
            return {}
        return found

    def go_on(self, segment: int, end: int) -> None:
        """The next record comes there, or into the next segment where that is full."""
        self._last, self._end = segment, end

    @property
    def open_one(self) -> int:
        """The segment that gets the next record; 0 where that is a new one."""
        return self._last if self._end < FULL else 0

    def add(self, chunks: Sequence[tuple[bytes, bytes]]) -> list[Spot]:
        """Chunks with their names; they are on the disk then. Raises `OSError`: none of them counts."""
        spots: list[Spot] = []
        self._tree.make_folder(self._place)
        with self._tree.folder(self._place) as folder:
            before: list[tuple[int, int]] = []
            try:
                while len(spots) < len(chunks):
                    spots += self._fill(folder, chunks, len(spots), before)
                if any(size == 0 for _, size in before):
                    os.fsync(folder)
            except BaseException:
                self._end = FULL
                self._take_back(folder, before)
                raise
        return spots

    def _fill(
        self, folder: int, chunks: Sequence[tuple[bytes, bytes]], begin: int, before: list[tuple[int, int]]
    ) -> list[Spot]:
        """Write as many as this segment takes; one at least. ``before``: how long those were that are changed."""
        descriptor = self._open(folder, before)
        try:
            spots, parts = [], [] if before[-1][1] else [MAGIC]
            size, end = 0, before[-1][1] or len(MAGIC)
            for name, data in chunks[begin:]:
                if end >= FULL:
                    break
                spots.append(Spot(self._last, end + HEAD.size, len(data)))
                parts += [HEAD.pack(len(data), name), data]
                size, end = size + len(data), spots[-1].end
                if size >= AT_ONCE:
                    write_all(descriptor, b"".join(parts))
                    parts, size = [], 0
            write_all(descriptor, b"".join(parts))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._end = end
        return spots

    def _open(self, folder: int, before: list[tuple[int, int]]) -> int:
        """The segment that takes more: one that somebody has changed, or removed, does not."""
        if self._end < FULL:
            with contextlib.suppress(OSError), ExitStack() as opened:
                descriptor = os.open(name_of(self._last), _FLAGS, dir_fd=folder)
                opened.callback(os.close, descriptor)
                state = os.fstat(descriptor)
                if stat.S_ISREG(state.st_mode) and state.st_size == self._end:
                    before.append((self._last, self._end))
                    opened.pop_all()
                    return descriptor
        while True:
            self._last = self._last % LAST + 1
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(name_of(self._last), _FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
                before.append((self._last, 0))
                return descriptor

    def _take_back(self, folder: int, before: list[tuple[int, int]]) -> None:
        """New ones go, and others are as long as they were: what the system could not bring to the disk it forgets,
        and gives from its memory to whoever looks next."""
        for segment, size in before:
            try:
                if size:
                    self._cut(folder, name_of(segment), size)
                else:
                    os.unlink(name_of(segment), dir_fd=folder)
            except OSError:
                self.spoilt.add(segment)

    @staticmethod
    def _cut(folder: int, name: str, size: int) -> None:
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
        try:
            if os.fstat(descriptor).st_size > size:
                os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)

    def sync(self, segment: int, begin: int) -> None:
        """What is in a segment is on the disk, and from about there on it is read from there next: whoever wrote it may
        have died before, or have met a disk that failed. Raises `OSError`."""
        with self._tree.file(f"{self._place}/{name_of(segment)}") as descriptor:
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, begin - begin % PAGE, 0, os.POSIX_FADV_DONTNEED)
        with self._tree.folder(self._place) as folder:
            os.fsync(folder)

    def remove(self, segment: int) -> None:
        """Remove one that has nothing that counts. Raises `OSError`."""
        if segment == self._last:
            self._end = FULL
        self._tree.remove(f"{self._place}/{name_of(segment)}")


class SegmentReader:
    """I read from segments, for one thread at a time; the last one stays open until `close`."""

    def __init__(self, tree: Tree, place: str) -> None:
        self._tree = tree
        self._place = place
        self._opened = ExitStack()
        self._segment, self._descriptor = 0, -1

    def _open(self, segment: int) -> int:
        if segment != self._segment:
            self.close()
            self._descriptor = self._opened.enter_context(self._tree.file(f"{self._place}/{name_of(segment)}"))
            self._segment = segment
        return self._descriptor

    def read(self, spot: Spot) -> bytes:
        """The bytes there, whatever they are; fewer where the segment ends. Raises `OSError`."""
        return os.pread(self._open(spot.segment), spot.size, spot.offset)

    def head(self, segment: int) -> bytes:
        """What a segment begins with."""
        return self.read(Spot(segment, 0, len(MAGIC)))

    def records(self, segment: int, begin: int) -> Iterator[tuple[bytes, Spot]]:
        """Names and places from there on, up to the first that is torn, or no chunk's; data is not looked at.

        Raises `OSError`.
        """
        length = os.fstat(self._open(segment)).st_size
        while begin + HEAD.size <= length:
            size, name = HEAD.unpack(self.read(Spot(segment, begin, HEAD.size)))
            spot = Spot(segment, begin + HEAD.size, size)
            if not 0 < size <= LONGEST or spot.end > length:
                return
            yield name, spot
            begin = spot.end

    def close(self) -> None:
        """Open it anew next time: it may have gone."""
        self._opened.close()
        self._segment = 0
