"""A keeper of a folder whose disk is full, on whole nodes: it stays with its peers, says so, and goes on by itself."""

import os
from types import SimpleNamespace

from bitdust.checkup.running import look_at
from bitdust.folders import secrets
from bitdust.folders.folder import Folder
from bitdust.testing.grid import GridNode
from tests.grid.test_folders import SOON, FolderCase

DISK = 100_000_000


class FullKeeperTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.secret = secrets.make("D", lambda size: bytes(range(size)))
        self.reader, self.blind = self.secret.weaker()
        self.alice, self.keeper = self.person("alice"), self.person("keeper")
        self.share(self.alice, self.secret)
        self.share(self.keeper, self.blind, self.alice)
        self.free = DISK
        usage = lambda path: SimpleNamespace(total=DISK, free=self.free)  # noqa: E731
        self.patch(self.folder(self.keeper).store.reserve, "usage", usage)

    def folder(self, node: GridNode) -> Folder:
        (folder,) = node.rooms.folders.open_folders()
        return folder

    def problem(self) -> str:
        (row,) = self.keeper.rooms.folders.folders()
        return row.problem

    def doctor(self) -> tuple[str, str]:
        findings = self.grid.wait(look_at(self.keeper.node.context))
        return next((one.verdict, one.found) for one in findings if one.check == "folders in sync")

    def has(self, node: GridNode, name: str) -> bool:
        return (self.root(node) / name).exists()

    def kept(self, files: int) -> bool:
        """Whether the keeper has all of so many files, each of which is chunks of its own."""
        alice, keeper = self.folder(self.alice).store.journal, self.folder(self.keeper).store.journal
        named, lacking = keeper.database.execute(
            "SELECT count(*), sum(name NOT IN (SELECT name FROM kept)) FROM pieces").fetchone()  # fmt: skip
        return alice.digest() == keeper.digest() and named >= files and not lacking

    def test_full_for_a_while(self) -> None:
        """While its disk is full a keeper keeps its peers, gives what it has to who comes, and says in lists and to the
        doctor that it is full; within about a minute after there is room it has the rest."""
        self.write(self.alice, "before", os.urandom(100_000))
        self.grid.until(lambda: self.kept(1), 4 * SOON, "the first file")
        self.assertEqual(self.doctor()[0], "ok")
        self.free = 0
        self.write(self.alice, "too much", os.urandom(100_000))
        self.grid.until(lambda: self.problem() == "disk-full", SOON, "the problem")
        self.grid.run(60, 1.0)  # of the two lines that they began with one is left
        (peer,), machine = self.folder(self.keeper).peers.values(), self.folder(self.keeper).machine
        before = list(machine.past)
        self.grid.run(900, 1.0)
        self.assertEqual(list(self.folder(self.keeper).peers.values()), [peer])
        moves = [move.new for move in machine.past if move not in before]
        self.assertNotIn("BROKEN", moves)
        self.assertEqual(self.problem(), "disk-full")
        verdict, found = self.doctor()
        self.assertEqual((verdict, str(self.root(self.keeper)) in found), ("warn", True))
        self.alice.crash()
        carol = self.person("carol")
        self.share(carol, self.reader, self.keeper)
        self.grid.until(lambda: self.has(carol, "before"), 4 * SOON, "what the keeper has")
        self.alice = self.alice.again(self.alice.address)
        self.grid.until(lambda: self.has(carol, "too much"), 600, "the rest from who has it")
        self.free = DISK
        self.grid.until(lambda: self.kept(2) and self.problem() == "", 70, "the rest")
        self.assertEqual(self.doctor()[0], "ok")
