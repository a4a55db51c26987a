"""Finding nodes that offer something, by chance or by name."""

from twisted.internet.defer import Deferred

from bitdust.companions.ports import Router
from bitdust.config.types import words
from bitdust.dht.ids import SUPPLIERS_LAYER, WEB_SOCKET_ROUTERS_LAYER
from bitdust.dht.room import DHTRoom
from bitdust.identity.room import IdentityRoom
from bitdust.suppliers.search import Candidate
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import idurl_of


class NodesLookup:
    """I ask the hash table and ID servers from `open` to `close`; otherwise nobody is known."""

    def __init__(self, around: Connected, dht: DHTRoom, identity: IdentityRoom) -> None:
        self._settings = around.settings
        self._dht = dht
        self._identity = identity
        self._is_open = False

    def open(self) -> None:
        """Look up from now on."""
        self._is_open = True

    def close(self) -> None:
        """Look up nothing any more."""
        self._is_open = False

    @property
    def problem(self) -> str:
        """Why this node can look up nobody, in words; empty while it can.

        That nobody outside answers is no fault of this node: who looks somebody up learns it, and goes on.
        """
        return "" if self._dht.node.running else "the DHT cannot be asked"

    def random_supplier(self, exclude: frozenset[bytes]) -> "Deferred[Candidate | None]":
        """A node of the suppliers' layer, picked fairly; None where nobody else is known."""
        return Deferred.fromCoroutine(self._random_supplier(exclude))

    async def _random_supplier(self, exclude: frozenset[bytes]) -> Candidate | None:
        if not self._is_open:
            return None
        node = await self._dht.node.random_node(SUPPLIERS_LAYER, exclude)
        return Candidate(node.fingerprint, node.addresses) if node is not None else None

    def find(self, exclude: frozenset[bytes]) -> "Deferred[Router | None]":
        """A node that carries lines of companions: one of those that the person prefers, where they are named, or any
        of the routers' layer."""
        return Deferred.fromCoroutine(self._find_router(exclude))

    async def _find_router(self, exclude: frozenset[bytes]) -> Router | None:
        if not self._is_open:
            return None
        preferred = str(self._settings.get("services/web-socket-communicator/preferred-routers"))
        for idurl in words(preferred):
            fingerprint = await self._identify(idurl)
            if fingerprint not in exclude:
                return Router(fingerprint)
        if preferred.strip():
            return None
        node = await self._dht.node.random_node(WEB_SOCKET_ROUTERS_LAYER, exclude)
        return Router(node.fingerprint, tuple(node.addresses)) if node is not None else None

    def identify(self, idurl: str) -> "Deferred[bytes]":
        """The fingerprint of the user at an IDURL, whose document is known from then on."""
        return Deferred.fromCoroutine(self._identify(idurl))

    async def _identify(self, idurl: str) -> bytes:
        if not self._is_open:
            raise BitDustError("not-found", f"{idurl} cannot be looked up")
        name = idurl_of(idurl)
        document = await self._identity.client.look_up(name)
        self._identity.cache.accept(document, name)
        return document.fingerprint
