"""The distributed hash table."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from bitdust.dht.seeds import SEEDS, parse_seeds
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

PORT = "services/entangled-dht/udp-port"


class EntangledDHTService(Service):
    """A node of the DHT under this device's key; without an identity under a passing one, to look things up."""

    name = "entangled_dht"
    needs = ("udp_datagrams",)
    duty = "is a node of the distributed hash table"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        dht, settings = self._rooms.dht, self._rooms.around.settings
        await dht.use_my_device()
        seeds = [*parse_seeds(settings.get(SEEDS)), *dht.more_seeds]
        port, interface = settings.get(PORT), settings.get("services/network/interface")
        try:
            await dht.node.start(port, interface, seeds)
        except CannotListenError as error:
            if not settings.is_default(PORT):
                raise Unhealthy(f"UDP port {port} cannot be opened: {error}") from error
            await dht.node.start(0, interface, seeds)
        self._attach()

    def _attach(self) -> None:
        """Show this node in the layers that the settings name."""
        wanted = str(self._rooms.around.settings.get("services/entangled-dht/attached-layers"))
        for layer in wanted.replace(",", " ").split():
            if layer.isascii() and layer.isdigit() and int(layer) > 0:
                self._rooms.dht.node.attach(int(layer))

    def stop(self) -> "Deferred[Any]":
        return self._rooms.dht.node.stop()

    def health(self) -> None:
        if not self._rooms.dht.node.running:
            raise Unhealthy("the UDP port of the DHT is closed")
