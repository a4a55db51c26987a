"""What nodes keep about themselves in the hash table, when clocks are not right."""

from types import SimpleNamespace

from twisted.internet.defer import succeed

from bitdust.crypt.device import certify, device_id
from bitdust.dht import directory as directory_module
from bitdust.dht.directory import Directory
from bitdust.dht.node import DHTNode
from bitdust.dht.publishing import Stored
from bitdust.wire.encoding import WireError
from bitdust.wire.nicknames import Nickname
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import master_key
from tests.unit.test_dht import DAY, DHTCase
from tests.unit.test_identity import GOOD


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


class AloneTests(DHTCase):
    """A node that knows nobody keeps its own records, and that is no success."""

    size = 1

    def test_nobody_else_keeps_it(self) -> None:
        """Each record that others are to find fails with ``not-stored``; in the DHT of a single node too."""
        (node,) = self.grid.nodes
        me = Myself(node, self.grid.wall())
        directory = Directory(node, me, SimpleNamespace())
        putting = directory.put_addresses(me.addresses_record())
        error = self.assertRaises(WireError, self.grid.wait, putting)
        self.assertEqual(error.code, "not-stored")
        document = SimpleNamespace(fingerprint=master_key().fingerprint, revision=1, xml=GOOD.xml)
        stored = Stored(1, 8, ("mine",), {}, None, True)
        self.patch(node, "put", lambda *record: succeed(stored))
        head, signed = SimpleNamespace(subject=b"s", sequence=1), SimpleNamespace(to_bytes=lambda: b"x")
        claim = Nickname(master_key().fingerprint, "alice", 0, 1)
        self.patch(node, "knows_others", lambda: True)
        puts = (lambda: directory.put_identity(document), lambda: directory.put_head(head, signed),
                lambda: directory.put_claim(claim, signed))  # fmt: skip
        family = SimpleNamespace(customer=master_key().fingerprint, revision=1)
        self.patch(directory_module, "sealed_for", lambda *_: signed)
        me.device = SimpleNamespace(id=b"d" * 8)
        self.patch(node, "put_raw", lambda *_: succeed(stored))
        puts += (lambda: directory.put_family(family, signed), lambda: directory.put_again(b"raw"),
                 lambda: directory.put_identity_of(bytes(32), 1, b"xml"))  # fmt: skip
        for put in puts:
            self.assertEqual(self.failureResultOf(put(), WireError).value.code, "not-stored")
        stored = Stored(2, 8, ("mine", "another"), {}, None, True)
        for put in puts:
            self.successResultOf(put())
        stored = Stored(1, 8, ("mine",), {"bad-expiry": 8}, None, True)
        self.assertIn("bad-expiry", str(self.failureResultOf(puts[0](), WireError).value))


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
