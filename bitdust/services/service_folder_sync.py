"""Folders that are the same on several machines."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class FolderSyncService(Service):
    """Off until the first folder is added."""

    name = "folder_sync"
    needs = ("tcp_connections", "gateway")
    needs_identity = True
    duty = "keeps folders the same on all machines that have one of their secrets"

    def __init__(self, rooms: Rooms) -> None:
        self._folders = rooms.folders
        self._inbox = rooms.gateway.inbox
        self._added: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._folders.packet_rows()

    def start(self) -> None:
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)
        self._folders.open()
        self._folders.rereading.start()

    def stop(self) -> "Deferred[Any]":
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        self._folders.rereading.stop()
        return self._folders.close()

    def health(self) -> None:
        problem = self._folders.problem()
        if problem:
            raise Unhealthy(problem)
