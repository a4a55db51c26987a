"""Apps on phones and in browsers."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.signal import Disconnect
from bitdust.wire.table import Row


class WebSocketCommunicatorService(Service):
    """Works without any network for those on this machine; routers are found as soon as there is one."""

    name = "web_socket_communicator"
    needs_identity = True
    duty = "lets in apps on phones and in browsers that I have let in, and shuts out those that I shut out"

    def __init__(self, rooms: Rooms) -> None:
        self._companions = rooms.companions
        self._inbox = rooms.gateway.inbox
        self._network_is_back = rooms.dht.node.connected
        self._added: list[Row] = []
        self._forget: Disconnect = _nothing

    def packet_rows(self) -> list[Row]:
        return self._companions.rows()

    def start(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self._companions.start()
        self._forget = self._network_is_back.connect(self._companions.network_is_back)
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)

    def stop(self) -> None:
        self._forget()
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        self._companions.stop()

    def health(self) -> None:
        deaf = self._companions.deaf()
        if deaf:
            raise Unhealthy(f"nobody listens any more for {', '.join(deaf)}")
        if any(row not in self._inbox.rows() for row in self._added):
            raise Unhealthy("routers that bring messages are not answered")


def _nothing() -> None:
    """Nothing was connected yet."""
