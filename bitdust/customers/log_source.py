"""Entries of a log on their way back to their owner: read from the database part by part, as the peer takes them.

Whoever asks for eight megabytes and takes none of them has no more of this node's memory than one part.
"""

import sqlite3
from collections.abc import Callable

from bitdust.wire.encoding import BYTES, LIST, head
from bitdust.wire.errors import BitDustError

MOST_BYTES = 8 * 1024 * 1024
MOST_ENTRIES = 4096
"""Of one answer, at most; there is more where an answer was full."""
_WHERE = "FROM log WHERE customer=? AND scope=? AND device=? AND sequence BETWEEN ? AND ? ORDER BY sequence"


class LogSource:
    """The encoded list of entries of one log from ``first`` on: as many as fit ``most`` bytes, and one at least where
    there is one.

    Which ones, and so the size, is fixed at the beginning. Where some of them are forgotten meanwhile, because a
    snapshot stands for them, the list ends too early: the peer is told so and asks again.
    """

    def __init__(
        self, database: Callable[[], sqlite3.Connection], log: tuple[bytes, bytes, bytes], first: int, most: int
    ) -> None:
        self._database = database
        self._log = log
        self._first = first
        self._last = self.count = 0
        size, room = 0, min(most, MOST_BYTES)
        rows = database().execute(f"SELECT sequence, length(entry) {_WHERE} LIMIT {MOST_ENTRIES}", (*log, first, 2**62))
        for sequence, length in rows:
            room -= length
            if room < 0 and self.count:
                break
            self._last, self.count = sequence, self.count + 1
            size += len(head(BYTES, length)) + length
        rows.close()
        self._begin = head(LIST, self.count)
        self.size = len(self._begin) + size
        self._rewind()

    def _rewind(self) -> None:
        self._at, self._next = len(self._begin), self._first

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset``; nothing where they are gone. Nothing is kept between two reads."""
        if offset < self._at:
            self._rewind()
        end = min(offset + length, self.size)
        parts = [self._begin[offset:end]]
        try:
            self._gather(parts, offset, end)
        except (sqlite3.Error, BitDustError):
            return b""  # the store was closed
        return b"".join(parts)

    def _gather(self, parts: list[bytes], offset: int, end: int) -> None:
        if end <= self._at:
            return
        rows = self._database().execute(f"SELECT sequence, entry {_WHERE}", (*self._log, self._next, self._last))
        for sequence, entry in rows:
            whole = head(BYTES, len(entry)) + entry
            parts.append(whole[max(0, offset - self._at) : end - self._at])
            if self._at + len(whole) > end:
                break
            self._at, self._next = self._at + len(whole), sequence + 1
            if self._at == end:
                break
        rows.close()
