"""Letting go: deleted items, old versions, packs that nothing refers to, and their pieces at suppliers.

A pack is named in a tombstone only while no upload could build on it, and its pieces are deleted only after enough
suppliers hold that tombstone. Where other devices of mine may be building on it unheard, pieces stay for 30 days more.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.formats.operations import Op, tombstone_op
from bitdust.formats.orders import DELETE_KIND, MOST_PACKS
from bitdust.outcome import outcome
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.paths import Item, Target, below, order_of, version_at, versions
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.pieces.local_copies import drop_data
from bitdust.storage.pieces.spool import Spool
from bitdust.storage.ports import Me, Ports, Settings, StorageWorld, is_alone
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command

SILENCE = 15.0
AT_ONCE = 5000
OTHERS_DELAY = 30 * 86_400_000
ORPHAN_AGE = 86_400
_LIVING = (
    "EXISTS (SELECT 1 FROM version_packs v JOIN versions w ON w.path=v.path AND w.version=v.version"
    " WHERE v.pack=p.pack AND w.dead=0)"
)


class Cleaner:
    """I decide what goes. ``is_quiet`` tells whether no upload could be building on anything."""

    log = Logger()

    def __init__(
        self, world: StorageWorld, settings: Settings, catalog: Catalog, writer: LogWriter, replicas: LogReplicas,
        spool: Spool, me: Me, ports: Ports,
    ) -> None:  # fmt: skip
        self._world = world
        self._settings = settings
        self._catalog = catalog
        self._writer = writer
        self._replicas = replicas
        self._spool = spool
        self._me = me
        self._ports = ports
        self._last_order = 0
        self._awaited: tuple[int, Deferred[None]] | None = None
        self.is_quiet: Callable[[], bool] = lambda: True

    def delete(self, target: Target) -> "Deferred[int]":
        """Take an item, or one version of it, out of the catalog; fires when that is on this disk."""
        now = int(self._world.wall() * 1000)

        def ops(database: sqlite3.Connection) -> list[Op]:
            if target.item is None:
                return []
            names = [*_versions_below(database, target.item, target.version)] if target.version else [
                item.path for item in below(database, target.item)
            ]  # fmt: skip
            return [tombstone_op(part, [], now) for part in _parts(names)]

        return self._writer.write(ops)

    async def clean(self) -> None:
        """One round: old versions, packs without use, orders to suppliers."""
        if self._replicas.recovered and self.is_quiet():
            await self._write(self._old)
            await self._until_safe(await self._write(self._unused))
        await self._drop_waiting()
        await self._drop_copies()
        for supplier in self._online():
            await self._order(supplier)

    def _write(self, choose: "Callable[[sqlite3.Connection], tuple[list[str], list[bytes]]]") -> "Deferred[int]":
        now = int(self._world.wall() * 1000)

        def ops(database: sqlite3.Connection) -> list[Op]:
            names, packs = choose(database) if self.is_quiet() else ([], [])
            return [tombstone_op(names, packs, now)] if names or packs else []

        return self._writer.write(ops)

    def _old(self, database: sqlite3.Connection) -> tuple[list[str], list[bytes]]:
        copies = int(self._settings.get("services/backups/max-copies"))
        return (old_names(database, copies) if copies else []), []

    def _unused(self, database: sqlite3.Connection) -> tuple[list[str], list[bytes]]:
        return [], unused_packs(database, self._world.wall() - ORPHAN_AGE if self._alone() else None)

    def _until_safe(self, mark: int) -> "Deferred[None]":
        """Fires when enough suppliers hold my logs up to a mark; may be cancelled."""
        self._awaited = (mark, Deferred())
        self.acked()
        return self._awaited[1]

    def acked(self) -> None:
        """A supplier holds more of my log than before."""
        if self._awaited is None:
            return
        mark, waiting = self._awaited
        if not waiting.called and self._replicas.is_logged(mark):
            waiting.callback(None)

    def _alone(self) -> bool:
        """Whether this is the only device that counts."""
        return is_alone(self._me.document)

    def _online(self) -> list[bytes]:
        rows = self._catalog.read.execute("SELECT DISTINCT supplier FROM pieces WHERE supplier IS NOT NULL")
        return [bytes(row[0]) for row in rows if self._ports.is_online(bytes(row[0]))]

    async def _drop_waiting(self) -> None:
        """Pieces that wait here for suppliers are not wanted any more either."""
        query = (
            "SELECT s.pack, s.number FROM pieces s JOIN packs p ON p.pack=s.pack"
            f" WHERE s.state<>? AND p.state>=? AND NOT {_LIVING} LIMIT ?"
        )
        rows = self._catalog.read.execute(query, (PieceState.KEPT, PackState.DEAD, AT_ONCE)).fetchall()
        if not rows:
            return

        def drop(database: sqlite3.Connection) -> None:
            database.executemany(
                "DELETE FROM pieces WHERE pack=? AND number=? AND state<>?", ((*row, PieceState.KEPT) for row in rows)
            )

        await self._catalog.change(drop)
        await self._world.run_in_thread(self._remove, rows)

    async def _drop_copies(self) -> None:
        """Nor are copies of pieces that a supplier has still to forget."""
        rows = self._catalog.read.execute(
            "SELECT s.pack, s.number FROM packs p CROSS JOIN pieces s ON s.pack=p.pack"
            f" WHERE p.state>=? AND s.state=? AND NOT {_LIVING} LIMIT ?",
            (PackState.DEAD, PieceState.KEPT, AT_ONCE),
        ).fetchall()
        if rows:
            await self._catalog.change(lambda database: drop_data(database, rows))
            await self._world.run_in_thread(self._remove, rows)

    def _remove(self, rows: Iterable[Any]) -> None:
        for pack, number in rows:
            self._spool.remove(bytes(pack), number)

    async def _order(self, supplier: bytes) -> None:
        """Tell one supplier which packs to forget."""
        for packs in _parts(self._due(supplier), MOST_PACKS):
            now = max(int(self._world.wall() * 1000), self._last_order + 1)
            self._last_order = now
            body = encode({"owner": self._me.fingerprint, "packs": packs, "time": now})
            signed = self._me.sign(DELETE_KIND, body).to_bytes()
            sent = await outcome(self._ports.outbox.send(supplier, Command.DELETE_FILE, {}, signed, deadline=SILENCE))
            if sent.error is not None:
                self.log.info("supplier {s} deletes nothing now: {e}", s=supplier.hex()[:16], e=sent.error)
                return
            await self._catalog.change(lambda database, gone=packs: _forget(database, supplier, gone))  # type: ignore[misc]

    def _due(self, supplier: bytes) -> list[bytes]:
        rows = self._catalog.read.execute(
            "SELECT DISTINCT s.pack, t.key, t.device, t.sequence, t.time FROM pieces s JOIN packs p ON p.pack=s.pack"
            " LEFT JOIN tombstones t ON t.name=lower(hex(s.pack))"
            f" WHERE s.supplier=? AND s.state=? AND p.state>=? AND NOT {_LIVING} ORDER BY s.pack LIMIT ?",
            (supplier, PieceState.KEPT, PackState.DEAD, AT_ONCE),
        )
        wait = 0 if self._alone() else OTHERS_DELAY
        latest = int(self._world.wall() * 1000) - wait
        return [
            bytes(pack)
            for pack, key, device, sequence, time in rows
            if self._is_due(key, device, sequence, time, latest)
        ]

    def _is_due(self, key: str, device: bytes, sequence: int, time: int, latest: int) -> bool:
        return time <= latest and sequence <= self._replicas.safe_sequence(key, bytes(device))


def _forget(database: sqlite3.Connection, supplier: bytes, packs: list[bytes]) -> None:
    rows = [(pack, supplier) for pack in packs]
    database.executemany("DELETE FROM pieces WHERE pack=? AND supplier=?", rows)
    database.executemany("DELETE FROM bad_pieces WHERE pack=? AND supplier=?", rows)


def _parts(names: Iterable[Any], size: int = AT_ONCE) -> Iterator[list[Any]]:
    part: list[Any] = []
    for name in names:
        part.append(name)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _versions_below(database: sqlite3.Connection, item: Item, version: str) -> Iterator[str]:
    for one in below(database, item):
        if any(known.version == version for known in versions(database, one.path)):
            yield f"{one.path}/{version}"


def old_names(database: sqlite3.Connection, copies: int) -> list[str]:
    """Versions beyond the newest ``copies`` of their item, and items that left their source before any that is kept."""
    rows = database.execute(
        "SELECT path FROM versions WHERE dead=0 GROUP BY path HAVING count(*)>? LIMIT ?", (copies, AT_ONCE)
    ).fetchall()
    old: list[str] = []
    for (path,) in rows:
        old += [f"{path}/{found.version}" for found in versions(database, path)[:-copies]]
    gone = database.execute(
        "SELECT g.path, max(g.version) FROM gone g JOIN items i ON i.path=g.path WHERE i.dead=0"
        " GROUP BY g.path LIMIT ?",
        (AT_ONCE,),
    ).fetchall()
    old += [path for path, version in gone if _left_long_ago(database, path, version, copies)]
    return old[:AT_ONCE]


def _left_long_ago(database: sqlite3.Connection, path: str, version: str, copies: int) -> bool:
    if version_at(database, path, None) is not None:
        return False
    kept = versions(database, path.partition("/")[0])[-copies:]
    return len(kept) == copies and order_of(version) <= kept[0].order


def unused_packs(database: sqlite3.Connection, orphans_before: float | None) -> list[bytes]:
    """Packs whose versions are all dead; and, with a moment, older ones that no version ever came to need."""
    query = (
        f"SELECT p.pack FROM packs p WHERE p.state=? AND p.logged=1 AND NOT {_LIVING}"
        " AND (EXISTS (SELECT 1 FROM version_packs v WHERE v.pack=p.pack) OR (p.time>0 AND p.time<?)) LIMIT ?"
    )
    rows = database.execute(query, (PackState.HELD, orphans_before or 0, AT_ONCE))
    return [bytes(row[0]) for row in rows]
