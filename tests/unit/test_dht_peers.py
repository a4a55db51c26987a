"""Who is let into the routing tables of the DHT, who loses its place, and who gets it back."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.dht import peers as peers_module
from bitdust.dht.contact import Contact, believable, reach, unpack
from bitdust.dht.messages import MAX_NODES, pong_message
from bitdust.dht.peers import RETRIES, Peers
from bitdust.dht.table import SAME_HOST, SAME_NETWORK, SPARES, K, RoutingTable
from bitdust.scopes.networks import Household
from bitdust.wire.encoding import WireError


class Questions:
    """Plays the part that sends questions: keeps them, so that the test may answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[Contact, Mapping[str, Any], Callable[..., None], Callable[..., None]]] = []

    def ask(
        self,
        contact: Contact,
        name: str,
        fields: Mapping[str, Any],
        on_answer: Callable[..., None],
        on_failure: Callable[..., None],
    ) -> None:
        """Keep it."""
        assert name == "ping"
        self.asked.append((contact, fields, on_answer, on_failure))


class PeersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.random = random.Random(7)
        self.own = Contact(DeviceKey.generate(self.random.randbytes).public, "192.0.2.1", 1)
        self.rpc = Questions()
        self.peers = Peers(self.clock, self.random.randbytes, self.own, self.rpc, Household([]))
        self.addCleanup(self.peers.stop)
        self.changes: list[int] = []
        self.peers.changed.connect(lambda: self.changes.append(len(self.peers)))

    def device(self) -> DeviceKey:
        return DeviceKey.generate(self.random.randbytes)

    def contact(self, key: DeviceKey, host: str = "192.0.2.9", port: int = 9, layers: int = 0) -> Contact:
        return self.peers.contact(key.public, host, port, layers)

    def pong(self, key: DeviceKey, layers: int = 0, asked: bytes | None = None) -> None:
        """The oldest question is answered by this key, which signs the nonce that it was asked with."""
        contact, fields, on_answer, _ = self.rpc.asked.pop(0)
        answering = Contact(key.public, contact.host, contact.port)
        nonce = fields.get("nonce", b"")
        reply = {"k": key.public, "n": answering.id, "a": layers, "l": 0}
        reply["signature"] = key.sign(pong_message(nonce, answering.id, asked or self.own.id))
        self.peers.answered(contact, reply)
        on_answer(contact, reply)

    def silence(self) -> None:
        contact, _, _, on_failure = self.rpc.asked.pop(0)
        on_failure(contact)
        self.peers.silent(contact)

    def admitted(self, key: DeviceKey, **where: Any) -> Contact:
        contact = self.contact(key, **where)
        self.peers.prove(contact)
        self.pong(key, contact.layers)
        return contact

    # proof

    def test_proven(self) -> None:
        """A node whose signed pong came from its address takes its place, and that is reported."""
        key = self.device()
        contact = self.admitted(key)
        self.assertEqual((self.peers.everyone(), self.changes), ([contact], [1]))
        self.assertEqual(self.peers.nearest(contact.number, 0), [contact])

    def test_pong_of_another_question(self) -> None:
        """A pong that was signed for somebody else proves nothing."""
        key = self.device()
        answers: list[bool] = []
        self.peers.prove(self.contact(key), lambda contact, proven: answers.append(proven))
        self.pong(key, asked=b"x" * 20)
        self.assertEqual((self.peers.everyone(), answers), ([], [False]))

    def test_my_own_pong(self) -> None:
        """Whoever answers with my own key is not let in."""
        mine = Contact(self.own.key, "192.0.2.5", 5)
        self.peers.prove(mine)
        contact, _, on_answer, _ = self.rpc.asked.pop()
        on_answer(contact, {"k": self.own.key, "n": self.own.id, "a": 0, "l": 0, "signature": b""})
        self.assertEqual(self.peers.everyone(), [])
        self.peers.asked_by({"k": self.own.key, "a": 0}, ("192.0.2.5", 5))
        self.assertEqual(self.rpc.asked, [])

    def test_door_without_a_key(self) -> None:
        """A seed is known by its address alone; its pong tells whose it is."""
        key = self.device()
        door = Contact(b"", "192.0.2.7", 7, token=b"t" * 8)
        answers: list[tuple[Contact, bool]] = []
        self.peers.prove(door, lambda contact, proven: answers.append((contact, proven)))
        self.pong(key, layers=2)
        ((contact, proven),) = answers
        self.assertEqual((contact.key, contact.token, contact.layers, proven), (key.public, b"t" * 8, 2, True))

    def test_silent_candidate(self) -> None:
        """Who is silent is not let in, and whoever asked for the proof is told."""
        answers: list[bool] = []
        self.peers.prove(self.contact(self.device()), lambda contact, proven: answers.append(proven))
        self.silence()
        self.assertEqual((self.peers.everyone(), answers, self.changes), ([], [False], []))

    def test_one_proof_at_a_time(self) -> None:
        """Nobody is asked twice at the same time, and many candidates wait for their turn."""
        keys = [self.device() for _ in range(peers_module.MAX_PROVING + 5)]
        for key in keys:
            self.peers.prove(self.contact(key))
            self.peers.prove(self.contact(key))
        self.assertEqual(len(self.rpc.asked), peers_module.MAX_PROVING)
        for key in keys:
            self.pong(key)
        self.assertEqual((len(self.peers.everyone()), self.rpc.asked), (len(keys), []))

    # addresses

    def test_another_address_is_not_believed(self) -> None:
        """Who says that a proven node is elsewhere changes nothing."""
        key = self.device()
        contact = self.admitted(key)
        other = self.contact(key, host="192.0.2.66")
        self.assertIsNot(other, contact)
        self.assertIs(self.contact(key), contact)
        self.assertEqual(self.peers.everyone(), [contact])

    def test_node_that_moves(self) -> None:
        """A proof from a new address moves the node there, and the old address has no place any more."""
        key = self.device()
        old = self.admitted(key)
        self.peers.asked_by({"k": key.public, "a": 4}, ("192.0.2.10", 10))
        self.pong(key, layers=4)
        (moved,) = self.peers.everyone()
        self.assertEqual((moved.address, moved.layers), (("192.0.2.10", 10), 4))
        self.assertIsNot(moved, old)
        self.assertIs(self.contact(key, host="192.0.2.10", port=10), moved)

    def test_thief_of_an_address(self) -> None:
        """Who cannot sign does not move a node to its own address."""
        key, thief = self.device(), self.device()
        contact = self.admitted(key)
        self.peers.asked_by({"k": key.public, "a": 4}, ("192.0.2.66", 66))
        asked, fields, on_answer, _ = self.rpc.asked.pop()
        signature = thief.sign(pong_message(fields["nonce"], contact.id, self.own.id))
        on_answer(asked, {"k": key.public, "n": contact.id, "a": 4, "l": 0, "signature": signature})
        self.assertEqual([known.address for known in self.peers.everyone()], [contact.address])

    def test_book_is_bounded(self) -> None:
        """Of nodes that were only heard of a bounded number is remembered; those in a table stay."""
        self.patch(peers_module, "MAX_BOOK", 3)
        key = self.device()
        contact = self.admitted(key)
        strangers = [self.device() for _ in range(5)]
        for stranger in strangers:
            self.contact(stranger)
        self.assertIs(self.contact(key), contact)

    # layers

    def test_layers(self) -> None:
        """A node has a place in each layer that it is attached to, and loses those that it has left."""
        key = self.device()
        contact = self.admitted(key, layers=0b1010)
        self.assertEqual([len(self.peers.nearest(0, layer)) for layer in (0, 1, 2, 3)], [1, 1, 0, 1])
        self.peers.answered(contact, {"k": key.public, "a": 0b0010})
        self.assertEqual([len(self.peers.nearest(0, layer)) for layer in (0, 1, 2, 3)], [1, 1, 0, 0])

    def test_who_is_new_in_a_layer(self) -> None:
        """It is reported once, for each layer; again when it comes back after it was silent."""
        seated: list[int] = []
        self.peers.seated.connect(seated.append)
        key = self.device()
        contact = self.contact(key)
        self.peers.prove(contact)
        self.pong(key, layers=0b110)
        self.assertEqual(seated, [1, 2])
        self.peers.answered(contact, {"a": 0b110})
        self.assertEqual(seated, [1, 2])
        self.peers.answered(contact, {"a": 0b1110})
        self.assertEqual(seated, [1, 2, 3])
        self.peers.silent(contact)
        self.peers.answered(contact, {"a": 0b1110})
        self.assertEqual(seated, [1, 2, 3, 1, 2, 3])

    def test_news_of_layers(self) -> None:
        """What a query of a proven node from its address says of its layers holds at once; from another it does not."""
        key = self.device()
        contact = self.admitted(key)
        self.peers.asked_by({"k": key.public, "a": 2}, contact.address)
        self.assertEqual(self.peers.nearest(0, 1), [contact])
        self.peers.asked_by({"k": key.public, "a": 0}, contact.address)
        self.assertEqual((self.peers.nearest(0, 1), self.peers.everyone()), ([], [contact]))
        self.assertEqual(self.rpc.asked, [])
        self.peers.asked_by({"k": key.public, "a": 2}, ("192.0.2.77", 9))
        self.assertEqual((self.peers.nearest(0, 1), contact.layers, len(self.rpc.asked)), ([], 0, 1))

    def test_news_of_a_stranger(self) -> None:
        """A node that is not proven says something of its layers by its proof alone."""
        key = self.device()
        for layers in (2, 4):
            self.peers.asked_by({"k": key.public, "a": layers}, ("192.0.2.9", 9))
        self.assertEqual((len(self.rpc.asked), self.peers.nearest(0, 2)), (1, []))
        self.pong(key, layers=4)
        self.assertEqual(len(self.peers.nearest(0, 2)), 1)

    def test_what_an_asker_is_told(self) -> None:
        """An asker hears neither of itself nor of addresses that it cannot use, and of a bounded number."""
        asker = self.admitted(self.device(), host="8.8.8.1")
        for number in range(MAX_NODES + 4):
            self.admitted(self.device(), host=f"8.8.8.{number + 2}")
        private = self.admitted(self.device(), host="10.0.0.1")
        heard = unpack(self.peers.contacts_for(asker.number, 0, asker.id, "8.8.8.1"), MAX_NODES)
        keys = {key for key, *_ in heard}
        self.assertEqual(len(heard), MAX_NODES)
        self.assertFalse(keys & {asker.key, private.key})
        self.assertEqual(self.peers.contacts_for(asker.number, 5, asker.id, "8.8.8.1"), b"")

    # silence

    def test_silent_node_comes_back(self) -> None:
        """A node that falls silent loses its place at once, is asked again after growing pauses, and may come back."""
        key = self.device()
        contact = self.admitted(key)
        self.peers.silent(contact)
        self.assertEqual((self.peers.everyone(), self.changes[-1]), ([], 0))
        self.assertTrue(self.peers.silent_now(contact))
        self.clock.advance(RETRIES[0])
        self.silence()
        self.clock.advance(RETRIES[1])
        self.pong(key)
        self.assertEqual((self.peers.everyone(), self.changes[-1]), ([contact], 1))
        self.assertFalse(self.peers.silent_now(contact))
        self.peers.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent_node_is_given_up(self) -> None:
        """A node that answers none of five questions is forgotten, and no timer is left."""
        contact = self.admitted(self.device())
        self.peers.silent(contact)
        for pause in RETRIES:
            self.assertEqual(self.rpc.asked, [])
            self.clock.advance(pause)
            self.silence()
        self.clock.advance(RETRIES[-1])
        self.assertFalse(self.peers.silent_now(contact))
        self.assertEqual((self.rpc.asked, self.clock.getDelayedCalls()), ([], []))

    def test_answer_of_a_silent_node(self) -> None:
        """Any late answer brings a silent node back at once."""
        key = self.device()
        contact = self.admitted(key)
        self.peers.silent(contact)
        self.peers.answered(contact, {"k": key.public, "a": 0})
        self.assertEqual(self.peers.everyone(), [contact])

    def test_query_of_a_silent_node(self) -> None:
        """A query of a silent node is a reason to ask it."""
        key = self.device()
        contact = self.admitted(key)
        self.peers.silent(contact)
        self.peers.asked_by({"k": key.public, "a": 0}, contact.address)
        self.pong(key)
        self.assertEqual(self.peers.everyone(), [contact])

    def test_answer_of_a_stranger(self) -> None:
        """An answer of a node that has no place yet makes me ask for its proof."""
        key = self.device()
        self.peers.answered(self.contact(key), {"k": key.public, "a": 0})
        self.pong(key)
        self.assertEqual(len(self.peers.everyone()), 1)

    # what others tell

    def test_what_is_told(self) -> None:
        """Told contacts are believed as far as their addresses are; nonsense is an error."""
        teller = self.contact(self.device(), host="198.51.100.1")
        near = Contact(self.device().public, "127.0.0.1", 5)
        far = Contact(self.device().public, "198.51.100.7", 5)
        nodes = near.packed() + far.packed() + self.own.packed()
        self.assertEqual([found.key for found in self.peers.contacts_in({"nodes": nodes}, teller)], [far.key])
        self.assertEqual(self.peers.contacts_in({}, teller), [])
        self.assertRaises(WireError, self.peers.contacts_in, {"nodes": nodes[:-1]}, teller)


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.random = random.Random(3)
        self.table = RoutingTable(0)

    def far(self, host: str = "10.0.0.1") -> Contact:
        """A contact of the farthest bucket."""
        while True:
            contact = Contact(self.random.randbytes(32), host, 1)
            if contact.number.bit_length() == 160:
                return contact

    def test_old_contacts_keep_their_place(self) -> None:
        """A full bucket takes nobody in; the newest of those who wait gets the place that becomes free."""
        seated = [self.far() for _ in range(K)]
        self.assertTrue(all(self.table.add(contact) for contact in seated))
        waiting = [self.far() for _ in range(SPARES + 2)]
        self.assertFalse(any(self.table.add(contact) for contact in waiting))
        self.assertEqual((len(self.table), self.table.buckets()), (K, {160: K}))
        self.assertIs(self.table.remove(seated[0]), waiting[-1])
        self.assertTrue(self.table.room(waiting[-1]))

    def test_spares_are_bounded(self) -> None:
        """A bucket remembers the newest eight who wait, each once."""
        seated = [self.far() for _ in range(K)]
        for contact in seated:
            self.table.add(contact)
        waiting = [self.far() for _ in range(SPARES + 2)]
        for contact in (*waiting, waiting[-1]):
            self.table.add(contact)
        found = [self.table.remove(contact) for contact in seated]
        self.assertEqual(found[:SPARES], waiting[: -SPARES - 1 : -1])
        self.assertEqual(found[SPARES:], [None] * (K - SPARES))

    def test_one_public_host(self) -> None:
        """A public address gets four places in a bucket, so that one host cannot fill it; a private one gets all."""
        public = [self.table.add(self.far("8.8.8.8")) for _ in range(SAME_HOST + 1)]
        self.assertEqual(public, [True] * SAME_HOST + [False])
        self.assertTrue(self.table.add(self.far("8.8.4.4")))

    def test_one_public_network(self) -> None:
        """A public network gets half of a bucket; a private one all of it."""
        public = [self.table.add(self.far(f"8.8.8.{host}")) for host in range(1, SAME_NETWORK + 2)]
        self.assertEqual(public, [True] * SAME_NETWORK + [False])
        private = [self.table.add(self.far(f"10.0.0.{host}")) for host in range(K - SAME_NETWORK)]
        self.assertEqual(set(private), {True})

    def test_that_very_contact(self) -> None:
        """A contact that was replaced cannot take the place of its successor away, and nobody sits twice."""
        contact = self.far()
        twin = Contact(contact.key, "10.0.0.2", 2)
        self.table.add(contact)
        self.assertFalse(self.table.add(twin))
        self.assertIsNone(self.table.remove(twin))
        self.assertIs(self.table.get(contact.number), contact)
        self.assertIn(contact.number, self.table)

    def test_self(self) -> None:
        """I have no place in my own table."""
        contact = self.far()
        table = RoutingTable(contact.number)
        self.assertFalse(table.add(contact))
        self.assertEqual(len(table), 0)


