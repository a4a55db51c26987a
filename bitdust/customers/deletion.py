"""Removing pieces: only by the owner's signed word, or at the end of an announced grace.

Rows go first, in a transaction that also writes down which files are to go; the files follow in the same turn of the
group commit, so that a piece which comes again right after is not taken for the old one.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from bitdust.customers.database import HAS_FILE
from bitdust.customers.grants import discharge
from bitdust.customers.names import PieceName
from bitdust.customers.quota import count
from bitdust.disk.commit import Job
from bitdust.disk.disk import Disk
from bitdust.formats.orders import DeleteOrder
from bitdust.wire.errors import BitDustError

Chosen = list[tuple[PieceName, int]]
"""Pieces with their bytes."""


class RemovePieces(Job):
    """Rows in the transaction, files after it; what stays behind is garbage for the next start."""

    def __init__(
        self, disk: Disk, folder: Path, choose: Callable[[sqlite3.Connection], Sequence[tuple[PieceName, int]]]
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._choose = choose
        self.names: list[PieceName] = []

    def apply(self, database: sqlite3.Connection) -> int:
        """The result is how many bytes are free again."""
        chosen = self._choose(database)
        self.names = [name for name, _ in chosen]
        return sum(size for _, size in chosen)

    def finish(self) -> None:
        gone = []
        for shelf, names in self._by_shelf().items():
            try:
                for name in names:
                    self._disk.remove(name.path(self._folder))
                self._disk.sync_folder(shelf)
            except OSError:
                continue
            gone += names
        self.names = gone

    def _by_shelf(self) -> dict[Path, list[PieceName]]:
        shelves: dict[Path, list[PieceName]] = {}
        for name in self.names:
            shelf = name.path(self._folder).parent
            if shelf.is_dir():
                shelves.setdefault(shelf, []).append(name)
        return shelves


def remove_rows(database: sqlite3.Connection, names: Sequence[tuple[PieceName, int]]) -> None:
    """Delete rows and remember their files."""
    for name, size in names:
        database.execute(
            "INSERT OR IGNORE INTO garbage SELECT customer, pack, number FROM pieces p"
            f" WHERE customer=? AND pack=? AND number=? AND {HAS_FILE}",
            name.key,
        )
        (capability,) = database.execute(
            "DELETE FROM pieces WHERE customer=? AND pack=? AND number=? RETURNING capability", name.key
        ).fetchone()
        if capability is not None:
            discharge(database, name.customer, capability, size)
        count(database, name.customer, -size, -1)


def obey(database: sqlite3.Connection, order: DeleteOrder) -> Chosen:
    """The pieces that an order names, once: the very same order again names none. Raises ``stale`` for an older one."""
    row = database.execute(
        "SELECT time, digest FROM deletes WHERE customer=? AND device=?", (order.owner, order.device)
    ).fetchone()
    if row is not None and row[1] == order.digest:
        return []
    if row is not None and order.time < row[0]:
        raise BitDustError("stale", "a later delete order of this device was carried out already", time=row[0])
    database.execute(
        "INSERT OR REPLACE INTO deletes VALUES(?, ?, ?, ?)", (order.owner, order.device, order.time, order.digest)
    )
    chosen: Chosen = []
    for pack in order.packs:
        rows = database.execute(
            "SELECT number, size FROM pieces WHERE customer=? AND pack=?", (order.owner, pack)
        ).fetchall()
        chosen += [(PieceName(order.owner, pack, number), size) for number, size in rows]
    return chosen


def forget_garbage(database: sqlite3.Connection, names: Sequence[PieceName]) -> None:
    """The files are gone."""
    database.executemany("DELETE FROM garbage WHERE customer=? AND pack=? AND number=?", [name.key for name in names])
