"""The hash table: many nodes on one clock, records that prove themselves, loss, death and partitions."""

import hashlib
import sqlite3
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, certify
from bitdust.dht.ids import record_key
from bitdust.dht.node import DHTNode
from bitdust.dht.records import DHTRecord
from bitdust.dht.sealed_family import SealedFamily
from bitdust.dht.store import RecordStore
from bitdust.testing.faulty_disk import sqlite_error
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed
from tests import dht_kit
from tests.dht_kit import START, DHTGrid
from tests.unit.storage_kit import master_key

DAY = 86_400


def flipped(data: bytes) -> bytes:
    """The same bytes with one bit changed at the end."""
    return data[:-1] + bytes([data[-1] ^ 1])


class DHTCase(SynchronousTestCase):
    size = 30

    def setUp(self) -> None:
        self.grid = DHTGrid()
        self.grid.build(self.size)
        self.grid.run(2)
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.grid.stop()
        self.assertEqual([call for call in self.grid.clock.getDelayedCalls() if call.active()], [])

    def own(self, node: DHTNode) -> bytes:
        """Give a node the test's identity; its fingerprint."""
        certificate = certify(master_key(), node._device.public, 0)
        node.set_owner(master_key().public.spki, certificate)
        return certificate.owner

    def family(self, node: DHTNode, revision: int, suppliers: int = 4):
        owner = self.own(node)
        names = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(suppliers))
        record = SealedFamily(owner, revision, names)
        return owner, node._device.sign_record(record.KIND, record.to_body()).to_bytes()

    def put_family(self, node: DHTNode, revision: int, suppliers: int = 4):
        owner, value = self.family(node, revision, suppliers)
        self.subject = owner + node._device.id
        return self.grid.wait(node.put("family", self.subject, revision, value, DAY))

    def get_family(self, node: DHTNode):
        return self.grid.wait(node.get("family", self.subject))


class CrowdTests(DHTCase):
    size = 1

    def test_who_came_first_is_found(self) -> None:
        """What a node published while it knew the seed alone is with those who are nearest a minute after they came."""
        first = self.grid.add()
        self.grid.run(2)
        self.put_family(first, 1)
        self.grid.build(40)
        self.grid.run(60, 0.05)
        self.grid.kill(0)
        self.grid.kill(1)
        self.assertEqual(self.get_family(self.grid.nodes[20]).revision, 1)

    def test_who_met_nobody_looks_around_soon(self) -> None:
        """A node that met the seed alone, because all others were away, knows them a minute after they are back."""
        self.grid.build(20)
        self.grid.udp.cut = lambda *pair: self.grid.hosts[0] not in pair and self.grid.hosts[-1] in pair
        late = self.grid.add()
        self.grid.run(8)
        self.grid.udp.cut = lambda *pair: False
        self.grid.run(60, 0.05)
        self.assertGreater(late.known(), 15)


