"""The TCP port that peers connect to."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.services.parts import Parts, is_taken
from bitdust.services.service import Service, Unhealthy

PORT = "services/tcp-connections/tcp-port"


class TCPConnectionsService(Service):
    """Opens the port; the default one gives way to a free one when another program has it, a chosen one does not."""

    name = "tcp_connections"
    needs = ("network",)
    needs_identity = True
    duty = "opens the TCP port that peers connect to"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> "Deferred[Any]":
        parts = self._parts
        opened = parts.gateway.listen(parts.settings.get(PORT))

        def taken(failure: Failure) -> Any:
            if is_taken(failure.value) and parts.settings.is_default(PORT):
                return parts.gateway.listen(0)
            return failure

        return opened.addErrback(taken)

    def stop(self) -> "Deferred[Any]":
        return self._parts.gateway.stop()

    def health(self) -> None:
        if not self._parts.gateway.listening:
            raise Unhealthy("the TCP port for peers is closed")
