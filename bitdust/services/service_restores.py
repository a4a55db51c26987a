"""Downloads."""

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class RestoresService(Service):
    """Takes up what a crash interrupted."""

    name = "restores"
    needs = ("backup_db", "data_disintegration")
    needs_identity = True
    duty = "brings files and folders back from any k suppliers"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> None:
        self._parts.storage.core.downloads.resume()

    def stop(self) -> None:
        if self._parts.storage.is_open:
            self._parts.storage.core.downloads.suspend()

    def health(self) -> None:
        if not self._parts.storage.is_open or self._parts.storage.core.fetcher.machine.state == "CLOSED":
            raise Unhealthy("no piece can be fetched")