class RecordsTests(DHTCase):
    def test_what_one_node_puts_every_node_gets(self) -> None:
        """A record is kept by twenty nodes and found from any other."""
        stored = self.put_family(self.grid.nodes[3], 1)
        self.assertEqual(stored.count, 20)
        for node in self.grid.nodes[::7]:
            self.assertEqual(self.get_family(node).revision, 1)

    def test_the_newest_revision_wins(self) -> None:
        """A later revision replaces the earlier one everywhere; an earlier one is refused as stale."""
        node = self.grid.nodes[3]
        self.put_family(node, 5)
        self.put_family(node, 6)
        self.assertEqual(self.get_family(self.grid.nodes[20]).revision, 6)
        error = self.assertRaises(BitDustError, self.put_family, node, 5)
        self.assertEqual(error.code, "stale")

    def test_a_node_whose_disk_is_full(self) -> None:
        """Others keep what a node puts while its own disk takes nothing, so that it can be found."""
        node, full = self.grid.nodes[3], sqlite_error(sqlite3.SQLITE_FULL)
        self.patch(RecordStore, "add", self.refusing(node, full, RecordStore.add))
        self.assertGreater(self.put_family(node, 1).count, 0)
        self.assertEqual(self.get_family(self.grid.nodes[20]).revision, 1)

    def refusing(self, node: DHTNode, error: Exception, add):
        def refuse(store: RecordStore, *args, **others) -> bool:
            if store is node._stack.store:
                raise error
            return add(store, *args, **others)

        return refuse

    def test_a_reader_whose_clock_is_wrong(self) -> None:
        """A node whose clock is a year ahead or behind finds what others keep."""
        self.put_family(self.grid.nodes[3], 1)
        for number, years in ((10, 1), (20, -1)):
            self.grid.ahead[number] = years * 365 * DAY
            self.assertEqual(self.get_family(self.grid.nodes[number - 1]).revision, 1)

    def test_a_family_that_is_sealed_again(self) -> None:
        """A seal is another one each time: of one revision the value that lives longest is kept everywhere."""
        node = self.grid.nodes[3]
        self.put_family(node, 1)
        self.grid.run(60, 1)
        self.put_family(node, 1, 6)
        value = self.get_family(self.grid.nodes[9]).value
        self.assertEqual(len(SealedFamily.from_body(Signed.from_bytes(value, SealedFamily.KIND).body).sealed), 6 * 32)

    def test_a_few_fast_nodes_bring_nothing_old_back(self) -> None:
        """A thorough reader hears all of the nearest nodes: six of them that give an old record do not count."""
        self.put_family(self.grid.nodes[3], 1)
        key = record_key("family", self.subject, 0)
        stores = [node._stack.store for node in self.grid.nodes if node._stack.store.revision(key) == 1][:6]
        old = stores[0].get(key, self.grid.wall())
        self.put_family(self.grid.nodes[3], 2)
        for store in stores:
            store.get = lambda key, wall: old
        for node in self.grid.nodes[::9]:
            if node._stack.store not in stores:
                read = node.get("family", self.subject, thorough=True)
                self.assertEqual(self.grid.wait(read).revision, 2)

    def test_records_outlive_a_third_of_the_nodes(self) -> None:
        """With a third of the nodes gone at once a record is still found from every node that lives."""
        self.put_family(self.grid.nodes[3], 1)
        dead = set(range(5, self.size, 3))
        for number in dead:
            self.grid.kill(number)
        for number in set(range(1, self.size, 6)) - dead:
            found = self.get_family(self.grid.nodes[number])
            self.assertIsNotNone(found)

    def test_loss_does_not_hide_a_record(self) -> None:
        """With one of six datagrams lost records are stored and found."""
        self.grid.udp.loss = 1 / 6
        self.put_family(self.grid.nodes[3], 1)
        for node in self.grid.nodes[::9]:
            self.assertEqual(self.get_family(node).revision, 1)

    def test_records_expire(self) -> None:
        """After its time nobody gives a record any more."""
        node = self.grid.nodes[3]
        owner, value = self.family(node, 1)
        self.subject = owner + node._device.id
        self.grid.wait(node.put("family", self.subject, 1, value, 600))
        self.grid.run(700, 1)
        self.assertIsNone(self.get_family(self.grid.nodes[9]))


