"""A node whose records come before it knows anybody in the hash table: nobody has them, and they follow."""

from bitdust.dht.records import DHTRecord
from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase

RECORDS = {"identity", "family", "addresses", "prekeys", "nickname"}
AT_ONCE = 3.0
"""Seconds; what is kept here is published again by itself some seconds later, whether anybody has it or not."""


class FirstContactTests(GridCase):
    def test_what_nobody_has_taken_follows(self) -> None:
        """A node starts while datagrams are lost; none of its records counts as stored, and all of them are at others
        as soon as one of those is known."""
        self.add_suppliers(2)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2})
        self.before = self.kept_by_others(alice)
        alice.stop()
        self.grid.network.loss = 1.0
        alice = alice.again(alice.address)
        self.grid.run(100, step=0.5)
        self.assertEqual(self.brought(alice), set())
        self.assertEqual(self.states(alice), ("PAUSED", "UNSTORED", "STALE", "PAUSED"))
        self.grid.network.loss = 0.0
        self.grid.until(alice.rooms.dht.node.knows_others, 30, "the hash table")
        self.grid.until(lambda: self.brought(alice) == RECORDS, AT_ONCE, "what nobody had")
        self.grid.run(1)
        self.assertEqual(self.states(alice), ("STORED", "KNOWN", "FRESH", "READY"))

    def states(self, node: GridNode) -> tuple[str, ...]:
        names = ("dht_record", "identity_propagator", "prekey_keeper", "nickname_holder")
        return tuple(node.node.registry.find(name)[0].state for name in names)

    def brought(self, node: GridNode) -> set[str]:
        """Types of its own records that another node has, byte for byte, and had not before."""
        there = self.kept_by_others(node) - self.before
        mine = [kept.data for kept in node.rooms.dht.node._stack.store.all() if kept.mine]
        return {DHTRecord.from_bytes(data).type for data in mine if data in there}

    def kept_by_others(self, node: GridNode) -> set[bytes]:
        others = [one for one in self.grid.nodes if one is not node]
        return {kept.data for one in others for kept in one.rooms.dht.node._stack.store.all()}
