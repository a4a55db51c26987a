"""Datagrams: the one UDP port of this node."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.config.settings import Settings
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.errors import BitDustError

PORT = "services/udp-datagrams/udp-port"
DHT_PORT = "services/entangled-dht/udp-port"


def port_setting(settings: Settings) -> str:
    """Which setting names the port: that of the DHT, unless only the other one was changed."""
    return PORT if settings.is_default(DHT_PORT) and not settings.is_default(PORT) else DHT_PORT


class UDPDatagramsService(Service):
    """Opens the port that the DHT and other protocols share; a default port gives way to a free one."""

    name = "udp_datagrams"
    needs = ("network",)
    duty = "opens the UDP port and proves that datagrams arrive"

    def __init__(self, rooms: Rooms) -> None:
        self._settings = rooms.around.settings
        self._datagrams = rooms.gateway.datagrams
        self._stun = rooms.gateway.stun

    def start(self) -> None:
        key = port_setting(self._settings)
        interface = self._settings.get("services/network/interface")
        try:
            self._datagrams.open(self._settings.get(key), interface)
        except BitDustError as error:
            if not self._settings.is_default(key):
                raise Unhealthy(str(error)) from error
            self._datagrams.open(0, interface)

    def stop(self) -> "Deferred[Any]":
        return self._datagrams.close()

    def health(self) -> "Deferred[Any]":
        """This node asks itself from which address its datagrams come."""
        if not self._datagrams.is_open:
            raise Unhealthy("the UDP port is closed")
        host = self._settings.get("services/network/interface") or "127.0.0.1"
        asked = self._stun.ask((host, self._datagrams.port))
        return asked.addErrback(lambda _: self._mute())

    def _mute(self) -> None:
        raise Unhealthy("datagrams that this machine sends to itself do not arrive")
