"""A keeper whose disk fails, whose process dies, or whose power goes, at every change of its disk: no chunk that it had
is lost, none that was kept is fetched twice, and the next process goes on."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from twisted.python.failure import Failure

from bitdust.folders import keeping, segments, tidying
from bitdust.folders.blind import former_place
from bitdust.folders.journal import DAY
from bitdust.folders.keeping import Keeping
from bitdust.folders.segments import HEAD
from bitdust.folders.tree import BLIND
from bitdust.testing.faulty_disk import SYNC, Change, Fault
from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, encrypted_secret
from tests.unit.keeper_kit import read, to_format_2
from tests.unit.test_folder_crash import HOWS, ONLY, DyingCase, Life

WAYS = [*HOWS, "torn", "fails"]
ONLY_AT = ONLY | {"torn": SYNC}
FAILURES = (OSError, sqlite3.Error, BitDustError)
FULL, SMALL = 3000, 400


class FailingLife(Life):
    """A disk that fails once, under a process that goes on."""

    def judge(self, change: Change) -> Fault | None:
        fault = super().judge(change)
        return Fault(OSError(errno.EIO, "the disk failed"), fault.done) if fault is not None else None

    def run(self, live: Callable[[], None]) -> list[str]:
        def again() -> None:
            with contextlib.suppress(*FAILURES):
                live()
            live()

        with contextlib.suppress(*FAILURES):
            return super().run(again)
        return self.kinds


class KeeperCrashTests(DyingCase):
    every = 2
    """Of many changes each so-many-th in each way, and another one in the next way."""

    def setUp(self) -> None:
        self.patch(segments, "FULL", FULL)
        self.patch(tidying, "COPIED", 1500)
        self.patch(tidying, "STEP", DAY)
        self.patch(keeping, "AT_ONCE", 3)
        base = Path(self.mktemp()).absolute()
        secret = encrypted_secret()
        self.alice = Replica(base, "alice", secret)
        self.keeper = Replica(base, "keeper", secret.weaker()[1])
        for one in (self.alice, self.keeper):
            self.addCleanup(one.close)
        self.kept: set[bytes] = set()
        """What the keeper has, as it was answered."""

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self.alice.write(f"{number}", os.urandom(SMALL))
        self.alice.scan()

    def bring(self) -> None:
        """What a keeper does when a peer has news; what it has kept is noted."""
        blind = self.keeper.store.blind
        keep = blind.keep

        def noted(chunks: list[tuple[bytes, bytes]], *lent: int) -> int:
            borrowed = keep(chunks, *lent)
            self.kept.update(name for name, _ in chunks)
            return borrowed

        blind.keep = noted
        self.keeper.pull(self.alice)
        self.keeper.sources = [self.alice]
        failures: list[Failure] = []
        Keeping(self.keeper.store, self.keeper.fetcher).run().addErrback(failures.append)
        for failure in failures:
            failure.raiseException()

    def lives(self, live: Callable[[], None], least: int) -> None:
        """Let a process die at its changes in each way."""
        before = self.names("kept")
        for how, at, _ in self.deaths(self.keeper, live, least, WAYS, ONLY_AT):
            self.kept = set(before)
            life = (FailingLife if how == "fails" else Life)(self.keeper, at, how)
            life.run(live)
            try:
                self.judge()
            except Exception as error:
                raise AssertionError(f"{how} {at}, {life.last}: {error}") from error

    def names(self, table: str) -> set[bytes]:
        return {name for (name,) in self.keeper.store.journal.database.execute(f"SELECT name FROM {table}")}

    def readable(self, names: set[bytes]) -> None:
        lost = [name for name in names if read(self.keeper, name) is None]
        self.assertEqual(lost, [], "chunks that cannot be read")

    def judge(self) -> None:
        """What was kept, and is needed, is there with nobody's help; the rest comes, and what is not needed goes."""
        self.keeper.open()
        self.keeper.keep()
        self.readable(self.kept & self.names("pieces"))
        self.alice.fetched.clear()
        self.keeper.pull(self.alice)
        self.keeper.keep(self.alice)
        self.assertEqual(set(self.alice.fetched) & self.kept, set(), "fetched though they were kept")
        needed = self.names("pieces")
        self.assertEqual((self.keeper.keeping.is_behind, len(needed)), (False, len(self.alice.tree())))
        self.readable(needed)
        self.keeper.clock.advance(DAY)
        for _ in range(2):
            self.keeper.keep(self.alice)
        self.assertEqual(self.names("kept"), needed)
        self.readable(needed)
        files = [path for path in (self.keeper.root / BLIND).rglob("*") if path.is_file()]
        self.assertEqual({path.suffix for path in files}, {".seg"})
        size = sum(path.stat().st_size for path in files)
        self.assertLess(size, len(needed) * (SMALL + HEAD.size + 20) * 4 / 3 + FULL + SMALL + 500)
        self.keeper.close()

    def test_while_it_keeps(self) -> None:
        """New chunks come, into the segment that is open and into new ones."""
        self.write(*range(4))
        self.bring()
        self.write(*range(4, 16))
        self.lives(self.bring, 10)

    def test_while_it_collects(self) -> None:
        """Some are not needed any more: segments are removed, and others written anew."""
        self.write(*range(40))
        self.bring()
        rows = self.keeper.store.journal.database.execute("SELECT name, segment FROM kept").fetchall()
        where = dict(rows)
        chunks = {path: self.names_of(path) for path in self.alice.tree()}
        for number, path in enumerate(sorted(chunks, key=lambda one: where[chunks[one]])):
            if number < 7 or number % 3:
                self.alice.remove(path)
        self.alice.scan()
        self.lives(self.bring, 20)

    def names_of(self, path: str) -> bytes:
        query = "SELECT name FROM pieces WHERE path=?"
        ((name,),) = self.alice.store.journal.database.execute(query, (path.encode(),))
        return bytes(name)

    def test_while_it_moves(self) -> None:
        """A former version has left a journal of format 2, which is changed first, and a file for each chunk."""
        self.write(*range(10))
        self.bring()
        database = self.keeper.store.journal.database
        rows = database.execute("SELECT name, size FROM kept").fetchall()
        for name, _ in rows:
            path = self.keeper.root / former_place(name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(read(self.keeper, name) or b"")
        for path in (self.keeper.root / BLIND).glob("*.seg"):
            path.unlink()
        to_format_2(self.keeper, rows)
        self.alice.remove("3")
        self.write(20)
        self.lives(self.bring, 20)
