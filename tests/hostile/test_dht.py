"""Attacks on the hash table: garbage, floods, forged nodes (weakness 16), crowds that bring old records back."""

import hashlib
import os
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.dht import ids
from bitdust.dht.contact import Contact
from bitdust.dht.datagrams import HEAD, cut
from bitdust.dht.ids import node_id, record_key
from bitdust.dht.messages import build
from bitdust.dht.node import DHTNode
from tests.dht_kit import DHTGrid
from tests.unit.test_dht import DHTCase


def datagram(**fields) -> bytes:
    """One well-formed question of a node that nobody has met."""
    key = os.urandom(32)
    message = build({"n": node_id(key), "k": key, "l": 0, "a": 1, **fields})
    (whole,) = cut(message, os.urandom(8))
    return whole


class HostileDHTTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.grid = DHTGrid()
        self.grid.build(12)
        self.grid.run(2)
        self.addCleanup(self.grid.stop)
        self.node = self.grid.nodes[5]
        self.protocol = self.grid.udp.ports[self.grid.hosts[5], 14441]

    def answers_to(self, data: bytes, address: tuple[str, int]) -> list[bytes]:
        """What goes back to an address when a datagram comes from there."""
        self.grid.udp.seen = []
        self.protocol.datagramReceived(data, address)
        self.grid.run(0.1)
        seen, self.grid.udp.seen = self.grid.udp.seen, None
        return [sent for _, target, sent in seen if target == address]

    def works(self) -> bool:
        written = self.grid.wait(self.grid.nodes[1].debug.put("key", 1))
        read = self.grid.wait(self.node.debug.get("key"))
        return (written["write"], read.get("value")) == ("success", 1)

    def test_garbage_changes_nothing(self) -> None:
        """Random datagrams, and real ones with random bytes changed, raise nothing, and the table goes on."""
        self.grid.udp.seen = []
        self.grid.run(30, 0.1)
        self.works()
        real = [data for _, _, data in self.grid.udp.seen]
        self.grid.udp.seen = None
        chance = random.Random(7)
        for data in real[:300]:
            broken = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            self.protocol.datagramReceived(bytes(broken[: chance.randint(1, len(broken))]), ("9.9.9.9", 9))
        self.grid.run(5)
        self.assertTrue(self.works())

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=1300))
    def test_any_bytes(self, data: bytes) -> None:
        """No datagram raises, and none is answered with more bytes than it had; framed ones too."""
        grid = DHTGrid()
        node = grid.add()
        try:
            grid.udp.seen = []
            for whole in (data, *cut(data, b"12345678")):
                grid.udp.seen.clear()
                grid.udp.ports[grid.hosts[0], 14441].datagramReceived(whole, ("9.9.9.9", 9))
                self.assertLessEqual(sum(len(sent) for _, _, sent in grid.udp.seen), max(len(whole), 1))
        finally:
            node.stop()

    def test_no_amplification(self) -> None:
        """A stranger's question is never answered with more bytes than it had, so nobody can be flooded through us."""
        for pad in (0, 100, 1000):
            question = datagram(q="find_node", target=b"x" * 20, pad=b"\0" * pad)
            answers = self.answers_to(question, ("9.9.9.9", 9))
            self.assertLessEqual(sum(map(len, answers)), len(question))
        self.assertTrue(answers)

    def test_forged_nodes_enter_no_table(self) -> None:
        """Thousands of made-up ids from a few addresses do not push living contacts out."""
        before = {contact.id for contact in self.node._stack.peers.everyone()}
        living = {one.id for one in self.grid.nodes}
        for number in range(3000):
            forged = datagram(q="ping", pad=b"\0" * 900)
            self.protocol.datagramReceived(forged, (f"9.9.9.{number % 8}", 1000 + number % 50))
        self.grid.run(30, 0.1)
        after = {contact.id for contact in self.node._stack.peers.everyone()}
        self.assertTrue(before <= after)
        self.assertLessEqual(after, before | living)
        self.assertTrue(self.works())

    def test_pieces_of_messages_are_forgotten(self) -> None:
        """Datagrams that promise parts which never come are dropped after a while, and their number is bounded."""
        import tracemalloc

        tracemalloc.start()
        first = tracemalloc.get_traced_memory()[0]
        chance = random.Random(3)
        for number in range(20_000):
            data = b"\x08B\x02" + chance.randbytes(8) + bytes([0, 5]) + b"x" * (1200 - HEAD)
            self.protocol.datagramReceived(data, (f"9.9.{number % 200}.{number % 100}", 9))
        grown = tracemalloc.get_traced_memory()[0] - first
        tracemalloc.stop()
        self.assertLess(grown, 24 * 1024 * 1024)
        self.grid.run(30, 0.1)
        self.assertTrue(self.works())

    def test_a_flood_from_one_address_slows_nobody(self) -> None:
        """One address that asks as fast as it can is cut off; others are answered as before."""
        question = datagram(q="ping", pad=b"\0" * 1000)
        self.grid.udp.seen = []
        for _ in range(6000):
            self.protocol.datagramReceived(question, ("9.9.9.9", 9))
        answered = sum(1 for _, target, _ in self.grid.udp.seen if target == ("9.9.9.9", 9))
        self.grid.udp.seen = None
        self.assertGreater(answered, 0)
        self.assertLess(answered, 3000)
        self.assertTrue(self.works())


