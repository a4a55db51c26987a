"""A device without the RSA key, and a key ring of another one that did not know it: what is in that one stays."""

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import RingKey
from bitdust.storage.log.kept_ring import UNOPENED
from bitdust.storage.log.keyring_replica import KIND, MAX_ANSWER
from bitdust.wire.packet import Command
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import Node, PeerFailed, master_key, network, random_file, stop_quietly


class UnopenedCase(SynchronousTestCase):
    """The first device makes a key, and is lost; the second one, which it never heard of, is detached."""

    def setUp(self) -> None:
        self.base, self.around, self.first = network(self)
        random_file(self.base / "file", 9000)
        self.first.upload(self.base / "file", "file")
        self.first.pass_time(5)
        self.second = Node(self.base / "second", self.around, before=self.first)
        self.addCleanup(stop_quietly, self.second)
        self.second.start().pass_time(5)
        self.second.me.detach()
        self.second.stop()
        self.first.me.key_ring.add(RingKey("photos", "made by the person"))
        self.first.me.save_key_ring()
        self.first.storage.core.key_ring_replicas.keys_changed()
        self.first.pass_time(5)
        self.first.kill()

    def again(self) -> Node:
        """The second device starts, and changes its ring."""
        node = Node(self.second.home, self.around, before=self.first)
        self.addCleanup(stop_quietly, node)
        node.start().pass_time(5)
        node.me.key_ring.add(RingKey("travels", "made by the person"))
        node.me.save_key_ring()
        node.storage.core.key_ring_replicas.keys_changed()
        node.pass_time(5)
        self.assertTrue(node.storage.core.key_ring_replicas.synchronized)
        return node

    def recovered(self) -> Node:
        """A third device, with the RSA key."""
        node = Node(self.base / "third", self.around, before=self.second)
        self.addCleanup(stop_quietly, node)
        node.start().pass_time(30)
        return node

    def forget(self, *numbers: int) -> None:
        """These suppliers lose their disks."""
        for number in numbers:
            self.around.suppliers[number].shop.store._writer.execute("DELETE FROM records")

    def knows(self, node: Node) -> tuple[bool, bool]:
        return "photos" in node.me.key_ring, "travels" in node.me.key_ring


class UnopenedTests(UnopenedCase):
    def test_suppliers_that_come_get_both(self) -> None:
        """After all suppliers but one were replaced, each has what both devices had made."""
        node = self.again()
        self.assertEqual(self.knows(node), (False, True))
        self.forget(0, 1, 2)
        for supplier in self.around.suppliers[:3]:
            node.storage.core.supplier_accepted(supplier.fingerprint)
        node.pass_time(60)
        node.kill()
        self.forget(3)
        self.assertEqual(self.knows(self.recovered()), (True, True))

    def test_one_that_is_not_taken(self) -> None:
        """A supplier for which the other ring is too far ahead of what it has gets that of this device all the same."""
        node = self.again()
        self.forget(0)
        supplier = self.around.suppliers[0]
        ask, refused = supplier.ask, []

        def refuses(me, command, fields, payload, deadline):
            is_ring = (command, fields.get("kind")) == (Command.DATA, KIND)
            if is_ring and Signed.from_bytes(payload, KIND, MAX_ANSWER).device != node.me.device.id:
                refused.append(payload)
                return fail(PeerFailed({"code": "bad-field", "text": "this revision is too far ahead"}))
            return ask(me, command, fields, payload, deadline)

        self.patch(supplier, "ask", refuses)
        node.storage.core.supplier_accepted(supplier.fingerprint)
        node.pass_time(60)
        self.assertEqual(len(refused), 1)
        self.assertTrue(node.storage.core.key_ring_replicas.is_held_by(supplier.fingerprint))

    def test_after_a_restart(self) -> None:
        """What is beneath the ring of this device at suppliers is found again by the next run."""
        node = self.again()
        node.stop()
        again = Node(node.home, self.around, before=self.first)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.forget(0, 1, 2)
        for supplier in self.around.suppliers[:3]:
            again.storage.core.supplier_accepted(supplier.fingerprint)
        again.pass_time(60)
        again.kill()
        self.forget(3)
        self.assertEqual(self.knows(self.recovered()), (True, True))

    def test_the_key_is_here_again(self) -> None:
        """When the RSA key is attached the other ring is opened, at once or after a restart."""
        node = self.again()
        self.assertTrue((node.home / "metadata" / UNOPENED).exists())
        node.me.attach(master_key())
        node.pass_time(5)
        self.assertEqual(self.knows(node), (True, True))
        self.assertFalse((node.home / "metadata" / UNOPENED).exists())

    def test_the_key_came_while_nobody_was_there(self) -> None:
        """A node that was attached while no supplier could be reached opens the other ring in its next run."""
        node = self.again()
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        node.me.attach(master_key())
        node.pass_time(1)
        node.kill()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        again = Node(node.home, self.around, before=self.first)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(30)
        self.assertEqual(self.knows(again), (True, True))
