"""Conversations that go on while who takes part changes: another name and host, another device, lines that fail."""

from typing import Any

from bitdust.people.history.values import Filter, Page
from bitdust.testing.grid import SEED_HOST, GridNode
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER
from tests.grid.test_messages import MessagesCase


class ConversationCase(MessagesCase):
    def lines(self, node: GridNode, sender: GridNode) -> list[Any]:
        """What a person has written, as a node has it stored, in the order of that."""
        found = self.grid.wait(node.rooms.people.history.page(Filter(), Page(1000)), 30)
        return [one.message.data["text"] for one in found if one.message.sender == sender.fingerprint]

    def conversations(self, *nodes: GridNode) -> set[str]:
        """In which conversations their messages are."""
        pages = [self.grid.wait(node.rooms.people.history.page(Filter(), Page(1000)), 30) for node in nodes]
        return {one.message.conversation for page in pages for one in page}

    def from_device(self, node: GridNode, device: GridNode) -> list[Any]:
        """The same, of one device alone."""
        ident = device.rooms.identity.me.device.id
        found = self.grid.wait(node.rooms.people.history.page(Filter(), Page(1000)), 30)
        return [one.message.data["text"] for one in found if one.message.sender_device == ident]

    def lives(self, node: GridNode) -> None:
        """Its next life can write."""
        self.grid.until(lambda: node.is_on("private_messages"), 300, "the next life")

    def idle(self, *nodes: GridNode) -> bool:
        """Nothing is on its way any more."""
        return all(not node.rooms.people.messages.letters.desk.rows for node in nodes)


class MovingTests(ConversationCase):
    def test_moves_while_both_write(self) -> None:
        """One of them moves to another ID server while both write, the old one is gone, and so is its process, which
        comes back elsewhere: each message is there once, in order, in one conversation, under the new name."""
        host = "10.0.0.2"
        serves = {"services/identity-server/enabled": True, "services/identity-server/host": host}
        self.grid.add("second", **NO_SUPPLIER, **NO_CUSTOMER, **serves).start()
        alice, bob = self.person("alice"), self.person("bob")
        self.introduce(alice, bob)
        before = bob.rooms.identity.me.document.idurl
        for number in range(12):
            self.send(alice, bob, text=number)
            self.send(bob, alice, text=number)
            self.grid.run(0.2)
            if number == 3:
                known = "services/identity-propagate/known-servers"
                bob.settings[known] = f"{SEED_HOST}:8084,{host}:8084"
                bob.node.settings.set(known, bob.settings[known])
                self.moving = bob.rooms.identity.rotation.rotate()
            if number == 8:
                self.grid.wait(self.moving, 60)
                bob.crash()
                bob = bob.again("10.0.0.77")
                self.lives(bob)
        self.grid.until(lambda: self.idle(alice, bob), 900, "all of them")
        self.assertNotEqual(bob.rooms.identity.me.document.idurl, before)
        for node in (alice, bob):
            for sender in (alice, bob):
                self.assertEqual(self.lines(node, sender), list(range(12)), (node.name, sender.name))
        self.assertEqual(len(self.conversations(alice, bob)), 1)
        known = alice.rooms.identity.cache.get(bob.fingerprint)
        self.assertEqual(known.idurl, bob.rooms.identity.me.document.idurl)


class TwoDevicesTests(ConversationCase):
    def test_two_devices_of_one_person(self) -> None:
        """Both devices of bob and alice write, while one of his devices is cut off and the other one dies: in the end
        all three have each message once, those of each device in order, and none is on its way; both of his devices
        have the friend of one."""
        alice, bob = self.person("alice"), self.person("bob")
        key_file = bob.rooms.identity.registration.backup(None)
        other = self.grid.add_stranger("bob-again", **NO_SUPPLIER, **NO_CUSTOMER)
        other.start()
        self.grid.wait(other.rooms.identity.registration.recover(key_file, None, None), 300)
        self.follow(other)
        self.grid.until(lambda: len(bob.rooms.identity.me.document.devices) == 2, 400, "the other device")
        self.introduce(alice, bob)
        self.grid.wait(other.rooms.people.friends.add(alice.rooms.identity.me.document, "Alice"))
        written: dict[str, list[Any]] = {"alice": [], "bob": [], "bob-again": []}
        cut = {other.address}
        for number in range(12):
            for node, to in ((alice, bob), (bob, alice), (other, alice)):
                self.send(node, to, text=f"{node.name} {number}")
                written[node.name].append(f"{node.name} {number}")
            self.grid.run(0.3)
            if number == 3:
                self.grid.network.cut = lambda one, two: (one in cut) != (two in cut)
            if number == 6:
                bob.crash()
                bob = bob.again("10.0.0.78")
                self.lives(bob)
            if number == 9:
                self.grid.network.cut = lambda one, two: False
        everybody = (alice, bob, other)
        self.grid.until(lambda: self.idle(*everybody), 3000, "all of them")
        for node in everybody:
            for device in everybody:
                found = self.from_device(node, device)
                self.assertEqual(found, written[device.name], (node.name, device.name))
        self.assertEqual(len(self.conversations(*everybody)), 1)
        self.assertEqual([friend.alias for friend in bob.rooms.people.friends.all()], ["Alice"])
