"""The TCP port that peers connect to."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy, is_taken

PORT = "services/tcp-connections/tcp-port"


class TCPConnectionsService(Service):
    """Opens the port; the default one gives way to a free one when another program has it, a chosen one does not."""

    name = "tcp_connections"
    needs = ("network",)
    needs_identity = True
    duty = "opens the TCP port that peers connect to"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> "Deferred[Any]":
        rooms = self._rooms
        opened = rooms.gateway.listen(rooms.around.settings.get(PORT))

        def taken(failure: Failure) -> Any:
            if is_taken(failure.value) and rooms.around.settings.is_default(PORT):
                return rooms.gateway.listen(0)
            return failure

        return opened.addErrback(taken)

    def stop(self) -> "Deferred[Any]":
        return self._rooms.gateway.stop()

    def health(self) -> None:
        if not self._rooms.gateway.listening:
            raise Unhealthy("the TCP port for peers is closed")
