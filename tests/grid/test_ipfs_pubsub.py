"""Messages by topic between whole nodes: passed on, heard once, signed, and never too many."""

from base64 import b64decode
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.crypt.device import DeviceKey
from bitdust.ipfs.pubsub import pubsub
from bitdust.ipfs.pubsub.message import MOST_TOPICS, TopicMessage
from bitdust.ipfs.pubsub.neighbour import MOST_WAITING
from bitdust.ipfs.pubsub.pubsub import MOST_UNREAD, OF_AUTHOR
from bitdust.testing.grid import GridNode
from bitdust.transport.outbox import PeerFailed
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.grid.ipfs_kit import EVERYBODY, Call, IpfsNodesCase

SOON = 5.0


class PubSubTests(IpfsNodesCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob, self.carol = (self.ipfs(name, **EVERYBODY) for name in ("alice", "bob", "carol"))
        self.connects(self.bob, self.alice)
        self.connects(self.carol, self.bob)

    def pubsub(self, node: GridNode) -> Any:
        return self.room(node).nodes.pubsub

    def reads(self, node: GridNode, topic: str) -> Call:
        call = self.began(node, "pubsub/sub", topic, "False")
        call.is_over()
        return call

    def all_read(self, topic: str = "t") -> list[Call]:
        calls = [self.reads(node, topic) for node in (self.alice, self.bob, self.carol)]
        for call in calls:
            self.addCleanup(call.leave)
        count = lambda node: len(self.asks(node, "pubsub/peers", topic)["Strings"])  # noqa: E731 - one expression
        self.grid.until(lambda: [count(node) for node in (self.alice, self.bob, self.carol)] == [1, 2, 1], SOON)
        return calls

    def says(self, node: GridNode, topic: str, text: str) -> None:
        self.assertEqual(self.asks(node, "pubsub/pub", topic, text), b"")

    def texts(self, call: Call) -> list[str]:
        return [b64decode(row["data"]).decode() for row in call.rows()]

    def test_passed_on(self) -> None:
        """What one says all hear who take part, once, by way of others, with its author; oneself as well."""
        calls = self.all_read()
        self.says(self.alice, "t", "hello")
        self.grid.until(lambda: all(self.texts(call) == ["hello"] for call in calls), SOON, "the message")
        self.says(self.carol, "t", "and you")
        self.grid.until(lambda: all(self.texts(call) == ["hello", "and you"] for call in calls), SOON, "the answer")
        row = calls[2].rows()[0]
        self.assertEqual(row["topicIDs"], ["t"])
        self.assertEqual(b64decode(row["from"]), bytes(self.room(self.alice).nodes.swarm.me()))
        self.assertEqual(len(b64decode(row["seqno"])), 8)
        self.assertEqual(self.asks(self.alice, "pubsub/ls"), {"Strings": ["t"]})
        others = sorted(map(self.peer, (self.alice, self.carol)))
        self.assertEqual(self.asks(self.bob, "pubsub/peers"), {"Strings": others})
        self.grid.run(3)
        self.assertEqual(self.texts(calls[1]), ["hello", "and you"])

    def test_who_reads_no_more(self) -> None:
        """A client that goes ends its part: neighbours learn it, and nothing more comes."""
        calls = self.all_read()
        calls[0].leave()
        self.grid.until(lambda: not self.asks(self.bob, "pubsub/peers", "t")["Strings"][1:], SOON, "the news")
        self.assertEqual(self.asks(self.alice, "pubsub/ls"), {"Strings": []})
        self.says(self.carol, "t", "x")
        self.grid.until(lambda: self.texts(calls[1]) == ["x"], SOON, "the message")
        self.assertEqual(calls[0].received, [])

    def test_two_ways_to_write(self) -> None:
        """Newer clients write topics and data as multibase, and read them so; both take part in the same topic."""
        (call,) = [self.reads(self.alice, "hello")]
        newer = self.reads(self.alice, "uaGVsbG8")
        self.addCleanup(call.leave)
        self.addCleanup(newer.leave)
        self.assertEqual(self.asks(self.alice, "pubsub/ls", multibase=True), {"Strings": ["uaGVsbG8"]})
        self.assertEqual(self.asks(self.alice, "pubsub/pub", "uaGVsbG8", body=b"\xff"), b"")
        self.assertEqual(call.rows()[0]["data"], "/w==")
        row = newer.rows()[0]
        self.assertEqual((row["data"], row["topicIDs"], row["from"]), ("u_w", ["uaGVsbG8"], self.peer(self.alice)))
        self.says(self.alice, "users", "a topic that only begins like one")
        self.assertIn("is required", self.refused(self.alice, "pubsub/pub", "t"))
        self.assertIn("at most", self.refused(self.alice, "pubsub/pub", "t", body=bytes((1 << 20) + 1)))

    def test_slow_reader(self) -> None:
        """A reader that takes nothing loses the oldest messages, and delays nobody."""
        reader = self.pubsub(self.alice).subscribe(b"t")
        device = DeviceKey(bytes(32))
        for number in range(MOST_UNREAD + 10):
            reader.put(TopicMessage(b"t", device.public, number.to_bytes(8, "big"), 0, b"x"))
        self.assertEqual((len(reader.queue), reader.queue.dropped), (MOST_UNREAD, 10))
        first = self.run_now(reader.next())
        self.assertEqual(first.number, (10).to_bytes(8, "big"))
        for number in range(20):
            reader.put(TopicMessage(b"t", device.public, number.to_bytes(8, "big"), 0, bytes(1 << 20)))
        self.assertLess(len(reader.queue), 9)

    def run_now(self, work: Any) -> Any:
        return self.grid.wait(Deferred.fromCoroutine(work))

    def test_slow_neighbour(self) -> None:
        """A neighbour that takes nothing has so many messages waiting for it, and the others hear all."""
        calls = self.all_read()
        self.grid.network.cut = lambda one, other: self.alice.address in (one, other)
        for number in range(MOST_WAITING + 50):
            if number % 50 == 0:
                self.grid.run(6)
            self.says(self.bob, "t", str(number))
        self.grid.run(2)
        self.assertEqual(len(self.texts(calls[2])), MOST_WAITING + 50)
        waiting = [len(one.queue) for one in self.pubsub(self.bob)._neighbours.values()]
        self.assertLessEqual(max(waiting, default=0), MOST_WAITING)
        self.grid.network.cut = lambda one, other: False
        self.grid.pass_time(60)

    def test_a_flood_is_bounded(self) -> None:
        """Of one author, and of one neighbour, so many messages are taken, whoever said them."""
        calls = self.all_read()
        most = int(OF_AUTHOR[1])
        for number in range(most):
            self.says(self.alice, "t", str(number))
        self.assertIn("more was said", self.refused(self.alice, "pubsub/pub", "t", "x"))
        self.grid.until(lambda: len(self.texts(calls[2])) == most, SOON, "the flood")
        self.patch(pubsub, "OF_NEIGHBOUR", (0.1, 5.0))
        keys = [DeviceKey(bytes([number]) * 32) for number in range(1, 11)]
        results = [self.brings(key, 1) for key in keys]
        self.grid.until(lambda: all(results), 30, "the answers")
        self.assertEqual([self.code(one) for one in results].count("busy"), 5)

    def brings(self, key: DeviceKey, count: int, **changes: Any) -> Any:
        """Bob brings Alice a message of somebody."""
        now = int(self.bob.node.world.wall() * 1000)
        message = TopicMessage.said(key, b"t", count, now, b"x")
        fields = message.to_fields() | changes
        session = self.bob.rooms.gateway.session_with(self.alice.fingerprint)
        sending = self.bob.rooms.gateway.outbox.send(
            self.alice.fingerprint, Command.MESSAGE, fields, message.data, session=session
        )
        ended: list[Any] = []
        sending.addBoth(ended.append)
        return ended

    def code(self, ended: list[Any]) -> str:
        error = getattr(ended[0], "value", None) if ended else None
        return error.code if isinstance(error, PeerFailed | BitDustError) else ""

    def test_forgeries(self) -> None:
        """What is not signed by its author, is old, or breaks the form of the packet, is refused and not heard."""
        calls = self.all_read()
        key = DeviceKey(bytes(range(32)))
        now = int(self.bob.node.world.wall() * 1000)
        wrong = {
            "bad-signature": {"signature": bytes(64)},
            "stale": {"time": now - 300_000},
            "bad-field": {"number": b"short"},
        }
        found = {code: self.brings(key, number, **change) for number, (code, change) in enumerate(wrong.items())}
        found["bad-signature2"] = self.brings(key, 9, author=DeviceKey(bytes(32)).public)
        self.grid.run(2)
        self.assertEqual([self.code(one) for one in found.values()], [*wrong, "bad-signature"])
        self.assertEqual(self.texts(calls[0]), [])
        genuine = self.brings(key, 50)
        self.grid.run(1)
        again = self.brings(key, 50)
        self.grid.run(1)
        self.assertEqual((self.code(genuine), self.code(again)), ("", ""))
        self.assertEqual(self.texts(calls[0]), ["x"])

    def test_permission(self) -> None:
        """Who is neither friend nor connected to by hand takes no part, and learns no topics."""
        self.alice.node.settings.set("services/ipfs/share-with", "friends")
        call = self.reads(self.alice, "t")
        other = self.reads(self.bob, "t")
        self.addCleanup(call.leave)
        self.addCleanup(other.leave)
        self.grid.run(3)
        self.assertEqual(self.asks(self.bob, "pubsub/peers", "t"), {"Strings": []})
        self.says(self.bob, "t", "x")
        self.grid.run(2)
        self.assertEqual(call.received, [])
        self.connects(self.alice, self.bob)
        self.grid.until(lambda: self.asks(self.bob, "pubsub/peers", "t")["Strings"], SOON, "the greeting")

    def test_most_topics(self) -> None:
        """There is a limit of topics that one node reads."""
        reading = self.pubsub(self.carol)
        for number in range(MOST_TOPICS):
            reading.subscribe(b"%d" % number)
        self.assertEqual(self.assertRaises(BitDustError, reading.subscribe, b"more").code, "busy")
        reading.subscribe(b"1")
        self.assertEqual(self.assertRaises(BitDustError, reading.subscribe, b"").code, "bad-argument")
