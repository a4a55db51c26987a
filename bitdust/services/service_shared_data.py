"""Shares: keys that I gave, and keys that were given to me."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class SharedDataService(Service):
    """Opens the shares that are to be open, takes keys that others give, and brings others what I gave them."""

    name = "shared_data"
    needs = ("restores", "keys_registry")
    needs_identity = True
    duty = "opens shares of mine and of others, and keeps those whom I let in supplied"

    def __init__(self, rooms: Rooms) -> None:
        self._shares = rooms.shares
        self._inbox = rooms.gateway.inbox
        self._rows: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return [self._shares.received.row()]

    def start(self) -> "Deferred[None]":
        self._rows = self.packet_rows()
        for row in self._rows:
            self._inbox.add(row)
        return Deferred.fromCoroutine(self._shares.start())

    def stop(self) -> "Deferred[None]":
        rows, self._rows = self._rows, []
        for row in rows:
            self._inbox.remove(row)
        return Deferred.fromCoroutine(self._shares.stop())

    def health(self) -> None:
        closed = [share for share in self._shares.all() if share.active and share.opened is None]
        if closed:
            raise Unhealthy(f"{len(closed)} shares that are to be open are not, such as {closed[0].key_id}")
