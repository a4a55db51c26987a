"""The ground: is this machine on a network?"""

from collections.abc import Callable

from bitdust.automats.network_connector import NetworkConnector
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class NetworkService(Service):
    """Follows the interfaces; when they change, the addresses that others are told change too."""

    name = "network"
    longest_retry = 4.0
    duty = "knows whether this machine is on a network, and at which address"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._machine: NetworkConnector | None = None
        self._forget: Callable[[], None] = lambda: None

    def start(self) -> None:
        gateway, settings = self._rooms.gateway, self._rooms.around.settings
        gateway.follow_limits()
        self._forget = settings.on_change("services/network/", lambda key, old, new: gateway.follow_limits())
        self._machine = NetworkConnector(self._rooms.around.registry, self)
        self._machine.send("init")

    def stop(self) -> None:
        self._forget()
        if self._machine is not None:
            self._machine.send("shutdown")
            self._machine = None

    def health(self) -> None:
        if self._machine is None or self._machine.state != "CONNECTED":
            raise Unhealthy("this machine has no network interface with an address")

    def addresses(self) -> list[str]:
        """The configured address, or what the system routes from."""
        wanted = self._rooms.around.settings.get("services/network/interface")
        return [wanted] if wanted else self._rooms.around.world.network.interfaces()

    def changed(self, addresses: list[str]) -> None:
        """Tell the DHT and connected peers where this node is now."""
        self._rooms.around.events.send("network-changed", {"addresses": addresses})
        if addresses:
            self._rooms.peers.network_is_back()
