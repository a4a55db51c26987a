"""What a revoked device has said in groups that were left: unknown until their files were read, and where they cannot
be."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.groups.left_files import AGAIN, LeftFiles
from bitdust.storage.catalog.database import open_catalog, set_base
from bitdust.storage.shared import log_files
from bitdust.storage.shared.log_files import end_in_file

DEVICE, OTHER = b"d" * 16, b"o" * 16


class LeftFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.clock, self.waiting = Clock(), list[tuple[Deferred[None], Any]]()
        self.left = LeftFiles(SimpleNamespace(clock=self.clock, run_in_thread=self.in_thread), self.folder,
                              self.known_more)  # fmt: skip
        self.left.start()
        self.addCleanup(self.left.stop)
        self.asked: list[int | None] = []
        self.opened: list[Path] = []

    def known_more(self) -> None:
        self.asked.append(self.longest(*self.opened))

    def in_thread(self, call: Any, *arguments: Any) -> "Deferred[Any]":
        begun: Deferred[None] = Deferred()
        self.waiting.append((begun, call))
        return begun.addCallback(lambda _: execute(call, *arguments))

    def ended(self) -> None:
        """What goes on in threads comes to its end."""
        waiting, self.waiting = self.waiting, []
        for begun, _ in waiting:
            begun.callback(None)

    def group(self, name: str, end: int, device: bytes = DEVICE) -> Path:
        path = self.folder / f"{name}.db"
        database = open_catalog(path)
        set_base(database, "group_x", device, end, b"h" * 32)
        database.close()
        return path

    def longest(self, *opened: Path, is_patient: bool = True) -> int | None:
        return self.left.longest(DEVICE, set(opened), is_patient)

    def lock(self, path: Path) -> sqlite3.Connection:
        """Somebody else has the file for himself."""
        self.patch(log_files, "PATIENCE", 0.0)
        other = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        return other

    def test_read_in_a_thread(self) -> None:
        """Nothing is said before the files were read in a thread, once however often it is asked; then it is reported
        that they were, and the longest part counts."""
        self.group("a", 3)
        self.group("b", 7)
        self.group("c", 9, OTHER)
        opened = self.group("d", 11)
        self.assertEqual((self.longest(opened), self.longest(opened), len(self.waiting)), (None, None, 1))
        self.opened = [opened]
        self.ended()
        self.assertEqual((self.asked, self.waiting), ([7], []))

    def test_closed_again_while_it_is_read(self) -> None:
        """A reading that began before a group was closed says nothing of its file, whatever is read meanwhile."""
        path = self.group("a", 3)
        self.assertIsNone(self.longest())
        self.left.forget(path)
        self.assertIsNone(self.longest())
        (early, _), (late, _) = self.waiting
        early.callback(None)
        self.assertEqual(self.asked, [None])
        path.unlink()
        self.group("a", 50)
        late.callback(None)
        self.assertEqual((self.asked, self.longest()), ([None, 50], 50))

    def test_no_group_was_left(self) -> None:
        """Where there is none it is known at once that nothing was said."""
        self.assertEqual((self.longest(), self.waiting), (0, []))

    def test_one_cannot_be_read_now(self) -> None:
        """While a file cannot be read the end is unknown, it is read again by and by, and what was known counts on the
        person's word."""
        self.group("a", 3)
        other = self.lock(self.group("b", 7))
        self.assertIsNone(self.longest())
        self.ended()
        self.assertEqual((self.asked, self.longest(is_patient=False)), ([None], 3))
        self.clock.advance(AGAIN)
        self.ended()
        self.assertEqual((self.asked, self.waiting), ([None, None, None], []))
        other.close()
        self.clock.advance(AGAIN)
        self.ended()
        self.assertEqual((self.asked[-1], self.clock.getDelayedCalls()), (7, []))

    def test_not_read_yet(self) -> None:
        """Not on the person's word either is it said before the files were read at all."""
        self.group("a", 3)
        self.assertIsNone(self.longest(is_patient=False))

    def test_closed_again(self) -> None:
        """A group that was joined again may have grown: what was read of it before, or just then, is forgotten."""
        path = self.group("a", 3)
        self.longest()
        self.ended()
        for grown in (5, 8):
            self.left.forget(path)
            self.longest()
            self.group("a", grown)
            if grown == 8:
                self.left.forget(path)
                self.ended()
                self.assertIsNone(self.asked[-1])
            self.ended()
            self.assertEqual(self.longest(), grown)

    def test_stopped(self) -> None:
        """Nothing is read by itself after the end; who asks then gets it all the same."""
        other = self.lock(self.group("a", 3))
        self.longest()
        self.ended()
        self.left.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        other.close()
        self.clock.advance(AGAIN)
        self.assertIsNone(self.longest())
        self.ended()
        self.assertEqual(self.longest(), 3)


class EndInFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def test_unreadable(self) -> None:
        """A file that is locked, no database, or not there any more says nothing about the end."""
        self.assertIsNone(end_in_file(self.path, DEVICE))
        self.assertFalse(self.path.exists())
        self.path.write_bytes(b"no database" * 1000)
        self.assertIsNone(end_in_file(self.path, DEVICE))

    def test_nothing_was_written_yet(self) -> None:
        """In one whose tables were never made nothing was said."""
        sqlite3.connect(self.path).execute("PRAGMA user_version").connection.close()
        self.path.touch()
        self.assertEqual(end_in_file(self.path, DEVICE), 0)

    def test_nothing_is_written(self) -> None:
        """The file, and what is beside it, is as it was afterwards."""
        database = open_catalog(self.path)
        set_base(database, "group_x", DEVICE, 4, b"h" * 32)
        database.close()
        before = self.path.read_bytes()
        self.assertEqual((end_in_file(self.path, DEVICE), end_in_file(self.path, OTHER)), (4, 0))
        self.assertEqual(self.path.read_bytes(), before)
