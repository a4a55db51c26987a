"""Group commits: what each waiting caller gets when a step of its own, or of all, fails."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.disk.commit import MAX_BATCH, GroupCommit, Job
from bitdust.disk.disk import Disk
from bitdust.wire.errors import BitDustError

FULL = OSError(errno.ENOSPC, "full")
BROKEN = OSError(errno.EIO, "broken")


class BadFolders(Disk):
    """A disk that cannot sync the folders named here, and counts the others."""

    def __init__(self) -> None:
        self.bad: set[Path] = set()
        self.synced: list[Path] = []

    def sync_folder(self, path: Path) -> None:
        """Refuse, or remember."""
        if path in self.bad:
            raise BROKEN
        self.synced.append(path)


class Breaking(sqlite3.Connection):
    """A database that refuses statements that begin as named here."""

    bad = ""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """Refuse, or do it."""
        if self.bad and statement.startswith(self.bad):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *parameters)


class Note(Job):
    """Writes one row; fails at the step that is named, with what is given."""

    def __init__(
        self, steps: list[str], name: str, fails: str = "", error: Exception = BROKEN, folder: Path | None = None
    ) -> None:
        self._steps = steps
        self._name = name
        self._fails = fails
        self._error = error
        self.folder = folder

    def _step(self, step: str) -> None:
        self._steps.append(f"{step} {self._name}")
        if step == self._fails:
            raise self._error

    def prepare(self) -> None:
        """Nothing but the note that it was asked for."""
        self._step("prepare")

    def apply(self, database: sqlite3.Connection) -> str:
        """The row first, so that a failure has something to take back."""
        database.execute("INSERT INTO notes VALUES(?)", (self._name,))
        self._step("apply")
        return self._name.upper()

    def finish(self) -> None:
        """Nothing but the note."""
        self._step("finish")

    def undo(self, database: sqlite3.Connection) -> None:
        """Take the row back."""
        self._step("undo")
        database.execute("DELETE FROM notes WHERE name=?", (self._name,))


class CommitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None, factory=Breaking)
        self.addCleanup(self.database.close)
        self.database.execute("CREATE TABLE notes(name)")
        self.disk = BadFolders()
        self.steps: list[str] = []
        self.batches: list[int] = []
        self.thread: list[Callable[[], None]] = []
        self.commit = GroupCommit(self.run_later, self.disk, lambda: self.database)

    def run_later(self, call: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
        """A thread that works when the test says so."""
        done: Deferred[Any] = Deferred()
        self.batches.append(len(arguments[2]))
        self.thread.append(lambda: maybeDeferred(call, *arguments).chainDeferred(done))
        return done

    def work(self) -> None:
        while self.thread:
            self.thread.pop(0)()

    def note(self, name: str, *how: Any, folder: Path | None = None) -> "Deferred[Any]":
        return self.commit.run(Note(self.steps, name, *how, folder=folder))

    def notes(self) -> list[str]:
        return [name for (name,) in self.database.execute("SELECT name FROM notes ORDER BY name")]

    def refused(self, waiting: "Deferred[Any]", code: str = "internal") -> None:
        self.assertEqual(self.failureResultOf(waiting, BitDustError).value.code, code)

    def test_a_disk_that_one_of_them_fills(self) -> None:
        """All in a transaction that SQLite has ended by itself for it hear that the disk is full."""
        with TemporaryDirectory() as folder:
            self.database = sqlite3.connect(Path(folder) / "notes.db", isolation_level=None)
            self.addCleanup(self.database.close)
            self.database.execute("PRAGMA journal_mode=WAL")
            self.database.execute("CREATE TABLE notes(name)")
            self.database.execute("PRAGMA max_page_count=10")
            waiting = [self.note("alone"), self.note("a"), self.note("x" * 100_000), self.note("b")]
            self.work()
            self.successResultOf(waiting[0])
            for one in waiting[1:]:
                self.refused(one, "no-space")
            self.assertEqual(self.notes(), ["alone"])

    def test_order_of_steps(self) -> None:
        """All prepare, all apply, all finish; only then the callers hear, each what its own job gave."""
        waiting = [self.note("first"), self.note("a"), self.note("b")]
        self.assertNoResult(waiting[0])
        self.work()
        self.assertEqual([self.successResultOf(one) for one in waiting], ["FIRST", "A", "B"])
        self.assertEqual(self.steps[3:], ["prepare a", "prepare b", "apply a", "apply b", "finish a", "finish b"])

    def test_what_comes_meanwhile_shares_the_next_commit(self) -> None:
        """Jobs that come while a batch is written go into the next ones, a bounded number into each."""
        waiting = [self.note(str(number)) for number in range(MAX_BATCH + 2)]
        self.work()
        self.assertEqual(self.batches, [1, MAX_BATCH, 1])
        self.assertEqual(self.successResultOf(waiting[-1]), str(MAX_BATCH + 1))

    def test_preparing_fails(self) -> None:
        """A job whose bytes do not fit on the disk is not applied; the others of its batch are."""
        self.note("first")
        full, other = self.note("full", "prepare", FULL), self.note("other")
        self.work()
        self.refused(full, "no-space")
        self.assertEqual(self.successResultOf(other), "OTHER")
        self.assertEqual(self.notes(), ["first", "other"])

    def test_applying_fails(self) -> None:
        """A job that the database refuses takes back its own rows and no others; it is not finished."""
        self.note("first")
        waiting = [
            self.note("a"),
            self.note("bad", "apply", sqlite3.IntegrityError("twice")),
            self.note("refused", "apply", BitDustError("no-room", "too much")),
            self.note("z"),
        ]
        self.work()
        self.refused(waiting[1])
        self.refused(waiting[2], "no-room")
        self.assertEqual(self.notes(), ["a", "first", "z"])
        self.assertNotIn("finish bad", self.steps)
        self.assertNotIn("undo bad", self.steps)

    def test_finishing_fails(self) -> None:
        """A job whose file gets no name is undone, and the others stay."""
        self.note("first")
        bad, other = self.note("bad", "finish"), self.note("other")
        self.work()
        self.refused(bad)
        self.assertEqual(self.successResultOf(other), "OTHER")
        self.assertEqual((self.notes(), self.steps[-1]), (["first", "other"], "undo bad"))

    def test_folders_are_synced_once(self) -> None:
        """A folder is synced once for all jobs of a batch that touched it."""
        self.note("first")
        for name in ("a", "b"):
            self.note(name, folder=Path("/one"))
        self.note("c", folder=Path("/two"))
        self.work()
        self.assertEqual(self.disk.synced, [Path("/one"), Path("/two")])

    def test_folder_that_cannot_be_synced(self) -> None:
        """Names that may not survive a power cut are not acknowledged: all jobs of that folder are undone."""
        self.disk.bad.add(Path("/one"))
        self.note("first")
        places = (("a", "/one"), ("b", "/one"), ("c", "/two"))
        waiting = [self.note(name, folder=Path(folder)) for name, folder in places]
        self.work()
        self.refused(waiting[0])
        self.refused(waiting[1])
        self.assertEqual(self.successResultOf(waiting[2]), "C")
        self.assertEqual(self.notes(), ["c", "first"])

    def test_applying_fails_alone(self) -> None:
        """The same where no other job came with it; and one behind whose back its transaction has ended is told."""
        for error in (sqlite3.IntegrityError("twice"), BitDustError("internal", "no")):
            waiting = self.note("bad", "apply", error)
            self.work()
            self.refused(waiting)
            self.assertEqual((self.notes(), self.database.in_transaction), ([], False))
        waiting = self.commit.change(lambda database: database.execute("ROLLBACK"))
        self.work()
        self.refused(waiting)
        waiting = self.note("good")
        self.work()
        self.assertEqual((self.successResultOf(waiting), self.notes()), ("GOOD", ["good"]))

    def test_transaction_that_breaks(self) -> None:
        """When a transaction fails nothing of its batch is there, all its callers are told, and the next one works."""
        for bad in ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"):
            alone = self.note(bad) if bad in ("BEGIN", "COMMIT") else self.commit.change(lambda database: None)
            together = [self.note(bad), self.note(bad)]
            self.database.bad = bad
            self.work()
            if bad in ("BEGIN", "COMMIT"):
                self.refused(alone)
            for waiting in together:
                self.refused(waiting)
            self.database.bad = ""
            self.assertFalse(self.database.in_transaction)
            self.assertEqual(self.notes(), [])
            self.assertNotIn(f"finish {bad}", self.steps)
        waiting = self.note("good")
        self.work()
        self.assertEqual((self.successResultOf(waiting), self.notes()), ("GOOD", ["good"]))

    def test_first_reason_counts(self) -> None:
        """A job that could not prepare keeps its own reason when the transaction of the others breaks."""
        self.note("first")
        full, other = self.note("full", "prepare", FULL), self.note("other")
        self.thread.pop(0)()
        self.database.bad = "COMMIT"
        self.work()
        self.refused(full, "no-space")
        self.refused(other)

    def test_a_mistake_of_the_program(self) -> None:
        """An error that is none of the disk takes back its own job, reaches its caller, and disturbs nobody else."""
        self.note("first")
        mistake, other = self.note("mistake", "apply", KeyError("oops")), self.note("other")
        self.work()
        self.failureResultOf(mistake, KeyError)
        self.assertEqual(self.successResultOf(other), "OTHER")
        self.assertEqual((self.notes(), self.database.in_transaction), (["first", "other"], False))
        later = self.note("later")
        self.work()
        self.assertEqual(self.successResultOf(later), "LATER")

    def test_undoing_that_fails(self) -> None:
        """What cannot be undone has failed all the same, with the reason of the step before."""
        bad = self.note("bad", "finish", FULL)
        self.database.bad = "DELETE"
        self.work()
        self.refused(bad, "no-space")
        self.assertFalse(self.database.in_transaction)

    def test_whoever_gives_up_waiting(self) -> None:
        """A caller that cancels stops waiting; its job is written, and nobody else is disturbed."""
        gone, other = self.note("gone"), self.note("other")
        gone.cancel()
        self.failureResultOf(gone)
        self.work()
        self.assertEqual((self.successResultOf(other), self.notes()), ("OTHER", ["gone", "other"]))

    def test_change(self) -> None:
        """A function over the database is a job of its own."""
        waiting = self.commit.change(lambda database: database.execute("SELECT 7").fetchone()[0])
        self.work()
        self.assertEqual(self.successResultOf(waiting), 7)

    def test_idle(self) -> None:
        """Idle means that nothing is being written and nothing waits."""
        self.successResultOf(self.commit.when_idle())
        self.note("a")
        self.note("b")
        idle = self.commit.when_idle()
        self.thread.pop(0)()
        self.assertNoResult(idle)
        self.work()
        self.successResultOf(idle)
