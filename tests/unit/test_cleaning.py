"""When pieces at suppliers are let go, with one device and with several."""

from attrs import evolve
from twisted.trial.unittest import TestCase

from bitdust.identity.document import IdentityDocument
from bitdust.storage.catalog.database import PackState, PieceState, open_catalog
from bitdust.storage.keeping import disposal
from tests.unit.storage_kit import START, Node, master_key, network, random_file, stop_quietly

DAY = 86_400
SMALL = 200_000


class CleaningTests(TestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.data = random_file(self.base / "file", SMALL)
        self.node.upload(self.base / "file", "file")

    def second(self) -> Node:
        """Another device of the same person, which goes away at once."""
        node = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, node)
        node.start()
        self.node.me.replace_document(node.me.document)
        node.pass_time(10)
        node.stop()
        return node

    def pieces(self) -> list[int]:
        return [supplier.pieces() for supplier in self.around.suppliers]

    def round(self) -> None:
        """Let a whole round pass."""
        self.node.storage.sync()
        self.node.pass_time(30)

    def test_one_device(self) -> None:
        """With one device the pieces of a deleted file are let go with the next cleaning."""
        self.node.delete("file")
        self.node.pass_time(30)
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_another_device(self) -> None:
        """With another device, which may be building on them unheard, pieces stay for thirty days."""
        self.second()
        self.node.delete("file")
        self.round()
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.node.clock.advance(29 * DAY)
        self.round()
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.node.clock.advance(2 * DAY)
        self.round()
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_revoked_device(self) -> None:
        """A device that was revoked does not count."""
        other = self.second().me.device.public
        document = self.node.me.document
        revision = document.revision + 1
        devices = tuple(evolve(one, revoked=revision) if one.key == other else one for one in document.devices)
        revised = IdentityDocument.create(master_key(), document.sources, revision, devices, START)
        self.node.me.replace_document(revised)
        self.node.delete("file")
        self.node.pass_time(30)
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_supplier_that_is_away(self) -> None:
        """A supplier that was away is told when it is back, and the others are not kept waiting."""
        self.around.suppliers[0].mode = "away"
        self.node.delete("file")
        self.node.pass_time(30)
        self.assertEqual(self.pieces(), [1, 0, 0, 0])
        self.around.suppliers[0].mode = "fine"
        self.round()
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_supplier_that_is_silent(self) -> None:
        """A supplier that does not answer costs its own time only, and is told again in the next round."""
        self.around.suppliers[0].mode = "frozen"
        self.node.delete("file")
        self.node.pass_time(120)
        self.assertEqual(self.pieces(), [1, 0, 0, 0])
        self.around.suppliers[0].mode = "fine"
        self.round()
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_nobody_waits_for_the_silent(self) -> None:
        """Whoever does not answer, the others are told at the same time."""
        first = min(self.around.suppliers, key=lambda supplier: supplier.fingerprint)
        first.mode = "frozen"
        self.node.delete("file")
        self.node.pass_time(25)
        self.assertEqual(sorted(self.pieces()), [0, 0, 0, 1])

    def test_what_is_not_due_hides_nothing(self) -> None:
        """However many packs wait for their tombstones to be safe, those whose are safe can go."""
        self.patch(disposal, "AT_ONCE", 1)
        database = open_catalog(self.base / "another" / "catalog.db")
        self.addCleanup(database.close)
        who, device = b"s" * 32, b"d" * 16
        for number, sequence in ((1, 9), (2, 9), (3, 1)):
            pack = bytes([number]) * 16
            values = (pack, PackState.DEAD)
            database.execute("INSERT INTO packs VALUES(?, 'master', 1, 4, x'', x'', x'', ?, 0, 4, 1, 0)", values)
            database.execute("INSERT INTO pieces VALUES(?, 0, 1, ?, ?, NULL)", (pack, PieceState.KEPT, who))
            database.execute("INSERT INTO tombstones VALUES(?, 'master', 1, ?, ?, 0)", (pack.hex(), device, sequence))
        due = disposal.deletable(database, who, {("master", device): 5}, disposal.Latest({}))
        self.assertEqual(due, [bytes([3]) * 16])

    def test_nothing_goes_before_it_is_safe_to_say(self) -> None:
        """While too few suppliers hold the deletion, no piece goes: a lost device could not know of it."""
        for supplier in self.around.suppliers[:3]:
            supplier.mode = "away"
        self.node.delete("file")
        self.node.pass_time(120)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.round()
        self.round()
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def dead_packs(self) -> list[str]:
        """Packs that the log says are not needed any more."""
        packs = {row[0] for row in self.node.storage.core.catalog.read.execute("SELECT lower(hex(pack)) FROM packs")}
        names = self.node.storage.core.catalog.read.execute("SELECT name FROM tombstones")
        return [name for (name,) in names if name in packs]

    def test_nothing_goes_while_something_is_stored(self) -> None:
        """While an upload runs, which may be building on it, no pack is given up."""
        for supplier in self.around.suppliers[2:]:
            supplier.mode = "frozen"
        random_file(self.base / "other", SMALL)
        task = self.node.begin_upload(self.base / "other", "other")
        self.node.delete("file")
        self.node.pass_time(60)
        self.assertEqual((task.completion.called, self.dead_packs()), (False, []))
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.wait(task.completion, 300)
        self.round()
        self.assertEqual(len(self.dead_packs()), 1)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])

    def test_deleted_and_stored_again(self) -> None:
        """A file that is stored again before its pieces went is there."""
        self.second()
        self.node.delete("file")
        self.round()
        self.node.upload(self.base / "file", "again")
        self.node.clock.advance(40 * DAY)
        self.round()
        self.node.download("again", self.base / "back")
        self.assertEqual((self.base / "back" / "again").read_bytes(), self.data)
