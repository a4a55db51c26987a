"""Odd disks, names that change on the way, how programs write, and many files: cases of the survival checklist."""

import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred

from bitdust.folders import writing
from bitdust.folders.problems import code_of
from bitdust.folders.transfer import Transfer
from bitdust.folders.tree import Tree
from bitdust.folders.writing import Part, Writer
from tests.unit.folder_kit import settle
from tests.unit.test_folder_conflicts import ReplicaCase

KB = 1024


def refusing(original: Callable[..., Any], code: int, path: str) -> Callable[..., Any]:
    """A method of a writer that fails for one path, as the disk would have it."""

    def call(self: Any, name: str, entry: Any, *rest: Any) -> Any:
        if entry.path == path:
            raise OSError(code, os.strerror(code), path)
        return original(self, name, entry, *rest)

    return call


class DiskTests(ReplicaCase):
    def test_case_14_every_other_second(self) -> None:
        """A disk that keeps even seconds alone shows times that are a little off; that is no change, and nothing goes
        back and forth."""
        alice, bob = self.pair()
        utime = os.utime

        def coarse(target: Any, times: Any = None, *, ns: Any = None, **more: Any) -> None:
            if ns is None:
                utime(target, times, **more)
            else:
                utime(target, ns=tuple(value - value % (2 * 10**9) for value in ns), **more)

        with mock.patch.object(writing.os, "utime", coarse):
            alice.write("a", "odd second", 1_700_000_001)
            settle(alice, bob)
            before = alice.store.journal.last, bob.store.journal.last
            for _ in range(3):
                settle(alice, bob)
            alice.write("a", "another odd one", 1_700_000_003)
            settle(alice, bob)
        self.assertEqual((bob.root / "a").stat().st_mtime, 1_700_000_002)
        self.assertEqual((alice.root / "a").stat().st_mtime, 1_700_000_003)
        self.assertEqual(alice.tree(), bob.tree())
        self.assertEqual(alice.store.journal.last - before[0], 1)

    def test_case_20_one_name_for_two(self) -> None:
        """On a disk that takes `A` and `a` for one, the second is left out and stays due; nothing that is there is
        replaced, and nobody deletes anything."""
        alice, bob = self.pair()
        one_for_two(bob.store.tree)
        alice.write("A", "upper")
        alice.write("a", "lower")
        for _ in range(4):
            alice.sync(bob)
            bob.sync(alice)
        self.assertEqual(alice.tree(), {"A": b"upper", "a": b"lower"})
        self.assertEqual(bob.tree(), {"A": b"upper"})
        self.assertEqual(bob.due(), ["a"])
        alice.remove("A")
        for _ in range(3):
            alice.sync(bob)
            bob.sync(alice)
        self.assertEqual(alice.tree(), {"a": b"lower"})
        self.assertEqual(list(bob.tree().values()), [b"lower"])

    def test_case_19_changed_elsewhere(self) -> None:
        """A name whose case alone was changed follows onto a disk that takes both for one; no content is sent."""
        alice, bob = self.upper_and_lower(lambda alice, bob: [bob])
        self.renamed(alice, alice, bob)

    def test_case_19_changed_there(self) -> None:
        """A name whose case alone was changed on a disk that takes both for one follows elsewhere."""
        alice, bob = self.upper_and_lower(lambda alice, bob: [bob])
        self.renamed(bob, alice, bob)

    def test_case_19_on_such_disks_alone(self) -> None:
        """The same between two such disks."""
        alice, bob = self.upper_and_lower(lambda alice, bob: [alice, bob])
        self.renamed(alice, alice, bob)

    def upper_and_lower(self, which: Callable[[Any, Any], list[Any]]) -> tuple[Any, Any]:
        """Two that have the same, some of them on disks that cannot tell upper and lower case apart."""
        alice, bob = self.pair(name="content")
        alice.write("folder/file", "content of another one")
        settle(alice, bob)
        for one in (alice, bob):
            one.fetched.clear()
        for one in which(alice, bob):
            one_for_two(one.store.tree)
        return alice, bob

    def renamed(self, who: Any, *both: Any) -> None:
        for old, new in (("name", "NAME"), ("folder/file", "folder/FILE"), ("NAME", "Name")):
            who.rename(old, new)
            if old == "NAME":
                who.scan(old, new)  # as the system reports it; else all of it is looked at
            settle(*both)
        wanted = {"Name": b"content", "folder": None, "folder/FILE": b"content of another one"}
        for one in both:
            self.assertEqual((one.tree(), one.due(), one.fetched), (wanted, [], []))

    def test_case_36_power(self) -> None:
        """A file is on the disk before it gets its name, the name before the journal says that it is there."""
        alice, bob = self.pair()
        alice.write("a", os.urandom(100 * KB))
        alice.scan()
        bob.pull(alice)
        told: list[str] = []
        fsync, give, done = os.fsync, Tree.give_name, bob.store.done

        def synced(descriptor: int) -> None:
            name = os.readlink(f"/proc/self/fd/{descriptor}")
            told.append("folder" if os.path.isdir(name) else "file")
            fsync(descriptor)

        def named(*given: Any) -> None:
            told.append("name")
            give(*given)

        def noted(*given: Any) -> None:
            told.append("journal")
            done(*given)

        with (
            mock.patch.object(os, "fsync", synced),
            mock.patch.object(Tree, "give_name", named),
            mock.patch.object(bob.store, "done", noted),
        ):
            bob.apply(alice)
        self.assertEqual([one for one in told if one != "folder" or told.index(one) > 1], told)
        order = [told.index("file"), told.index("name"), told.index("folder"), told.index("journal")]
        self.assertEqual(order, sorted(order))
        self.assertEqual(bob.tree(), alice.tree())

    def test_case_37_full_disk(self) -> None:
        """While there is no space for one file others go on; it is told, and comes when there is space again."""
        alice, bob = self.pair()
        alice.write("big", os.urandom(300 * KB))
        alice.write("small", "fits")
        alice.scan()
        bob.pull(alice)
        write = Part.write

        def full(descriptor: int, offset: int, chunk: bytes) -> None:
            if len(chunk) > KB:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(descriptor, offset, chunk)

        with mock.patch.object(Part, "write", full):
            bob.apply(alice)
        self.assertEqual(bob.tree(), {"small": b"fits"})
        self.assertEqual([(path, code_of(error)) for path, error in bob.failures[:1]], [("big", "disk-full")])
        settle(alice, bob)
        self.same()

    def test_case_45_nothing_may_be_written(self) -> None:
        """Where a folder may not be written the file waits, others come, and nothing is told as deleted."""
        alice, bob = self.pair(ro__a="first", b="second")
        alice.write("ro/a", "changed")
        alice.write("b", "changed too")
        with mock.patch.object(Writer, "place", refusing(Writer.place, errno.EACCES, "ro/a")):
            for _ in range(2):
                alice.sync(bob)
                bob.sync(alice)
        self.assertEqual(bob.tree(), {"ro": None, "ro/a": b"first", "b": b"changed too"})
        self.assertEqual(code_of(bob.failures[0][1]), "not-writable")
        settle(alice, bob)
        self.same({"ro": None, "ro/a": b"changed", "b": b"changed too"})

    def test_case_46_open_and_locked(self) -> None:
        """A program that has a file open, and locked, goes on with what it has opened; the new one takes its name, and
        the old one is in the archive."""
        alice, bob = self.pair(a="first")
        with (bob.root / "a").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alice.write("a", "second")
            settle(alice, bob)
            self.assertEqual(file.read(), b"first")
        self.same({"a": b"second"})
        self.assertEqual([row.size for row in bob.store.archive.versions("a")], [5])