class FewTests(DHTCase):
    """What does not depend on how many there are."""

    size = 8

    def test_two_values_of_one_revision_are_refused(self) -> None:
        """Another value under the same revision changes nothing and is told as a conflict."""
        node = self.grid.nodes[3]

        def put(port: int) -> None:
            record = DeviceAddresses(self.own(node), node._device.id, [f"tcp://10.0.0.1:{port}"], 1000)
            value = node._device.sign_record(record.KIND, record.to_body()).to_bytes()
            self.grid.wait(node.put(record.KIND, record.owner + record.device, 1000, value, DAY))

        put(1)
        self.assertEqual(self.assertRaises(BitDustError, put, 2).code, "conflict")

    def test_what_is_not_there_is_none(self) -> None:
        """A subject that nobody ever put a record for gives None, not an error."""
        self.assertIsNone(self.grid.wait(self.grid.nodes[3].get("family", b"\1" * 32)))

    def test_any_change_of_a_record_is_refused(self) -> None:
        """Every field of a record is under its signatures: changed in any, it is stored nowhere."""
        node = self.grid.nodes[3]
        owner, value = self.family(node, 1)
        self.grid.wait(node.put("family", owner + node._device.id, 1, value, DAY))
        data = node._stack.store.get(node._stack.store.listing()[0][0], self.grid.wall())
        record = DHTRecord.from_bytes(data)
        changes = {
            "revision": 2, "expires": record.expires + 1, "subject": b"\2" * 32, "value": flipped(value),
            "signature": bytes(64), "type": "head", "owner": flipped(record.owner),
            "certificate": flipped(record.certificate),
        }  # fmt: skip
        from attrs import evolve

        for name, changed in changes.items():
            forged = evolve(record, **{name: changed}).to_bytes()
            error = self.assertRaises(WireError, self.grid.wait, self.grid.nodes[7].put_raw(forged))
            self.assertTrue(error.code, name)

    def test_records_about_others_are_refused(self) -> None:
        """A device can sign records of its owner alone."""
        node = self.grid.nodes[3]
        _, value = self.family(node, 1)
        error = self.assertRaises(WireError, self.grid.wait, node.put("family", b"\3" * 32, 1, value, DAY))
        self.assertEqual(error.code, "bad-subject")

    def test_debugging_values_for_existing_clients(self) -> None:
        """`dht_value_set` and `dht_value_get` answer with the fields that clients read, found or not."""
        value = {"data": "x", "key": "some-key", "type": "t"}
        written = self.grid.wait(self.grid.nodes[2].debug.put("some-key", value))
        self.assertEqual((written["write"], written["key"]), ("success", "some-key"))
        self.assertGreater(len(written["closest_nodes"]), 0)
        read = self.grid.wait(self.grid.nodes[6].debug.get("some-key"))
        self.assertEqual((read["read"], read["value"]["data"]), ("success", "x"))
        missing = self.grid.wait(self.grid.nodes[6].debug.get("other-key"))
        self.assertEqual(missing["read"], "failed")
        self.assertNotIn("value", missing)
        self.assertGreater(len(missing["closest_nodes"]), 0)

    def test_nobody_of_an_empty_layer(self) -> None:
        """A layer that nobody takes part in has no random node."""
        self.assertIsNone(self.grid.wait(self.grid.nodes[6].random_node(3)))


