"""Two devices of one person, both at work: each knows at once what the other has done."""

from pathlib import Path

from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase


class TwoDevicesCase(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer()
        self.other = self.recover(self.key_file(self.alice))
        self.grid.run(10)

    def names(self, node: GridNode) -> list[str]:
        listed = self.run_now(node.rooms.storage.list(None, None, True, False, False))
        return sorted(row["path"] for row in listed)

    def equal(self) -> bool:
        return self.names(self.alice) == self.names(self.other)

    def new(self, node: GridNode, name: str) -> Path:
        path, _ = self.file(name, 20_000)
        self.upload(node, path, name)
        return path


class NewsTests(TwoDevicesCase):
    def test_equal_within_seconds(self) -> None:
        """What one device uploads, deletes or adds to its keys the other one knows within two seconds."""
        self.new(self.alice, "from-one")
        self.grid.until(self.equal, 2, "the upload")
        self.new(self.other, "from-two")
        self.grid.until(self.equal, 2, "the other upload")
        self.run_now(self.alice.rooms.storage.delete("from-two"))
        self.grid.until(lambda: self.names(self.other) == ["from-one"], 2, "the deletion")

    def test_equal_after_a_reconnection(self) -> None:
        """A device that was cut off knows within two seconds after it is connected again."""
        away = {self.other.address}
        self.grid.network.cut = lambda one, two: (one in away) != (two in away)
        self.grid.run(120)
        self.new(self.alice, "meanwhile")
        self.grid.network.cut = lambda one, two: False
        connected = self.other.rooms.suppliers.connectors.connected
        self.grid.until(lambda: len(connected()) == 4, 60, "the connection")
        self.grid.until(self.equal, 2, "the news")


class DeletingTests(TwoDevicesCase):
    def test_what_was_deleted_stays_deleted(self) -> None:
        """Once a deletion is answered as not pending no recovery brings the file back."""
        self.new(self.alice, "gone")
        key_file = self.key_file(self.alice)
        row = self.run_now(self.alice.rooms.storage.delete("gone"))
        self.assertFalse(row["pending"])
        self.alice.kill()
        self.other.kill()
        again = self.recover(key_file, "third")
        self.assertEqual(self.names(again), [])