class RollbackTests(DHTCase):
    """Nodes of a few addresses, whose ids are nearer to a family's key than those of all others."""

    size = 25

    def setUp(self) -> None:
        super().setUp()
        self.owner = self.grid.nodes[3]
        self.put_family(self.owner, 1)
        self.key = record_key("family", self.subject, 0)
        self.sybils: list[DHTNode] = []

    def distance(self, ident: bytes) -> int:
        return ids.number(ident) ^ ids.number(self.key)

    def surround(self, count: int) -> None:
        """So many nodes that keep the record of now, refuse each newer one, and know one another alone."""
        old = self.owner._stack.store.get(self.key, self.grid.wall())
        nearest, tried, crowd = min(self.distance(node.id) for node in self.grid.nodes), 0, list[Contact]()
        while len(self.sybils) < count:
            tried += 1
            device = DeviceKey.from_seed(hashlib.sha256(b"sybil %d" % tried).digest())
            if self.distance(node_id(device.public)) < nearest:
                host = f"9.9.{len(self.sybils) % 4}.{len(self.sybils) + 1}"
                self.sybils.append(self.grid.add(host=host, device=device))
                crowd.append(Contact(device.public, host, 14441))
                self.grid.run(0.1, 0.05)
        self.grid.run(2)
        for sybil in self.sybils:
            stack = sybil._stack
            stack.store.get = lambda key, wall: old
            stack.answers.keep = lambda *_, **how: {"stored": True}
            stack.peers.contacts_for = lambda *_: b"".join(contact.packed() for contact in crowd[:20])

    def read(self, node: DHTNode, **how: Any) -> int:
        return self.grid.wait(node.get("family", self.subject, **how)).revision

    def test_a_crowd_brings_no_old_record_back(self) -> None:
        """Thirty of them keep neither the newest record from its keepers nor a fresh node from reading it."""
        self.surround(30)
        self.put_family(self.owner, 2)
        for _ in range(3):
            fresh = self.grid.add()
            self.grid.run(1)
            self.assertEqual((self.read(fresh), self.read(fresh, thorough=True)), (2, 2))

    def test_who_has_an_older_one_gets_the_newest(self) -> None:
        """Whoever reads the newest record brings it to those that gave an older one, this node among them."""
        others = [node for node in self.grid.nodes if node is not self.owner]
        keepers = [node for node in others if node._stack.store.revision(self.key) == 1]
        behind, reader = keepers[:5], keepers[5]
        kept = {node: node._stack.answers.keep for node in (*behind, reader)}
        for node in kept:
            node._stack.answers.keep = lambda *_, **how: {"stored": False, "code": "busy"}
        self.put_family(self.owner, 2)
        for node, keep in kept.items():
            node._stack.answers.keep = keep
            self.assertEqual(node._stack.store.revision(self.key), 1)
        self.assertEqual(self.read(reader), 2)
        self.grid.run(1)
        self.assertEqual({node._stack.store.revision(self.key) for node in kept}, {2})

    def test_a_small_network_is_fast(self) -> None:
        """A fresh node among five, of which two are gone without a word, reads the newest record within a second."""
        grid = self.grid = DHTGrid()
        self.addCleanup(grid.stop)
        grid.build(5)
        self.put_family(grid.nodes[1], 2)
        fresh = grid.add()
        grid.run(2)
        grid.kill(2)
        grid.kill(3)
        before = grid.clock.seconds()
        self.assertEqual(self.read(fresh, thorough=True), 2)
        self.assertLess(grid.clock.seconds() - before, 1.0)
