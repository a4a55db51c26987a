"""The distributed hash table."""

import re
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.errors import BitDustError

PORT = "services/entangled-dht/udp-port"
SEEDS = "services/entangled-dht/known-nodes"
_PORT = re.compile(r"[0-9]{1,5}")


def parse_seeds(text: str) -> list[tuple[str, int]]:
    """``host:port,host:port``; the word ``genesis`` stands for nobody yet. Raises `BitDustError` ``bad-value``."""
    seeds = []
    for part in filter(None, (item.strip() for item in text.replace(";", ",").split(","))):
        host, _, port = part.rpartition(":")
        if part == "genesis":
            continue
        if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
            raise BitDustError("bad-value", f"{part!r} is not a DHT node such as seed.example:14441")
        seeds.append((host.strip("[]"), int(port)))
    return seeds


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
