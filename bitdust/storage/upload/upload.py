"""One upload: from a local path to a version whose pieces and log entry are with enough suppliers.

The job is a row in ``catalog.db`` until it ends, so a killed node takes it up again: files whose versions are logged
look unchanged then, chunks of the others are found in the index, and acknowledged pieces are never sent again.
"""

import sqlite3
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.automats.backup import Backup
from bitdust.formats.operations import Op, tombstone_op, version_ops
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import CatalogError, PackState, PieceState
from bitdust.storage.catalog.paths import Item, by_id, version_at
from bitdust.storage.jobs import Job, Row
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.packs.packer import Packer, StorageKey
from bitdust.storage.pieces.packs import Packs
from bitdust.storage.pieces.waiting import Acknowledgements
from bitdust.storage.upload.losses import empty
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.storage.upload.patience import SETTING, Patience
from bitdust.storage.upload.plan import Plan, Planner, is_logged
from bitdust.storage.upload.progress import UploadProgress, as_error
from bitdust.storage.upload.reader import FileRead, FilesReader, ReadingThread, Step
from bitdust.storage.upload.scan import HELPING, Found, Skipped, as_row, find, next_listings, total_size, walk
from bitdust.storage.upload.space import check_space
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown

KEEPING = ("services/backups/attributes-enabled", "services/backups/owners-enabled")


class Customer(Protocol):
    """Whose upload it is: under which key, with how many suppliers, and what counts as safe."""

    def storage_key(self, alias: str, /) -> StorageKey:
        """The newest storage secret of a key."""

    def device_number(self) -> int:
        """The last part of versions and path ids that this device makes."""

    def block_size(self) -> int:
        """Bytes of a pack that is full."""

    def ecc_map(self) -> str:
        """How pieces are made now."""

    def space_left(self) -> int | None:
        """Bytes that may still be stored."""

    def waits_for_suppliers(self) -> bool:
        """Whether an upload ends only when it is safe."""

    def is_absent_position(self, position: int, /) -> bool:
        """Whether nothing is to be expected now of the supplier at a position."""

    def waits_for(self, positions: Collection[int], sequence: int | None, /) -> list[str]:
        """Suppliers of these positions, and those that lack my log up to an entry which is not safe: names, and why."""

    def absent_positions(self) -> list[int]:
        """Positions of suppliers of which nothing is to be expected now."""

    def bring_log(self) -> None:
        """Bring my log to suppliers now: somebody waits for it."""

    def is_logged(self, sequence: int, /) -> bool:
        """Whether enough suppliers hold my log up to an entry; all of it where none was written."""


@frozen
class UploadParts:
    """What uploads share."""

    around: Connected
    catalog: Catalog
    packer: Packer
    packs: Packs
    acknowledgements: Acknowledgements
    reading: ReadingThread
    log_writer: LogWriter
    calendar: Calendar


class Manager(Protocol):
    """Who started the upload; `bitdust.storage.upload.jobs.Uploads` is it."""

    def wait_for_company(self) -> "Deferred[None]":
        """Before an unfilled pack is closed: a moment in which other uploads may put something into it."""

    def ended(self, upload: Any, /) -> None:
        """An upload is over."""


@frozen
class UploadOrder:
    """What was asked for: ``names`` are the fields that every answer about it has."""

    number: int
    item: Item
    source: bytes
    version: str
    created: float
    names: Row
    options: UploadOptions = USUAL


