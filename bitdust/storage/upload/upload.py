"""One upload job: from a local path to a version whose pieces and log entry are with enough suppliers.

The job is a row in ``catalog.db`` until it ends, so a killed node takes it up again: files whose versions are logged
look unchanged then, chunks of the others are found in the index, and acknowledged pieces are never sent again.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.backup import Backup
from bitdust.automats.kernel import Registry
from bitdust.formats.operations import Op, tombstone_op, version_ops
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.paths import Item, by_id, version_at
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.packs.packer import Packer, StorageKey
from bitdust.storage.pieces.safety import Holding
from bitdust.storage.ports import StorageWorld
from bitdust.storage.upload.plan import Plan, Planner
from bitdust.storage.upload.reader import FileRead, FilesReader, ReadingThread, Step
from bitdust.storage.upload.scan import Found, Skipped, as_row, scan, total_size
from bitdust.storage.upload.space import check_space
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown


class Workshop(Protocol):
    """What uploads share; `bitdust.storage.core.Core` is it."""

    world: StorageWorld
    registry: Registry
    catalog: Catalog
    packer: Packer
    reading: ReadingThread
    holding: Holding
    log_writer: LogWriter

    def storage_key(self, alias: str) -> StorageKey: ...

    def device_number(self) -> int: ...

    def block_size(self) -> int: ...

    def ecc_map(self) -> str: ...

    def space_left(self) -> int | None: ...

    def waits_for_suppliers(self) -> bool: ...

    def is_absent_position(self, position: int) -> bool: ...

    def is_logged(self, sequence: int) -> bool: ...

    def wait_for_company(self) -> "Deferred[None]": ...

    def upload_ended(self, upload: "Upload") -> None: ...


@frozen
class Job:
    """What was asked for: ``names`` are the fields that every answer about it has."""

    number: int
    item: Item
    source: bytes
    version: str
    created: float
    names: dict[str, Any]


class Upload:
    """One job. ``done`` fires with what the API answers, or fails with a `BitDustError`."""

    log = Logger()

    def __init__(self, shop: Workshop, job: Job) -> None:
        self._shop = shop
        self.job = job
        self.item = job.item
        self.source = job.source
        self.version = job.version
        self.names = job.names
        self._suspended = False
        self.skipped: list[Skipped] = []
        self.total = self.processed = self.new_bytes = self.blocks = 0
        self.packs: set[bytes] = set()
        self.reason: BaseException | None = None
        self.done: Deferred[dict[str, Any]] = Deferred()
        self._plan = Plan()
        self._reader: FilesReader | None = None
        self._ready: list[FileRead] = []
        self._logging = 0
        self._finished_reading = False
        self._sequence = 0
        self._waiter: Deferred[Any] | None = None
        self._condition: Callable[[], bool] = lambda: False
        self._unwatch = shop.holding.watch(self.check)
        self.machine = Backup(shop.registry, f"{job.item.path}/{job.version}", self)

    def describe(self) -> dict[str, Any]:
        """What the API tells of the job."""
        source = shown(self.source)
        return {**self.names, "source_path": source, "path_id": self.item.path, "version": self.version}

    def start(self) -> None:
        """Begin."""
        self.machine.send("start")

    def stop(self, reason: BaseException | None = None) -> None:
        """Give it up."""
        text = f"uploading {self.names['remote_path']} was stopped"
        self.machine.send("stop", reason or BitDustError("stopped", text))

    def suspend(self) -> None:
        """The node stops: nothing is taken back, the next start goes on."""
        self._suspended = True
        self.stop(BitDustError("stopping", "the storage stops; the upload goes on when it is back"))

    @property
    def suspended(self) -> bool:
        """Whether it goes on at the next start."""
        return self._suspended

    # the machine's port

    def scan_source(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._scan())

    async def _scan(self) -> None:
        shop = self._shop
        found, self.skipped = await shop.world.run_in_thread(scan, self.source)
        self._fits(found)
        now = int(shop.world.wall() * 1000)
        number = shop.device_number()

        def plan(database: sqlite3.Connection) -> list[Op]:
            if by_id(database, self.item.path) is None:
                raise CatalogError("not-found", "the item was deleted meanwhile")
            self._plan = Planner(database, self.version, number, now).make(self.item, found)
            return self._plan.items

        rough = total_size(found)
        await check_space(shop, self.item.key, rough, found)
        self._sequence = await shop.log_writer.write(plan)
        self.total, self.processed = self._plan.total, self._plan.unchanged
        self._reader = FilesReader(shop.packer, shop.storage_key(self.item.key), self._plan.works)

    def _fits(self, found: Found) -> None:
        is_folder = self.item.kind == "folder"
        if is_folder != (found.kind == "folder"):
            kind, other = ("a folder", "a file") if is_folder else ("a file", "a folder")
            source = shown(self.source)
            text = f"{self.names['remote_path']!r} is {kind} in the catalog, but {source!r} is {other}"
            raise BitDustError("wrong-type", text)

    def read_more(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._read_more())

    async def _read_more(self) -> bool:
        reader = self._reader
        if reader is None:
            return False
        await self._until(self._shop.holding.has_room)
        step: Step = await self._shop.reading.run(reader.step)
        self._shop.holding.take(self._shop.packer.take_full())
        self.skipped += step.skipped
        self.processed += step.read
        self.new_bytes += step.new
        for file in step.files:
            self.packs |= file.packs
            self.blocks += len(file.packs)
        self._ready += step.files
        self._log_ready()
        return step.more

    def finish_packs(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        await self._shop.wait_for_company()
        await self._shop.reading.run(lambda database: self._shop.packer.close_all())
        self._shop.holding.take(self._shop.packer.take_full())
        self._log_ready()
        await self._until(lambda: not self._ready and not self._logging)
        self._nothing_at_all()
        await self._write(self._plan.final, [])

    def _nothing_at_all(self) -> None:
        """A single file that could not be read is no success."""
        if self.item.kind != "folder" and self.skipped and not self._has_version():
            raise BitDustError("unreadable", f"{self.skipped[-1]['path']}: {self.skipped[-1]['reason']}")

    def _has_version(self) -> bool:
        latest = version_at(self._shop.catalog.read, self.item.path, None)
        return latest is not None and latest.version == self.version

    def wait_until_safe(self) -> "Deferred[Any]":
        return self._until(self._is_safe)

    def _is_safe(self) -> bool:
        shop = self._shop
        if not shop.waits_for_suppliers():
            return True
        return shop.is_logged(self._sequence) and shop.holding.is_safe(self.packs, shop.is_absent_position)

    # waiting

    def _until(self, condition: Callable[[], bool]) -> "Deferred[Any]":
        """Fires when the condition holds; it is looked at whenever something gets further."""
        waiter: Deferred[Any] = Deferred()
        self._waiter, self._condition = waiter, condition
        self.check()
        return waiter

    def check(self) -> None:
        """Something got further."""
        waiter = self._waiter
        if self._ready:
            self._log_ready()
        if waiter is None or waiter is not self._waiter:
            return
        try:
            self.packs = self._shop.holding.pending(self.packs)
            if self._condition():
                self._waiter = None
                waiter.callback(None)
        except BitDustError as error:
            self._waiter = None
            waiter.errback(error)

    # versions

    def _log_ready(self) -> None:
        """Write versions of files whose packs are all held; one entry at a time, so that many files share one."""
        if self._logging or not self._ready:
            return
        holding = self._shop.holding
        try:
            ready = [holding.is_ready(file.packs) for file in self._ready]
        except BitDustError:
            return
        files = [file for file, now in zip(self._ready, ready, strict=True) if now]
        if not files:
            return
        self._ready = [file for file, now in zip(self._ready, ready, strict=True) if not now]
        ops: list[Op] = []
        for file in files:
            ops += version_ops(file.path, self.version, file.size, file.mode, file.look.mtime, file.extents)
        self._logging += 1
        writing = Deferred.fromCoroutine(self._write(ops, files))
        writing.addErrback(lambda failure: self.machine.send("fail", failure)).addCallback(self._logged)

    def _logged(self, _: object) -> None:
        self._logging -= 1
        self._log_ready()
        self.check()

    async def _write(self, ops: list[Op], files: list[FileRead]) -> None:
        rows = [as_row(file.path, self.version, file.look) for file in files if not file.changed]

        def note(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO seen VALUES(?, ?, ?, ?, ?, ?, ?)", rows)

        self._sequence = max(self._sequence, await self._shop.log_writer.write(ops, note if rows else None))

    # the end

    def aborted(self, reason: Any) -> None:
        error = getattr(reason, "value", reason)
        self.reason = error if isinstance(error, BitDustError) else BitDustError("failed", f"uploading failed: {error}")
        if not isinstance(error, BitDustError):
            self.log.error("upload {path} failed: {reason!r}", path=self.item.path, reason=error)
        self._end()
        if not self._suspended:
            self._shop.log_writer.write(self._take_back).addErrback(lambda failure: None)
        self.done.errback(self.reason)

    def _take_back(self, database: sqlite3.Connection) -> list[Op]:
        """Items that this job made and that got no version go again."""
        empty = [path for path in self._plan.made if not _has_anything(database, path)]
        return [tombstone_op(empty, [], int(self._shop.world.wall() * 1000))] if empty else []

    def _end(self) -> None:
        self._unwatch()
        self._waiter = None
        reader, self._reader = self._reader, None
        if reader is not None:
            self._shop.reading.run(lambda database: reader.close()).addErrback(lambda failure: None)
        self._shop.upload_ended(self)

    def finished(self) -> dict[str, Any]:
        """What the API answers when the version is safe."""
        return {**self.describe(), "problems": self.skipped, "total_size": self.total, "new_bytes": self.new_bytes}

    def done_safely(self) -> None:
        """The version is safe."""
        self._end()
        self.done.callback(self.finished())

    def row(self) -> dict[str, Any]:
        """As `files_uploads` shows a running job."""
        acked, due = self._shop.holding.acked(self.packs)
        share = self.processed / self.total if self.total else 1.0
        sent = 1.0 - (due - acked) / due * min(1.0, len(self.packs) / max(1, self.blocks)) if due else 1.0
        return {
            **self.describe(),
            "created": self.job.created,
            "state": self.machine.state,
            "aborting": False,
            "terminating": False,
            "eof_state": self.machine.state in ("RAID", "SENDING"),
            "reading": self.machine.state == "READ",
            "closed": False,
            "block_number": self.blocks,
            "block_size": self._shop.block_size(),
            "work_blocks": len(self.packs),
            "eccmap": self._shop.ecc_map(),
            "bytes_processed": self.processed,
            "total_size": self.total,
            "pieces_waiting": due - acked,
            "progress": f"{100.0 * share * (0.5 + 0.5 * sent):.0f}%",
        }


def _has_anything(database: sqlite3.Connection, path: str) -> bool:
    query = "SELECT 1 FROM versions WHERE dead=0 AND (path=? OR (path>? AND path<?)) LIMIT 1"
    return database.execute(query, (path, f"{path}/", f"{path}0")).fetchone() is not None
