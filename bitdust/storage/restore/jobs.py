"""All downloads of this node: jobs that run, and those that a crash interrupted."""

import sqlite3
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.storage.catalog.paths import Item, Target, by_id
from bitdust.storage.ports import Events
from bitdust.storage.restore.restore import Restore, RestoreJob, RestoreShop
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown


class DownloadsShop(RestoreShop, Protocol):
    """What the manager needs besides."""

    events: Events

    def names_of(self, item: Item) -> dict[str, Any]: ...

    def names_of_all(self, key: str) -> dict[str, Any]: ...


class Downloads:
    """I keep a row for each job until it ends."""

    log = Logger()

    def __init__(self, shop: DownloadsShop) -> None:
        self._shop = shop
        self._running: dict[int, Restore] = {}

    def resume(self) -> None:
        """Take up what was interrupted."""
        rows = self._shop.catalog.read.execute(
            "SELECT id, key, path, version, destination, policy, created FROM downloads"
        ).fetchall()
        for number, key, path, version, destination, policy, created in rows:
            item = by_id(self._shop.catalog.read, path) if path else None
            if path and item is None:
                self._forget(number)
                continue
            target = Target(key, item, version or None)
            restore = self._begin(number, target, bytes(destination), policy, created)
            restore.done.addErrback(self._resumed_in_vain)

    def _resumed_in_vain(self, failure: Any) -> None:
        self.log.warn("{error}", error=failure.value)

    def suspend(self) -> None:
        """The node stops."""
        for restore in list(self._running.values()):
            restore.done.addErrback(lambda failure: None)
            restore.suspend()

    async def start(self, target: Target, destination: bytes, policy: str) -> Restore:
        """Begin a job. Raises `BitDustError` ``already-scheduled`` for one that runs."""
        for restore in self._running.values():
            if restore.job.target == target and restore.job.destination == destination:
                text = f"downloading {restore.job.names['remote_path']} is already scheduled"
                raise BitDustError("already-scheduled", text)
        created = self._shop.world.wall()
        row = (target.key, target.item.path if target.item else "", target.version or "", destination, policy, created)

        def insert(database: sqlite3.Connection) -> int:
            cursor = database.execute(
                "INSERT INTO downloads(key, path, version, destination, policy, created) VALUES(?, ?, ?, ?, ?, ?)", row
            )
            return int(cursor.lastrowid or 0)

        number: int = await self._shop.catalog.change(insert)
        return self._begin(number, target, destination, policy, created)

    def _begin(self, number: int, target: Target, destination: bytes, policy: str, created: float) -> Restore:
        shop = self._shop
        names = shop.names_of(target.item) if target.item is not None else shop.names_of_all(target.key)
        names["local_path"] = shown(destination)
        restore = Restore(shop, RestoreJob(number, target, destination, policy, created, names))
        self._running[number] = restore
        shop.events.send("restore-started", {"backup_id": restore.describe()["backup_id"]})
        restore.done.addCallbacks(self._done, self._failed, errbackArgs=(restore,))
        restore.start()
        return restore

    def _done(self, result: dict[str, Any]) -> dict[str, Any]:
        data = {"backup_id": result["backup_id"], "output_location": result["local_path"]}
        self._shop.events.send("restore-done", data)
        return result

    def _failed(self, failure: Any, restore: Restore) -> Any:
        if not restore.suspended:
            row = restore.describe()
            data = {"backup_id": row["backup_id"], "output_location": row["local_path"]}
            self._shop.events.send("restore-failed", {**data, "reason": str(failure.value)[:2000]})
        return failure

    def ended(self, restore: Restore) -> None:
        """A job is over, well or not."""
        self._running.pop(restore.job.number, None)
        if not restore.suspended:
            self._forget(restore.job.number)

    def _forget(self, number: int) -> None:
        forgetting: Deferred[Any] = self._shop.catalog.change(
            lambda database: database.execute("DELETE FROM downloads WHERE id=?", (number,))
        )
        forgetting.addErrback(lambda failure: self.log.failure("a job could not be forgotten", failure))

    def stop(self, target: Target) -> list[dict[str, Any]]:
        """Give up jobs of an item; what was stopped."""
        chosen = [
            restore
            for restore in self._running.values()
            if restore.job.target.item == target.item
            and target.version in (None, restore.job.target.version, restore.plan.version)
        ]
        for restore in chosen:
            restore.done.addErrback(lambda failure: None)
            restore.stop()
        return [{"backup_id": restore.describe()["backup_id"], "aborted": True} for restore in chosen]

    def rows(self) -> list[dict[str, Any]]:
        """Running jobs."""
        return [restore.row() for restore in self._running.values()]
