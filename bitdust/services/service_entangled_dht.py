"""The distributed hash table."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from bitdust.dht.seeds import parse_seeds
from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy

PORT = "services/entangled-dht/udp-port"
SEEDS = "services/entangled-dht/known-nodes"


class EntangledDHTService(Service):
    """A node of the DHT under this device's key; without an identity under a passing one, to look things up."""

    name = "entangled_dht"
    needs = ("udp_datagrams",)
    duty = "is a node of the distributed hash table"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> "Deferred[Any]":
        parts = self._parts
        parts.renew_dht()
        seeds = [*parse_seeds(parts.settings.get(SEEDS)), *parts.extra_seeds]
        interface = parts.settings.get("services/network/interface")
        opened = parts.dht.start(parts.settings.get(PORT), interface, seeds)

        def taken(failure: Failure) -> Any:
            failure.trap(CannotListenError)
            if parts.settings.is_default(PORT):
                return parts.dht.start(0, interface, seeds)
            raise Unhealthy(f"UDP port {parts.settings.get(PORT)} cannot be opened: {failure.getErrorMessage()}")

        opened.addErrback(taken)
        return opened.addCallback(lambda _: self._attach())

    def _attach(self) -> None:
        for layer in str(self._parts.settings.get("services/entangled-dht/attached-layers")).replace(",", " ").split():
            if layer.isascii() and layer.isdigit() and int(layer) > 0:
                self._parts.dht.attach(int(layer))

    def stop(self) -> "Deferred[Any]":
        return self._parts.dht.stop()

    def health(self) -> None:
        if not self._parts.dht.running:
            raise Unhealthy("the UDP port of the DHT is closed")