class Upload(Job):
    """One upload: the port of a `backup` machine."""

    what = "uploading"

    def __init__(self, parts: UploadParts, customer: Customer, manager: Manager, order: UploadOrder) -> None:
        super().__init__(order.number, order.created, order.names)
        self._parts = parts
        self._customer = customer
        self._manager = manager
        self.item = order.item
        self.source = order.source
        self.version = order.version
        self._options = order.options
        self._wishes = order.options.wishes(parts.around.settings, *KEEPING)
        self.skipped: list[Skipped] = []
        self.total = self.processed = self.new_bytes = self.blocks = 0
        self.reason: BaseException | None = None
        self._plan = Plan()
        self._reader: FilesReader | None = None
        self._is_logging = False
        self._sequence = 0
        self._all_logged: Deferred[None] | None = None
        self._progress = UploadProgress(parts.packs)
        self._progress.changed.connect(self._got_further)
        self._progress.failed.connect(self._pack_failed)
        around = parts.around
        self._patience = Patience(around.world, around.events, lambda: float(around.settings.get(SETTING)), self.names)
        self.machine = Backup(parts.around.registry, f"{order.item.path}/{order.version}", self)

    def start(self) -> None:
        self.machine.send("start")

    def abort(self, reason: BitDustError) -> None:
        self.machine.send("stop", reason)

    def describe(self) -> Row:
        source = shown(self.source)
        return {**self.names, "source_path": source, "path_id": self.item.path, "version": self.version}

    def check(self) -> None:
        """What is to be expected of suppliers has changed, or they hold more of the log."""
        self.machine.send("progress")

    @property
    def answer(self) -> "Deferred[Any]":
        """As `completion`; fails with ``waits-for-suppliers`` where these take nothing for long. The work goes on."""
        waiting = self.completion
        self._patience.ask(waiting)
        return waiting

    def waits_for(self) -> list[str]:
        """Suppliers that are waited for with nothing else left to do, and why; empty while there is something."""
        if self.machine.state == "SENDING":
            return self._customer.waits_for(self._progress.positions, self._sequence)
        if self.machine.state == "READ" and not self._parts.packs.has_room():
            return self._customer.waits_for(self._customer.absent_positions(), None)
        return []

    def report_waiting(self) -> None:
        self._patience.check(self.waits_for(), self._forget)

    def _got_further(self) -> None:
        self._patience.moved()
        self._log_ready()
        self.machine.send("progress")

    def _pack_failed(self, error: BaseException) -> None:
        self.machine.send("fail", error)

    # the machine's port

    def scan_source(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._scan())

    async def _scan(self) -> None:
        parts = self._parts
        if await parts.reading.run(lambda database: is_logged(database, self.item.path, self.version)):
            await self._follow_old()  # the row of the job outlived it; what was changed since is no part of it
            return
        root: Found = await parts.around.world.run_in_thread(find, self.source, self._wishes)
        self._fits(root)
        size: int = await parts.around.world.run_in_thread(total_size, root)
        await check_space(parts, self._customer, self.item.key, size, root)
        planner = Planner(self.version, self._customer.device_number(), int(parts.around.world.wall() * 1000))
        self._plan = planner.plan
        await self._write_items(lambda database: planner.visit_root(database, root, self.item))
        listings = walk(root, self._wishes) if root.kind == "folder" else iter(())
        while helping := await parts.around.world.run_in_thread(next_listings, listings, HELPING):
            self.skipped += [line for listing in helping for line in listing.skipped]
            await self._write_items(partial(planner.visit, listings=helping))
        await self._check_losses(root)
        if self._plan.unchanged:  # what an earlier upload has logged may still be on its way
            await self._follow_old()
        self.total, self.processed = self._plan.total, self._plan.unchanged
        key = self._customer.storage_key(self.item.key)
        self._reader = FilesReader(parts.packer, key, self._plan.works, self._wishes, self._options.apart)

    async def _follow_old(self) -> None:
        self._progress.follow(await self._parts.reading.run(lambda database: waiting_packs(database, self.item.path)))

    async def _check_losses(self, root: Found) -> None:
        """Raises `BitDustError` ``empty-source`` or ``would-drop`` where nobody has allowed it."""
        latest = version_at(self._parts.catalog.read, self.item.path, None) if root.kind == "file" else None
        if latest is not None and latest.size and not root.status.size and not self._options.allow_empty:
            raise empty(self.source, 1, latest.size)
        losses, source, options = self._plan.losses, self.source, self._options
        await self._parts.reading.run(lambda database: losses.check(database, source, options))

    async def _write_items(self, plan: Callable[[sqlite3.Connection], list[Op]]) -> None:
        """Log the items that are missing for some of what was found, in a transaction with looking for them."""

        def write(database: sqlite3.Connection) -> list[Op]:
            if by_id(database, self.item.path) is None:
                raise CatalogError("not-found", "the item was deleted meanwhile")
            return plan(database)

        self._sequence = max(self._sequence, await self._parts.log_writer.write(write))

    def _fits(self, found: Found) -> None:
        is_folder = self.item.kind == "folder"
        if is_folder != (found.kind == "folder"):
            kind, other = ("a folder", "a file") if is_folder else ("a file", "a folder")
            text = f"{self.shown!r} is {kind} in the catalog, but {shown(self.source)!r} is {other}"
            raise BitDustError("wrong-type", text)

    def read_more(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._read_more())

    async def _read_more(self) -> bool:
        reader = self._reader
        if reader is None:
            return False
        await self._parts.packs.wait_for_room()
        step: Step = await self._parts.reading.run(reader.step)
        self._parts.packs.collect()
        self._patience.moved()
        self.skipped += step.skipped
        self.processed += step.read
        self.new_bytes += step.new
        self.blocks += sum(len(file.packs) for file in step.files)
        self._progress.add(step.files)
        self._log_ready()
        return step.more

    def finish_packs(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        await self._manager.wait_for_company()
        await self._parts.reading.run(lambda database: self._parts.packer.close_all())
        self._parts.packs.collect()
        if not self._is_all_logged:
            self._all_logged = Deferred()
            await self._all_logged
        self._nothing_at_all()
        await self._write(self._plan.last(), [])
        self._customer.bring_log()

    @property
    def _is_all_logged(self) -> bool:
        return self._progress.is_read and not self._is_logging

    def _nothing_at_all(self) -> None:
        """A single file that could not be read is no success."""
        if self.item.kind != "folder" and self.skipped and not self._has_version():
            raise BitDustError("unreadable", f"{self.skipped[-1]['path']}: {self.skipped[-1]['reason']}")

    def _has_version(self) -> bool:
        latest = version_at(self._parts.catalog.read, self.item.path, None)
        return latest is not None and latest.version == self.version

    def is_safe(self) -> bool:
        customer = self._customer
        if not customer.waits_for_suppliers():
            return True
        return customer.is_logged(self._sequence) and self._progress.is_safe(customer.is_absent_position)

    # versions

    def _log_ready(self) -> None:
        """Write versions of files whose packs are all held; one entry at a time, so that many files share one."""
        files = self._progress.ready
        if self._is_logging or not files:
            return
        self._progress.ready = []
        self._is_logging = True
        ops: list[Op] = []
        for file in files:
            ops += version_ops(
                file.path, self.version, file.size, file.mode, file.status.mtime, file.extents, extras=file.extras
            )
        writing = Deferred.fromCoroutine(self._write(ops, files))
        writing.addCallbacks(self._logged, lambda failure: self.machine.send("fail", failure))

    def _logged(self, _: object) -> None:
        self._is_logging = False
        self._log_ready()
        if self._all_logged is not None and self._is_all_logged:
            waiting, self._all_logged = self._all_logged, None
            waiting.callback(None)

    async def _write(self, ops: list[Op], files: list[FileRead]) -> None:
        rows = [as_row(file.path, self.version, file.status) for file in files if not file.changed]

        def note(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO seen VALUES(?, ?, ?, ?, ?, ?, ?)", rows)

        self._sequence = max(self._sequence, await self._parts.log_writer.write(ops, note if rows else None))

    # the end

    def aborted(self, reason: Any) -> None:
        error = getattr(reason, "value", reason)
        self.reason = as_error(error)
        if not isinstance(error, BitDustError):
            self.log.error("upload {path} failed: {reason!r}", path=self.item.path, reason=error)
        self._finished()
        if not self.is_suspended:
            self._parts.log_writer.write(self._take_back).addErrback(lambda failure: None)
        self.end(self.reason)

    def _take_back(self, database: sqlite3.Connection) -> list[Op]:
        """Items that this job made and that got no version go again."""
        empty = [path for path in self._plan.made if not _has_anything(database, path)]
        return [tombstone_op(empty, [], int(self._parts.around.world.wall() * 1000))] if empty else []

    def _finished(self) -> None:
        self._progress.stop()
        reader, self._reader = self._reader, None
        if reader is not None:
            self._parts.reading.run(lambda database: reader.close()).addErrback(lambda failure: None)
        self._manager.ended(self)

    def finished(self) -> Row:
        """What the API answers when the version is safe."""
        return {**self.describe(), "problems": self.skipped, "total_size": self.total, "new_bytes": self.new_bytes}

    def done_safely(self) -> None:
        """The version is safe."""
        self._finished()
        written = self._parts.acknowledgements.write()  # or lists that follow at once would say that nothing is safe
        written.addCallback(lambda _: self.end(self.finished()))

    def row(self) -> Row:
        """As `files_uploads` shows a running job."""
        waits_for = self.waits_for()
        share = self.processed / self.total if self.total else 1.0
        return {
            **self.describe(),
            "created": self.created,
            "state": self.machine.state,
            "aborting": False,
            "terminating": False,
            "eof_state": self.machine.state in ("RAID", "SENDING"),
            "reading": self.machine.state == "READ",
            "closed": False,
            "block_number": self.blocks,
            "block_size": self._customer.block_size(),
            "work_blocks": self._progress.packs,
            "eccmap": self._customer.ecc_map(),
            "bytes_processed": self.processed,
            "total_size": self.total,
            "pieces_waiting": self._progress.pieces,
            "waits_for": waits_for,
            "waits_since": self._patience.since if waits_for else None,
            "progress": f"{100.0 * share * (0.5 + 0.5 * self._progress.sent):.0f}%",
        }


def waiting_packs(database: sqlite3.Connection, path: str) -> list[bytes]:
    """Packs of an item, and of what is below it, with pieces that wait for suppliers; for a thread."""
    rows = database.execute(
        "SELECT DISTINCT s.pack FROM pieces s JOIN packs p ON p.pack=s.pack"
        " WHERE s.state<>1 AND s.state=? AND p.state=?"
        " AND EXISTS (SELECT 1 FROM version_packs v WHERE v.pack=s.pack AND (v.path=? OR (v.path>? AND v.path<?)))",
        (PieceState.WAITING, PackState.HELD, path, f"{path}/", f"{path}0"),
    )
    return [bytes(pack) for (pack,) in rows]


def _has_anything(database: sqlite3.Connection, path: str) -> bool:
    query = "SELECT 1 FROM versions WHERE dead=0 AND (path=? OR (path>? AND path<?)) LIMIT 1"
    return database.execute(query, (path, f"{path}/", f"{path}0")).fetchone() is not None
