"""Folders at suppliers as former versions kept them, with whole nodes: they are there anew before they go."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import succeed

from bitdust.testing.grid import GridNode
from tests.grid.test_folder_secret_alone import SecretCase
from tests.grid.test_folder_suppliers import LONG


class FormerFormTests(SecretCase):
    def test_upgrade(self) -> None:
        """What a former version has put under the one key of all folders stays until it is there anew, and goes then;
        after that the secret alone brings it back."""
        alice = self.has_files()
        self.former(alice)
        shelf = alice.rooms.folders.copies.shelf
        old = set(self.grid.wait(shelf._former.versions()))
        self.assertEqual(len(old), 3)
        alice.crash()
        alice = alice.again("10.0.9.1")
        shelf = alice.rooms.folders.copies.shelf
        self.grid.until(lambda: alice.is_on("folder_sync"), LONG, "the next process")
        self.grid.until(shelf.can_keep, LONG, "the suppliers")
        lists: list[tuple[bool, bool]] = []

        def is_upgraded() -> bool:
            former, mine = (self.grid.wait(one.versions()) for one in (shelf._former, self.mine(shelf)))
            lists.append(tuple(any(name.endswith(".state") for name in some) for some in (former, mine)))
            return not former

        self.grid.until(is_upgraded, LONG, "that it is there anew")
        self.assertNotIn((False, False), lists)
        self.is_kept(alice, self.secret)
        self.grid.run(5)
        self.lose(alice)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)

    def mine(self, shelf: Any) -> Any:
        return shelf.of(self.secret.folder_id.hex()[:32])._mine

    def former(self, node: GridNode, begin: Callable[[], None] = lambda: None) -> None:
        """The folder as a former version kept it; ``begin`` has it in sync where it is not yet."""
        shelf = node.rooms.folders.copies.shelf
        one = shelf.of(self.secret.folder_id.hex()[:32])
        mine, one._mine = one._mine, shelf._former
        keep = self.patch(one, "keep", shelf._former.keep)
        let_in = self.patch(one, "let_in", lambda holder: None)
        former = self.patch(one, "former", lambda: succeed(frozenset()))
        begin()
        self.keep(node, self.secret)
        one._mine = mine
        for patch in (keep, let_in, former):
            patch.restore()

    def test_two_devices(self) -> None:
        """Two devices that start anew at the same time put anew what each of them has there; a list is there at any
        time, and the secret alone brings all of it back. Nobody is let in when both want it there no more."""
        alice = self.has_files()
        self.former(alice)
        other = self.recover(self.key_file(alice), "other")
        self.former(other, lambda: self.adds(other, alice))
        self.grid.run(60)
        nodes = [alice, other]
        for node in nodes:
            node.crash()
        nodes = [node.again(f"10.0.9.{number}") for number, node in enumerate(nodes, 1)]
        shelves = [node.rooms.folders.copies.shelf for node in nodes]
        for node, shelf in zip(nodes, shelves, strict=True):
            self.grid.until(lambda node=node: node.is_on("folder_sync"), LONG, "the next process")
            self.grid.until(shelf.can_keep, LONG, "the suppliers")
        for _ in range(60):
            self.grid.run(1, 0.1)
            for shelf in shelves:
                names = self.grid.wait(shelf.versions())
                self.assertEqual(sum(name.endswith(".state") for name in names), 2)
        self.passes(lambda: not any(self.grid.wait(shelf._former.versions()) for shelf in shelves))
        for node in nodes:
            self.is_kept(node, self.secret)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob, {"of-other": b"of the other device"})
        for node in nodes:
            self.assertEqual(self.row(node, self.secret).problem, "")
            self.grid.wait(node.rooms.folders.set_suppliers(self.secret.text, False))
            self.grid.until(lambda node=node: self.row(node, self.secret).state == "off", LONG, "that it is gone")
        self.passes(lambda: not any(self.grid.wait(shelf.versions()) for shelf in shelves))
        self.grid.pass_time(3700)
        for node, shelf in zip(nodes, shelves, strict=True):
            self.assertEqual((self.grid.wait(shelf.versions()), self.offered(node)), ({}, []))
            self.assertEqual(node.rooms.shares.donations.grants(self.alias), [])

    def passes(self, condition: Callable[[], bool]) -> None:
        """Time passes until something holds, two hours at most."""
        end = self.grid.clock.seconds() + 2 * 3600
        while not condition():
            self.assertLess(self.grid.clock.seconds(), end)
            self.grid.pass_time(120)

    def adds(self, node: GridNode, host: GridNode) -> None:
        """A second device has the folder as well, and a file of its own in it."""
        self.share(node, self.secret, host)
        self.write(node, "of-other", b"of the other device")
        self.grid.until(lambda: self.same(node, host), LONG, "the same on both")

    def test_by_the_key_file_before(self) -> None:
        """What a former version has put there is brought back by the key file, and is there in the new form then."""
        alice = self.has_files()
        self.former(alice)
        key_file = self.key_file(alice)
        self.lose(alice)
        again = self.back(key_file)
        (kept,) = self.grid.wait(again.rooms.folders.kept())
        self.grid.wait(again.rooms.folders.bring_back(kept.id, self.place("alice-again-folder")))
        self.comes(again)
        self.is_kept(again, self.secret)
        self.grid.run(5)
        self.lose(again)
        bob = self.nameless("bob")
        self.share(bob, self.reads)
        self.comes(bob)
