"""People who write to each other: no storage, many nodes, one clock."""

from typing import Any

from bitdust.people.history.values import Filter, Page
from bitdust.testing.grid import GridNode
from bitdust.wire.messages import Message
from bitdust.wire.names import IDURL
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

    def stored(self, node: GridNode) -> list[Any]:
        """What came to a node, from the history."""
        page = node.rooms.people.history.page(Filter(direction="incoming"), Page())
        return [one.message.data["text"] for one in self.grid.wait(page, 10)]

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

    def test_connections_that_break(self) -> None:
        """Connections that break again and again while both write lose, double and reorder nothing."""
        alice, bob = self.person("alice"), self.person("bob")
        self.introduce(alice, bob)
        for number in range(12):
            self.send(alice, bob, text=number)
            self.send(bob, alice, text=number) if number else None
            self.grid.run(0.1)
            for session in alice.rooms.gateway.sessions():
                if session.peer.fingerprint == bob.fingerprint:
                    session.close("stopping", "a test cuts it")
        self.grid.until(lambda: len(self.texts(alice)) == 11 and len(self.texts(bob)) == 12, 600, "all of them")
        self.grid.run(30)
        self.assertEqual((self.texts(alice), self.texts(bob)), (list(range(1, 12)), list(range(12))))

    def test_another_name(self) -> None:
        """Who moves to another ID server in the middle of a conversation stays the same person in it."""
        alice, bob = self.person("alice"), self.person("bob")
        self.introduce(alice, bob)
        self.grid.wait(self.send(alice, bob, text=1).arrived, 60)
        me = bob.rooms.identity.me
        me.replace_document(me.revise(sources=(IDURL.parse("http://10.0.0.9/bob.xml"),)))
        self.send(bob, alice, text="from my new name")
        self.grid.until(lambda: self.texts(alice) == ["from my new name"], 60, "the answer")
        self.grid.wait(self.send(alice, bob, text=2).arrived, 60)
        self.assertEqual({one.conversation for one in self.heard["bob"]}, {self.heard["alice"][0].conversation})


class DevicesTests(MessagesCase):
    def test_two_devices(self) -> None:
        """Both devices of a person have what is written to her, and each has what the other one wrote."""
        alice, bob = self.person("alice"), self.person("bob")
        key_file = bob.rooms.identity.registration.backup(None)
        other = self.grid.add_stranger("bob-again", **NO_SUPPLIER, **NO_CUSTOMER)
        other.start()
        self.grid.wait(other.rooms.identity.registration.recover(key_file, None, None), 300)
        self.follow(other)
        self.grid.until(lambda: len(bob.rooms.identity.me.document.devices) == 2, 400, "the other device")
        self.introduce(alice, bob)
        self.send(alice, bob, text="to both")
        self.grid.until(lambda: self.texts(bob) == self.texts(other) == ["to both"], 120, "the message")
        self.send(other, alice, text="from one")
        self.grid.until(lambda: self.texts(alice) == ["from one"], 120, "the answer")
        self.grid.until(lambda: "from one" in self.texts(bob), 120, "what the other wrote")
        self.assertEqual(self.heard["bob"][-1].direction, "outgoing")


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

    def test_a_partition(self) -> None:
        """Who cannot reach each other write over mailboxes that both reach; once they meet nothing comes twice."""
        apart = {self.alice.address, self.bob.address}
        self.grid.network.cut = lambda one, other: {one, other} == apart
        for number in range(3):
            self.send(self.alice, self.bob, text=number)
        self.grid.until(lambda: self.texts(self.bob) == [0, 1, 2], 300, "the messages")
        self.send(self.alice, self.bob, text=3)
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.texts(self.bob) == [0, 1, 2, 3], 300, "the last one")
        self.grid.until(lambda: self.done(self.alice), 1800, "the acknowledgement")
        self.assertEqual(self.texts(self.bob), [0, 1, 2, 3])

    def test_killed_and_back(self) -> None:
        """Both are killed in the middle of it, one after the other: nothing is lost or there twice."""
        for number in range(4):
            self.send(self.alice, self.bob, text=number)
        self.grid.run(0.03)
        self.bob.crash()
        bob = self.again(self.bob, "10.0.0.30")
        for number in range(4, 8):
            self.send(self.alice, bob, text=number)
        self.alice.crash()
        alice = self.again(self.alice, "10.0.0.31")
        self.grid.until(lambda: self.done(alice), 1800, "the end")
        stored = self.grid.wait(bob.rooms.people.history.page(Filter(direction="incoming"), Page()), 10)
        self.assertEqual(sorted(one.message.sequence for one in stored), list(range(1, 9)))


class SuppliersTests(MessagesCase):
    def test_suppliers_keep_mailboxes(self) -> None:
        """Who has suppliers needs no friends to be written to while away: two of them keep the mailboxes."""
        self.add_suppliers(2)
        alice = self.person("alice")
        bob = self.add_customer("bob", **{"services/customer/suppliers-number": 2})
        self.follow(bob)
        upkeep = bob.rooms.people.messages.upkeep
        self.grid.until(lambda: upkeep.state == "FRESH" and len(upkeep.mailboxes) == 2, 1200, "the mailboxes")
        self.assertEqual(set(upkeep.mailboxes), {one.fingerprint for one in self.suppliers})
        self.introduce(alice, bob)
        bob.crash()
        sent = self.send(alice, bob, text="kept by suppliers")
        self.assertEqual(self.grid.wait(sent.arrived, 300), "kept")
        alice.crash()
        born = bob.again("10.0.0.40")
        self.grid.until(lambda: born.is_on("private_messages"), 120, "messages")
        self.grid.until(lambda: self.stored(born) == ["kept by suppliers"], 1200, "the message")
