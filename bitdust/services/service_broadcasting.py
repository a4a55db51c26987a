"""Messages to everybody."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class BroadcastingService(Service):
    """Off unless somebody wants it: what comes are messages of people whom nobody here knows."""

    name = "broadcasting"
    needs = ("gateway",)
    needs_identity = True
    duty = "says messages to everybody in the network, and hears those of others"

    def __init__(self, rooms: Rooms) -> None:
        self._broadcasts = rooms.people.broadcasts
        self._inbox = rooms.gateway.inbox
        self._rows: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return [self._broadcasts.row()]

    def start(self) -> None:
        self._rows = self.packet_rows()
        for row in self._rows:
            self._inbox.add(row)

    def stop(self) -> None:
        rows, self._rows = self._rows, []
        for row in rows:
            self._inbox.remove(row)

    def health(self) -> None:
        if any(row not in self._inbox.rows() for row in self._rows):
            raise Unhealthy("messages to everybody are not heard")
