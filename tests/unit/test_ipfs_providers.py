"""Who says in the hash table that it has something: a block of IPFS, or a folder."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.dht.directory import Directory
from bitdust.ipfs.routing import Routing
from bitdust.ipld.cid import Cid
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.providers import POSITIONS, blinded, subject
from bitdust.wire.records import DeviceCertificate

BLOCK = Cid.of(b"a block of bytes")
REFUSED = BitDustError("dht-off", "the DHT is off")


class ProvidersTests(SynchronousTestCase):
    """A hash table in which a position is its owner's; one with an error cannot be asked about."""

    def setUp(self) -> None:
        self.there: dict[int, Any] = {}
        self.put: list[int] = []
        self.kept = SimpleNamespace(others=3, count=3, refused={}, asked=3)
        node: Any = SimpleNamespace(running=True, get=self.get, put=self.putting)
        key = DeviceKey(b"m" * 32)
        me: Any = SimpleNamespace(fingerprint=b"o" * 32, device=key, sign=key.sign_record)
        directory = Directory(node, me, SimpleNamespace())
        dht = SimpleNamespace(node=node, directory=directory)
        around = SimpleNamespace(world=SimpleNamespace(wall=lambda: 1_800_000_000.0), me=me)
        network: Any = SimpleNamespace(around=around, gateway=None, dht=dht)
        self.routing = Routing(network)

    def at(self, name: str) -> int:
        names = [subject(blinded(BLOCK.multihash), position) for position in range(POSITIONS)]
        return names.index(name)

    def get(self, kind: str, name: str) -> Any:
        found = self.there.get(self.at(name))
        if isinstance(found, BaseException):
            return fail(found)
        return succeed(found)

    def putting(self, kind: str, name: str, revision: int, value: bytes, ttl: int) -> Any:
        position = self.at(name)
        self.put.append(position)
        there = self.there.get(position)
        return fail(there) if isinstance(there, BaseException) else succeed(self.kept)

    def found(self, most: int = POSITIONS) -> "Deferred[list[bytes]]":
        async def gather() -> list[bytes]:
            return [one.device_key[:1] async for one in self.routing.providers(BLOCK, most)]

        return Deferred.fromCoroutine(gather())

    def provide(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.routing.provide(BLOCK))

    def says(self, position: int, letter: bytes) -> None:
        certificate = DeviceCertificate(b"o" * 32, DeviceKey(letter * 32).public, 0, bytes(128))
        self.there[position] = SimpleNamespace(certificate=certificate.to_body(), value=b"")

    def test_behind_an_empty_position(self) -> None:
        """Whoever is behind a position that is empty, or that cannot be asked about, is found too, each once, and no
        more than are wanted."""
        self.there[0] = REFUSED
        for position, letter in ((2, b"a"), (4, b"b"), (5, b"a"), (7, b"c")):
            self.says(position, letter)
        known = [DeviceKey(letter * 32).public[:1] for letter in (b"a", b"b", b"c")]
        self.assertEqual(self.successResultOf(self.found()), known)
        self.assertEqual(self.successResultOf(self.found(2)), known[:2])

    def test_nobody_answers(self) -> None:
        """Where no position can be asked about that is told."""
        self.there = dict.fromkeys(range(POSITIONS), REFUSED)
        self.assertEqual(self.failureResultOf(self.found(), BitDustError).value.code, "dht-off")
        self.there.clear()
        self.assertEqual(self.successResultOf(self.found()), [])

    def test_the_first_position_of_nobody_else(self) -> None:
        """Who has a block says so at the first position that nobody else has; at its own where it has one."""
        self.says(0, b"a")
        self.successResultOf(self.provide())
        self.assertEqual(self.put, [1])
        self.says(1, b"m")
        self.successResultOf(self.provide())
        self.assertEqual(self.put, [1, 1])

    def test_all_are_taken(self) -> None:
        """Where others have all positions that is said, and nothing is written."""
        for position in range(POSITIONS):
            self.says(position, b"a")
        self.assertEqual(self.failureResultOf(self.provide(), BitDustError).value.code, "taken")
        self.assertEqual(self.put, [])

    def test_not_kept(self) -> None:
        """A record that more nodes refuse because somebody else is there than keep it goes to the next position; one
        that nobody keeps fails with ``not-stored``."""
        self.kept = SimpleNamespace(others=1, count=1, refused={"taken": 2}, asked=3)
        self.assertEqual(self.failureResultOf(self.provide(), BitDustError).value.code, "taken")
        self.assertEqual(self.put, list(range(POSITIONS)))
        self.kept = SimpleNamespace(others=0, count=1, refused={}, asked=3)
        self.assertEqual(self.failureResultOf(self.provide(), WireError).value.code, "not-stored")
