"""Shares: places of mine that others may read, and places of theirs."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class SharedDataService(Service):
    """Opens the shares that are to be open."""

    name = "shared_data"
    needs = ("key_exchange", "data_disintegration")
    needs_identity = True
    duty = "opens shares of mine and of others, so that files are listed, brought here, and written where I was let in"

    def __init__(self, rooms: Rooms) -> None:
        self._shares = rooms.shares

    def start(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._shares.start())

    def stop(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._shares.stop())

    def health(self) -> None:
        closed = [share for share in self._shares.all() if share.active and share.opened is None]
        if closed:
            raise Unhealthy(f"{len(closed)} shares that are to be open are not, such as {closed[0].key_id}")
