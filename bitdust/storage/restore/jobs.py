"""All downloads of this node: jobs that run, and those that a crash interrupted."""

import sqlite3
from typing import Protocol

from bitdust.outcome import outcome
from bitdust.storage.catalog.paths import Item, Target, by_id
from bitdust.storage.jobs import MOST_TOLD, Jobs, Row
from bitdust.storage.options import of_text, to_text
from bitdust.storage.restore.options import AS_SET, RestoreOptions
from bitdust.storage.restore.restore import KeyOwner, Restore, RestoreOrder, RestoreParts
from bitdust.wire.names import shown


class Namer(Protocol):
    """Gives the fields that every answer about an item, or about all items of a key, has."""

    def names_of(self, item: Item, /) -> Row: ...

    def names_of_all(self, key: str, /) -> Row: ...


class Downloads(Jobs[Restore]):
    """I start them at once."""

    tables = ("downloads", "download_options")

    def __init__(self, parts: RestoreParts, owner: KeyOwner, namer: Namer) -> None:
        super().__init__(parts.catalog)
        self._parts = parts
        self._owner = owner
        self._events = parts.around.events
        self._namer = namer

    def resume(self) -> None:
        """Take up what was interrupted."""
        database = self._parts.catalog.read
        rows = database.execute(
            "SELECT d.id, key, path, version, destination, policy, created, coalesce(o.options, '') FROM downloads d"
            " LEFT JOIN download_options o ON o.id=d.id"
        ).fetchall()
        for number, key, path, version, destination, policy, created, options in rows:
            if number in self._running:
                continue
            item = by_id(database, path) if path else None
            if path and item is None:
                self._forget(number)
                continue
            target = Target(key, item, version or None)
            where = bytes(destination)
            names, wanted = self._names(target, where), of_text(RestoreOptions, options)
            self._begin(RestoreOrder(number, target, where, policy, created, names, wanted, is_taken_up=True))

    async def start(self, target: Target, destination: bytes, policy: str, options: RestoreOptions = AS_SET) -> Restore:
        """Begin a job. Raises `BitDustError` ``already-scheduled`` for one that runs."""
        names = self._names(target, destination)
        created = self._parts.around.world.wall()
        row = (target.key, target.item.path if target.item else "", target.version or "", destination, policy, created)

        def insert(database: sqlite3.Connection) -> int:
            cursor = database.execute(
                "INSERT INTO downloads(key, path, version, destination, policy, created) VALUES(?, ?, ?, ?, ?, ?)", row
            )
            number = int(cursor.lastrowid or 0)
            if text := to_text(options):
                database.execute("INSERT INTO download_options VALUES(?, ?)", (number, text))
            return number

        begun = [(one.target, one.destination) for one in self.running]
        with self._once((target, destination), begun, f"downloading {names['remote_path']}"):
            inserted = await outcome(self._parts.catalog.change(insert))
        if inserted.error is not None and inserted.code not in ("disk-full", "disk-error"):
            raise inserted.error
        # What comes back may go to another disk: only a restart in the middle is then not survived.
        number = inserted.value if inserted.error is None else min([0, *self._running]) - 1
        order = RestoreOrder(number, target, destination, policy, created, names, options)
        return self._of(number) or self._begin(order)

    def _names(self, target: Target, destination: bytes) -> Row:
        namer = self._namer
        names = namer.names_of(target.item) if target.item is not None else namer.names_of_all(target.key)
        return {**names, "local_path": shown(destination)}

    def _begin(self, order: RestoreOrder) -> Restore:
        restore = self._running[order.number] = Restore(self._parts, self._owner, order, self.ended)
        self._events.send("restore-started", {"backup_id": restore.describe()["backup_id"]})
        restore.start()
        return restore

    def ended(self, restore: Restore) -> None:
        super().ended(restore)
        row = restore.describe()
        data = {"backup_id": row["backup_id"], "output_location": row["local_path"]}
        if restore.reason is None:
            self._events.send("restore-done", {**data, "problems": restore.plan.problems[:MOST_TOLD]})
        elif not restore.is_suspended:
            self._events.send("restore-failed", {**data, "reason": str(restore.reason)[:2000]})

    def stop(self, target: Target) -> list[Row]:
        """Give up jobs of an item; what was stopped."""
        stopped = self._stop(
            restore
            for restore in self.running
            if restore.target.item == target.item
            and target.version in (None, restore.target.version, restore.plan.version)
        )
        return [{"backup_id": restore.describe()["backup_id"], "aborted": True} for restore in stopped]

    def rows(self) -> list[Row]:
        """Running jobs."""
        return [restore.row() for restore in self.running if not restore.is_hidden]
