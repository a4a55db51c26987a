"""My files that suppliers keep: what the API asks for, in the words of the catalog."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.storage.catalog import figures
from bitdust.storage.catalog.catalog import revision_of
from bitdust.storage.catalog.changes import Changes
from bitdust.storage.catalog.database import CatalogError, PackState, PieceState
from bitdust.storage.catalog.new_items import Maker
from bitdust.storage.catalog.paths import MASTER, Item, Target, by_id, find, find_id, key_alias, versions
from bitdust.storage.catalog.rows import Owner, Part, Row
from bitdust.storage.core import Core
from bitdust.storage.jobs import Job
from bitdust.storage.log.replica import sort_keys
from bitdust.storage.pieces.local_copies import Copies
from bitdust.storage.ports import Events, Me, Ports, Settings, StorageWorld
from bitdust.storage.upload.mirror import Mirror
from bitdust.storage.upload.space import piece_bytes, used_bytes
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KeyId, RemotePath, shown
from bitdust.wire.records import Head

Listed = list[Row]
Jobs = dict[str, list[Row]]


class HomeWorld(StorageWorld, Protocol):
    """The world with the folder of this node."""

    @property
    def home(self) -> Path: ...


class Storage:
    """The storage of a customer. `core` is there while the service ``data_motion`` runs."""

    log = Logger()

    def __init__(
        self,
        world: HomeWorld,
        settings: Settings,
        events: Events,
        registry: Registry,
        me: Me,
        ports: Ports,
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._world = world
        self._settings = settings
        self._events = events
        self._registry = registry
        self._me = me
        self._ports = ports
        self._core: Core | None = None
        self.changes = Changes(world.clock)
        self._had_data: bool | None = None
        self._counted: tuple[int, Row] | None = None

    # life

    async def open(self) -> Core:
        """Build and open everything. Fails with `CatalogError` ``damaged-catalog``."""
        home = self._world.home
        core = Core(
            self._world, home, self._settings, self._events, self._registry, self._me, self._ports, self._budget
        )
        try:
            await core.open()
        except BaseException:
            await core.close()
            raise
        self._core = core
        self.changes.attach(core.catalog)
        return core

    async def close(self) -> None:
        """Stop everything."""
        if self._core is not None:
            self._had_data = self.has_data()
            core, self._core = self._core, None
            self._counted = None
            self.changes.detach()
            await core.close()

    @property
    def core(self) -> Core:
        """All parts; raises `CatalogError` ``catalog-closed``."""
        if self._core is None:
            raise CatalogError("catalog-closed", "the catalog is not open yet; see: bitdust services")
        return self._core

    @property
    def is_open(self) -> bool:
        """Whether data moves."""
        return self._core is not None

    @property
    def _read(self) -> sqlite3.Connection:
        return self.core.catalog.read

    # figures

    @property
    def revision(self) -> int:
        """Counts with every entry of every device's log."""
        return revision_of(self._read) if self._core is not None else 0

    def used(self) -> int:
        """Sealed bytes of everything that is kept, counted once."""
        return used_bytes(self._core.catalog) if self._core is not None else 0

    def used_and_per_supplier(self) -> tuple[int, int]:
        """`used`, and the bytes of the pieces that each supplier is to have."""
        return (used_bytes(self._core.catalog), piece_bytes(self._core.catalog)) if self._core is not None else (0, 0)

    def has_data(self) -> bool:
        """Whether pieces of mine may lie at suppliers; unknown counts as yes."""
        if self._core is None or not self._core.catalog.is_open:
            known = self._had_data
            return known if known is not None else (self._world.home / "catalog.db").exists()
        query = "SELECT 1 FROM packs WHERE state<=? LIMIT 1"
        return (
            not self._core.log_replicas.recovered or self._read.execute(query, (PackState.HELD,)).fetchone() is not None
        )

    def has_moved(self, position: int, supplier: bytes) -> bool:
        """Whether a supplier holds all that belongs to a place: its piece of every pack, the logs, the key ring."""
        core = self._core
        if core is None or not core.catalog.is_open:
            return not self.has_data()
        logs, ring = core.log_replicas, core.key_ring_replicas
        if not logs.recovered or not logs.is_held_by(supplier) or not ring.is_held_by(supplier):
            return False
        elsewhere = (
            "SELECT 1 FROM packs p WHERE p.state<=? AND p.n>? AND NOT EXISTS (SELECT 1 FROM pieces s"
            " WHERE s.pack=p.pack AND s.number=? AND s.state=? AND s.supplier=?) LIMIT 1"
        )
        values = (PackState.HELD, position, position, PieceState.KEPT, supplier)
        return self._read.execute(elsewhere, values).fetchone() is None

    def heads(self) -> list[Head]:
        """How far the logs of my devices have come, as far as this node knows."""
        if self._core is None or not self._core.catalog.is_open:
            return []
        catalog, logs, owner = self._core.catalog, self._core.log_writer.logs, self._me.fingerprint
        return [
            Head(owner, device, end.sequence, end.hash, 0, scope=logs.scope(key))
            for key in sort_keys(catalog.known_keys())
            for device in catalog.devices(key)
            if (end := catalog.end(key, device)).sequence
        ]

    def stats(self) -> Row:
        """How many files and folders there are, and how much of them."""
        if self._core is None:
            return {"items": 0, "files": 0, "folders": 0, "files_size": 0, "folders_size": 0, "used": 0}
        if self._counted is None or self._counted[0] != self._core.catalog.revision:
            self._counted = (self._core.catalog.revision, self._count())
        return dict(self._counted[1])

    def _count(self) -> Row:
        """Reads the whole catalog."""
        folders, items = self._read.execute(
            "SELECT coalesce(sum(type='folder'), 0), count(*) FROM items WHERE dead=0"
        ).fetchone()
        size = self._read.execute(
            "SELECT coalesce(sum(size), 0) FROM (SELECT size, max(version) FROM versions WHERE dead=0 GROUP BY path)"
        ).fetchone()[0]
        inside = self._read.execute(
            "SELECT coalesce(sum(size), 0) FROM (SELECT size, max(version) FROM versions"
            " WHERE dead=0 AND path LIKE '%/%' GROUP BY path)"
        ).fetchone()[0]
        sizes = {"files_size": size, "folders_size": inside, "used": self.used()}
        return {"items": items, "files": items - folders, "folders": folders, **sizes}

    @property
    def mirror(self) -> Mirror:
        """Items and the local paths that they stand for."""
        return self.core.mirror

    def pieces(self) -> Row:
        """How many pieces are due, acknowledged, waiting and missing; empty while nothing is open."""
        return dict(figures.pieces(self._read)) if self._core is not None else {}

    def safety(self) -> "Deferred[Row]":
        """How many files there are, when the newest whole version was made, and what waits; read in a thread."""
        return self.core.reading.run(figures.safety)

    @property
    def copies(self) -> Copies:
        """Pieces that stay here although suppliers have them."""
        return self.core.copies

    # the catalog

    def find(self, remote_path: str) -> Target:
        """The item, and perhaps the version, that a path or path id names. Raises `BitDustError` ``not-found``."""
        return find(self._read, remote_path, self._ports.my_names())

    def find_id(self, text: str) -> Target:
        """The item, and perhaps the version, that a path id names. Raises `BitDustError` ``not-found``."""
        return find_id(self._read, text)

    def versions(self, target: Target) -> Sequence[str]:
        """Versions of an item itself, the oldest first."""
        path = target.item.path if target.item is not None else ""
        return [version.version for version in versions(self._read, path)]

    def pieces_by_supplier(self) -> dict[bytes, int]:
        """How many pieces each supplier has acknowledged."""
        rows = self._read.execute(
            "SELECT supplier, count(*) FROM pieces WHERE supplier IS NOT NULL AND state=? GROUP BY supplier",
            (PieceState.KEPT,),
        )
        return {bytes(supplier): count for supplier, count in rows}

    def _item(self, remote_path: str) -> tuple[Item, str | None]:
        target = self.find(remote_path)
        if target.item is None:
            raise BitDustError("bad-name", f"{remote_path!r} names the whole catalog; name a file or a folder in it")
        return target.item, target.version

    def _owner(self) -> Owner:
        family = self._ports.family()
        document = self._me.document
        suppliers = family.n if family is not None else 0
        return Owner(document.global_id, str(document.idurl), suppliers, self.core.log_replicas.holders)

    async def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Row:
        """A new item, with the folders above it. Raises `BitDustError` ``exists``, ``bad-name``, ``key-not-found``."""
        core = self.core
        remote = RemotePath.parse(remote_path)
        alias = key_alias(remote, self._ports.my_names())
        if not remote.path:
            raise BitDustError("bad-name", "the path is empty; name a file or a folder")
        core.storage_key(alias)
        maker = Maker(alias, self._me.device_number, int(self._world.wall() * 1000), force_path_id)
        kind = "folder" if as_folder else "file"
        await core.log_writer.write(lambda database: maker.make(database, remote.path, kind, exist_ok))
        item = by_id(self._read, maker.path)
        if item is None:
            raise CatalogError("not-found", f"{remote_path!r} was deleted meanwhile")
        row = self.core.rows.here(self._owner()).one(item)
        shown = ("path_id", "key_id", "path", "remote_path", "global_id", "customer", "created", "type")
        return {name: row[name] for name in shown}

    def exists(self, remote_path: str) -> str | None:
        """The path id of the item, or None."""
        try:
            return self._item(remote_path)[0].path
        except CatalogError as error:
            if error.code != "not-found":
                raise
            return None

    def info(self, remote_path: str, include_uploads: bool, include_downloads: bool) -> Row:
        """The row of one item."""
        item, _ = self._item(remote_path)
        return self._with_jobs([self.core.rows.here(self._owner()).one(item)], include_uploads, include_downloads)[0]

    def living(self, path_id: str) -> Row | None:
        """The row of an item as lists show it, None for one that is gone."""
        item = by_id(self._read, path_id)
        rows = self.core.rows.here(self._owner())
        return rows.one(item) if item is not None and rows.is_here(item) else None

    def key_of(self, path_id: str) -> str:
        """The key id of an item that may have been deleted."""
        row = self._read.execute("SELECT key FROM items WHERE path=?", (path_id,)).fetchone()
        return f"{row[0] if row is not None else MASTER}${self._me.document.global_id}"

    async def list(
        self,
        remote_path: str | None,
        key_id: str | None,
        recursive: bool,
        include_uploads: bool,
        include_downloads: bool,
        offset: int = 0,
        limit: int | None = None,
    ) -> Listed:
        """Rows of items, all of them or ``limit`` after ``offset``."""
        alias = self.alias_of(key_id) if key_id else None
        target = self.find(remote_path) if remote_path else Target(alias or "", None)
        rows = await self.core.rows.listed(self._owner(), target, recursive, Part(alias, offset, limit))
        return self._with_jobs(rows, include_uploads, include_downloads)

    async def gather(self, shape: Callable[[Row], Iterable[Any]]) -> Listed:
        """What a function makes of the row of each item of the whole catalog."""
        return await self.core.rows.gather(self._owner(), shape)

    def use_key(self, key_id: str | None) -> str:
        """The alias of a key that new items belong to, ``master`` for none. Raises ``key-not-found``."""
        alias = self.alias_of(key_id) if key_id else MASTER
        self.core.storage_key(alias)
        return alias

    def alias_of(self, key_id: str) -> str:
        """The alias of a key of mine, of its alias or key id. Raises `CatalogError` ``not-found``."""
        if "$" not in key_id:
            return key_id
        key = KeyId.parse(key_id)
        return key_alias(RemotePath(key, ""), self._ports.my_names())

    def _with_jobs(self, rows: Listed, uploads: bool, downloads: bool) -> Listed:
        found = self.core.uploads.rows() if uploads else {}
        restores = self.core.downloads.rows() if downloads else []
        for row in rows:
            mine = row["path_id"]
            if uploads:
                row["uploads"] = {name: [job for job in jobs if job["path_id"] == mine] for name, jobs in found.items()}
            if downloads:
                row["downloads"] = [job for job in restores if job["path_id"] == mine]
        return rows

    async def delete(self, remote_path: str) -> Row:
        """Take an item, or one version of it, out of the catalog and off the suppliers; its row."""
        return await self.remove(self.find(remote_path))

    async def remove(self, target: Target) -> Row:
        """The same for what was found already."""
        core = self.core
        if target.item is None:
            raise BitDustError("bad-name", "this names the whole catalog; name a file or a folder in it")
        row = self.core.rows.here(self._owner()).one(target.item)
        if target.version is None:
            core.uploads.stop(target.item.path)
        await core.cleaner.delete(target)
        if target.version is None:
            await core.mirror.forget(target.item)
        core.monitor.deleted()
        return {name: row[name] for name in ("path_id", "path", "remote_path", "global_id", "customer")}

    # uploads and downloads

    async def upload(self, local_path: str, remote_path: str) -> Job:
        """Begin an upload of a local file or folder as a new version of an item."""
        try:
            item, version = self._item(remote_path)
        except CatalogError as error:
            if error.code == "not-found":
                raise CatalogError("not-found", f"{error}; make a place for it first, with file_create") from error
            raise
        if version is not None:
            raise BitDustError("bad-name", "a version cannot be uploaded to; name the file or folder alone")
        return await self.begin_upload(item, os.fsencode(local_path))

    async def begin_upload(self, item: Item, source: bytes) -> Job:
        """Begin an upload to an item that was found already."""
        self.need_suppliers()
        if not os.path.lexists(source):
            raise BitDustError("no-such-file", f"{shown(source)!r} does not exist on the machine of this node")
        return await self.core.uploads.start(item, source)

    def need_suppliers(self) -> None:
        """Raises `BitDustError` ``too-few-suppliers`` where nothing could be uploaded now."""
        family = self._ports.family()
        members = [who for who in family.suppliers if who is not None] if family is not None else []
        online = sum(1 for who in members if self._ports.is_online(who))
        if family is None or online < family.k:
            least = family.k if family is not None else 1
            text = f"{online} suppliers can be reached, at least {least} are needed; see: bitdust supplier list"
            raise BitDustError("too-few-suppliers", text)

    async def download(self, remote_path: str, destination: str, policy: str) -> Job:
        """Begin to bring an item, a version of it, or all of a key's catalog back into a local folder."""
        return await self.begin_download(self.find(remote_path), os.fsencode(destination), policy)

    async def begin_download(self, target: Target, destination: bytes, policy: str) -> Job:
        """Begin a download of what was found already."""
        return await self.core.downloads.start(target, destination, policy)

    def uploads(self) -> Jobs:
        """Running and pending uploads."""
        return self.core.uploads.rows()

    def downloads(self) -> Listed:
        """Running downloads."""
        return self.core.downloads.rows()

    def stop_upload(self, remote_path: str) -> Listed:
        """What was stopped. Raises `BitDustError` ``not-found``."""
        item, _ = self._item(remote_path)
        stopped = self.core.uploads.stop(item.path)
        if not stopped:
            raise BitDustError("not-found", f"no upload of {remote_path!r} runs or waits")
        return stopped

    def cancel_upload(self, path_id: str) -> Listed:
        """Take back an upload that has not begun; what was stopped, nothing when none waits."""
        return self.core.uploads.stop_waiting(path_id)

    def abort_upload(self, path_id: str, version: str | None) -> Listed:
        """Give up the running upload of an item, or the one of a version; what was stopped, nothing when none runs."""
        return self.core.uploads.stop_running(path_id, version)

    def stop_download(self, remote_path: str) -> Listed:
        """What was stopped. Raises `BitDustError` ``not-found``."""
        stopped = self.abort_download(self.find(remote_path))
        if not stopped:
            raise BitDustError("not-found", f"no download of {remote_path!r} runs")
        return stopped

    def abort_download(self, target: Target) -> Listed:
        """Give up downloads of an item, or of a version; what was stopped, nothing when none runs."""
        return self.core.downloads.stop(target)

    def sync(self) -> "Deferred[None]":
        """Compare with the suppliers at once."""
        self.core.log_replicas.pull_again()
        self.core.monitor.sync()
        return succeed(None)

    def transfers(self) -> Listed:
        """By supplier: pieces on their way to it and from it."""
        core, family = self.core, self._ports.family()
        rows = []
        for supplier in family.suppliers if family is not None else ():
            if supplier is None:
                continue
            idurl, global_id = self._ports.names(supplier)
            outgoing = [
                {"packet_id": _piece(flight.piece.pack, flight.piece.index), "bytes_sent": flight.sent,
                 "total_size": flight.size, "state": flight.state, "since": flight.since}
                for flight in core.queues.outgoing(supplier)
            ]  # fmt: skip
            incoming = [
                {"packet_id": _piece(one.piece.pack, one.piece.index), "bytes_received": one.received,
                 "total_size": one.size, "state": one.state, "since": one.since}
                for one in core.fetcher.incoming(supplier)
            ]  # fmt: skip
            rows.append({"idurl": idurl, "global_id": global_id, "outgoing": outgoing, "incoming": incoming})
        return rows


def _piece(pack: bytes, index: int) -> str:
    return f"{pack.hex()}.{index}"
