"""Uploads, and the round that keeps them whole."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class BackupsService(Service):
    """Takes up what a crash interrupted; mends what suppliers lose; removes what is no longer wanted."""

    name = "backups"
    needs = ("list_files", "data_disintegration")
    needs_identity = True
    duty = "uploads files and folders, and keeps their pieces complete"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> None:
        core = self._rooms.storage.core
        core.uploads.resume()
        core.monitor.start()
        core.reencoder.start()

    def stop(self) -> None:
        if self._rooms.storage.is_open:
            core = self._rooms.storage.core
            core.uploads.suspend()
            core.monitor.stop()
            core.reencoder.stop()

    def health(self) -> None:
        problem = self._rooms.storage.core.monitor.problem()
        if problem:
            raise Unhealthy(problem)
