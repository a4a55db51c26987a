"""Small blocks that are at the end of a pack and were not synced there: they stand in the index as well.

The commit that names them brings them to the disk, so who adds little waits for one sync and not for two. Whoever syncs
the pack next forgets them here; the next start writes into the packs what was not forgotten, because a power cut may
have taken it.
"""

import os
import sqlite3
from pathlib import Path

from bitdust.blocks.index import COLUMNS, row_of
from bitdust.blocks.packs import HEAD, PackWriter, name_of, record
from bitdust.blocks.values import Row
from bitdust.disk.disk import Disk
from bitdust.ipld.cid import Block

SMALL = 16 * 1024
"""Bytes of blocks of one add that are kept so."""
MOST = 1024 * 1024
"""Bytes of blocks that are kept so together."""
_ROWS = f"SELECT {COLUMNS}, u.data FROM unsynced u JOIN blocks ON id = u.block WHERE pack IS NOT NULL" + (
    " ORDER BY pack, offset"
)


class Unsynced:
    """For the thread that writes."""

    def __init__(self, packs: PackWriter) -> None:
        self._packs = packs
        self._size = 0

    def takes(self, size: int) -> bool:
        """Whether so many bytes need no sync of their pack. Where a sync has failed, all others are made."""
        return size <= SMALL and self._size + size <= MOST and not self._packs.has_failed

    def keep(self, database: sqlite3.Connection, ident: int, data: bytes) -> None:
        """A block that was taken."""
        self._size += len(data)
        database.execute("INSERT OR REPLACE INTO unsynced VALUES(?, ?)", (ident, data))

    def forget(self, database: sqlite3.Connection) -> None:
        """Packs may have been synced."""
        if self._size and self._packs.is_synced:
            self._size = 0
            database.execute("DELETE FROM unsynced")


def write_again(database: sqlite3.Connection, disk: Disk, folder: Path) -> None:
    """Bring what is kept into its packs. Raises `OSError`."""
    found = [(row_of(values[:-1]), values[-1]) for values in database.execute(_ROWS)]
    for pack in dict.fromkeys(row.pack for row, _ in found):
        path = folder / name_of(pack or 0)
        if path.exists():
            _write(disk, path, [(row, data) for row, data in found if row.pack == pack])
    database.execute("DELETE FROM unsynced")


def _write(disk: Disk, path: Path, rows: list[tuple[Row, bytes]]) -> None:
    """An id may belong to another block by now: nothing of that one is touched."""
    descriptor = disk.write_from(path, 0)
    try:
        for row, data in rows:
            if row.cid.matches(data):
                os.lseek(descriptor, row.offset - HEAD.size - len(row.cid.multihash), os.SEEK_SET)
                disk.write(descriptor, [b"".join(record(Block(row.cid, data)))])
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
