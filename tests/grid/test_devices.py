"""Several devices of one identity: whoever knows an older document learns the newest one, and all come to the same."""

from pathlib import Path

from bitdust.testing.grid import DHT_PORT, GridNode
from tests.grid.test_main_job import NO_SUPPLIER, GridCase


class DevicesCase(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer()
        self.first: dict[str, int] = {}
        """By the name of a node the first revision that it had."""

    def begin_recovery(self, key_file: Path, name: str, **settings):
        node = self.grid.add_stranger(name, **NO_SUPPLIER, **settings)
        node.start()
        done: list = []
        me = node.rooms.identity.me
        me.changed.connect(lambda: self.first.setdefault(name, me.document.revision))
        node.rooms.identity.registration.recover(key_file.read_text(), None, None).addBoth(done.append)
        return node, done

    def document(self, node: GridNode):
        return node.rooms.identity.me.document

    def is_together(self, node: GridNode) -> bool:
        """Whether all suppliers serve a node."""
        suppliers = node.rooms.suppliers
        members = suppliers.family.members
        return len(members) == 4 and sorted(suppliers.connectors.connected()) == sorted(members)

    def are_one(self, *nodes: GridNode) -> bool:
        """Whether these devices, and all suppliers, know one document, which has all of them."""
        documents = {self.document(node).canonical for node in nodes}
        kept = [one.rooms.around.identities.get(nodes[0].fingerprint) for one in self.suppliers]
        documents |= {document.canonical for document in kept if document is not None}
        living = [device for device in self.document(nodes[0]).devices if device.revoked is None]
        return len(documents) == 1 and all(
            self.document(nodes[0]).device(node.rooms.identity.me.device.id) in living for node in nodes
        )


class StaleTests(DevicesCase):
    def test_a_device_that_was_away(self) -> None:
        """While it was off another device was added and the ID server went away: it is served again within seconds."""
        key_file = self.key_file(self.alice)
        self.alice.stop()
        self.grid.nodes.remove(self.alice)
        other = self.recover(key_file)
        self.grid.run(5)
        self.seed.kill()
        nodes = f"{self.suppliers[0].address}:{DHT_PORT}"
        again = self.grid.add("alice", **NO_SUPPLIER, **{"services/entangled-dht/known-nodes": nodes})
        again.start()
        self.grid.until(lambda: again.is_on("employer"), 60, "the start")
        self.grid.until(lambda: self.is_together(again) and self.are_one(again, other), 15, "peace")
        self.assertEqual(self.document(again).revision, 2)

    def test_a_new_device_is_known_at_once(self) -> None:
        """A device that goes on is told by its suppliers that there is another one, without an ID server."""
        key_file = self.key_file(self.alice)
        self.seed.kill()
        other = self.recover(key_file)
        self.grid.until(lambda: self.are_one(self.alice, other), 5, "the news")
        self.assertTrue(self.is_together(self.alice))


class ConflictTests(DevicesCase):
    def test_two_recoveries_at_once(self) -> None:
        """Two devices that made the same revision without an ID server are joined, and both are served in seconds."""
        key_file = self.key_file(self.alice)
        self.seed.kill()
        one, first = self.begin_recovery(key_file, "one")
        two, second = self.begin_recovery(key_file, "two")
        self.grid.until(lambda: first and second, 120, "the recoveries")
        self.assertEqual(self.first, {"one": 2, "two": 2})
        self.grid.until(lambda: self.are_one(self.alice, one, two), 60, "one document")
        self.grid.until(lambda: one.is_on("my_data") and two.is_on("my_data"), 60, "the recovery")
        self.grid.until(lambda: all(map(self.is_together, (self.alice, one, two))), 15, "peace")
        self.assertLess(self.document(one).revision, 5)


class QuietTests(DevicesCase):
    def test_living_devices_do_not_argue(self) -> None:
        """Two living devices come to one revision and leave it, over several rounds of publication."""
        other = self.recover(self.key_file(self.alice))
        self.grid.run(10)
        before = self.document(self.alice).revision
        self.grid.run(1500, step=1.0)
        self.assertTrue(self.are_one(self.alice, other))
        self.assertEqual(self.document(self.alice).revision, before)
