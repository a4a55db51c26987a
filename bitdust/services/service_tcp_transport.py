"""Sessions with peers over TCP and TLS."""

from twisted.internet.defer import Deferred, succeed

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.signal import Disconnect

PATIENCE = 120.0
"""Seconds in which a connection must have proved itself or been closed; its own limits are far shorter."""


class TCPTransportService(Service):
    """Dials peers at the addresses that the DHT keeps of them."""

    name = "tcp_transport"
    needs = ("tcp_connections", "gateway")
    needs_identity = True
    duty = "carries sessions with peers over TCP and TLS, and finds their addresses"

    def __init__(self, rooms: Rooms) -> None:
        self._gateway = rooms.gateway
        self._settings = rooms.around.settings
        self._directory = rooms.dht.directory
        self._forget: Disconnect | None = None

    def start(self) -> None:
        self._forget = self._gateway.add_resolver(self._resolve)

    def stop(self) -> None:
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()
        for session in self._gateway.sessions():
            session.close("stopping", "this node leaves TCP")

    def health(self) -> None:
        if self._forget is None:
            raise Unhealthy("addresses of peers are not looked up")
        stuck = self._gateway.stuck(PATIENCE)
        if stuck:
            raise Unhealthy(f"{len(stuck)} connections neither prove themselves nor end, one with {stuck[0].address}")

    def _resolve(self, fingerprint: bytes) -> "Deferred[list[str]]":
        if not self._settings.get("services/tcp-transport/sending-enabled"):
            return succeed([])
        return Deferred.fromCoroutine(self._directory.resolve(fingerprint))
