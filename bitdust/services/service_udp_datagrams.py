"""Datagrams: does UDP work on this machine?"""

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import DatagramProtocol

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

PORT = "services/udp-datagrams/udp-port"


class _Loop(DatagramProtocol):
    """Sends a datagram to itself and waits for it."""

    def __init__(self) -> None:
        self.came: Deferred[None] | None = None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 - the interface's name
        came, self.came = self.came, None
        if came is not None and datagram == b"BitDust UDP probe":
            came.callback(None)


class UDPDatagramsService(Service):
    """Holds the UDP port and proves that datagrams arrive; the DHT and later transports need that."""

    name = "udp_datagrams"
    needs = ("network",)
    duty = "opens the UDP port and proves that datagrams arrive"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._loop = _Loop()
        self._port: Any = None

    def start(self) -> None:
        settings = self._rooms.around.settings
        interface = settings.get("services/network/interface")
        listen = self._rooms.around.world.network.listen_udp
        try:
            self._port = listen(settings.get(PORT), self._loop, interface)
        except Exception as error:
            if not settings.is_default(PORT):
                raise Unhealthy(f"UDP port {settings.get(PORT)} cannot be opened: {error}") from error
            self._port = listen(0, self._loop, interface)

    def stop(self) -> "Deferred[Any]":
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening if port is not None else lambda: None)

    def health(self) -> "Deferred[Any]":
        if self._port is None or self._loop.transport is None:
            raise Unhealthy("the UDP port is closed")
        came: Deferred[Any] = Deferred()
        self._loop.came = came
        host = self._rooms.around.settings.get("services/network/interface") or "127.0.0.1"
        self._loop.transport.write(b"BitDust UDP probe", (host, self._port.getHost().port))
        return came.addTimeout(5, self._rooms.around.world.clock, lambda *_: self._mute())

    def _mute(self) -> None:
        raise Unhealthy("datagrams that this machine sends to itself do not arrive")
