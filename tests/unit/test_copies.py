"""Pieces that stay here after delivery: kept over a start, used by downloads, gone with what they belong to."""

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.keeping import disposal
from tests.unit.storage_kit import Node, network, random_file, stop_quietly

SETTING = "services/backups/keep-local-copies-enabled"


class CopiesTests(SynchronousTestCase):
    """A large file, whose pieces lie in the spool, and a small one, whose pieces lie in the catalog's own file."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.settings.set(SETTING, True)
        self.contents = {
            name: random_file(self.base / name, size) for name, size in (("large", 900_000), ("small", 900))
        }
        for name in self.contents:
            self.node.upload((self.base / name).absolute(), name)
        self.node.pass_time(5)

    def copies(self, node: Node | None = None) -> tuple[int, int]:
        """How many lie in the spool and in the catalog."""
        core = (node or self.node).storage.core
        (inside,) = core.catalog.read.execute("SELECT count(*) FROM pieces WHERE data IS NOT NULL").fetchone()
        return len(core.spool.names()), inside

    def given(self) -> int:
        return sum(supplier.given for supplier in self.around.suppliers)

    def download(self, node: Node) -> None:
        for name, content in self.contents.items():
            node.download(name, self.base / "back")
            self.assertEqual((self.base / "back" / name).read_bytes(), content)

    def again(self) -> Node:
        self.node.stop()
        node = Node(self.node.home, self.around, self.node.clock)
        node.start()
        self.addCleanup(node.stop)
        return node

    def test_downloads_ask_nobody(self) -> None:
        """With the pieces here everything comes back while no supplier can be reached."""
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        self.download(self.node)
        self.assertEqual(self.given(), 0)

    def test_damaged_and_lost_copies(self) -> None:
        """Copies that are damaged or gone are not used: suppliers are asked as ever."""
        folder = self.node.storage.core.spool.folder
        for path in sorted(folder.iterdir())[:3]:
            path.write_bytes(b"\0" * path.stat().st_size)
        self.download(self.node)
        self.assertGreater(self.given(), 0)

    def test_they_survive_a_start(self) -> None:
        """A start leaves them where they are as long as the setting wants them, and clears them after that."""
        before = self.copies()
        self.assertEqual(before[0], 4)
        self.assertGreater(before[1], 0)
        node = self.again()
        self.assertEqual(self.copies(node), before)
        self.download(node)
        self.assertEqual(self.given(), 0)
        node.settings.set(SETTING, False)
        node.stop()
        node.start()
        self.assertEqual(self.copies(node)[0], 0)

    def test_they_go_with_their_file(self) -> None:
        """Deleting an item clears its copies here, also while a supplier is away that has still to hear of it."""
        self.around.suppliers[3].mode = "away"
        for name in self.contents:
            self.node.delete(name)
        self.node.pass_time(120)
        self.assertEqual(self.copies(), (0, 0))

    def test_they_go_however_many_suppliers_have_still_to_delete(self) -> None:
        """Pieces that stay at suppliers for another device's sake do not keep copies behind them here."""
        self.patch(disposal, "AT_ONCE", 4)
        second = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, second)
        second.start()
        self.node.me.replace_document(second.me.document)
        second.pass_time(10)
        second.stop()
        for name in ("b", "c", "d"):
            random_file(self.base / name, 900_000)
            self.node.upload((self.base / name).absolute(), name)
        for name in (*self.contents, "b", "c", "d"):
            self.node.delete(name)
        for _ in range(3):
            self.node.storage.sync()
            self.node.pass_time(30)
        self.assertEqual([supplier.pieces() for supplier in self.around.suppliers], [5] * 4)
        self.assertEqual(self.copies(), (0, 0))

    def test_without_the_setting(self) -> None:
        """Nothing stays here after delivery."""
        self.node.settings.set(SETTING, False)
        random_file(self.base / "more", 500_000)
        before = self.copies()
        self.node.upload((self.base / "more").absolute(), "more")
        self.node.pass_time(5)
        self.assertEqual(self.copies(), before)
