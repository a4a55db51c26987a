"""Groups of people."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class PrivateGroupsService(Service):
    """Opens the groups that are joined, and keeps them up to date."""

    name = "private_groups"
    needs = ("message_history", "key_exchange")
    needs_identity = True
    duty = "opens groups of mine and of others, and reads and writes in them"

    def __init__(self, rooms: Rooms) -> None:
        self._groups = rooms.groups

    def start(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._groups.start())

    def stop(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._groups.stop())

    def health(self) -> None:
        closed = [group for group in self._groups.all() if group.active and group.opened is None]
        if closed:
            raise Unhealthy(f"{len(closed)} groups that are joined are not open, such as {closed[0].key_id}")