class AddressTests(SynchronousTestCase):
    def test_reach(self) -> None:
        """An address is nobody's, this host's, a private network's, or the world's."""
        kinds = {
            0: ("0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "name.example"),
            1: ("127.0.0.1", "::1"),
            2: ("10.1.2.3", "192.168.1.1", "169.254.1.1", "fe80::1"),
            3: ("8.8.8.8", "2a00:1450::1"),
        }
        for kind, hosts in kinds.items():
            self.assertEqual([reach(host) for host in hosts], [kind] * len(hosts))

    def test_believable(self) -> None:
        """Nobody far away sends me to my own host or network, and nobody to port 0."""
        self.assertTrue(believable("8.8.8.8", 1, "8.8.4.4"))
        self.assertTrue(believable("8.8.8.8", 1, "10.0.0.1"))
        self.assertFalse(believable("10.0.0.1", 1, "8.8.8.8"))
        self.assertFalse(believable("127.0.0.1", 1, "10.0.0.1"))
        self.assertFalse(believable("8.8.8.8", 0, "8.8.4.4"))

    def test_compact_form(self) -> None:
        """Contacts travel in a compact form, IPv6 too; cut, odd and too many ones are refused."""
        contacts = [Contact(bytes((n,)) * 32, host, n, n) for n, host in ((1, "10.0.0.1"), (2, "2a00::1"))]
        data = b"".join(contact.packed() for contact in contacts)
        expected = [(contact.key, contact.layers, contact.host, contact.port) for contact in contacts]
        self.assertEqual(unpack(data, 2), expected)
        self.assertEqual([contact.text for contact in contacts], ["10.0.0.1:1", "[2a00::1]:2"])
        for wrong in (data[:-1], data + b"x", data[:36] + b"\5" + data[37:]):
            self.assertRaises(WireError, unpack, wrong, 9)
        self.assertRaises(WireError, unpack, data, 1)

    def test_time_out(self) -> None:
        """The time-out follows round trips as in TCP, within bounds, and patience is shorter."""
        contact = Contact(b"k" * 32, "10.0.0.1", 1)
        self.assertEqual((contact.timeout(2.0), contact.patience(2.0)), (2.0, 1.0))
        for _ in range(50):
            contact.measured(0.2)
        self.assertAlmostEqual(contact.timeout(), 0.2, 3)
        self.assertLess(contact.patience(), contact.timeout())
        contact.measured(9.0)
        self.assertEqual(contact.timeout(), 1.5)
        fast = Contact(b"k" * 32, "10.0.0.1", 1)
        for _ in range(50):
            fast.measured(0.0001)
        self.assertEqual(fast.timeout(), 0.05)
