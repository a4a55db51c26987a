"""A stolen device orders nothing from suppliers: it writes into its log, and the owner's other devices carry it out."""

from attrs import evolve
from cbor2 import loads

from bitdust.crypt.keyring import MASTER
from bitdust.events import Events
from bitdust.formats.operations import Op, earlier_op, move_op, pack_op, tombstone_op, version_ops
from bitdust.identity.revocation import Revocations
from bitdust.storage.catalog import catalog
from bitdust.storage.catalog.catalog import lamport as LAMPORT
from bitdust.storage.catalog.moves import current
from bitdust.storage.catalog.paths import versions
from bitdust.wire.names import new_version, version_time
from bitdust.wire.records import PackRecord
from tests.unit.storage_kit import Node, random_file, stop_quietly
from tests.unit.test_other_devices import OtherDeviceCase

DAY = 86_400.0


class CatalogDeletesCase(OtherDeviceCase):
    """``node`` is the owner's, with a file of a pack; ``thief`` has a copy of another home of the owner's."""

    def setUp(self) -> None:
        super().setUp()
        self.data = random_file(self.base / "file", 200_000)
        self.node.upload(self.base / "file", "file")
        self.thief = self.second()
        self.node.me.replace_document(self.thief.me.document)
        self.compare()
        self.me, world = self.node.me, self.core.world
        self.revocations = Revocations(world, Events(world.clock, world.wall), self.me)
        self.revocations.logs = self.node.storage

    def compare(self, node: Node | None = None) -> None:
        if self.thief.storage.core.catalog.is_open:
            self.thief.pass_time(5)
        (node or self.node).storage.core.log_replicas.pull_again()
        self.node.pass_time(5)

    def destroy(self) -> None:
        """All items, and the pack of the file by name, long ago by the word of the thief."""
        database = self.thief.storage.core.catalog.read
        paths = [path for (path,) in database.execute("SELECT path FROM items")]
        packs = [bytes(pack) for (pack,) in database.execute("SELECT pack FROM packs")]
        self.thief.wait(self.thief.storage.core.log_writer.write([tombstone_op(paths, packs, 1)]))
        self.compare()
        self.assertEqual(self.names(), [])

    def revoke(self) -> None:
        self.revocations.revoke(self.me.document.device(self.thief.me.device.id))
        self.core.key_ring_replicas.keys_changed()
        self.compare()
        self.revocations.settle()

    def names(self, node: Node | None = None) -> list[str]:
        return [row["path"] for row in (node or self.node).rows()]

    def days(self, count: int) -> None:
        """Rounds of so many days, with nobody else there."""
        if self.thief.storage.core.catalog.is_open:
            self.thief.kill()
        for _ in range(count * 4):
            self.node.clock.advance(DAY / 4)
            self.core.monitor.deleted()
            self.node.pass_time(20)

    def assert_back(self, node: Node, *more: str) -> None:
        self.assertEqual(self.names(node), sorted(["file", "one", "three", "two", *more]))
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)


class CatalogDeletesTests(CatalogDeletesCase):
    def test_a_revocation_brings_it_back(self) -> None:
        """Alone again, the owner's device carries nothing out; all of it is there, also for who reads later."""
        self.destroy()
        self.revoke()
        self.compare()
        self.days(3)
        self.assert_back(self.node)
        again = Node(self.base / "again", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.assert_back(again)

    def test_nobody_is_revoked_yet(self) -> None:
        """It is reported as a mass; nothing is deleted for as long as the setting says; the person brings it back."""
        self.destroy()
        (event,) = self.node.events_of("deletion-held-back")
        self.assertEqual((event["what"], event["device"], event["packs"]), ("items", 1, 1))
        self.days(25)
        self.assertEqual((self.names(), self.pieces()), ([], [1, 1, 1, 1]))
        held = self.core.held_deletions
        (row,) = self.node.run(held.rows())
        self.assertEqual((row["packs"], row["this_device"]), (1, False))
        self.assertEqual(self.node.run(held.undo(self.thief.me.device.id)), 4)
        self.assert_back(self.node)

    def test_it_was_meant(self) -> None:
        """What nobody takes back is deleted when the days are over, and at once where another device confirms it."""
        self.destroy()
        self.node.run(self.core.held_deletions.confirm(self.thief.me.device.id))
        self.assertEqual(self.node.run(self.core.held_deletions.rows()), [])
        self.days(32)
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_packs_that_move_to_garbage(self) -> None:
        """A move to a pack that holds nothing lets the old one stay for as long, and is undone with the rest."""
        database = self.thief.storage.core.catalog.read
        pack, record, names, lengths = database.execute("SELECT pack, record, names, lengths FROM packs").fetchone()
        made = PackRecord.from_body(bytes(record))
        garbage = evolve(made, pack=bytes(16), roots=[bytes(32)] * 4)
        epoch, _ = self.me.key_ring.current(MASTER)
        ops = [pack_op(garbage, MASTER, epoch, bytes(names), loads(lengths)), move_op(bytes(pack), bytes(16))]
        self.thief.wait(self.thief.storage.core.log_writer.write(ops))
        self.compare()
        self.assertEqual(current(self.core.catalog.read, bytes(pack)), bytes(16))
        self.days(3)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.revoke()
        self.compare()
        self.assertEqual(current(self.core.catalog.read, bytes(pack)), bytes(pack))
        self.days(3)
        self.assert_back(self.node)

    def write(self, lamport: int, ops: list[Op]) -> None:
        """An entry of the thief's with any place in the order."""
        self.patch(catalog, "lamport", lambda database, name: lamport - 1)
        self.thief.wait(self.thief.storage.core.log_writer.write(ops))
        self.patch(catalog, "lamport", LAMPORT)
        self.compare()

    def test_the_last_place_in_the_order(self) -> None:
        """An entry behind which nothing could be written is not taken; neither is one that repeats such a one."""
        tombstone = tombstone_op(["0"], [], 1)
        for lamport, op in ((2**63 - 1, tombstone), (20, earlier_op(2**63 - 1, self.me.device.id, 1, [tombstone]))):
            self.write(lamport, [op])
            self.assertEqual(self.names(), ["file", "one", "three", "two"])
        self.node.create("later")
        self.node.wait(self.core.log_writer.write([tombstone_op(["0"], [], 1)]))
        self.assertEqual(self.names(), ["file", "later", "three", "two"])

    def test_in_the_name_of_another_device(self) -> None:
        """What it says that the owner's device had deleted long ago is brought back with what it deletes itself."""
        database = self.thief.storage.core.catalog.read
        paths = [path for (path,) in database.execute("SELECT path FROM items")]
        self.write(30, [earlier_op(29, self.me.device.id, 1, [tombstone_op(paths, [], 1)])])
        self.assertEqual(self.names(), [])
        self.revoke()
        self.compare()
        self.assertEqual(self.names(), ["file", "one", "three", "two"])

    def test_versions_of_long_ago(self) -> None:
        """Versions that are dated so that another one looks old make nothing old, for as long as things are undone."""
        path, version = self.core.catalog.read.execute("SELECT path, version FROM versions").fetchone()
        self.node.clock.advance(40 * DAY)
        dates = [new_version(version_time(version) + number, 1) for number in (1, 2, 3)]
        ops = [op for date in dates for op in version_ops(path, date, 0, 0o600, 0, [])]
        self.thief.wait(self.thief.storage.core.log_writer.write(ops))
        self.compare()
        for days, expected in ((28, [version, *dates]), (4, dates[1:])):
            self.days(days)
            self.assertEqual([one.version for one in versions(self.core.catalog.read, path)], expected)
