"""Local copies of blocks that my suppliers have: they go where space is short, and come back when they are wanted."""

import sqlite3

from bitdust.blocks.index import COLUMNS, Index, row_of
from bitdust.blocks.saved import SegmentState

ROWS = 2000
FIRST = (0, 0)
Position = tuple[int, int]
_NEXT = (
    f"SELECT {', '.join(f'b.{name}' for name in COLUMNS.split(', '))}, g.id FROM blocks b"
    " LEFT JOIN saved s ON s.block=b.id"
    f" LEFT JOIN segments g ON g.id=s.segment AND g.state={SegmentState.STORED} WHERE b.pack IS NOT NULL"
    " AND (b.pack, b.offset) > (?, ?) ORDER BY b.pack, b.offset LIMIT ?"
)
_HAS_LINKS = "SELECT 1 FROM links WHERE parent=? LIMIT 1"


class Dropping:
    """I let copies go, the oldest first, leaves before what leads to them; for the thread that writes."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._position = FIRST
        self._leaves_only = True
        self.blocks = self.bytes = 0

    def go_on(self, wanted: int, database: sqlite3.Connection) -> bool:
        """Look at some more, until so many bytes went altogether; whether there are no more."""
        rows = database.execute(_NEXT, (*self._position, ROWS)).fetchall()
        self._index.begin()
        for values in rows:
            row, segment = row_of(values[:-1]), values[-1]
            self._position = row.pack or 0, row.offset
            if segment is None or (self._leaves_only and database.execute(_HAS_LINKS, (row.id,)).fetchone()):
                continue
            self._index.drop(database, row)
            self.blocks += 1
            self.bytes += row.size
            if self.bytes >= wanted:
                break
        self._index.tally(database)
        if self.bytes < wanted and len(rows) < ROWS:
            if not self._leaves_only:
                return True
            self._leaves_only, self._position = False, FIRST
        return False
