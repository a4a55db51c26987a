"""Pieces that stay on my disk after their suppliers have taken them (``services/backups/keep-local-copies-enabled``).

They stay where pieces wait for their suppliers, in the spool or in ``catalog.db``, and their rows say that a supplier
has them. With k of them here a pack comes back without asking anybody. Losing them loses nothing.
"""

import sqlite3
from collections.abc import Callable, Iterable

from attrs import frozen
from twisted.logger import Logger

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.paths import Item
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.wire.records import PackRecord
from bitdust.world import World

Pieces = set[tuple[bytes, int]]


@frozen
class Removed:
    """Copies that were removed, how many pieces stay because no supplier has them yet, and how many the disk does not
    let go."""

    files: int
    bytes: int
    waiting: int
    stuck: int = 0


class LocalCopies:
    """I find and remove them. ``wanted`` is what the setting says now."""

    log = Logger()

    def __init__(self, world: World, catalog: Catalog, spool: Spool, wanted: Callable[[], bool]) -> None:
        self._world = world
        self._catalog = catalog
        self._spool = spool
        self._wanted = wanted
        self._stuck: Pieces = set()

    def of_living(self, database: sqlite3.Connection) -> Pieces:
        """Those that a start leaves where they are; none where they are not wanted any more. For a thread."""
        if not self._wanted():
            return set()
        rows = database.execute(
            "SELECT s.pack, s.number FROM pieces s JOIN packs p ON p.pack=s.pack WHERE s.state=? AND p.state<=?",
            (PieceState.KEPT, PackState.HELD),
        )
        return {(bytes(pack), number) for pack, number in rows}

    async def of(self, record: PackRecord) -> dict[int, bytes]:
        """k pieces of a pack, those in the spool checked against their roots; none where fewer are here."""
        if not self._wanted():
            return {}
        rows = self._catalog.read.execute(
            "SELECT number, data FROM pieces WHERE pack=? AND state=?", (record.pack, PieceState.KEPT)
        ).fetchall()
        if len(rows) < record.scheme.k:
            return {}
        found: dict[int, bytes] = await self._world.run_in_thread(self._load, record, rows)
        return found if len(found) == record.scheme.k else {}

    def _load(self, record: PackRecord, rows: Iterable[tuple[int, bytes | None]]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for number, data in rows:
            if len(found) == record.scheme.k:
                break
            try:
                expected = record.roots[number]
                found[number] = data if data is not None else self._spool.load(record.pack, number, expected)
            except SpoolError:
                continue
        return found

    async def remove(self, item: Item, version: str | None) -> Removed:
        """Remove those of a version of an item and of what is below it, or of all versions."""
        rows: list[tuple[bytes, int, int, int | None]] = await self._catalog.read_in_thread(
            lambda database: pieces_of(database, item, version)
        )
        kept = [(pack, number) for pack, number, state, _ in rows if state == PieceState.KEPT]
        sizes, stuck = await self._remove(kept)
        sizes += [size for _, _, state, size in rows if state == PieceState.KEPT and size is not None]
        await self._catalog.change(lambda database: drop_data(database, kept))
        return Removed(len(sizes), sum(sizes), sum(1 for row in rows if row[2] == PieceState.WAITING), stuck)

    async def remove_stuck(self) -> None:
        """Try again with those that the disk did not let go; what waits for a supplier since then stays."""
        self._stuck = {piece for piece in self._stuck if is_kept(self._catalog.read, *piece)}
        if self._stuck:
            await self._remove(sorted(self._stuck))

    async def _remove(self, pieces: list[tuple[bytes, int]]) -> tuple[list[int], int]:
        sizes: dict[tuple[bytes, int], int | None] = await self._world.run_in_thread(self._unlink, pieces)
        stuck = set(pieces) - sizes.keys()
        if stuck - self._stuck:
            self.log.warn("{count} local copies cannot be removed now", count=len(stuck))
        self._stuck = (self._stuck - sizes.keys()) | stuck
        return [size for size in sizes.values() if size is not None], len(stuck)

    def _unlink(self, pieces: list[tuple[bytes, int]]) -> dict[tuple[bytes, int], int | None]:
        """Those that are not here any more, with the sizes of those that were."""
        sizes = {piece: self._spool.size(*piece) for piece in pieces}
        return {piece: size for piece, size in sizes.items() if self._spool.remove(*piece)}


def pieces_of(
    database: sqlite3.Connection, item: Item, version: str | None
) -> list[tuple[bytes, int, int, int | None]]:
    """Pack, number, state, and the size of what is stored in the catalog itself, of an item and what is below it."""
    where = "(v.path=? OR (v.path>? AND v.path<?))" + (" AND v.version=?" if version else "")
    values = (item.path, f"{item.path}/", f"{item.path}0", *((version,) if version else ()))
    rows = database.execute(
        "SELECT DISTINCT s.pack, s.number, s.state, length(s.data) FROM pieces s"
        f" JOIN version_packs v ON v.pack=s.pack WHERE {where}",
        values,
    )
    return [(bytes(pack), number, state, size) for pack, number, state, size in rows]


def is_kept(database: sqlite3.Connection, pack: bytes, number: int) -> bool:
    """Whether a supplier has a piece."""
    query = "SELECT 1 FROM pieces WHERE pack=? AND number=? AND state=?"
    return database.execute(query, (pack, number, PieceState.KEPT)).fetchone() is not None


def drop_data(database: sqlite3.Connection, pieces: Iterable[tuple[bytes, int]]) -> None:
    """Inside a transaction: drop the bytes of pieces that suppliers have."""
    rows = [(pack, number, PieceState.KEPT) for pack, number in pieces]
    database.executemany("UPDATE pieces SET data=NULL WHERE pack=? AND number=? AND state=? AND data IS NOT NULL", rows)
