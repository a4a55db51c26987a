"""Finding nodes that offer something."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class NodesLookupService(Service):
    """Finds random nodes of a layer, and nodes whose identity URL somebody typed."""

    name = "nodes_lookup"
    needs = ("entangled_dht", "p2p_hookups")
    needs_identity = True
    duty = "finds nodes that offer a service, by chance or by name"
    longest_retry = 4.0

    def __init__(self, rooms: Rooms) -> None:
        self._lookup = rooms.nodes_lookup

    def start(self) -> None:
        self._lookup.open()

    def stop(self) -> None:
        self._lookup.close()

    def health(self) -> None:
        if self._lookup.problem:
            raise Unhealthy(self._lookup.problem)
