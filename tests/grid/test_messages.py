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


class MailboxCase(MessagesCase):
    """Carol and dave are friends of bob and keep his mailboxes."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.keepers = [self.person("carol"), self.person("dave")]
        for keeper in self.keepers:
            self.befriend(self.bob, keeper)
        self.introduce(self.alice, self.bob)
        self.grid.until(lambda: self.is_fresh(self.bob, 2), 120, "the mailboxes")

    def befriend(self, one: GridNode, other: GridNode) -> None:
        for mine, theirs in ((one, other), (other, one)):
            self.grid.wait(mine.rooms.people.friends.add(theirs.rooms.identity.me.document))

    def is_fresh(self, node: GridNode, mailboxes: int) -> bool:
        upkeep = node.rooms.people.messages.upkeep
        return upkeep.state == "FRESH" and len(upkeep.mailboxes) == mailboxes

    def kept(self, keeper: GridNode) -> int:
        return self.grid.wait(keeper.rooms.people.mailboxes.store.figures())[1]

    def again(self, node: GridNode, address: str) -> GridNode:
        """The node's next life, which goes on hearing."""
        born = node.again(address)
        self.grid.until(lambda: born.is_on("private_messages"), 120, "messages")
        self.follow(born)
        return born

    def done(self, node: GridNode) -> bool:
        """Nothing is on its way any more."""
        return not node.rooms.people.messages.letters.desk.rows


class AwayTests(MailboxCase):
    def test_somebody_away(self) -> None:
        """What is written to somebody who is away is kept at two mailboxes, and there once, in order, on return; the
        mailboxes and the sender forget it then."""
        self.bob.crash()
        sent = [self.send(self.alice, self.bob, text=number) for number in range(5)]
        self.assertEqual(self.grid.wait(sent[-1].arrived, 300), "kept")
        self.assertEqual([self.kept(keeper) for keeper in self.keepers], [5, 5])
        self.alice.crash()
        bob = self.again(self.bob, "10.0.0.20")
        self.grid.until(lambda: len(self.heard["bob"]) == 5, 300, "the messages")
        self.assertEqual(self.texts(bob), list(range(5)))
        self.grid.until(lambda: [self.kept(keeper) for keeper in self.keepers] == [0, 0], 1200, "the deletion")
        alice = self.again(self.alice, "10.0.0.21")
        self.grid.until(lambda: self.done(alice), 1200, "the acknowledgement")
        self.assertEqual(self.texts(bob), list(range(5)))
