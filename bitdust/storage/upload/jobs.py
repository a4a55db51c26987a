"""All uploads of this node: jobs that run, jobs that wait, and those that a crash interrupted."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from bitdust.signal import Signal
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.local_paths import remember
from bitdust.storage.catalog.paths import Item, by_id, fresh_version
from bitdust.storage.jobs import MOST_TOLD, Jobs, Row
from bitdust.storage.options import of_text, to_text
from bitdust.storage.upload.failures import Failures
from bitdust.storage.upload.options import USUAL, UploadOptions
from bitdust.storage.upload.upload import Customer, Upload, UploadOrder, UploadParts
from bitdust.wire.names import shown

MOST_RUNNING = 16
COMPANY = 0.01


class Uploads(Jobs[Upload]):
    """I start them, a bounded number at a time; ``quiet`` is emitted when the last one has ended."""

    tables = ("uploads", "upload_options")

    def __init__(self, parts: UploadParts, customer: Customer, names_of: Callable[[Item], Row]) -> None:
        super().__init__(parts.catalog)
        self._parts = parts
        self._customer = customer
        self._events = parts.around.events
        self._names_of = names_of
        self.failures = Failures(parts.catalog, parts.around.world.wall)
        self._pending: deque[Upload] = deque()
        self._is_closed = False
        self.quiet: Signal[[]] = Signal()

    def resume(self) -> None:
        """Take up what was interrupted. May follow a `suspend`."""
        self._is_closed = False
        self.failures.load()
        database = self._parts.catalog.read
        rows = database.execute(
            "SELECT u.id, path, source, version, created, coalesce(o.options, '') FROM uploads u"
            " LEFT JOIN upload_options o ON o.id=u.id"
        ).fetchall()
        known = {one.number for one in self._every()}
        for number, path, source, version, created, options in rows:
            if number in known:
                continue
            item = by_id(database, path)
            if item is None:
                self._forget(number)
                continue
            self._enqueue(
                UploadOrder(
                    number, item, bytes(source), version, created, self._names_of(item), of_text(UploadOptions, options)
                )
            )
        self._next()

    def suspend(self) -> None:
        """The node stops."""
        self._is_closed = True
        pending, self._pending = self._pending, deque()
        super().suspend()
        for upload in pending:
            upload.suspend()

    def check(self) -> None:
        """What is to be expected of suppliers has changed, or they hold more of the log."""
        for upload in self.running:
            upload.check()

    @property
    def is_quiet(self) -> bool:
        """Whether no upload could be building on a pack."""
        return not (self._running or self._pending or self._beginning)

    def wait_for_company(self) -> "Deferred[None]":
        """Before an unfilled pack is closed: where other uploads run, a moment in which theirs may end up in it too."""
        if len(self._running) <= 1:
            return succeed(None)
        return deferLater(self._parts.around.world.clock, COMPANY)

    def close_open_packs(self) -> None:
        """Packs that wait for more for long are sealed as they are."""
        closing = self._parts.reading.run(lambda database: self._parts.packer.close_all())
        closing.addCallbacks(lambda _: self._parts.packs.collect(), lambda failure: None)

    async def start(self, item: Item, source: bytes, options: UploadOptions = USUAL) -> Upload:
        """Begin a job. Raises `BitDustError` ``already-scheduled`` for one that runs, ``read-only``."""
        self._parts.log_writer.allowed()
        created, device = self._parts.around.world.wall(), self._customer.device_number()

        def insert(database: sqlite3.Connection) -> tuple[int, str]:
            if by_id(database, item.path) is None:
                raise CatalogError("not-found", "the item was deleted meanwhile")
            remember(database, item.path, source)
            version = fresh_version(database, self._parts.calendar.stamp(), device, item.path)
            cursor = database.execute(
                "INSERT INTO uploads(path, source, version, created) VALUES(?, ?, ?, ?)",
                (item.path, source, version, created),
            )
            number = int(cursor.lastrowid or 0)
            if text := to_text(options):
                database.execute("INSERT INTO upload_options VALUES(?, ?)", (number, text))
            return number, version

        begun, names = [one.item.path for one in self._every()], self._names_of(item)
        with self._once(item.path, begun, f"uploading {names['remote_path']}"):
            number, version = await self._parts.catalog.change(insert)
        taken_up = self._of(number)
        if taken_up is not None:
            return taken_up
        upload = self._enqueue(UploadOrder(number, item, source, version, created, names, options))
        if self._is_closed:  # the storage was closed while the row was written: whoever opens it again finds the row
            upload.suspend()
        self._next()
        return upload

    def _every(self) -> list[Upload]:
        return [*self.running, *self._pending]

    def _enqueue(self, order: UploadOrder) -> Upload:
        upload = Upload(self._parts, self._customer, self, order)
        self._pending.append(upload)
        self._events.send("backup-task-created", {"path_id": order.item.path, "version": order.version})
        return upload

    def _next(self) -> None:
        while self._pending and len(self._running) < MOST_RUNNING and not self._is_closed:
            upload = self._pending.popleft()
            self._running[upload.number] = upload
            backup_id = f"{upload.item.path}/{upload.version}"
            data = {"backup_id": backup_id, "source_path": shown(upload.source)}
            self._events.send("backup-started", data)
            upload.start()

    def ended(self, upload: Upload) -> None:
        if upload in self._pending:
            self._pending.remove(upload)
        super().ended(upload)
        if not upload.is_suspended:
            self._report(upload)
        self._next()
        if self.is_quiet and not self._is_closed:
            self.quiet.emit()

    def _report(self, upload: Upload) -> None:
        backup_id = f"{upload.item.path}/{upload.version}"
        data: Row = {"backup_id": backup_id, "source_path": shown(upload.source)}
        task = {**upload.names, "number": upload.number, "created": upload.created, **data}
        if upload.reason is None:
            self.failures.forget(upload.item.path)
            told: Row = {"problems": upload.skipped[:MOST_TOLD]}
            message = f"{len(upload.skipped)} things were left out or changed" if upload.skipped else ""
            self._events.send("backup-done", data | told)
            done = {"local_path": data["source_path"], "message": message}
            self._events.send("backup-task-finished", task | done | told)
        else:
            self.failures.note(upload.describe(), upload.reason)
            self._events.send("backup-aborted", {**data, "reason": str(upload.reason)})
            failed = {"path_id": upload.item.path, "message": str(upload.reason)}
            self._events.send("backup-task-failed", failed)

    def stop(self, path: str) -> list[Row]:
        """Give up jobs of an item and of everything below it; what was stopped."""
        return self._given_up(
            one for one in self._every() if one.item.path == path or one.item.path.startswith(f"{path}/")
        )

    def stop_waiting(self, path: str) -> list[Row]:
        """Give up a job of an item that has not begun; what was stopped."""
        return self._given_up(one for one in self._pending if one.item.path == path)

    def stop_running(self, path: str, version: str | None) -> list[Row]:
        """Give up the running job of an item, with a version only the one that makes it; what was stopped."""
        mine = (one for one in self.running if one.item.path == path)
        return self._given_up(one for one in mine if version in (None, one.version))

    def _given_up(self, chosen: Iterable[Upload]) -> list[Row]:
        return [upload.describe() for upload in self._stop(chosen)]

    def rows(self) -> dict[str, list[Row]]:
        """Running and pending jobs."""
        pending = [
            {**upload.describe(), "task_id": upload.number, "created": upload.created}
            for upload in self._pending
            if not upload.is_hidden
        ]
        return {"running": [upload.row() for upload in self.running if not upload.is_hidden], "pending": pending}
