"""Disks that fail: the layer under random runs and crash points."""

import errno
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.files import write_safely
from bitdust.testing.faulty_disk import COMMIT, RENAME, WRITE, Change, Crash, Fault, FaultyDisks, sqlite_error


class FaultyDiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.home, self.other = self.base / "home", self.base / "other"
        self.home.mkdir()
        self.other.mkdir()
        self.disks = FaultyDisks()
        self.seen: list[Change] = []
        self.faults: dict[str, Fault] = {}
        self.disks.watch(self.home, self.judge)
        installed = self.disks.installed()
        installed.__enter__()
        self.addCleanup(installed.__exit__, None, None, None)

    def judge(self, change: Change) -> Fault | None:
        self.seen.append(change)
        return self.faults.get(change.kind)

    def write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def test_every_change_is_asked_about_in_order(self) -> None:
        """Creating, writing, syncing, renaming and removing, each with its file; nothing of other folders."""
        self.write(self.home / "one", b"abc")
        os.replace(self.home / "one", self.home / "two")
        (self.home / "two").unlink()
        self.write(self.other / "one", b"abc")
        kinds = [(change.kind, change.path.name, change.size) for change in self.seen]
        expected = [("create", "one", 0), ("write", "one", 3), ("sync", "one", 0), ("rename", "two", 0)]
        self.assertEqual(kinds, [*expected, ("remove", "two", 0)])

    def test_a_cut_is_a_write(self) -> None:
        """It is made, or not."""
        (self.home / "one").write_bytes(b"abcdef")
        for fault, left in ((Fault(OSError(errno.EIO, "broken")), b"abcdef"), (None, b"abc")):
            self.faults = {WRITE: fault} if fault is not None else {}
            descriptor = os.open(self.home / "one", os.O_WRONLY)
            try:
                os.ftruncate(descriptor, 3)
            except OSError:
                self.assertIsNotNone(fault)
            finally:
                os.close(descriptor)
            self.assertEqual((self.home / "one").read_bytes(), left)
        self.assertEqual([one.kind for one in self.seen].count(WRITE), 2)

    def test_a_write_can_end_in_its_middle(self) -> None:
        """A share of the bytes is there when the error is raised."""
        self.faults[WRITE] = Fault(OSError(errno.ENOSPC, "full"), 0.5)
        self.assertRaises(OSError, self.write, self.home / "one", b"abcdef")
        self.assertEqual((self.home / "one").read_bytes(), b"abc")

    def test_a_safe_write_that_fails_leaves_what_was_there(self) -> None:
        """The rule of the house under a rename that fails."""
        write_safely(self.home / "one", b"old")
        self.faults[RENAME] = Fault(OSError(errno.EIO, "broken"))
        self.assertRaises(OSError, write_safely, self.home / "one", b"new")
        self.assertEqual([path.read_bytes() for path in self.home.iterdir()], [b"old"])

    def test_a_commit_can_fail_as_sqlite_fails(self) -> None:
        """With the error code that the program looks at; a roll-back leaves what was committed before."""
        database = self.database()
        self.faults[COMMIT] = Fault(sqlite_error(sqlite3.SQLITE_FULL))
        database.execute("BEGIN")
        database.execute("INSERT INTO one VALUES(2)")
        error = self.assertRaises(sqlite3.OperationalError, database.execute, "COMMIT")
        self.assertEqual(error.sqlite_errorcode, sqlite3.SQLITE_FULL)
        database.execute("ROLLBACK")
        self.assertEqual(database.execute("SELECT * FROM one").fetchall(), [(1,)])

    def database(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.home / "one.db", isolation_level=None)
        self.addCleanup(database.close)
        database.execute("CREATE TABLE one(number)")
        database.execute("INSERT INTO one VALUES(1)")
        return database

    def test_a_process_that_is_gone_changes_nothing(self) -> None:
        """Its open transaction is undone and keeps nobody out, and its writes are refused; the next one writes."""
        database = self.database()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO one VALUES(2)")
        self.disks.leave(self.home)
        self.assertRaises(Crash, self.write, self.home / "one", b"abc")
        self.assertRaises(Crash, database.execute, "COMMIT")
        self.assertRaises(sqlite3.ProgrammingError, database.execute, "SELECT 1")
        self.disks.watch(self.home, self.judge)
        self.write(self.home / "one", b"abc")
        again = sqlite3.connect(self.home / "one.db", isolation_level=None)
        self.addCleanup(again.close)
        again.execute("INSERT INTO one VALUES(3)")
        self.assertEqual(again.execute("SELECT * FROM one").fetchall(), [(1,), (3,)])

    def test_what_comes_from_outside_is_not_asked_about(self) -> None:
        """A test that damages a disk is no process of it."""
        self.disks.leave(self.home)
        with self.disks.outside():
            self.write(self.home / "one", b"abc")
        self.assertEqual((self.home / "one").read_bytes(), b"abc")
