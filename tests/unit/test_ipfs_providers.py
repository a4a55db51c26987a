"""Who says in the hash table that it has a block of IPFS: all positions are asked."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht.directory import Provided
from bitdust.ipfs.routing import Routing
from bitdust.ipld.cid import Cid
from bitdust.wire.errors import BitDustError
from bitdust.wire.providers import POSITIONS

BLOCK = Cid.of(b"a block of bytes")
REFUSED = BitDustError("dht-off", "the DHT is off")


class ProvidersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.there: dict[int, Any] = {}
        dht = SimpleNamespace(node=SimpleNamespace(running=True), directory=SimpleNamespace(provider_at=self.at))
        around = SimpleNamespace(world=None, me=None)
        network: Any = SimpleNamespace(around=around, gateway=None, dht=dht)
        self.routing = Routing(network)

    async def at(self, key: bytes, position: int) -> Any:
        found = self.there.get(position)
        if isinstance(found, BaseException):
            raise found
        return found

    def found(self, most: int = POSITIONS) -> "Deferred[list[bytes]]":
        async def gather() -> list[bytes]:
            return [one.device_key[:1] async for one in self.routing.providers(BLOCK, most)]

        return Deferred.fromCoroutine(gather())

    def says(self, position: int, letter: bytes) -> None:
        self.there[position] = Provided(b"o" * 32, letter * 32)

    def test_behind_an_empty_position(self) -> None:
        """Whoever is behind a position that is empty, or that cannot be asked about, is found too, each once, and no
        more than are wanted."""
        self.there[0] = REFUSED
        for position, letter in ((2, b"a"), (4, b"b"), (5, b"a"), (7, b"c")):
            self.says(position, letter)
        self.assertEqual(self.successResultOf(self.found()), [b"a", b"b", b"c"])
        self.assertEqual(self.successResultOf(self.found(2)), [b"a", b"b"])

    def test_nobody_answers(self) -> None:
        """Where no position can be asked about that is told."""
        self.there = dict.fromkeys(range(POSITIONS), REFUSED)
        self.assertEqual(self.failureResultOf(self.found(), BitDustError).value.code, "dht-off")
        self.there.clear()
        self.assertEqual(self.successResultOf(self.found()), [])
