"""A disk that breaks at one change; `python -m tests.grid.crash SCENARIO` breaks each of them in every way."""

import contextlib
import io
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.files import write_safely
from bitdust.customers import database as customers
from bitdust.storage.catalog import database as catalog
from bitdust.testing.faulty_disk import CREATE, Change, Crash, Fault, FaultyDisks
from tests.grid.chaos import promises
from tests.grid.crash import __main__ as commands
from tests.grid.crash import running
from tests.grid.crash.power import Unsynced

RUN_SECONDS = 300
SEED = 231
Connect = Callable[[Path], sqlite3.Connection]


class CrashTests(SynchronousTestCase):
    def test_a_sample_of_all_points(self) -> None:
        """Whatever a node does to its disk may be the last thing, or fail: nothing is lost, nothing is stuck. Disks of
        suppliers are among them, also while they delete."""
        self.assertIn("delete:supplier-1", [scenario for scenario, _, _ in running.sample(SEED)])
        command = [sys.executable, "-m", "tests.grid.crash", "sample", str(SEED)]
        around = os.environ | {"PYTHONHASHSEED": "0"}
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False, env=around
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    def test_a_loss_is_seen(self) -> None:
        """A run in which a file is changed on its way back fails."""
        real = promises.read
        with mock.patch.object(promises, "read", lambda path: None if "back" in path.parts else real(path)):
            why, _, _ = running.run("upload")
        self.assertIn("came back as something else", why)

    def test_one_run_that_fails_is_enough(self) -> None:
        """The command breaks the scenario in all ways, says how to replay what has failed, and that it has; where it
        fails with nothing broken, that is a failure too."""
        changes = [Change(CREATE, Path("one")), Change(CREATE, Path("two"))]
        ends = {(0, "before"): "", (2, "full"): "it was lost"}

        def run(scenario: str, at: int = 0, how: str = "before", verbose: bool = False) -> tuple:
            return ends.get((at, how), ""), changes, []

        code, said = self.command(run, "upload")
        ways = len(running.points(changes))
        self.assertEqual((code, said.count("FAILED")), (1, 1))
        self.assertIn(f"{ways - 1} of {ways} runs ok", said)
        self.assertIn(f"\n  replay: {running.replay('upload', 2, 'full')}\n", said)
        self.assertEqual(self.command(run, "upload", "1", "1")[0], 0)
        ends[0, "before"] = "it stands still"
        code, said = self.command(run, "upload")
        self.assertEqual((code, "FAILED with nothing broken: it stands still" in said), (1, True))

    def command(self, run: Callable[..., tuple], *arguments: str) -> tuple[int, str]:
        """What `python -m tests.grid.crash` returns and prints, where runs end so."""
        given = mock.patch.object(sys, "argv", ["crash", *arguments])
        around = mock.patch.dict(os.environ, {"PYTHONHASHSEED": "0"})
        parts = mock.patch.multiple(commands, run=run, globalLogBeginner=mock.DEFAULT, gc=mock.DEFAULT)
        with given, around, parts, contextlib.redirect_stdout(io.StringIO()) as printed:
            return commands.main(), printed.getvalue()


class PowerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.unsynced = Unsynced()
        self.disks = FaultyDisks(sees_all=True)
        self.disks.watch(self.home, self.see)

    def see(self, change: Change) -> None:
        self.unsynced.see(change)

    def there(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.home.iterdir()}

    def test_what_was_synced_stays(self) -> None:
        """A file that was written by the rule of the house is there after a power cut."""
        with self.disks.installed():
            write_safely(self.home / "file", b"first")
            write_safely(self.home / "file", b"second")
        self.unsynced.cut()
        self.assertEqual(self.there(), {"file": b"second"})

    def test_what_was_not_synced_goes(self) -> None:
        """A new file, a new name and a removal without a sync are taken back."""
        for name in ("renamed", "removed", "written"):
            (self.home / name).write_bytes(name.encode())
        with self.disks.installed():
            (self.home / "renamed").replace(self.home / "other")
            (self.home / "removed").unlink()
            self.unsynced.see(Change(CREATE, self.home / "new"))
            (self.home / "new").write_bytes(b"new")
            self.unsynced.see(Change(CREATE, self.home / "written"))
            (self.home / "written").write_bytes(b"more")
        self.unsynced.cut()
        self.assertEqual(self.there(), {name: name.encode() for name in ("renamed", "removed", "written")})


class DatabasePowerTests(SynchronousTestCase):
    """The power goes at each write and sync that SQLite makes, in commits and in checkpoints."""

    def lives(self, connect: Connect, torn: bool, at: int) -> tuple[list[int], list[int], bool]:
        """The rows that were acknowledged, those that the next process finds, and whether it came to the cut."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        disks, unsynced, changes = FaultyDisks(sees_all=True), Unsynced(), []

        def judge(change: Change) -> Fault | None:
            changes.append(change)
            if len(changes) != at:
                unsynced.see(change)
                return None
            return Fault(Crash("cut"), 0.0, cut)

        def cut() -> None:
            disks.leave(home)
            unsynced.cut(random.Random(at) if torn else None)

        disks.watch(home, judge)
        acknowledged: list[int] = []
        with disks.installed(), contextlib.suppress(Crash), closing(connect(home / "some.db")) as database:
            database.execute("CREATE TABLE IF NOT EXISTS one(number, filler)")
            database.execute("PRAGMA wal_autocheckpoint=6")
            for number in range(3):
                database.execute("INSERT INTO one VALUES(?, randomblob(5000))", (number,))
                acknowledged.append(number)
        with closing(connect(home / "some.db")) as database:
            database.execute("CREATE TABLE IF NOT EXISTS one(number, filler)")
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            found = [row[0] for row in database.execute("SELECT number FROM one ORDER BY number")]
        return acknowledged, found, len(changes) >= at

    def lost(self, connect: Connect) -> int:
        """In how many of all the cuts something that was acknowledged is gone."""
        lost = at = 0
        went_on = True
        while went_on:
            at += 1
            for torn in (False, True):
                acknowledged, found, went_on = self.lives(connect, torn, at)
                lost += not set(acknowledged) <= set(found)
        self.assertGreater(at, 20)
        return lost

    def test_what_is_acknowledged_from_a_database_stays(self) -> None:
        """Both the owner's and the supplier's database have on the disk what they have committed."""
        self.assertEqual((self.lost(catalog.connect), self.lost(customers.connect)), (0, 0))

    def test_a_lost_commit_is_seen(self) -> None:
        """A database that does not sync its commits loses some."""

        def careless(path: Path) -> sqlite3.Connection:
            connection = catalog.connect(path)
            connection.execute("PRAGMA synchronous=NORMAL")
            return connection

        self.assertGreater(self.lost(careless), 0)
