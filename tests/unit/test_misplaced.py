"""Pieces at suppliers that have other places now than in the life in which they got them."""

from tests.unit.storage_kit import Node
from tests.unit.test_storage_recovery import RecoveryCase


class MisplacedTests(RecoveryCase):
    """Two of four suppliers were hired again, each for the place of the other one, and the other two have lost all."""

    def setUp(self) -> None:
        super().setUp()
        self.data = self.stored()
        self.node.pass_time(5)
        self.node.kill()
        first, second, *others = self.around.suppliers
        for supplier in others:
            supplier.throw_away()
            supplier.shop.store._writer.execute("DELETE FROM pieces")
        self.around.suppliers[:] = [second, first, *others]
        self.node.hire()

    def recovered(self) -> Node:
        node = self.again()
        for _ in range(3):
            node.storage.core.inventory.refresh()
            node.pass_time(30)
        return node

    def test_they_are_found(self) -> None:
        """What each of them lists and proves counts, though it belongs to another place, and the file comes back."""
        node = self.recovered()
        node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)

    def test_they_move(self) -> None:
        """Each piece comes to the supplier that has its place now, and so do those that were lost."""
        node = self.recovered()
        node.pass_time(600, 5)
        self.assertEqual(node.pieces()["missing"], 0)
        rows = node.storage.core.catalog.read.execute("SELECT number, supplier FROM pieces").fetchall()
        places = [supplier.fingerprint for supplier in self.around.suppliers]
        self.assertEqual({(number, bytes(who)) for number, who in rows}, set(enumerate(places)))


class WholeTests(RecoveryCase):
    def test_what_lacks_anywhere(self) -> None:
        """A supplier that never lists may have any piece: it is waited for until none lacks, at whatever place."""
        self.stored()
        self.node.pass_time(5)
        first, *_, last = self.around.suppliers
        placement = self.node.storage.placement
        self.assertTrue(placement.has_all(0, first.fingerprint))
        last.throw_away()
        last.shop.store._writer.execute("DELETE FROM pieces")
        last.mode = "full"
        self.node.storage.core.inventory.refresh()
        self.node.pass_time(30)
        self.assertFalse(placement.has_all(0, first.fingerprint))
        last.mode = "fine"
        self.node.pass_time(600, 5)
        self.assertTrue(placement.has_all(0, first.fingerprint))
