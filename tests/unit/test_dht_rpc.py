"""Questions and answers of the DHT: time-outs, late answers, tokens, and who may be answered with how much."""

import random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.dht import rpc as rpc_module
from bitdust.dht.contact import Contact
from bitdust.dht.datagrams import HEAD, PART, cut
from bitdust.dht.limits import Rates
from bitdust.dht.messages import build
from bitdust.dht.rpc import LATE, Rpc

KEY = bytes(20)


class End:
    """One node: its Rpc, what it answers, and what it hears. It is its own listener and its own UDP port."""

    is_open = True
    port = 1

    def __init__(self, world: "RpcTests", host: str) -> None:
        self.world = world
        device = DeviceKey.generate(world.random.randbytes)
        self.contact = Contact(device.public, host, 1)
        self.rpc = Rpc(world.clock, world.random.randbytes, self, self.contact, Rates(1000.0, 1000.0))
        self.receive: Any = None
        self.rpc.listener = self
        self.rpc.open()
        self.fields: dict[str, Any] | None = {}
        self.served: list[tuple[str, bool]] = []
        self.heard: list[str] = []

    def add(self, first_bytes: Any, receive: Any) -> Any:
        """The datagrams of the table come here."""
        self.receive = receive
        return lambda: None

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """A datagram flies, for as long as the world says, unless it is lost."""
        self.world.sent.append((self, data))
        other = next((end for end in self.world.ends if end.contact.address == address), None)
        if other is not None and not self.world.lost:
            self.world.clock.callLater(self.world.delay, other.receive, data, self.contact.address)

    def serve(self, query: dict[str, Any], address: tuple[str, int], shown: bool) -> dict[str, Any] | None:
        """What the test says."""
        self.served.append((query["q"], shown))
        return self.fields

    def answered(self, contact: Contact, reply: dict[str, Any]) -> None:
        """A contact lives."""
        self.heard.append("answered")

    def silent(self, contact: Contact) -> None:
        """A contact was silent."""
        self.heard.append("silent")


class RpcTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.random = random.Random(9)
        self.delay = 0.01
        self.lost = False
        self.sent: list[tuple[End, bytes]] = []
        self.ends: list[End] = []
        self.ends += [End(self, "8.8.8.8"), End(self, "8.8.4.4")]
        self.asker, self.other = self.ends
        self.there = Contact(self.other.contact.key, "8.8.4.4", 1)
        self.events: list[Any] = []

    def tearDown(self) -> None:
        for end in self.ends:
            end.rpc.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(self, name: str = "find_node", **fields: Any) -> None:
        if name.startswith("find"):
            fields = {"target" if name == "find_node" else "key": KEY} | fields
        self.asker.rpc.ask(
            self.there, name, fields,
            lambda contact, reply: self.events.append(reply["r"]),
            lambda contact: self.events.append("failed"),
            lambda contact: self.events.append("slow"),
        )  # fmt: skip

    def pass_time(self, seconds: float) -> list[Any]:
        """What has happened in that time."""
        self.events.clear()
        steps = int(seconds / 0.01)
        for _ in range(steps):
            self.clock.advance(0.01)
        return list(self.events)

    def forge(self, question: int = -1, **changes: Any) -> bytes:
        """A reply to a question that was sent, with what the test changes."""
        message_id = self.sent[question][1][3:11]
        own = self.other.contact
        return cut(build({"r": "find_node", "n": own.id, "k": own.key, "l": 0, "a": 0} | changes), message_id)[0]

    # answers

    def test_answer(self) -> None:
        """An answer comes once, and its round trip is measured."""
        self.ask()
        self.assertEqual(self.pass_time(5), ["find_node"])
        self.assertEqual((self.other.served, self.asker.heard), ([("find_node", False)], ["answered"]))
        self.assertAlmostEqual(self.there.round_trip, 0.02)

    def test_silence(self) -> None:
        """A silent node is slow first, so that others are asked, and has failed at its time-out."""
        self.lost = True
        self.ask()
        patience, timeout = self.there.patience(), self.there.timeout()
        self.assertEqual(self.pass_time(patience + 0.01), ["slow"])
        self.assertEqual(self.pass_time(timeout - patience), ["failed"])
        self.assertEqual((self.asker.heard, self.there.failures), (["silent"], 1))
        self.assertEqual(self.pass_time(LATE), [])

    def test_late_answer(self) -> None:
        """An answer after the time-out is still taken for some seconds, and then no more."""
        for delay, late in ((0.4, True), (LATE, False)):
            self.delay = delay
            self.ask()
            found = self.pass_time(2 * LATE + 1)
            self.assertEqual(found, ["slow", "failed", "find_node"] if late else ["slow", "failed"])
            self.there.round_trip, self.there.deviation = None, 0.0

    def test_from_somebody_else(self) -> None:
        """A reply counts only from the address that was asked, by the node that was asked, to what was asked."""
        self.lost = True
        self.ask()
        receive, right = self.asker.receive, self.other.contact.address
        stranger = DeviceKey.generate(self.random.randbytes)
        twin = Contact(stranger.public, "8.8.4.4", 1)
        receive(self.forge(), ("8.8.4.5", 1))
        receive(self.forge(n=twin.id, k=twin.key), right)
        receive(self.forge(r="find_value"), right)
        receive(self.forge(r="find_node", n=bytes(20)), right)
        receive(b"nonsense", right)
        self.assertEqual(self.events, [])
        self.assertGreater(self.asker.rpc.traffic.refused, 0)
        receive(self.forge(), right)
        receive(self.forge(), right)
        self.assertEqual(self.events, ["find_node"])

    def test_error(self) -> None:
        """A node that answers with an error lives, and has not answered the question."""
        self.lost = True
        self.ask()
        self.asker.receive(self.forge(r="error", code="bad-token"), self.other.contact.address)
        self.assertEqual((self.events, self.asker.heard), (["failed"], ["answered"]))

    def test_closed(self) -> None:
        """A node that was closed hears nothing more of its questions."""
        self.ask()
        self.asker.rpc.close()
        self.assertEqual(self.pass_time(5), [])

    def test_too_many_questions(self) -> None:
        """With too many questions open, or without a socket, a question fails in a later turn."""
        self.patch(rpc_module, "MAX_PENDING", 0)
        self.ask()
        self.assertEqual(self.events, [])
        self.assertEqual(self.pass_time(0.01), ["failed"])
        self.patch(rpc_module, "MAX_PENDING", 5)
        self.asker.is_open = False
        self.ask()
        self.assertEqual(self.pass_time(0.01), ["failed"])

    def test_datagram_that_is_not_sent(self) -> None:
        """A datagram that the system does not take is like one that is lost."""
        self.asker.send = lambda data, address: None  # type: ignore[method-assign]
        self.ask()
        self.assertEqual(self.pass_time(1), ["slow", "failed"])

    # tokens

    def test_token_is_fetched_and_shown(self) -> None:
        """What needs a token fetches one first; the next question shows it at once."""
        self.ask("store", record=b"record")
        self.clock.advance(0.02)
        self.other.fields = {"stored": True}
        self.assertEqual(self.pass_time(1), ["store"])
        self.assertEqual(self.other.served, [("ping", False), ("store", True)])
        self.ask("store", record=b"record")
        self.assertEqual(self.pass_time(1), ["store"])
        self.assertEqual(self.other.served[2:], [("store", True)])

    def test_token_that_has_ended(self) -> None:
        """A token that holds no longer is replaced by the one in the answer, and the question is asked again, once."""
        self.there.token = b"too old!"
        self.ask()
        self.assertEqual(self.pass_time(1), ["find_node"])
        self.assertEqual(self.other.served, [("find_node", False), ("find_node", True)])

    def test_long_query_with_an_old_token(self) -> None:
        """A query of several datagrams under a token that has ended is refused with a new one, and repeated."""
        self.there.token = b"too old!"
        self.other.fields = {"stored": True}
        self.ask("store", record=bytes(3000))
        self.assertEqual(self.pass_time(1), ["store"])
        self.assertEqual(self.other.served, [("store", True)])

    def test_no_amplification(self) -> None:
        """Who has shown no token gets nothing longer than its query: a record is only said to be held, then fetched."""
        self.other.fields = {"record": bytes(3000)}
        self.ask("find_value")
        self.clock.advance(0.01)
        query, reply = (len(data) for _, data in self.sent[:2])
        self.assertLessEqual(reply, query)
        self.assertEqual(self.pass_time(1), ["find_value"])
        self.assertEqual(self.other.served, [("find_value", False), ("find_value", True)])
        self.assertLessEqual(max(len(data) for _, data in self.sent), HEAD + PART)

    def test_short_query(self) -> None:
        """A query that is shorter than its reply gets what fits of it."""
        own = self.asker.contact
        self.other.fields = {"nodes": bytes(500)}
        query = build({"q": "find_node", "n": own.id, "k": own.key, "l": 0, "a": 0, "target": KEY})
        self.other.receive(cut(query, b"12345678")[0], own.address)
        self.pass_time(0.1)
        self.assertTrue(all(len(data) <= len(query) + HEAD for end, data in self.sent if end is self.other))

    def test_no_answer_at_all(self) -> None:
        """A listener may choose silence."""
        self.other.fields = None
        self.ask()
        self.assertEqual(self.pass_time(1), ["slow", "failed"])

    def test_hosts_that_flood(self) -> None:
        """Queries beyond a host's share vanish without a word."""
        self.other.rpc._rates = Rates(0.0, 2.0)
        for _ in range(4):
            self.ask()
        self.pass_time(1)
        self.assertEqual(len(self.other.served), 2)

    def test_typical_time(self) -> None:
        """Nodes of which nothing is known are given the time that others take, within bounds."""
        self.assertEqual(self.asker.rpc.unknown_timeout, 0.3)
        for _ in range(100):
            self.ask()
            self.pass_time(0.1)
        self.assertAlmostEqual(self.asker.rpc.unknown_timeout, 0.1, 3)
        self.asker.rpc._note_typical(1000.0)
        self.assertEqual(self.asker.rpc.unknown_timeout, 0.5)
