"""The distributed hash table."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.config.types import words
from bitdust.dht.seeds import SEEDS, parse_seeds
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

LONGEST_SILENCE = 3600.0
"""Seconds. Known nodes are asked every ten minutes, and those that do not answer are dropped."""


class EntangledDHTService(Service):
    """A node of the DHT under this device's key; without an identity under a passing one, to look things up."""

    name = "entangled_dht"
    needs = ("udp_datagrams",)
    duty = "is a node of the distributed hash table"
    longest_retry = 4.0

    def __init__(self, rooms: Rooms) -> None:
        self._dht = rooms.dht
        self._datagrams = rooms.gateway.datagrams
        self._settings = rooms.around.settings

    def start(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self._dht.use_my_device()
        seeds = [*parse_seeds(self._settings.get(SEEDS)), *self._dht.more_seeds]
        await self._dht.node.start(self._datagrams, seeds)
        self._attach()

    def _attach(self) -> None:
        """Show this node in the layers that the settings name."""
        for layer in words(self._settings.get("services/entangled-dht/attached-layers")):
            if layer.isascii() and layer.isdigit() and int(layer) > 0:
                self._dht.node.attach(int(layer))

    def stop(self) -> "Deferred[Any]":
        return self._dht.node.stop()

    def health(self) -> None:
        if not self._dht.node.running or not self._datagrams.is_open:
            raise Unhealthy("the UDP port of the DHT is closed")
        silence = self._dht.node.silence()
        if silence > LONGEST_SILENCE:
            raise Unhealthy(f"no node of the DHT was heard for {silence / 60:.0f} minutes")
