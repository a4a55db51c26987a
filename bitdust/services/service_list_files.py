"""Asking suppliers what they hold."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class ListFilesService(Service):
    """Compares what suppliers hold with what the catalog believes, as often as the monitor asks for it."""

    name = "list_files"
    needs = ("backup_db",)
    needs_identity = True
    duty = "asks suppliers which of my pieces they hold"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> None:
        self._rooms.storage.core.listing.refresh()

    def health(self) -> None:
        if not self._rooms.storage.is_open or self._rooms.storage.core.listing.machine.state == "CLOSED":
            raise Unhealthy("nobody is asked")
