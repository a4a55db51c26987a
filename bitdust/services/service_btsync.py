"""The API of BitTorrent Sync for its clients."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class BtsyncService(Service):
    """Off by default, and then nothing of it is loaded. It needs no other one: folders are listed, added and removed
    while they are not in sync as well."""

    name = "btsync"
    duty = "answers clients of BitTorrent Sync on this machine"

    def __init__(self, rooms: Rooms) -> None:
        self._door = rooms.btsync

    def start(self) -> "Deferred[None]":
        return self._door.open()

    def stop(self) -> "Deferred[None]":
        return self._door.close()

    def health(self) -> None:
        problem = self._door.problem()
        if problem:
            raise Unhealthy(problem)
