"""The gate: my storage is ready."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class MyDataService(Service):
    """ON means that files can be stored and brought back."""

    name = "my_data"
    needs = ("backups", "restores")
    needs_identity = True
    duty = "tells that my storage is ready"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> None:
        self._rooms.around.events.send("my-storage-ready", {})

    def stop(self) -> None:
        self._rooms.around.events.send("my-storage-not-ready-yet", {})

    def health(self) -> None:
        if not self._rooms.storage.is_open:
            raise Unhealthy("my storage is not open")
