"""Coming back from a key file alone: whoever is gone, however old the file is, and however long its owner was away."""

import shutil
from pathlib import Path

from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase

QUICKLY = 10.0
"""Seconds from the key file to a storage that can be read, with half of the family switched off."""


class RecoveryCase(GridCase):
    def lose(self, node: GridNode) -> None:
        node.kill()
        shutil.rmtree(node.home)

    def begin(self, key_file: Path, name: str = "alice-again") -> GridNode:
        """A node that knows nothing but the key file, and has just been given it."""
        node = self.grid.add_stranger(name)
        node.start()
        node.recovering = node.rooms.identity.registration.recover(key_file.read_text(), None, None)
        node.recovering.addErrback(lambda failure: setattr(node, "failure", failure))
        return node

    def uploaded(self, suppliers: int) -> tuple[GridNode, Path, bytes]:
        self.add_suppliers(suppliers)
        alice = self.add_customer(**{"services/customer/suppliers-number": suppliers})
        path, data = self.file("file", 300_000)
        self.upload(alice, path, "file")
        self.grid.run(5)
        return alice, self.key_file(alice), data

    def comes_back(self, node: GridNode, data: bytes) -> None:
        self.download(node, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def members(self, node: GridNode) -> list[GridNode]:
        """Suppliers by place."""
        by_name = {one.fingerprint: one for one in self.suppliers}
        return [by_name[who] for who in node.rooms.suppliers.family.members]


class SwitchedOffTests(RecoveryCase):
    """The machines of the others swallow packets; so does that of the ID server."""

    def half(self, suppliers: int, gone: tuple[int, ...]) -> None:
        alice, key_file, data = self.uploaded(suppliers)
        members = self.members(alice)
        self.lose(alice)
        for place in gone:
            members[place].kill()
        self.seed.kill()
        begun = self.grid.clock.seconds()
        again = self.begin(key_file)
        self.grid.until(lambda: again.is_on("my_data"), 60, "the recovery")
        self.assertLess(self.grid.clock.seconds() - begun, QUICKLY)
        self.comes_back(again, data)

    def test_half_of_four(self) -> None:
        self.half(4, (0, 1))

    def test_half_of_six(self) -> None:
        self.half(6, (1, 3, 4))

    def test_three_of_seven(self) -> None:
        self.half(7, (0, 2, 5))
