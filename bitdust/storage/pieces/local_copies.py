"""Pieces that stay on my disk after their suppliers have taken them (``services/backups/keep-local-copies-enabled``).

They stay where pieces wait for their suppliers, in the spool or in ``catalog.db``, and their rows say that a supplier
has them. With k of them here a pack comes back without asking anybody. Losing them loses nothing.
"""

import sqlite3
from collections.abc import Callable, Iterable

from attrs import frozen

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.paths import Item
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.wire.records import PackRecord
from bitdust.world import World

Pieces = set[tuple[bytes, int]]


@frozen
class Removed:
    """Copies that were removed, and how many pieces stay because no supplier has them yet."""

    files: int
    bytes: int
    waiting: int


class LocalCopies:
    """I find and remove them. ``wanted`` is what the setting says now."""

    def __init__(self, world: World, catalog: Catalog, spool: Spool, wanted: Callable[[], bool]) -> None:
        self._world = world
        self._catalog = catalog
        self._spool = spool
        self._wanted = wanted

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
        sizes: list[int] = await self._world.run_in_thread(self._unlink, kept)
        sizes += [size for _, _, state, size in rows if state == PieceState.KEPT and size is not None]
        await self._catalog.change(lambda database: drop_data(database, kept))
        return Removed(len(sizes), sum(sizes), sum(1 for row in rows if row[2] == PieceState.WAITING))

    def _unlink(self, pieces: list[tuple[bytes, int]]) -> list[int]:
        sizes = [self._spool.size(pack, index) for pack, index in pieces]
        for pack, index in pieces:
            self._spool.remove(pack, index)
        return [size for size in sizes if size is not None]


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


def drop_data(database: sqlite3.Connection, pieces: Iterable[tuple[bytes, int]]) -> None:
    """Inside a transaction: drop the bytes of pieces that suppliers have."""
    rows = [(pack, number, PieceState.KEPT) for pack, number in pieces]
    database.executemany("UPDATE pieces SET data=NULL WHERE pack=? AND number=? AND state=? AND data IS NOT NULL", rows)
