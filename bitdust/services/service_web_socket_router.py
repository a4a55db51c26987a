"""Carrying apps of others."""

from twisted.internet.defer import Deferred

from bitdust.dht.ids import WEB_SOCKET_ROUTERS_LAYER
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class WebSocketRouterService(Service):
    """Shows itself in the routers' layer of the DHT, and opens a port for apps."""

    name = "web_socket_router"
    needs = ("p2p_hookups",)
    needs_identity = True
    duty = "passes sealed messages on between apps and nodes that cannot be reached otherwise"

    def __init__(self, rooms: Rooms) -> None:
        self._router = rooms.router
        self._inbox = rooms.gateway.inbox
        self._dht = rooms.dht.node
        self._added: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._router.rows()

    def start(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self._router.start()
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)
        self._dht.attach(WEB_SOCKET_ROUTERS_LAYER)

    def stop(self) -> "Deferred[None]":
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        self._dht.detach(WEB_SOCKET_ROUTERS_LAYER)
        return Deferred.fromCoroutine(self._router.stop())

    def health(self) -> None:
        if not self._router.is_open:
            raise Unhealthy("the port for apps is closed")
        if any(row not in self._inbox.rows() for row in self._added):
            raise Unhealthy("nodes that ask for a way are not answered")
