"""People who write to each other: no storage, many nodes, one clock."""

from typing import Any

from bitdust.testing.grid import GridNode
from bitdust.wire.messages import Message
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER, GridCase


class MessagesCase(GridCase):
    """Alice and bob have neither suppliers nor customers."""

    def setUp(self) -> None:
        super().setUp()
        self.heard: dict[str, list[Message]] = {}

    def person(self, name: str) -> GridNode:
        node = self.grid.add(name, **NO_SUPPLIER, **NO_CUSTOMER)
        node.start()
        node.create_identity()
        self.follow(node)
        return node

    def follow(self, node: GridNode) -> None:
        """Note what comes to a node; a node that starts again goes on in the same list."""
        self.grid.until(lambda: node.is_on("private_messages"), 120, "messages")
        heard = self.heard.setdefault(node.name, [])
        node.rooms.people.messages.incoming.received.connect(heard.append)

    def send(self, node: GridNode, other: GridNode, **data: Any) -> Any:
        sent = self.grid.wait(node.rooms.people.messages.send(other.fingerprint, data))
        self.addCleanup(sent.arrived.addErrback, lambda _: None)
        return sent

    def texts(self, node: GridNode) -> list[Any]:
        return [message.data.get("text") for message in self.heard[node.name]]

    def introduce(self, one: GridNode, other: GridNode) -> None:
        """One knows the other's document, as whoever has looked a name up does."""
        one.rooms.identity.cache.accept(other.rooms.identity.me.document)


class OnlineTests(MessagesCase):
    def test_a_message_arrives(self) -> None:
        """A message to somebody who is online is there within seconds, and acknowledged when it is stored."""
        alice, bob = self.person("alice"), self.person("bob")
        self.introduce(alice, bob)
        sent = self.send(alice, bob, text="hello")
        self.assertEqual(self.grid.wait(sent.arrived, 10), "stored")
        (message,) = self.heard["bob"]
        self.assertEqual((message.sender, message.data, message.sequence), (alice.fingerprint, {"text": "hello"}, 1))
        self.send(bob, alice, text="hello too")
        self.grid.until(lambda: self.texts(alice) == ["hello too"], 10, "the answer")