def one_for_two(tree: Tree) -> None:
    """The tree is on a disk that cannot tell upper and lower case apart."""
    beside = tree.beside

    @contextmanager
    def same_name(path: str, make: bool = False) -> Any:
        with beside(path, make) as (folder, last):
            names = [name for name in os.listdir(folder) if name.lower() == last.lower()]
            yield folder, names[0] if names else last

    tree.beside = same_name  # type: ignore[method-assign]
    tree.takes_both = lambda: True  # type: ignore[method-assign]


class OnTheWayTests(ReplicaCase):
    def test_case_24_renamed_on_its_way(self) -> None:
        """A file that gets another name while it is brought is there under the new one, and no byte comes twice."""
        alice, bob = self.pair()
        alice.write("old", os.urandom(300 * KB))
        alice.scan()
        bob.pull(alice)
        bob.sources = [alice]
        waiting: list[tuple[list[bytes], Deferred[Any]]] = []

        def later(names: list[bytes], size: int) -> "Deferred[Any]":
            waiting.append((names, Deferred()))
            return waiting[-1][1]

        with mock.patch.object(alice, "ask_chunks", later):
            Transfer(bob, bob.store.tasks(1, [])[0]).machine.send("start")
            alice.rename("old", "new")
            alice.scan()
            bob.pull(alice)
            while waiting:
                names, answer = waiting.pop()
                answer.callback(alice.give(names))
        alice.fetched.clear()
        settle(alice, bob)
        self.same()
        self.assertEqual(list(bob.tree()), ["new"])
        self.assertEqual(alice.fetched, [])

    def test_case_26_long_paths(self) -> None:
        """What is too deep for a path of 4,095 bytes is left out with a warning; all above it is the same."""
        alice, bob = self.pair()
        here = os.open(alice.root, os.O_RDONLY)
        for _ in range(18):
            os.mkdir("d" * 240, dir_fd=here)
            below = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)
        alice.write("beside", "it")
        found = alice.scan()
        self.assertEqual([os.strerror(errno.ENAMETOOLONG)], sorted(set(found.warnings.values())))
        bob.sync(alice)
        self.assertEqual((bob.root / "beside").read_bytes(), b"it")
        self.assertEqual(len(bob.store.journal.items.seen_in("")), 2)
        shutil.rmtree(alice.root / ("d" * 240))


