"""A person starts over without the former key ring, works on, and then the former ring is found all the same."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.wire.records import Head
from tests.unit.storage_kit import Node, network, random_file, stop_quietly
from tests.unit.supplier_kit import START

SHARE, LATER = "wedding", "travels"
"""Aliases of keys: the first is made in both lives, the other one in the second life alone."""


class TwoLives(SynchronousTestCase):
    """Four suppliers hold logs and pieces of a first life; its ring is at the last one alone, and that one is away."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.data: dict[str, bytes] = {}
        self.hints: list[list[Head]] = []

    def key(self, alias: str, node: Node) -> str:
        if alias not in node.me.key_ring:
            node.me.key_ring.add(RingKey(alias, "made by the person"))
        return f"{alias}${node.me.document.global_id}"

    def write(self, node: Node, name: str, *aliases: str) -> None:
        """Store a file of its own under the master key and under each of the others."""
        for alias in ("", *aliases):
            path = self.base / "files" / f"{name}{alias}"
            remote = f"{self.key(alias, node)}:{name}" if alias else name
            self.data[f"{alias}{name}"] = random_file(path, 9000)
            node.upload(path, remote)
        node.pass_time(1)

    def back(self, node: Node) -> None:
        """Everything of both lives is listed, and comes back byte for byte."""
        listed = node.rows()
        self.assertEqual(len(listed), len(self.data))
        for number, row in enumerate(listed):
            alias = row["key_id"].partition("$")[0]
            target = self.base / "back" / f"{node.home.name}-{len(listed)}-{number}"
            node.download(row["remote_path"], target)
            (found,) = (path.read_bytes() for path in target.rglob("*") if path.is_file())
            self.assertEqual(found, self.data[("" if alias == MASTER else alias) + row["path"]], row["remote_path"])

    def note_hints(self, node: Node) -> None:
        """What a key file that is written now says of the logs."""
        self.hints.append(node.storage.heads())

    def others(self, mode: str) -> None:
        self.around.suppliers[3].mode = mode

    def first_life(self) -> None:
        self.write(self.node, "old", SHARE)
        self.note_hints(self.node)
        self.node.kill()
        for supplier in self.around.suppliers[:3]:
            supplier.shop.store._writer.execute("DELETE FROM records")

    def second_life(self, before: Node) -> Node:
        """A recovered node that finds no ring, starts over, and works for a while."""
        self.others("away")
        node = Node(self.base / "second", self.around, Clock(), before=before)
        self.addCleanup(stop_quietly, node)
        node.start().me.start_over()
        node.pass_time(30)
        self.write(node, "new", SHARE, LATER)
        node.pass_time(700, 5)
        self.write(node, "newer", SHARE, LATER)
        self.assertTrue(node.storage.core.log_replicas.synchronized)
        self.note_hints(node)
        return node

    def find_the_ring(self, node: Node) -> None:
        self.others("fine")
        node.storage.core.suppliers_changed()
        node.storage.core.supplier_accepted(self.around.suppliers[3].fingerprint)
        node.pass_time(60)

    def all_acknowledge(self, node: Node) -> None:
        core = node.storage.core
        self.assertTrue(core.log_replicas.synchronized, core.log_replicas.reason)
        for supplier in self.around.suppliers:
            self.assertTrue(core.log_replicas.is_held_by(supplier.fingerprint))
            self.assertTrue(core.key_ring_replicas.is_held_by(supplier.fingerprint))

    def recovered(self, before: Node, name: str, heads: list[Head], dht: bool) -> Node:
        """A third node that has nothing but the key file, with these hints, and what the DHT knows."""
        known = self.around.heads if dht else []
        self.around.heads = [*known, *heads]
        node = Node(self.base / name, self.around, Clock(), before=before)
        self.addCleanup(stop_quietly, node)
        node.start().pass_time(30)
        self.assertTrue(node.storage.core.log_replicas.knows_all, node.storage.core.log_replicas.reason)
        return node


