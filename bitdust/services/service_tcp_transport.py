"""Sessions with peers over TCP and TLS."""

from twisted.internet.defer import Deferred, succeed

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.signal import Disconnect


class TCPTransportService(Service):
    """Dials peers at the addresses that the DHT keeps of them."""

    name = "tcp_transport"
    needs = ("tcp_connections", "gateway")
    needs_identity = True
    duty = "carries sessions with peers over TCP and TLS, and finds their addresses"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._on = False
        self._forget: Disconnect = lambda: None

    def start(self) -> None:
        self._forget = self._rooms.gateway.add_resolver(self._resolve)
        self._on = True

    def stop(self) -> None:
        self._on = False
        self._forget()
        for session in self._rooms.gateway.sessions():
            session.close("stopping", "this node leaves TCP")

    def health(self) -> None:
        if not self._on or not self._rooms.gateway.listening:
            raise Unhealthy("no session can come in")

    def _resolve(self, fingerprint: bytes) -> "Deferred[list[str]]":
        if not self._on or not self._rooms.around.settings.get("services/tcp-transport/sending-enabled"):
            return succeed([])
        return Deferred.fromCoroutine(self._rooms.dht.directory.resolve(fingerprint))
