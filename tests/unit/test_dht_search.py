"""Peers of folders in the hash table: all positions of a place are asked."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, device_id
from bitdust.dht.directory import Provided
from bitdust.folders.dht_search import SOON, DhtSearch
from bitdust.testing.world import START
from bitdust.wire.errors import BitDustError

BOB, CAROL, ME = (DeviceKey(letter * 32) for letter in (b"b", b"c", b"m"))


class Table:
    """A position with nobody is empty; one with an error cannot be asked about."""

    def __init__(self) -> None:
        self.there: dict[int, Any] = {}
        self.put: list[int] = []

    async def provider_at(self, key: bytes, position: int) -> Any:
        found = self.there.get(position)
        if isinstance(found, BaseException):
            raise found
        return found

    async def addresses_of_device(self, fingerprint: bytes, device: bytes) -> list[str]:
        return [f"tcp://{device.hex()}:1"]

    async def put_provider(self, key: bytes, position: int, time: int) -> bool:
        self.put.append(position)
        return True


class DhtSearchTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.clock, self.table = clock, Table()
        world = SimpleNamespace(clock=clock, wall=lambda: START + clock.seconds())
        around: Any = SimpleNamespace(world=world, me=SimpleNamespace(present=True, device=ME))
        config = SimpleNamespace(wants=lambda name: True)
        keys = SimpleNamespace(proof=lambda what, day: what.encode() + day)
        folder: Any = SimpleNamespace(
            is_meeting=True, config=config, peers={}, store=SimpleNamespace(keys=keys)
        )  # fmt: skip
        self.met: list[str] = []
        met: Any = lambda folder, address, whose: self.met.append(address)  # noqa: E731
        self.search = DhtSearch(around, lambda: [folder], self.table, met)

    def place(self, key: DeviceKey) -> Provided:
        return Provided(b"o" * 32, key.public)

    def found(self) -> set[str]:
        self.search.start()
        self.clock.advance(SOON)
        self.search.stop()
        return set(self.met)

    def test_behind_an_empty_position(self) -> None:
        """Whoever is at a position behind one that is empty, or that cannot be asked about, is found as well."""
        self.table.there = {1: BitDustError("no-answer", "nobody answers"), 3: self.place(BOB), 7: self.place(CAROL)}
        self.assertEqual(self.found(), {f"tcp://{device_id(one.public).hex()}:1" for one in (BOB, CAROL)})
        self.assertEqual(self.table.put, [0])