class NodesTests(DHTCase):
    def offer(self, number: int, layer: int) -> None:
        """A node of an owner that shows its addresses in a layer."""
        node = self.grid.nodes[number]
        owner = self.own(node)

        def addresses():
            record = DeviceAddresses(owner, node._device.id, [f"tcp://10.0.0.{number}:7771"], int(START) * 1000)
            return node._device.sign_record(record.KIND, record.to_body())

        node.my_info(addresses)
        node.attach(layer)

    def test_a_random_node_is_one_of_the_layer(self) -> None:
        """Only nodes of the layer that is asked for come back, proven and with addresses; all of them in time."""
        offering = {5, 11, 17, 23}
        for number in offering:
            self.offer(number, 2)
        self.grid.run(40, 0.1)
        met = set()
        for _ in range(40):
            info = self.grid.wait(self.grid.nodes[8].random_node(2))
            self.assertIsNotNone(info)
            met.add(info.addresses[0])
        self.assertEqual(met, {f"tcp://10.0.0.{number}:7771" for number in offering})

    def test_the_nearest_nodes_are_found(self) -> None:
        """A lookup from anywhere gives the same nearest nodes, sorted, as an omniscient reader would."""
        target = b"\x55" * 20
        everyone = sorted(node.id for node in self.grid.nodes)
        for node in self.grid.nodes[::10]:
            found = [contact.id for contact in self.grid.wait(node.find_node(target))]
            others = [ident for ident in everyone if ident != node.id]
            near = sorted(others, key=lambda ident: int.from_bytes(ident, "big") ^ int.from_bytes(target, "big"))
            self.assertEqual(found[:10], near[:10])

    def test_a_restarted_node_needs_no_seeds(self) -> None:
        """A node that was there before finds the others again from its own database, with every seed dead."""
        database = Path(self.mktemp())
        node = self.grid.add(database=database)
        self.grid.run(5)
        node.stop()
        self.grid.kill(0)
        again = DHTNode(node.around, node._device, database)
        again.around = node.around
        self.grid.start(again, [])
        self.grid.nodes[-1] = again
        self.grid.run(10)
        self.assertGreater(len(self.grid.wait(again.find_node(b"\7" * 20))), 10)

    def test_two_halves_become_one(self) -> None:
        """Two halves that have heard nothing of each other for hours find each other when they can."""
        grid = DHTGrid()
        self.addCleanup(grid.stop)
        grid.build(8)
        grid.run(10)
        half = {node.around.world.network.host for node in grid.nodes[:4]}
        grid.udp.cut = lambda one, other: (one in half) != (other in half)
        grid.run(7200, 1.0)
        first = grid.nodes[0]
        self.assertEqual(len(first._stack.peers), 3)
        grid.udp.cut = lambda one, other: False
        grid.run(300, 0.1)
        self.assertEqual([len(node._stack.peers) for node in grid.nodes], [7] * 8)

    def test_six(self) -> None:
        """Nodes with IPv6 addresses find each other and each other's records, and show addresses with brackets."""
        self.patch(dht_kit, "host_of", lambda number: f"2600:1:2::{number:x}")
        grid = DHTGrid()
        self.addCleanup(grid.stop)
        grid.build(12)
        grid.run(2)
        written = grid.wait(grid.nodes[2].debug.put("key", 7))
        self.assertEqual(written["write"], "success")
        self.assertEqual(grid.wait(grid.nodes[9].debug.get("key"))["value"], 7)
        contacts = grid.nodes[5].status()["layers"][0]["contacts"]
        self.assertIn("[2600:1:2::1]:14441", contacts)
        self.assertGreater(len(contacts), 5)

    def test_two_families(self) -> None:
        """A seed that cannot be reached over this node's family keeps no other from letting it in."""
        self.patch(dht_kit, "host_of", lambda number: "2600:1:2::1" if number == 1 else f"8.0.0.{number}")
        grid = DHTGrid()
        self.addCleanup(grid.stop)
        grid.add()
        grid.add([("2600:1:2::1", 14441)])
        for _ in range(4):
            grid.add([("2600:1:2::1", 14441), ("8.0.0.2", 14441)])
        grid.run(5)
        self.assertEqual(grid.nodes[0].connector.state, "ALONE")
        for node in grid.nodes[1:]:
            self.assertEqual((node.connector.state, node.knows_others()), ("CONNECTED", True))

    def test_another_device_key(self) -> None:
        """A node that gets another device key closes, and comes back under the new id with its layers and records."""
        node = self.grid.nodes[4]
        node.attach(3)
        self.put_family(node, 1)
        before, device = node.id, DeviceKey.from_seed(bytes(32))
        certificate = certify(master_key(), device.public, 1)
        looking = node.find_node(b"\7" * 20)
        self.successResultOf(node.use_device(device, master_key().public.spki, certificate))
        self.failureResultOf(looking, CancelledError)
        self.assertFalse(node.running)
        self.assertEqual(self.failureResultOf(node.get("identity", bytes(32))).value.code, "dht-off")
        node.start(node.datagrams, [(self.grid.hosts[0], 14441)])
        self.grid.run(5)
        self.assertNotEqual(node.id, before)
        self.assertEqual((node.layers(), self.get_family(node).revision), ((0, 3), 1))
        found = self.grid.wait(self.grid.nodes[20].find_node(node.id))
        self.assertEqual(found[0].id, node.id)

    def test_the_same_device_key(self) -> None:
        """A node that gets the key that it has goes on, with the owner that it is told; it takes no foreign one."""
        node = self.grid.nodes[4]
        certificate = certify(master_key(), node._device.public, 0)
        foreign = certify(master_key(), self.grid.nodes[5]._device.public, 0)
        self.successResultOf(node.use_device(node._device, master_key().public.spki, certificate))
        self.assertTrue(node.running)
        self.put_family(node, 1)
        error = self.assertRaises(WireError, node.use_device, node._device, master_key().public.spki, foreign)
        self.assertEqual(error.code, "bad-key")
        node.use_device(node._device)
        owner = master_key().fingerprint
        self.assertEqual(self.failureResultOf(node.put("family", owner, 2, b"x", DAY)).value.code, "no-owner")

    def test_a_healed_partition_finds_together(self) -> None:
        """Two halves that did not hear each other for a minute find each other's records afterwards."""
        half = set(self.grid.hosts[: self.size // 2])
        self.grid.udp.cut = lambda one, other: (one in half) != (other in half)
        self.grid.run(60, 0.2)
        self.put_family(self.grid.nodes[3], 1)
        self.grid.udp.cut = lambda one, other: False
        self.grid.run(400, 0.5)
        self.assertIsNotNone(self.get_family(self.grid.nodes[self.size - 2]))
