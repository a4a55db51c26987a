"""Finding nodes that offer something, by chance or by name."""

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from bitdust.dht.ids import SUPPLIERS_LAYER
from bitdust.dht.room import DHTRoom
from bitdust.identity.room import IdentityRoom
from bitdust.suppliers.search import Candidate
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import idurl_of

MOST_FAILURES = 5
"""In a row; one alone may be the other side's."""
Found = TypeVar("Found")


class NodesLookup:
    """I ask the hash table and ID servers from `open` to `close`; otherwise nobody is known."""

    def __init__(self, dht: DHTRoom, identity: IdentityRoom) -> None:
        self._dht = dht
        self._identity = identity
        self._is_open = False
        self._failures = 0
        self._reason = ""

    def open(self) -> None:
        """Look up from now on."""
        self._is_open, self._failures = True, 0

    def close(self) -> None:
        """Look up nothing any more."""
        self._is_open = False

    @property
    def problem(self) -> str:
        """Why nobody can be looked up, in words; empty while it works. One failure may be the other side's."""
        if not self._dht.node.running:
            return "the DHT cannot be asked"
        return f"the last {self._failures} lookups failed: {self._reason}" if self._failures >= MOST_FAILURES else ""

    def random_supplier(self, exclude: frozenset[bytes]) -> "Deferred[Candidate | None]":
        """A node of the suppliers' layer, picked fairly; None where nobody else is known."""
        return self._counted(Deferred.fromCoroutine(self._random_supplier(exclude)))

    async def _random_supplier(self, exclude: frozenset[bytes]) -> Candidate | None:
        if not self._is_open:
            return None
        node = await self._dht.node.random_node(SUPPLIERS_LAYER, exclude)
        return Candidate(node.fingerprint, node.addresses) if node is not None else None

    def identify(self, idurl: str) -> "Deferred[bytes]":
        """The fingerprint of the user at an IDURL, whose document is known from then on."""
        return self._counted(Deferred.fromCoroutine(self._identify(idurl)))

    async def _identify(self, idurl: str) -> bytes:
        if not self._is_open:
            raise BitDustError("not-found", f"{idurl} cannot be looked up")
        name = idurl_of(idurl)
        document = await self._identity.client.fetch(name, trusted=True)
        self._identity.cache.accept(document, name)
        return document.fingerprint

    def _counted(self, looking: "Deferred[Found]") -> "Deferred[Found]":
        """The same, with its end counted."""

        def found(result: Found) -> Found:
            self._failures = 0
            return result

        def failed(failure: Failure) -> Failure:
            if not failure.check(CancelledError):
                self._failures += 1
                self._reason = failure.getErrorMessage()
            return failure

        return looking.addCallbacks(found, failed)
