"""The catalog and its log."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class BackupDBService(Service):
    """On a recovered node the catalog is complete before anybody may look at it; otherwise it is at hand at once."""

    name = "backup_db"
    needs = ("keys_storage",)
    needs_identity = True
    duty = "keeps the catalog, and its log the same here and at every supplier"
    start_timeout = None

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._waiting: Deferred[Any] | None = None
        self._disconnect: Callable[[], None] = lambda: None

    def start(self) -> "Deferred[Any]":
        index = self._rooms.storage.core.log_replicas
        self._disconnect = index.merged.connect(self._check)
        index.start()
        if index.recovered:
            return succeed(None)
        self._waiting = Deferred()
        return self._waiting

    def _check(self) -> None:
        if not self._rooms.storage.core.log_replicas.recovered:
            return
        self._rooms.suppliers.family.settle()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def waits_for(self) -> str:
        reason = self._rooms.storage.core.log_replicas.reason
        return f"the catalog comes from my suppliers: {reason or 'they are being asked'}"

    def stop(self) -> None:
        self._waiting = None
        self._disconnect()
        if self._rooms.storage.is_open:
            self._rooms.storage.core.log_replicas.stop()

    def health(self) -> None:
        index = self._rooms.storage.core.log_replicas
        if not index.recovered:
            raise Unhealthy(f"the catalog has not come back yet: {index.reason or 'suppliers are being asked'}")
        self._rooms.storage.core.catalog.read.execute("SELECT 1 FROM items LIMIT 1").fetchone()
