"""Finding nodes that offer something."""

from twisted.internet.defer import Deferred

from bitdust.peers.ports import Candidate
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.names import idurl_of

SUPPLIERS_LAYER = 3


class NodesLookupService(Service):
    """Finds random nodes of a layer, and nodes whose identity URL somebody typed."""

    name = "nodes_lookup"
    needs = ("entangled_dht", "p2p_hookups")
    needs_identity = True
    duty = "finds nodes that offer a service, by chance or by name"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._on = False

    def start(self) -> None:
        self._on = True
        ports = self._rooms.suppliers.hiring.ports
        ports.random_supplier = self._random_supplier
        ports.identify = self._identify

    def stop(self) -> None:
        self._on = False

    def health(self) -> None:
        if not self._on or not self._rooms.dht.node.running:
            raise Unhealthy("the DHT cannot be asked")

    def _random_supplier(self, exclude: frozenset[bytes]) -> "Deferred[Candidate | None]":
        return Deferred.fromCoroutine(self._pick(exclude))

    async def _pick(self, exclude: frozenset[bytes]) -> Candidate | None:
        node = await self._rooms.dht.node.random_node(SUPPLIERS_LAYER, exclude)
        return Candidate(node.fingerprint, node.addresses) if node is not None else None

    def _identify(self, idurl: str) -> "Deferred[bytes]":
        return Deferred.fromCoroutine(self._fetch(idurl))

    async def _fetch(self, idurl: str) -> bytes:
        name = idurl_of(idurl)
        document = await self._rooms.identity.client.fetch(name, trusted=True)
        self._rooms.identity.cache.accept(document, name)
        return document.fingerprint
