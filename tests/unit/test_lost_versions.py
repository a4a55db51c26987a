"""Versions whose pieces never left a home that was lost: they are told, passed over, and nothing new builds on them."""

import shutil

from bitdust.storage.catalog import figures
from tests.unit.storage_kit import Node, random_file
from tests.unit.test_storage_recovery import RecoveryCase


class LostCase(RecoveryCase):
    def recovered(self, name: str = "new-home") -> Node:
        """The home is lost, and another one has heard from all suppliers what they hold."""
        self.node.kill()
        shutil.rmtree(self.node.home)
        self.node = self.again(name)
        self.node.pass_time(30)
        return self.node

    def never_left(self, name: str, size: int = 300_000) -> bytes:
        """Something is uploaded, the log names it, and no supplier takes a piece of it."""
        self.set_modes(*["full"] * 4)
        data = random_file(self.base / name, size)
        self.node.begin_upload(self.base / name, name)
        self.node.pass_time(5)
        self.set_modes(*["fine"] * 4)
        return data

    def back(self, node: Node, name: str) -> bytes:
        node.download(name, self.base / "back")
        return (self.base / "back" / name).read_bytes()


class AgainTests(LostCase):
    def test_uploaded_again(self) -> None:
        """The same bytes are stored again, and do not count on pieces that nobody has: not even at the next loss."""
        data = self.never_left("file")
        node = self.recovered()
        self.assertEqual(figures.pieces(node.storage.core.catalog.read)["missing"], 4)
        (self.base / "copy").write_bytes(data)
        node.upload(self.base / "copy", "copy")
        node.pass_time(5)
        self.assertEqual(self.back(self.recovered("third"), "copy"), data)
