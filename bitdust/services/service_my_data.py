"""The gate: my storage is ready."""

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class MyDataService(Service):
    """ON means that files can be stored and brought back."""

    name = "my_data"
    needs = ("backups", "restores")
    needs_identity = True
    duty = "tells that my storage is ready"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> None:
        self._parts.events.send("my-storage-ready", {})

    def stop(self) -> None:
        self._parts.events.send("my-storage-not-ready-yet", {})

    def health(self) -> None:
        if not self._parts.storage.is_open:
            raise Unhealthy("my storage is not open")
