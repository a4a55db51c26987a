"""Folders at suppliers, with whole nodes: when all peers are lost, key file or secret bring everything back."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.folders import secrets
from bitdust.folders.backup.formats import label_of
from bitdust.folders.secrets import Secret
from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_folders import FolderCase, tree_of
from tests.grid.test_pin_backup import noise
from tests.grid.test_recovery import RecoveryCase

LONG = 300.0


class SuppliersCase(RecoveryCase, FolderCase):
    """Alice has suppliers and a folder that they keep."""

    def setUp(self) -> None:
        super().setUp()
        self.secret = secrets.make("D", lambda size: bytes(range(size)))

    def alice_with(self, suppliers: int, **settings: Any) -> GridNode:
        self.add_suppliers(suppliers)
        return self.add_customer(**{"services/customer/suppliers-number": suppliers} | settings)

    def keep(self, node: GridNode, secret: Secret) -> Any:
        self.grid.wait(node.rooms.folders.set_suppliers(secret.text, True))
        return self.is_kept(node, secret)

    def row(self, node: GridNode, secret: Secret) -> Any:
        return self.grid.wait(node.rooms.folders.suppliers(secret.text))

    def is_kept(self, node: GridNode, secret: Secret, seconds: float = LONG) -> Any:
        """All of it is there, by what is told."""

        def kept() -> bool:
            row = self.row(node, secret)
            return bool(row.state == "kept" and row.told)

        try:
            self.grid.until(kept, seconds, "the folder at suppliers")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.row(node, secret)}") from error
        return self.row(node, secret)

    def changes(self, node: GridNode, name: str, data: bytes) -> None:
        """A file is written, and looked at."""
        self.write(node, name, data)
        self.grid.wait(node.rooms.folders.rescan(self.secret.text))

    def back(self, key_file: Path) -> GridNode:
        """A node that came back by the key file, and knows what suppliers hold."""
        again = self.begin(key_file)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.grid.until(again.rooms.folders.copies.shelf.can_keep, 300, "the suppliers")
        return again

    def place(self, name: str) -> Path:
        path = (self.base / name).absolute()
        path.mkdir()
        return path

    def code(self, call: Any) -> str:
        with self.assertRaises(BitDustError) as caught:
            self.grid.wait(call())
        return str(caught.exception.code)


class LossTests(SuppliersCase):
    def test_all_peers_lost(self) -> None:
        """Alice and Bob are gone, and so is a supplier: the key file alone brings list, secret and files back, those
        that Bob wrote too; a file that was deleted stays deleted."""
        alice, bob = self.alice_with(4), self.person("bob")
        self.share(alice, self.secret)
        self.share(bob, self.secret, alice)
        files = {"song": noise("song", 300_000), "letters/one": b"Mary had a little lamb", "empty": b"", "gone": b"x"}
        for name, data in files.items():
            self.write(alice, name, data)
        self.grid.until(lambda: self.same(alice, bob), 60, "the files")
        self.write(bob, "of-bob", noise("of-bob", 50_000))
        self.grid.until(lambda: self.same(alice, bob), 60, "the file of Bob")
        row = self.keep(alice, self.secret)
        self.assertEqual((row.left, row.kept, row.problem), (0, row.size, ""))
        self.assertGreater(row.size, 350_000)
        (self.root(alice) / "gone").unlink()
        self.touch(alice)
        self.grid.run(130)
        self.is_kept(alice, self.secret)
        wanted = {name: data for name, data in files.items() if name != "gone"}
        wanted |= {"letters": None, "of-bob": noise("of-bob", 50_000)}
        key_file = self.key_file(alice)
        self.lose(alice)
        self.lose(bob)
        self.suppliers[1].kill()
        again = self.back(key_file)
        folders = again.rooms.folders
        (kept,) = self.grid.wait(folders.kept())
        self.assertEqual((kept.name, kept.secret), (self.root(alice).name, "D"))
        self.grid.wait(folders.bring_back(kept.id, self.place("alice-again-folder")))
        self.grid.until(lambda: self.same_as(again, wanted), LONG, "the files")
        self.assertEqual([one.secret for one in folders.folders()], [self.secret.text])
        self.assertTrue(self.row(again, self.secret).wanted)

    def same_as(self, node: GridNode, wanted: dict[str, bytes | None]) -> bool:
        return tree_of(self.root(node)) == wanted

    def test_in_the_middle(self) -> None:
        """The process dies while chunks go to the suppliers; the next one goes on, and nothing is kept in vain."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        for number in range(4):
            self.write(alice, f"f{number}", noise(f"f{number}", 400_000))
        self.grid.wait(alice.rooms.folders.rescan(self.secret.text))
        self.grid.wait(alice.rooms.folders.set_suppliers(self.secret.text, True))
        copy = alice.rooms.folders.copies.of(self.secret.text)
        self.grid.until(lambda: copy.machine.state == "UPLOADING", 60, "an upload")
        self.grid.run(0.1)
        self.assertEqual((copy.machine.state, self.row(alice, self.secret).told), ("UPLOADING", 0))
        alice.crash()
        alice = alice.again("10.0.9.1")
        self.grid.until(lambda: alice.is_on("folder_sync"), LONG, "the next process")
        row = self.is_kept(alice, self.secret)
        self.assertEqual(row.kept, row.size)
        shelf = alice.rooms.folders.copies.shelf
        names = self.grid.wait(shelf.versions())
        self.assertEqual({kind: sum(name.endswith(kind) for name in names) for kind in (".chunks", ".index", ".state")},
                         {".chunks": 1, ".index": 1, ".state": 1})  # fmt: skip

    def test_a_lost_segment(self) -> None:
        """When chunks of one file are lost the others come back, and that one is shown as a problem."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 50_000))
        self.keep(alice, self.secret)
        shelf = alice.rooms.folders.copies.shelf
        (segment,) = (name for name in self.grid.wait(shelf.versions()) if name.endswith(".chunks"))
        self.changes(alice, "b", noise("b", 50_000))
        self.grid.run(61)
        self.is_kept(alice, self.secret)
        self.grid.wait(shelf.of(label_of(self.secret)).remove(segment))
        key_file = self.key_file(alice)
        self.lose(alice)
        again = self.back(key_file)
        self.place("alice-again-folder")
        self.grid.wait(again.rooms.folders.add(self.root(again), self.secret))
        self.grid.until(lambda: self.same_as(again, {"b": noise("b", 50_000)}), LONG, "the other file")
        self.grid.until(lambda: bool(self.info(again).problem), LONG, "that it is shown")
        self.assertEqual((self.info(again).problem, self.info(again).problem_text[:2]), ("some-left-out", "a:"))

    def info(self, node: GridNode) -> Any:
        return node.rooms.folders.find(self.secret.text)

    def test_a_supplier_dies(self) -> None:
        """While one of four is away what is new is kept, by a list that names no chunk which is not there; the folder
        comes back after it is gone for good."""
        alice = self.alice_with(4)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 200_000))
        self.keep(alice, self.secret)
        self.suppliers[2].kill()
        self.changes(alice, "b", noise("b", 200_000))
        self.grid.run(61)
        row = self.is_kept(alice, self.secret)
        self.assertGreater(row.kept, 400_000)
        key_file = self.key_file(alice)
        self.lose(alice)
        again = self.back(key_file)
        self.place("alice-again-folder")
        self.grid.wait(again.rooms.folders.add(self.root(again), self.secret))
        self.grid.until(
            lambda: self.same_as(again, {"a": noise("a", 200_000), "b": noise("b", 200_000)}), LONG, "the files"
        )


class UpkeepTests(SuppliersCase):
    def test_who_has_none(self) -> None:
        """Whoever has no name, or no suppliers, is told so at once; nothing is switched on."""
        bob = self.person("bob")
        self.share(bob, self.secret)
        self.assertEqual(self.code(lambda: bob.rooms.folders.set_suppliers(self.secret.text, True)), "no-suppliers")
        stranger = self.grid.add_stranger("stranger", **{"services/identity-propagate/known-servers": ""})
        stranger.start()
        self.share(stranger, self.secret)
        with self.assertRaisesRegex(BitDustError, "no name"):
            self.grid.wait(stranger.rooms.folders.set_suppliers(self.secret.text, True))
        self.assertFalse(self.row(bob, self.secret).wanted)

    def test_one_life(self) -> None:
        """Nothing is kept before it is wanted; what changes follows, what is not needed goes, files are shown in no
        list, and all of it goes when it is wanted no more."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 300_000))
        self.grid.run(70)
        self.assertEqual(self.row(alice, self.secret).state, "off")
        shelf = alice.rooms.folders.copies.shelf
        self.assertEqual(self.grid.wait(shelf.versions()), {})
        first = self.keep(alice, self.secret)
        self.assertEqual(self.call(alice, "files_list", recursive=True), [])
        self.changes(alice, "a", b"short now")
        self.assertNotEqual(self.row(alice, self.secret).state, "kept")
        self.grid.run(61)
        row = self.is_kept(alice, self.secret)
        self.assertLess(row.size, 100)
        self.assertGreater(row.told, first.told)
        self.grid.run(61)
        segments = [name for name in self.grid.wait(shelf.versions()) if name.endswith(".chunks")]
        self.assertEqual(len(segments), 1)
        off = self.grid.wait(alice.rooms.folders.set_suppliers(self.secret.text, False))
        self.assertEqual((off.wanted, self.grid.wait(shelf.versions())), (False, {}))

    def test_taken_away_later(self) -> None:
        """What a person wants to be taken away while suppliers cannot be reached goes when they can, be it that the
        process has died meanwhile."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 50_000))
        self.keep(alice, self.secret)
        shelf = alice.rooms.folders.copies.shelf
        self.patch(shelf, "can_keep", lambda: False)
        row = self.grid.wait(alice.rooms.folders.set_suppliers(self.secret.text, False))
        self.assertEqual((row.wanted, row.state, len(self.grid.wait(shelf.versions()))), (False, "withdrawing", 3))
        alice.crash()
        alice = alice.again("10.0.9.1")
        self.grid.until(lambda: alice.is_on("folder_sync"), LONG, "the next process")
        self.grid.until(lambda: self.row(alice, self.secret).state == "off", LONG, "that it is taken away")
        shelf = alice.rooms.folders.copies.shelf
        self.assertEqual(self.grid.wait(shelf.versions()), {})
        self.assertFalse(alice.rooms.folders.book.find(self.secret.text).withdrawing)

    def test_dies_while_it_takes_away(self) -> None:
        """The process dies when the list is gone and the chunks are not: the next one takes these away as well."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 50_000))
        self.keep(alice, self.secret)
        self.loses_its_list(alice)
        self.assertEqual(self.row(alice, self.secret).state, "withdrawing")
        alice.crash()
        alice = alice.again("10.0.9.1")
        self.grid.until(lambda: alice.is_on("folder_sync"), LONG, "the next process")
        self.grid.until(lambda: self.row(alice, self.secret).state == "off", LONG, "that it is taken away")
        self.assertEqual(self.names(alice), {})

    def loses_its_list(self, node: GridNode) -> None:
        """The folder is to go from suppliers; its list has gone, and no more of it goes."""
        shelf = node.rooms.folders.copies.shelf.of(label_of(self.secret))
        remove = shelf.remove
        self.patch(shelf, "remove", lambda name: remove(name) if name.endswith(".state") else Deferred())
        node.rooms.folders.set_suppliers(self.secret.text, False)
        self.grid.until(lambda: len(self.names(node)) == 2, LONG, "that the list is gone")

    def test_added_again_in_between(self) -> None:
        """A folder that is removed, and added again when its list was taken away and its chunks were not, is kept
        again: nothing is left there that no list needs."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 50_000))
        self.keep(alice, self.secret)
        self.loses_its_list(alice)
        alice.crash()
        alice = alice.again("10.0.9.1")
        self.patch(alice.rooms.folders.copies.shelf, "can_keep", lambda: False)
        self.grid.until(lambda: alice.is_on("folder_sync"), LONG, "the next process")
        folders = alice.rooms.folders
        self.grid.wait(folders.remove(self.secret.text))
        self.grid.wait(folders.add(self.root(alice), self.secret))
        self.unpatch(folders.copies.shelf)
        self.is_kept(alice, self.secret)
        self.assertEqual(len(self.names(alice)), 3)
        self.grid.wait(folders.set_suppliers(self.secret.text, False))
        self.grid.until(lambda: not self.names(alice), LONG, "that it is taken away")

    def removed(self) -> GridNode:
        """Alice has removed a folder that suppliers, which cannot be reached now, are to keep no more."""
        alice = self.alice_with(2)
        self.share(alice, self.secret)
        self.changes(alice, "a", noise("a", 50_000))
        self.keep(alice, self.secret)
        self.patch(alice.rooms.folders.copies.shelf, "can_keep", lambda: False)
        folders = alice.rooms.folders
        self.grid.wait(folders.set_suppliers(self.secret.text, False))
        self.grid.wait(folders.remove(self.secret.text))
        self.assertEqual(([*folders.folders()], len(self.names(alice))), ([], 3))
        return alice

    def names(self, node: GridNode) -> dict[str, str]:
        found: dict[str, str] = self.grid.wait(node.rooms.folders.copies.shelf.versions())
        return found

    def test_removed_meanwhile(self) -> None:
        """What is to be taken away goes though the folder is removed before that is done, be it that the process has
        died meanwhile."""
        alice = self.removed()
        alice.crash()
        alice = alice.again("10.0.9.1")
        self.grid.until(lambda: alice.is_on("folder_sync"), LONG, "the next process")
        self.grid.until(alice.rooms.folders.copies.shelf.can_keep, LONG, "the suppliers")
        book = alice.rooms.folders.book
        self.grid.until(lambda: not book.leaving(), LONG, "that it is taken away")
        self.assertEqual((book.all(), book.find(self.secret.text), self.names(alice)), ([], None, {}))

    def test_removed_and_added_again(self) -> None:
        """A folder that is added again before it was taken away stays at suppliers."""
        alice = self.removed()
        folders = alice.rooms.folders
        self.unpatch(folders.copies.shelf)
        self.grid.wait(folders.add(self.root(alice), self.secret))
        folders.copies.look()
        self.is_kept(alice, self.secret)
        self.assertEqual((folders.book.leaving(), len(self.names(alice))), ([], 3))
        self.assertTrue(self.row(alice, self.secret).wanted)

    def unpatch(self, shelf: Any) -> None:
        del shelf.can_keep
