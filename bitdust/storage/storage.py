"""My files that suppliers keep: what the API asks for, in the words of the catalog."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.formats.operations import Op
from bitdust.signal import Signal
from bitdust.storage.catalog import figures
from bitdust.storage.catalog.catalog import revision_of
from bitdust.storage.catalog.changes import Changes
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.paths import MASTER, Item, Target
from bitdust.storage.catalog.rows import Part, Row
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.catalogs import Catalogs
from bitdust.storage.core import Core
from bitdust.storage.edits import Edits
from bitdust.storage.jobs import Job
from bitdust.storage.log.heads import heads_of
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.placement import Placement
from bitdust.storage.ports import NodePorts, Ports
from bitdust.storage.restore.jobs import Downloads
from bitdust.storage.restore.options import AS_SET, RestoreOptions
from bitdust.storage.shared.catalog import SharedCatalog
from bitdust.storage.transfers import transfers
from bitdust.storage.upload.jobs import Uploads
from bitdust.storage.upload.mirror import Mirror
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.storage.upload.space import piece_bytes, sealed_under, used_bytes
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KeyId
from bitdust.wire.records import Head

NOTHING = {"items": 0, "files": 0, "folders": 0, "files_size": 0, "folders_size": 0, "used": 0}
Listed = list[Row]
Jobs = dict[str, list[Row]]


class Storage:
    """The storage of a customer. `core` is there while the service ``data_motion`` runs.

    `catalogs` are my own and those of other owners that are open; what changes something belongs to mine.
    """

    log = Logger()

    def __init__(self, around: Connected, node: NodePorts) -> None:
        self._around = around
        self._ports = Ports(around, node)
        self._core: Core | None = None
        self.changes = Changes(around.world.clock)
        self.catalogs = Catalogs(lambda: self.core.view)
        self.edits = Edits(self.catalogs, lambda: self.core, self._ports)
        self.placement = Placement(around, self._ports, self)
        self._had_data: bool | None = None
        self._counted: tuple[int, Row] | None = None
        self.compared: Signal[[]] = Signal()
        """A comparison with the suppliers has brought all that they hold."""
        self.learnt: Signal[[str, bytes, Sequence[Op]]] = Signal()
        """Key and device of what came from suppliers to my own catalog."""
        self.nameless: Signal[[str, frozenset[bytes]]] = Signal()
        """Key, and devices under it of which nobody knows whose they are; see `OtherDevices`."""
        self.distrusted: Signal[[bytes]] = Signal()
        """A supplier has failed so many audits in a row that it should be replaced; see `Audits.is_distrusted`."""

    # life

    async def open(self) -> Core:
        """Build and open everything. Fails with `CatalogError` ``damaged-catalog``."""
        core = Core(self._around, self._ports)
        core.audits.distrusted.connect(self.distrusted.emit)
        core.log_replicas.merged.connect(self.compared.emit)
        core.catalog.learnt.connect(self.learnt.emit)
        core.log_replicas.others.nameless.connect(self.nameless.emit)
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
            core, self._core, self._counted = self._core, None, None
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
        """Whether pieces of mine may be at suppliers; unknown counts as yes."""
        if self._core is None or not self._core.catalog.is_open:
            known = self._had_data
            return known if known is not None else (self._around.world.home / "catalog.db").exists()
        replicas = self._core.log_replicas
        if not replicas.knows_all or figures.has_packs(self._read):
            return True
        return not (replicas.is_alone() or replicas.has_compared())

    def length(self, device: bytes, is_patient: bool = True) -> int | None:
        """Entries of the longest log of a revoked device of mine; None while more may be safe, or was before."""
        core, waits = self._core, is_patient and self._ports.awaits_others()
        if core is None or not core.catalog.is_open or not core.log_replicas.knows_end_of(device, is_patient) or waits:
            return None
        return max((head.sequence for head in self.heads() if head.device == device), default=0)

    def heads(self, only_safe: bool = False) -> list[Head]:
        """How far the logs of my devices have come, as far as this node knows, or as far as enough suppliers hold them:
        whoever comes back by a key file waits for all that is named there."""
        if self._core is None or not self._core.catalog.is_open:
            return []
        catalog, replicas = self._core.catalog, self._core.log_replicas
        return heads_of(catalog, self._around.me.fingerprint, replicas.safe_end if only_safe else catalog.end)

    def end_of(self, key: str, device: bytes, guest: bytes) -> int | None:
        """Up to which entry the log of a guest's device is known; None while more may come that was safe."""
        return self.placement.end_of(key, device, guest)

    def sealed_under(self, mark: bytes) -> int:
        """Sealed bytes that are kept of what a guest with a mark has brought to a share of mine."""
        return sealed_under(self._read, mark) if self._core is not None and self._core.catalog.is_open else 0

    def stored_under(self, alias: str) -> tuple[int, int]:
        """How many files a key of mine has, and bytes of all their versions."""
        if self._core is None or not self._core.catalog.is_open:
            return 0, 0
        query = "SELECT count(DISTINCT path), coalesce(sum(size), 0) FROM versions WHERE key=? AND dead=0 AND size>0"
        files, size = self._read.execute(query, (alias,)).fetchone()
        return int(files), int(size)

    def look_again(self) -> None:
        """Compare with the suppliers soon, where that can be done."""
        if self._core is not None:
            self._core.log_replicas.others_wrote()

    def network_is_back(self) -> None:
        """Others are in the DHT again: heads that nobody there has taken are brought to it now."""
        if self._core is not None:
            self._core.log_replicas.publish_heads()

    async def count(self) -> None:
        """Read in a thread what `stats` shows, where anything has changed since."""
        core = self._core
        if core is None or (self._counted is not None and self._counted[0] == core.catalog.revision):
            return
        revision = core.catalog.revision
        found = await core.catalog.read_in_thread(figures.count_all)
        self._counted = (revision, found) if self._core is core else self._counted

    def stats(self) -> Row:
        """How many files and folders there are, how much of them, and how many ``pieces`` are due, acknowledged,
        waiting and missing: as `count` has found it last."""
        if self._core is None or self._counted is None:
            return {**NOTHING, "pieces": {}}
        return dict(self._counted[1])

    def reencoding(self) -> Row:
        """How far packs of a family of another size have come to the scheme of the present one."""
        return self._core.reencoder.progress() if self._core is not None else {}

    @property
    def mirror(self) -> Mirror:
        """Items and the local paths that they stand for."""
        return self.core.mirror

    def safety(self) -> "Deferred[Row]":
        """How many files there are, when the newest whole version was made, and what waits; read in a thread."""
        failed = self.core.audits.failed()
        return self.core.reading.run(lambda database: figures.safety(database, failed))

    @property
    def copies(self) -> LocalCopies:
        """Pieces that stay here although suppliers have them."""
        return self.core.copies

    def pieces_by_supplier(self) -> "Deferred[dict[bytes, int]]":
        """How many pieces each supplier has acknowledged; read in a thread."""
        return self.core.catalog.read_in_thread(figures.pieces_by_supplier)

    # catalogs

    def find(self, remote_path: str) -> Target:
        """The item, and perhaps the version, that a path or path id names. Raises `BitDustError` ``not-found``."""
        return self.catalogs.at(remote_path).find(remote_path)

    def find_id(self, text: str) -> Target:
        """The item, and perhaps the version, that a path id names. Raises `BitDustError` ``not-found``."""
        return self.catalogs.at(text).find_id(text)

    def versions(self, target: Target) -> Sequence[str]:
        """Versions of an item itself, the oldest first."""
        return self.catalogs.of_target(target).versions(target)

    async def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Row:
        """A new item, with the folders above it.

        Raises `BitDustError` ``exists``, ``bad-name``, ``key-not-found``, ``not-allowed``.
        """
        return await self.edits.create(remote_path, as_folder, exist_ok, force_path_id)

    def exists(self, remote_path: str) -> str | None:
        """The path id of the item, or None."""
        return self.catalogs.at(remote_path).exists(remote_path)

    def info(self, remote_path: str, include_uploads: bool, include_downloads: bool) -> Row:
        """The row of one item."""
        view = self.catalogs.at(remote_path)
        item, _ = view.item(remote_path)
        row = view.row(item)
        if not view.foreign:
            self.core.cleaner.explain(item, row["versions"])
        return self._with_jobs(view, [row], include_uploads, include_downloads)[0]

    def living(self, path_id: str) -> Row | None:
        """The row of an item of mine as lists show it, None for one that is gone."""
        return self.core.view.living(path_id)

    def key_of(self, path_id: str) -> str:
        """The key id of an item of mine that may have been deleted."""
        return self.core.view.key_of(path_id)

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
        view = self.catalogs.at(remote_path) if remote_path else self._of_key(key_id)
        alias = view.alias_of(key_id) if key_id else None
        target = view.find(remote_path) if remote_path else Target(alias or "", None)
        rows = await view.listed(target, recursive, Part(alias, offset, limit))
        return self._with_jobs(view, rows, include_uploads, include_downloads)

    def _of_key(self, key_id: str | None) -> CatalogView:
        return self.catalogs.of(KeyId.parse(key_id) if key_id and "$" in key_id else None)

    async def gather(self, shape: Callable[[Row], Iterable[Any]]) -> Listed:
        """What a function makes of the row of each item of my whole catalog."""
        return await self.core.view.gather(shape)

    def use_key(self, key_id: str | None) -> str:
        """The alias of a key that new items belong to, ``master`` for none. Raises ``key-not-found``."""
        alias = self.core.view.alias_of(key_id) if key_id else MASTER
        self.core.storage_key(alias)
        return alias

    def _with_jobs(self, view: CatalogView, rows: Listed, uploads: bool, downloads: bool) -> Listed:
        shared = self.catalogs.shared_in(view)
        found = self._uploads(shared).rows() if uploads else {}
        restores = self._downloads(shared).rows() if downloads else []
        for row in rows:
            item = row["path_id"]
            if uploads:
                row["uploads"] = {name: [job for job in jobs if job["path_id"] == item] for name, jobs in found.items()}
            if downloads:
                row["downloads"] = [job for job in restores if job["path_id"] == item]
        return rows

    async def delete(self, remote_path: str, wait_result: bool = False) -> Row:
        """Take an item, or one version of it, out of the catalog and off the suppliers; its row, and the machine.

        ``pending`` says that too few suppliers know of it yet: a recovery now might bring it back. ``wait_result``
        waits until they do, or until nobody follows it any more.
        """
        return await self.remove(self.find(remote_path), wait_result)

    async def remove(self, target: Target, wait_result: bool = False) -> Row:
        """The same for what was found already."""
        return await self.edits.remove(target, wait_result)

    # uploads and downloads

    async def upload(self, local_path: str, remote_path: str, options: UploadOptions = USUAL) -> Job:
        """Begin an upload of a local file or folder as a new version of an item, in a share of another owner too."""
        return await self.edits.upload(local_path, remote_path, options)

    async def begin_upload(self, item: Item, source: bytes, options: UploadOptions = USUAL) -> Job:
        """Begin an upload to an item of mine that was found already."""
        return await self.edits.begin_upload(item, source, options)

    def need_suppliers(self) -> None:
        """Raises `BitDustError` ``too-few-suppliers`` where nothing could be uploaded now."""
        self.edits.need_suppliers()

    async def download(self, remote_path: str, destination: str, policy: str, options: RestoreOptions = AS_SET) -> Job:
        """Begin to bring an item, a version of it, or all of a key's catalog back into a local folder."""
        return await self.begin_download(self.find(remote_path), os.fsencode(destination), policy, options)

    async def begin_download(
        self, target: Target, destination: bytes, policy: str, options: RestoreOptions = AS_SET
    ) -> Job:
        """Begin a download of what was found already."""
        return await self._downloads(self.catalogs.shared_of(target)).start(target, destination, policy, options)

    async def read(self, remote_path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file of mine, of which only those packs are brought that hold them; see `Ranges.read`."""
        return await self.core.ranges.read(self.core.view.find(remote_path), offset, length)

    def _uploads(self, shared: SharedCatalog | None) -> Uploads:
        return shared.writing.uploads if shared is not None else self.core.uploads

    def _downloads(self, shared: SharedCatalog | None) -> Downloads:
        return shared.downloads if shared is not None else self.core.downloads

    def uploads(self) -> Jobs:
        """Running and pending uploads, into shares too."""
        rows = [uploads.rows() for uploads in self._all_uploads()]
        return {name: [job for some in rows for job in some[name]] for name in ("running", "pending")}

    def _all_uploads(self) -> Iterable[Uploads]:
        mine = [self._core.uploads] if self._core is not None else []
        return [*mine, *(shared.writing.uploads for shared in self.catalogs.shared())]

    def failed_uploads(self) -> Listed:
        """Uploads that failed and were not made up for since, the latest first."""
        rows = (uploads.failures.rows() for uploads in self._all_uploads())
        return sorted((row for some in rows for row in some), key=lambda row: row["time"], reverse=True)

    def downloads(self) -> Listed:
        """Running downloads, out of shares too."""
        mine = [self._core.downloads] if self._core is not None else []
        return [row for one in (*mine, *(shared.downloads for shared in self.catalogs.shared())) for row in one.rows()]

    def stop_upload(self, remote_path: str) -> Listed:
        """What was stopped. Raises `BitDustError` ``not-found``."""
        return self.edits.stop_upload(remote_path)

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
        return self._downloads(self.catalogs.shared_of(target)).stop(target)

    def sync(self) -> "Deferred[None]":
        """Compare with the suppliers at once."""
        self.core.log_replicas.pull_again()
        self.core.monitor.sync()
        return succeed(None)

    def transfers(self) -> Listed:
        """By supplier: pieces on their way to it and from it."""
        return transfers(self.core)
