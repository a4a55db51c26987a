"""Conflicts and causality of folders: cases 1 to 25 of the survival checklist, without a network."""

import os
import time
from pathlib import Path

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, plain_secret, settle

DAY = 86_400


class Broken:
    """A peer whose line breaks when it is asked."""

    device = b"bob".ljust(8, b"\0")

    def ask_chunks(self, names: list[bytes], size: int) -> "Deferred[list[bytes | None]]":
        return fail(BitDustError("session-lost", "the line broke"))


class ReplicaCase(SynchronousTestCase):
    """Replicas of one folder, all of them writers."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.replicas: list[Replica] = []

    def replica(self, name: str) -> Replica:
        one = Replica(self.base, name, plain_secret())
        self.replicas.append(one)
        self.addCleanup(one.close)
        return one

    def pair(self, **files: str) -> tuple[Replica, Replica]:
        """Two that have the same files."""
        alice, bob = self.replica("alice"), self.replica("bob")
        for name, data in files.items():
            alice.write(name.replace("__", "/"), data, 1_700_000_000)
        settle(alice, bob)
        return alice, bob

    def same(self, tree: dict[str, object] | None = None) -> None:
        """All trees are equal, and this one where it is told."""
        trees = [one.tree() for one in self.replicas]
        for other in trees[1:]:
            self.assertEqual(other, trees[0])
        if tree is not None:
            self.assertEqual(trees[0], tree)

    def contents(self, replica: Replica) -> list[object]:
        """What is in the files, whatever they are called."""
        return sorted(data for data in replica.tree().values() if isinstance(data, bytes))


class ConflictTests(ReplicaCase):
    def test_case_1_concurrent_edits(self) -> None:
        """Of two concurrent edits the later one wins everywhere, and the other one is kept beside it on all nodes."""
        alice, bob = self.pair(a="first")
        alice.write("a", "from alice", 1_800_000_100)
        bob.write("a", "from bob", 1_800_000_200)
        alice.scan(), bob.scan()
        settle(alice, bob)
        self.same()
        tree = alice.tree()
        self.assertEqual(tree.pop("a"), b"from bob")
        ((name, data),) = tree.items()
        self.assertEqual(data, b"from alice")
        self.assertRegex(name, r"^a\.Conflict-[0-9a-f]{8}-20270115-080140$")

    def test_case_1_name_keeps_its_suffix(self) -> None:
        """A conflict copy opens with the same program: its suffix stays."""
        alice, bob = self.pair()
        alice.write("x.txt", "1", 1_800_000_100)
        bob.write("x.txt", "2", 1_800_000_200)
        settle(alice, bob)
        (copy,) = [name for name in alice.tree() if name != "x.txt"]
        self.assertTrue(copy.startswith("x.Conflict-") and copy.endswith(".txt"), copy)

    def test_case_2_same_content(self) -> None:
        """The same content that was written on both is no conflict."""
        alice, bob = self.pair()
        alice.write("a", "same", 1_800_000_100)
        bob.write("a", "same", 1_800_000_200)
        settle(alice, bob)
        self.same({"a": b"same"})

    def test_case_3_edit_and_delete(self) -> None:
        """An edit goes before a deletion that did not know of it, whichever is told first."""
        for first in (0, 1):
            with self.subTest(first=first):
                self.setUp()
                alice, bob = self.pair(a="first")
                alice.remove("a")
                bob.write("a", "edited", 1_800_000_200)
                order = (alice, bob) if first else (bob, alice)
                for one in order:
                    one.scan()
                settle(*order)
                self.same({"a": b"edited"})

    def test_case_4_delete_and_delete(self) -> None:
        """Two deletions are one."""
        alice, bob = self.pair(a="first")
        alice.remove("a"), bob.remove("a")
        settle(alice, bob)
        self.same({})

    def test_case_5_edit_and_rename(self) -> None:
        """What was edited under the old name while somebody renamed it is there, and so is the new name."""
        alice, bob = self.pair(a="first")
        alice.rename("a", "b")
        bob.write("a", "edited", 1_800_000_200)
        alice.scan(), bob.scan()
        settle(alice, bob)
        self.same({"a": b"edited", "b": b"first"})

    def test_case_6_two_renames(self) -> None:
        """A file that was renamed twice has both names."""
        alice, bob = self.pair(a="first")
        alice.rename("a", "b")
        bob.rename("a", "c")
        alice.scan(), bob.scan()
        settle(alice, bob)
        self.same({"b": b"first", "c": b"first"})

    def test_case_7_folder_deleted_with_something_new_in_it(self) -> None:
        """A file that is new in a folder which another node has deleted stays, and so does the folder."""
        alice, bob = self.pair(d__a="first")
        alice.remove("d/a")
        (alice.root / "d").rmdir()
        bob.write("d/new", "new")
        alice.scan(), bob.scan()
        settle(alice, bob)
        self.same({"d": None, "d/new": b"new"})

    def test_case_8_file_and_folder(self) -> None:
        """Of a file and a folder of the same name the file becomes the conflict copy."""
        alice, bob = self.pair()
        alice.write("x", "a file")
        bob.write("x/y", "in a folder")
        alice.scan(), bob.scan()
        settle(alice, bob)
        self.same()
        tree = alice.tree()
        self.assertEqual((tree.pop("x"), tree.pop("x/y")), (None, b"in a folder"))
        self.assertEqual(list(tree.values()), [b"a file"])

    def test_case_9_no_chain_of_marks(self) -> None:
        """A conflict copy that is edited on two nodes has one mark in each of its names."""
        alice, bob = self.pair(a="first")
        alice.write("a", "1", 1_800_000_100)
        bob.write("a", "2", 1_800_000_200)
        settle(alice, bob)
        (copy,) = [name for name in alice.tree() if name != "a"]
        alice.write(copy, "3", 1_800_000_300)
        bob.write(copy, "4", 1_800_000_400)
        alice.scan(), bob.scan()
        settle(alice, bob)
        self.same()
        self.assertEqual(self.contents(alice), [b"2", b"3", b"4"])
        self.assertEqual([name for name in alice.tree() if name.count(".Conflict-") > 1], [])

    def test_case_10_three_ways(self) -> None:
        """Three that have changed the same file apart come to the same, whoever meets whom first."""
        orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        found = []
        for order in orders:
            self.setUp()
            three = [self.replica(name) for name in ("alice", "bob", "carol")]
            three[0].write("a", "first", 1_700_000_000)
            settle(*three)
            for number, one in enumerate(three):
                one.write("a", f"of {one.name}", 1_800_000_000 + number)
                one.scan()
            first, second, third = (three[number] for number in order)
            first.sync(second), third.sync(first), second.sync(third), first.sync(third)
            settle(*three)
            self.same()
            found.append(three[0].tree())
        self.assertEqual([tree["a"] for tree in found], [b"of carol"] * 6)
        self.assertEqual([sorted(map(str, tree.values())) for tree in found], [sorted(map(str, found[0].values()))] * 6)

    def test_a_copy_that_nobody_here_has_is_not_deleted(self) -> None:
        """A conflict copy of what this node wrote, which nobody gives who is here, stays due and is not deleted."""
        alice, bob = self.pair(a="first")
        carol = self.replica("carol")
        carol.sync(alice)
        alice.write("a", "of alice", 1_800_000_100)
        alice.scan()
        bob.sync(alice)
        alice.store.archive.is_on = False
        alice.write("a", "of alice, later", 1_800_000_300)
        alice.scan()
        carol.write("a", "of carol", 1_800_000_200)
        carol.scan()
        bob.sync(carol), carol.sync(bob)
        (copy,) = [name for name in bob.tree() if name != "a"]
        alice.pull(bob)
        for gone in ((), (Broken(),), (self.replica("dave"),)):
            alice.apply(*gone)
            self.assertIn(copy, alice.due())
        for one in (bob, carol):
            one.sync(alice)
            self.assertEqual(one.tree()[copy], b"of alice")
        settle(*self.replicas)
        self.same()
        self.assertIn(b"of alice", self.contents(alice))

    def test_late_edit_of_an_old_version(self) -> None:
        """A node that was away and touched nothing takes the new version without a conflict, and without a copy."""
        alice, bob = self.pair(a="first")
        for number in range(3):
            alice.write("a", f"version {number}")
            alice.scan()
        settle(alice, bob)
        self.same({"a": b"version 2"})


class ClockTests(ReplicaCase):
    def test_case_11_wrong_clocks(self) -> None:
        """Clocks an hour ahead and a day behind decide nothing that versions decide."""
        alice, bob = self.pair(a="first")
        alice.ahead, bob.ahead = 3600, -DAY
        alice.write("a", "second")
        alice.scan()
        settle(alice, bob)
        bob.write("a", "third", 1_700_000_000 - DAY)
        settle(alice, bob)
        self.same({"a": b"third"})

    def test_case_12_strange_times(self) -> None:
        """Times before 1970 and after 2038, to the nanosecond, are kept."""
        alice, bob = self.pair()
        for number, stamp in enumerate((-86_400 * 10**9 - 1, 1, 4_291_747_200 * 10**9 + 123_456_789)):
            os.utime(alice.write(f"f{number}", "x"), ns=(stamp, stamp))
        settle(alice, bob)
        for number, stamp in enumerate((-86_400 * 10**9 - 1, 1, 4_291_747_200 * 10**9 + 123_456_789)):
            self.assertEqual((bob.root / f"f{number}").stat().st_mtime_ns, stamp)

    def test_case_13_time_alone(self) -> None:
        """A file whose time alone was changed sends no content, and leaves no copy in the archive."""
        alice, bob = self.pair(a="first")
        os.utime(alice.root / "a", (1_750_000_000, 1_750_000_000))
        alice.fetched.clear()
        settle(alice, bob)
        self.assertEqual((bob.root / "a").stat().st_mtime, 1_750_000_000)
        self.assertEqual((alice.fetched, bob.store.archive.versions("a")), ([], []))

    def test_case_15_clock_jumps_back(self) -> None:
        """A clock that jumps back makes no later version an earlier one."""
        alice, bob = self.pair(a="first")
        alice.write("a", "second")
        alice.scan()
        alice.ahead = -10 * DAY
        alice.write("a", "third")
        settle(alice, bob)
        self.same({"a": b"third"})

    def test_case_16_same_second_same_size(self) -> None:
        """An edit of the same size, in the same moment as the scan and with the same time, is noticed."""
        alice, bob = self.pair()
        now = int(time.time())
        alice.ahead = now - 1_800_000_000
        alice.write("a", "one", now)
        alice.scan()
        alice.write("a", "two", now)
        settle(alice, bob)
        self.same({"a": b"two"})

    def test_case_17_time_is_put_back(self) -> None:
        """An edit whose author has put the old time back is noticed."""
        alice, bob = self.pair(a="first")
        alice.ahead = bob.ahead = 10 * DAY
        alice.scan()
        alice.write("a", "other", 1_700_000_000)
        settle(alice, bob)
        self.same({"a": b"other"})


class RenameTests(ReplicaCase):
    def test_case_18_renames_are_cheap(self) -> None:
        """A renamed file, and a folder that was moved deep down, send no content at all."""
        alice, bob = self.pair()
        alice.write("big", os.urandom(3_000_000))
        for number in range(50):
            alice.write(f"d/{number}", os.urandom(1000))
        settle(alice, bob)
        alice.fetched.clear()
        alice.rename("big", "deep/down/big")
        alice.rename("d", "deep/down/d")
        alice.scan()
        bob.sync(alice)
        self.assertEqual(alice.fetched, [])
        settle(alice, bob)
        self.same()
        self.assertIn("deep/down/d/49", bob.tree())

    def test_case_18_what_was_deleted_first(self) -> None:
        """A new name that becomes known after the old one was deleted is made from the archive."""
        alice, bob = self.pair(a="first")
        data = (alice.root / "a").read_bytes()
        alice.remove("a")
        alice.scan()
        bob.sync(alice)
        alice.write("b", data)
        alice.scan()
        alice.fetched.clear()
        bob.sync(alice)
        self.assertEqual((alice.fetched, bob.tree()), ([], {"b": b"first"}))

    def test_case_19_upper_and_lower_case(self) -> None:
        """A name whose case alone was changed follows."""
        alice, bob = self.pair(name="x")
        alice.rename("name", "NAME")
        settle(alice, bob)
        self.same({"NAME": b"x"})

    def test_case_21_two_forms_of_one_name(self) -> None:
        """Two forms of the same letters are two names where the file system has two."""
        alice, bob = self.pair()
        alice.write("caf\u00e9", "composed")
        alice.write("cafe\u0301", "decomposed")
        settle(alice, bob)
        self.same({"caf\u00e9": b"composed", "cafe\u0301": b"decomposed"})

    def test_case_22_bytes_that_are_no_text(self) -> None:
        """A name that is no UTF-8 is a name like others."""
        alice, bob = self.pair()
        (alice.root / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
        settle(alice, bob)
        self.same({os.fsdecode(b"\xff\xfe"): b"x"})

    def test_case_23_swaps_and_cycles(self) -> None:
        """Names that were swapped, or went round in a circle, have each other's content."""
        alice, bob = self.pair(a="1", b="2", c="3", x="4", y="5")
        for old, new in (("a", "t"), ("c", "a"), ("b", "c"), ("t", "b"), ("x", "t"), ("y", "x"), ("t", "y")):
            alice.rename(old, new)
        settle(alice, bob)
        self.same({"a": b"3", "b": b"1", "c": b"2", "x": b"5", "y": b"4"})

    def test_case_25_over_another_file(self) -> None:
        """A file that was renamed over another one replaces it, and the other one is in the archive."""
        alice, bob = self.pair(a="1", b="2")
        alice.rename("a", "b")
        settle(alice, bob)
        self.same({"b": b"1"})
        (version,) = bob.store.archive.versions("b")
        self.assertEqual(version.size, 1)