class FormerRingTests(TwoLives):
    def lives(self) -> Node:
        self.first_life()
        node = self.second_life(self.node)
        self.find_the_ring(node)
        self.write(node, "newest", SHARE, LATER)
        self.note_hints(node)
        return node

    def test_both_lives_go_on(self) -> None:
        """When the former ring comes, files of both lives are restored, and all suppliers take what is new."""
        node = self.lives()
        self.all_acknowledge(node)
        self.back(node)

    def test_the_person_is_told(self) -> None:
        """Once, as an event with the number of files that are back, and for whoever asks later."""
        node = self.lives()
        self.assertEqual(node.events_of("former-key-ring-found"), [{"files": 2}])
        known = node.storage.core.other_life.reunion
        self.assertEqual((known.files, known.time > START), (2, True))

    def test_after_a_restart(self) -> None:
        """A node that ends and starts again in that state goes on writing."""
        node = self.lives()
        node.stop()
        again = Node(node.home, self.around, node.clock)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.write(again, "last", SHARE, LATER)
        self.all_acknowledge(again)
        self.back(again)

    def test_the_next_recovery(self) -> None:
        """With a key file of any stage, with the DHT or without, everything of both lives comes back, and goes on."""
        node = self.lives()
        node.kill()
        for number, heads in enumerate(self.hints):
            for dht in (True, False):
                third = self.recovered(node, f"third-{number}-{dht}", heads, dht)
                self.back(third)
                self.write(third, f"written by {third.home.name}", SHARE)
                self.all_acknowledge(third)
                third.kill()
                node = third


class TwoDevicesTests(TwoLives):
    """The first device is only off while the second one starts over."""

    def setUp(self) -> None:
        super().setUp()
        self.write(self.node, "old", SHARE)
        self.note_hints(self.node)
        self.node.stop()
        for supplier in self.around.suppliers[:3]:
            supplier.shop.store._writer.execute("DELETE FROM records")
        self.second = self.second_life(self.node)
        self.others("fine")
        self.first = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, self.first)
        self.first.me.replace_document(self.second.me.document)
        self.first.start()
        self.meet()

    def meet(self) -> None:
        """Suppliers tell each device that the other one has brought something."""
        for node in (self.first, self.second) * 3:
            core = node.storage.core
            core.key_ring_replicas.others_wrote()
            core.log_replicas.others_wrote()
            node.pass_time(20)

    def test_both_go_on(self) -> None:
        """Rings and files of both are the same on both devices, each writes on, and suppliers take all of it."""
        for node, name in ((self.first, "by the first"), (self.second, "by the second")):
            self.write(node, name, SHARE, LATER)
        self.meet()
        self.assertEqual(self.first.me.key_ring.to_bytes(), self.second.me.key_ring.to_bytes())
        for node in (self.first, self.second):
            self.all_acknowledge(node)
            self.back(node)
            self.assertEqual(len(node.events_of("former-key-ring-found")), 1)

    def test_the_next_recovery(self) -> None:
        """With a key file of either device everything of both comes back."""
        for node, name in ((self.first, "by the first"), (self.second, "by the second")):
            self.write(node, name, SHARE, LATER)
            self.note_hints(node)
        self.first.kill()
        self.second.kill()
        before = self.second
        for number, heads in enumerate(self.hints):
            third = self.recovered(before, f"third-{number}", heads, number % 2 == 0)
            self.back(third)
            self.write(third, f"written by {third.home.name}", SHARE)
            third.kill()
            before = third

    def test_what_was_deleted_stays_deleted(self) -> None:
        """A snapshot in one scope stands for the log in the other one too: what it leaves out does not come back."""
        share = self.key(SHARE, self.second)
        self.second.delete(f"{share}:old")
        del self.data[f"{SHARE}old"]
        self.second.pass_time(5)
        self.meet()
        self.second.storage.core.log_replicas.is_alone = lambda: True  # as if thirty days had passed
        compactor = self.second.storage.core.compactor
        compactor.least_log = 1
        compactor.check()
        self.second.pass_time(30)
        self.assertGreater(self.second.storage.core.catalog.first_sequence(SHARE, self.second.me.device.id), 1)
        self.write(self.second, "after the snapshot", SHARE)
        self.first.kill()
        self.second.kill()
        third = self.recovered(self.second, "third", [], True)
        self.back(third)