class ProgramTests(ReplicaCase):
    def test_case_52_a_log_that_grows(self) -> None:
        """Of a log that grows all the time only its end is brought again; at last it is the same."""
        alice, bob = self.pair()
        log = alice.write("log", os.urandom(1000 * KB))
        settle(alice, bob)
        alice.fetched.clear()
        for _ in range(60):
            with log.open("ab") as file:
                file.write(os.urandom(KB))
            alice.scan()
            bob.pull(alice)
            bob.apply(alice)
        settle(alice, bob)
        self.same()
        self.assertLessEqual(len(alice.fetched), 60 * 3)

    def test_case_53_how_editors_write(self) -> None:
        """Temporary file and rename, truncation, a backup beside: at the end trees are the same, with no conflict."""
        alice, bob = self.pair(a="first", b="first", c="first")
        for number in range(3):
            alice.write("a.tmp", f"renamed {number}")
            (alice.root / "a.tmp").rename(alice.root / "a")
            (alice.root / "b").write_bytes(b"")
            bob.sync(alice) if number == 1 else alice.scan()
            alice.write("b", f"truncated {number}")
            (alice.root / "c").rename(alice.root / "c~")
            alice.write("c", f"backed up {number}")
            settle(alice, bob)
        self.same({"a": b"renamed 2", "b": b"truncated 2", "c": b"backed up 2", "c~": b"backed up 1"})

    def test_case_53_a_checkout(self) -> None:
        """Many files that are replaced, deleted and made at once, twice, as git does it."""
        alice, bob = self.pair()
        for branch in ("one", "two", "one"):
            for path in [path for path in alice.root.rglob("*") if path.is_file() and ".sync" not in path.parts]:
                path.unlink()
            for number in range(60):
                alice.write(f"src/{number % 7}/{branch if number % 3 else 'both'}{number}", f"{branch} {number}")
            alice.scan()
        settle(alice, bob)
        self.same()
        self.assertEqual(len([one for one in bob.tree().values() if one is not None]), 60)

    def test_case_53_a_database(self) -> None:
        """A database that is written to, its log beside it, is whole elsewhere when it rests."""
        alice, bob = self.pair()
        database = sqlite3.connect(alice.root / "app.db")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE rows(value)")
        for number in range(20):
            with database:
                database.execute("INSERT INTO rows VALUES(?)", (number,))
            alice.sync(bob)
            bob.sync(alice)
        database.close()
        settle(alice, bob)
        self.same()
        there = sqlite3.connect(bob.root / "app.db")
        self.addCleanup(there.close)
        self.assertEqual(there.execute("SELECT count(*) FROM rows").fetchone(), (20,))

    def test_case_51_many_and_deep(self) -> None:
        """Hundreds of files in one folder, and a tree of a hundred folders one in the other, come over;
        a look that finds nothing new reads no file."""
        alice, bob = self.replica("alice"), self.replica("bob")
        for number in range(900):
            alice.write(f"many/{number}", str(number))
        alice.write("/".join(["d"] * 100) + "/file", "deep")
        self.assertEqual(alice.scan().read, 900 + 1 + 101)
        bob.pull(alice)
        bob.apply(alice)
        self.same()
        alice.clock.advance(10)
        alice.scan()
        self.assertEqual(alice.scan().read, 0)


