"""Attacks on the hash table: garbage, floods, forged nodes (weakness 16)."""

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht.datagrams import HEAD, cut
from bitdust.dht.ids import node_id
from bitdust.dht.messages import build
from tests.dht_kit import DHTGrid


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
        for number in range(3000):
            forged = datagram(q="ping", pad=b"\0" * 900)
            self.protocol.datagramReceived(forged, (f"9.9.9.{number % 8}", 1000 + number % 50))
        self.grid.run(30, 0.1)
        after = {contact.id for contact in self.node._stack.peers.everyone()}
        self.assertTrue(before <= after)
        self.assertLessEqual(len(after - before), 0)
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
