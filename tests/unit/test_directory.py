"""What nodes keep about themselves in the hash table, when clocks are not right."""

from types import SimpleNamespace

from bitdust.crypt.device import certify, device_id
from bitdust.dht.directory import Directory
from bitdust.dht.node import DHTNode
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import master_key
from tests.unit.test_dht import DAY, DHTCase


class Myself:
    """An owner's device with a clock of its own."""

    def __init__(self, node: DHTNode, wall: float) -> None:
        self.node = node
        self.wall = wall
        self.addresses: list[str] = []
        node.set_owner(master_key().public.spki, certify(master_key(), node._device.public, 0))

    def addresses_record(self, least: int = 0) -> Signed:
        time = max(int(self.wall * 1000), least)
        record = DeviceAddresses(master_key().fingerprint, device_id(self.node._device.public), self.addresses, time)
        return self.node._device.sign_record(record.KIND, record.to_body())


class AddressesTests(DHTCase):
    size = 8

    def setUp(self) -> None:
        super().setUp()
        self.me = Myself(self.grid.nodes[3], self.grid.wall())
        self.directory = Directory(self.me.node, self.me, SimpleNamespace())

    def tell(self, *addresses: str) -> None:
        self.me.addresses = list(addresses)
        self.grid.wait(self.directory.put_addresses(self.me.addresses_record()))

    def heard(self) -> list[str]:
        record = DeviceAddresses.from_body(Signed.from_bytes(self.found().value, DeviceAddresses.KIND).body)
        return record.addresses

    def found(self):
        subject = master_key().fingerprint + device_id(self.me.node._device.public)
        return self.grid.wait(self.grid.nodes[6].get(DeviceAddresses.KIND, subject, thorough=True))

    def test_a_clock_that_was_ahead(self) -> None:
        """A node that told its address by a clock that was ahead is found at its next address when that is right."""
        self.me.wall += DAY
        self.tell("tcp://one:1")
        self.me.wall -= DAY
        self.tell("tcp://two:2")
        self.assertEqual(self.heard(), ["tcp://two:2"])

    def test_a_home_that_came_from_elsewhere(self) -> None:
        """The same where not this node, but others know the later date."""
        self.me.wall += DAY
        self.tell("tcp://one:1")
        self.me.node._stack.store.remove(self.found().key(0))
        self.me.wall -= DAY
        self.tell("tcp://two:2")
        self.assertEqual(self.heard(), ["tcp://two:2"])

    def test_who_says_stale_without_proof(self) -> None:
        """A node that refuses what it has nothing newer of changes nothing, and the record keeps its true date."""
        self.tell("tcp://one:1")
        lie = {"stored": False, "code": "stale", "revision": 9**18}
        for node in self.grid.nodes[4:]:
            node._stack.answers.keep = lambda *_: lie
        self.me.wall += 1
        self.tell("tcp://two:2")
        self.assertEqual(self.found().revision, int(self.me.wall * 1000))
