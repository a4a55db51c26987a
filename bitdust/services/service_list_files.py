"""Asking suppliers what they hold."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

LONGEST_PAUSE = 7200.0
"""Seconds. The round asks every ten minutes, and rebuilding within it takes an hour at most."""


class ListFilesService(Service):
    """Compares what suppliers hold with what the catalog believes, as often as the monitor asks for it."""

    name = "list_files"
    needs = ("backup_db",)
    needs_identity = True
    duty = "asks suppliers which of my pieces they hold"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> None:
        self._rooms.storage.core.inventory.refresh()

    def health(self) -> None:
        idle = self._rooms.storage.core.inventory.idle_for()
        if idle > LONGEST_PAUSE:
            raise Unhealthy(f"no supplier was asked what it holds for {idle / 60:.0f} minutes")
