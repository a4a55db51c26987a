"""What is looked at on the disk when somebody says that it may have changed."""

import shutil

from bitdust.folders import scanning
from bitdust.folders.tree import Missing, Tree
from tests.unit.test_folder_conflicts import ReplicaCase


class NamedTests(ReplicaCase):
    """Paths that the system has reported."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.replica("alice")
        for number in range(50):
            self.alice.write(f"d/{number:02}", f"content {number}")
        self.alice.write("d/in/x", "x")
        self.alice.write("d/other/y", "y")
        self.alice.scan()
        self.clock = self.alice.clock
        self.clock.advance(10)
        self.alice.scan()
        self.names = [f"d/{number:02}" for number in range(50)]
        self.listed: list[str] = []
        look = Tree.look

        def note(tree: Tree, path: str) -> object:
            self.listed.append(path)
            return look(tree, path)

        self.patch(Tree, "look", note)

    def known(self) -> dict[str, object]:
        """What has been told of everything, by path."""
        items = self.alice.store.journal.items
        return {item.path: item.size for folder in ("d", "d/in", "d/other") for item in items.below(folder)}

    def test_many_in_one_folder(self) -> None:
        """Where much has changed in a folder it is listed once: what was written, made and removed is found."""
        self.alice.write("d/00", "another content")
        self.alice.write("d/new", "new")
        self.alice.remove("d/49")
        found = self.alice.scan(*self.names, "d/new")
        self.assertEqual((found.changed, found.read), (3, 2))
        self.assertEqual((self.known()["d/00"], self.known()["d/new"], "d/49" in self.known()), (15, 3, False))
        self.assertEqual(sorted(set(self.listed)), ["d/00", "d/49", "d/new"])

    def test_folders_in_it(self) -> None:
        """Folders in one that is listed are looked into where they are named themselves, or are new."""
        self.alice.write("d/in/x", "another x")
        self.alice.write("d/other/y", "another y")
        self.alice.write("d/made/z", "z")
        self.alice.scan(*self.names, "d/in", "d/made")
        self.assertEqual((self.known()["d/in/x"], self.known()["d/other/y"]), (9, 1))
        self.assertEqual(self.alice.store.journal.items.at("d/made/z").size, 1)

    def test_few(self) -> None:
        """Few paths are looked at one by one."""
        self.alice.write("d/00", "another content")
        self.alice.write("d/01", "this is not named")
        self.assertEqual(self.alice.scan("d/00", "d/02").changed, 1)

    def test_a_folder_that_is_gone(self) -> None:
        """A folder of which many paths are named, and that is there no more, is gone with all that was in it; and so
        where a file has taken its place."""
        shutil.rmtree(self.alice.root / "d")
        self.alice.scan(*self.names)
        self.assertEqual((self.known(), self.alice.store.journal.items.at("d").deleted), ({}, True))
        self.alice.write("d", "a file")
        self.alice.scan("d", *self.names)
        self.assertEqual(self.alice.store.journal.items.at("d").kind, "file")

    def test_deep_in_what_is_new(self) -> None:
        """Of many paths in folders that were never seen the outermost folder is looked into."""
        for number in range(30):
            self.alice.write(f"new/in/it/{number}", "new")
        self.alice.scan(*(f"new/in/it/{number}" for number in range(30)))
        self.assertEqual(len(list(self.alice.store.journal.items.below("new/in/it"))), 30)

    def test_the_folder_itself_is_gone(self) -> None:
        """What goes together with the folder itself, while it is looked through, is not told as deleted."""
        last = self.alice.store.journal.last
        scan = scanning.Scan(self.alice.store.tree, self.alice.store.journal, self.alice.ignored, self.alice.world.wall)
        check, calls = Tree.check, []

        def away(tree: Tree, ident: bytes) -> None:
            calls.append(ident)
            if len(calls) == 2:
                self.alice.root.rename(self.base / "away")
            check(tree, ident)

        self.patch(Tree, "check", away)
        shutil.rmtree(self.alice.root / "d")
        self.assertRaises(Missing, scan.step, self.alice.store.ident)
        self.assertEqual(self.alice.store.journal.last, last)
        (self.base / "away").rename(self.alice.root)
