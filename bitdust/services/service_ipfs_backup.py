"""Pins as backups."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class IpfsBackupService(Service):
    """Needs suppliers to do its duty, and waits for them by itself: what is here can be read without them."""

    name = "ipfs_backup"
    needs = ("block_store", "backups", "restores")
    needs_identity = True
    duty = "keeps what is pinned at my suppliers, and brings it back from there"

    def __init__(self, rooms: Rooms) -> None:
        self._backup = rooms.blocks.backup

    def start(self) -> "Deferred[None]":
        return self._backup.open()

    def stop(self) -> None:
        self._backup.close()

    def health(self) -> None:
        problem = self._backup.problem()
        if problem:
            raise Unhealthy(problem)
