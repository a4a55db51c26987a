"""Peers of folders in the hash table."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, device_id
from bitdust.dht.directory import Provided
from bitdust.folders.dht_search import DAY, SOON, DhtSearch
from bitdust.testing.world import START
from bitdust.wire.errors import BitDustError

BOB, CAROL, ME = (DeviceKey(letter * 32) for letter in (b"b", b"c", b"m"))


class Table:
    """Who is at which place; one with an error cannot be asked about."""

    def __init__(self) -> None:
        self.there: dict[bytes, Any] = {}
        self.put: list[bytes] = []
        self.refusing: BaseException | None = None

    async def providers(self, place: bytes) -> Any:
        found = self.there.get(place, [])
        if isinstance(found, BaseException):
            raise found
        return found

    async def addresses_of_device(self, fingerprint: bytes, device: bytes) -> list[str]:
        return [f"tcp://{device.hex()}:1"]

    async def provide(self, place: bytes, time: int) -> bool:
        if self.refusing is not None:
            refusing, self.refusing = self.refusing, None
            raise refusing
        self.put.append(place)
        return True


class DhtSearchTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.clock, self.table = clock, Table()
        world = SimpleNamespace(clock=clock, wall=lambda: START + clock.seconds())
        around: Any = SimpleNamespace(world=world, me=SimpleNamespace(present=True, device=ME))
        config = SimpleNamespace(wants=lambda name: True)
        self.folders: list[Any] = [
            SimpleNamespace(is_meeting=True, config=config, peers={}, store=SimpleNamespace(keys=keys))
            for keys in (SimpleNamespace(proof=lambda what, day, name=name: name + day) for name in (b"1", b"2"))
        ]
        self.met: list[str] = []
        met: Any = lambda folder, address, whose: self.met.append(address)  # noqa: E731
        self.search = DhtSearch(around, lambda: self.folders, self.table, met)

    def at(self, name: bytes, days_ago: int = 0) -> bytes:
        return name + (int(START + SOON) // DAY - days_ago).to_bytes(8, "big")

    def place(self, key: DeviceKey) -> Provided:
        return Provided(b"o" * 32, key.public)

    def found(self) -> set[str]:
        self.search.start()
        self.clock.advance(SOON)
        self.search.stop()
        return set(self.met)

    def test_today_and_yesterday(self) -> None:
        """Whoever has said so since yesterday is found, this device is not called, and says at today's place that it
        has the folder; where one day cannot be asked about, the other is."""
        self.table.there = {self.at(b"1"): [self.place(BOB), self.place(ME)], self.at(b"1", 1): [self.place(CAROL)]}
        self.assertEqual(self.found(), {f"tcp://{device_id(one.public).hex()}:1" for one in (BOB, CAROL)})
        self.assertEqual(self.table.put, [self.at(b"1"), self.at(b"2")])
        self.table.there[self.at(b"1")] = BitDustError("no-answer", "nobody answers")
        self.met.clear()
        self.assertEqual(self.found(), {f"tcp://{device_id(CAROL.public).hex()}:1"})

    def test_one_folder_cannot_be_said(self) -> None:
        """A folder of which nothing can be said, as after a step of the clock back, keeps no other from being found."""
        self.table.refusing = BitDustError("stale", "this node has a newer record of that subject")
        self.table.there = {self.at(b"2"): [self.place(BOB)]}
        self.assertEqual(self.found(), {f"tcp://{device_id(BOB.public).hex()}:1"})
        self.assertEqual(self.table.put, [self.at(b"2")])
