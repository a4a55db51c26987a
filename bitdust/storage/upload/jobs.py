"""All uploads of this node: jobs that run, jobs that wait, and those that a crash interrupted."""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.paths import Item, by_id, fresh_version
from bitdust.storage.ports import Events
from bitdust.storage.upload.mirror import remember
from bitdust.storage.upload.upload import Job, Upload, Workshop
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown

MOST_RUNNING = 16


class UploadsShop(Workshop, Protocol):
    """What the manager needs besides."""

    events: Events

    def names_of(self, item: Item) -> dict[str, Any]: ...


class Uploads:
    """I keep a row for each job until it ends; ``on_quiet`` is told when the last one has ended."""

    log = Logger()

    def __init__(self, shop: UploadsShop) -> None:
        self._shop = shop
        self._running: dict[int, Upload] = {}
        self._waiting: deque[Upload] = deque()
        self._preparing = 0
        self._closed = False
        self.on_quiet: Callable[[], None] = lambda: None

    def resume(self) -> None:
        """Take up what was interrupted. May follow a `suspend`."""
        self._closed = False
        rows = self._shop.catalog.read.execute("SELECT id, path, source, version, created FROM uploads").fetchall()
        for number, path, source, version, created in rows:
            item = by_id(self._shop.catalog.read, path)
            if item is None:
                self._forget(number)
                continue
            upload = self._enqueue(Job(number, item, bytes(source), version, created, self._shop.names_of(item)))
            upload.done.addErrback(self._resumed_in_vain, upload)
        self._next()

    def _resumed_in_vain(self, failure: Any, upload: Upload) -> None:
        self.log.warn("{path}: {error}", path=upload.names["remote_path"], error=failure.value)

    def suspend(self) -> None:
        """The node stops."""
        self._closed = True
        waiting, self._waiting = self._waiting, deque()
        for upload in [*self._running.values(), *waiting]:
            upload.done.addErrback(lambda failure: None)
            upload.suspend()

    @property
    def running(self) -> int:
        """How many jobs are at work."""
        return len(self._running)

    @property
    def is_quiet(self) -> bool:
        """Whether no upload could be building on a pack."""
        return not (self._running or self._waiting or self._preparing)

    async def start(self, item: Item, source: bytes) -> Upload:
        """Begin a job. Raises `BitDustError` ``already-scheduled`` for one that runs."""
        self._refuse_second(item)
        shop = self._shop
        created, device = shop.world.wall(), shop.device_number()

        def insert(database: sqlite3.Connection) -> tuple[int, str]:
            if by_id(database, item.path) is None:
                raise CatalogError("not-found", "the item was deleted meanwhile")
            remember(database, item.path, source)
            version = fresh_version(database, created, device)
            cursor = database.execute(
                "INSERT INTO uploads(path, source, version, created) VALUES(?, ?, ?, ?)",
                (item.path, source, version, created),
            )
            return int(cursor.lastrowid or 0), version

        self._preparing += 1
        try:
            number, version = await shop.catalog.change(insert)
        finally:
            self._preparing -= 1
        upload = self._enqueue(Job(number, item, source, version, created, shop.names_of(item)))
        self._next()
        return upload

    def _refuse_second(self, item: Item) -> None:
        for upload in [*self._running.values(), *self._waiting]:
            if upload.item.path == item.path:
                raise BitDustError("already-scheduled", f"uploading {upload.names['remote_path']} is already scheduled")

    def _enqueue(self, job: Job) -> Upload:
        upload = Upload(self._shop, job)
        self._waiting.append(upload)
        self._shop.events.send("backup-task-created", {"path_id": job.item.path, "version": job.version})
        return upload

    def _next(self) -> None:
        while self._waiting and len(self._running) < MOST_RUNNING and not self._closed:
            upload = self._waiting.popleft()
            self._running[upload.job.number] = upload
            backup_id = f"{upload.item.path}/{upload.version}"
            data = {"backup_id": backup_id, "source_path": shown(upload.source)}
            self._shop.events.send("backup-started", data)
            upload.start()

    def ended(self, upload: Upload) -> None:
        """A job is over, well or not."""
        self._running.pop(upload.job.number, None)
        if upload in self._waiting:
            self._waiting.remove(upload)
        if not upload.suspended:
            self._forget(upload.job.number)
            self._tell(upload)
        self._next()
        if self.is_quiet and not self._closed:
            self.on_quiet()

    def _tell(self, upload: Upload) -> None:
        backup_id = f"{upload.item.path}/{upload.version}"
        data: dict[str, Any] = {"backup_id": backup_id, "source_path": shown(upload.source)}
        task = {**upload.names, "number": upload.job.number, "created": upload.job.created, **data}
        if upload.reason is None:
            self._shop.events.send("backup-done", data)
            self._shop.events.send("backup-task-finished", {**task, "local_path": data["source_path"], "message": ""})
        else:
            self._shop.events.send("backup-aborted", {**data, "reason": str(upload.reason)})
            failed = {"path_id": upload.item.path, "message": str(upload.reason)}
            self._shop.events.send("backup-task-failed", failed)

    def _forget(self, number: int) -> None:
        forgetting: Deferred[Any] = self._shop.catalog.change(
            lambda database: database.execute("DELETE FROM uploads WHERE id=?", (number,))
        )
        forgetting.addErrback(lambda failure: self.log.failure("a job could not be forgotten", failure))

    def stop(self, path: str) -> list[dict[str, Any]]:
        """Give up jobs of an item and of everything below it; what was stopped."""
        every = [*self._running.values(), *self._waiting]
        return self._stop([one for one in every if one.item.path == path or one.item.path.startswith(f"{path}/")])

    def stop_waiting(self, path: str) -> list[dict[str, Any]]:
        """Give up a job of an item that has not begun; what was stopped."""
        return self._stop([one for one in self._waiting if one.item.path == path])

    def stop_running(self, path: str, version: str | None) -> list[dict[str, Any]]:
        """Give up the running job of an item, with a version only the one that makes it; what was stopped."""
        mine = [one for one in self._running.values() if one.item.path == path]
        return self._stop([one for one in mine if version in (None, one.version)])

    def _stop(self, chosen: list[Upload]) -> list[dict[str, Any]]:
        for upload in chosen:
            upload.done.addErrback(lambda failure: None)
            upload.stop()
        return [upload.describe() for upload in chosen]

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Running and pending jobs."""
        pending = [
            {**upload.describe(), "task_id": upload.job.number, "created": upload.job.created}
            for upload in self._waiting
        ]
        return {"running": [upload.row() for upload in self._running.values()], "pending": pending}
