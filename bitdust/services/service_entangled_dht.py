"""The distributed hash table."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.dht.seeds import SEEDS, parse_seeds
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


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
        await dht.node.start(self._rooms.gateway.datagrams, seeds)
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
        if not self._rooms.dht.node.running or not self._rooms.gateway.datagrams.is_open:
            raise Unhealthy("the UDP port of the DHT is closed")
