"""Downloads."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

LONGEST_FETCH = 7200.0
"""Seconds in which a pack comes or is given up, over however slow a line."""


class RestoresService(Service):
    """Takes up what a crash interrupted."""

    name = "restores"
    needs = ("backup_db", "data_disintegration")
    needs_identity = True
    duty = "brings files and folders back from any k suppliers"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> None:
        self._rooms.storage.core.downloads.resume()

    def stop(self) -> None:
        if self._rooms.storage.is_open:
            self._rooms.storage.core.downloads.suspend()

    def health(self) -> None:
        fetcher = self._rooms.storage.core.fetcher
        if fetcher.longest() > LONGEST_FETCH:
            raise Unhealthy(f"a pack is being fetched for {fetcher.longest() / 60:.0f} minutes")
