"""Uploads, and the round that keeps them whole."""

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class BackupsService(Service):
    """Takes up what a crash interrupted; mends what suppliers lose; removes what is no longer wanted."""

    name = "backups"
    needs = ("list_files", "data_disintegration")
    needs_identity = True
    duty = "uploads files and folders, and keeps their pieces complete"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> None:
        core = self._parts.storage.core
        core.uploads.resume()
        core.monitor.start()

    def stop(self) -> None:
        if self._parts.storage.is_open:
            core = self._parts.storage.core
            core.uploads.suspend()
            core.monitor.stop()

    def health(self) -> None:
        if not self._parts.storage.is_open or self._parts.storage.core.monitor.machine.state in (
            "AT_STARTUP",
            "CLOSED",
        ):
            raise Unhealthy("the backup monitor does not run")
