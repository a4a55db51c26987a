"""An ID server for others."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class IdentityServerService(Service):
    """Keeps identity documents at the web port of this machine."""

    name = "identity_server"
    needs = ("network",)
    duty = "keeps identity documents for others and serves them over HTTP"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> "Deferred[Any]":
        if not self._rooms.around.settings.get("services/identity-server/host"):
            raise Unhealthy("set services/identity-server/host to the name or address that others use for this machine")
        return self._rooms.identity.server.start()

    def stop(self) -> "Deferred[Any]":
        return self._rooms.identity.server.stop()

    def health(self) -> None:
        if not self._rooms.identity.server.listening:
            raise Unhealthy("the web port of the ID server is closed")
