"""A keeper whose records are named by the test, and whose segments are small."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import segments
from bitdust.folders.keys import sealed_name
from bitdust.folders.tree import BLIND
from tests.unit.folder_kit import Replica, encrypted_secret, kept_at

FULL = 2000
Chunk = tuple[bytes, bytes]


def chunks(count: int, size: int = 100) -> list[Chunk]:
    """So many, each of which is another one, with their names."""
    return [(sealed_name(data), data) for data in (os.urandom(size) for _ in range(count))]


def read(keeper: Replica, name: bytes) -> bytes | None:
    """A chunk as peers get it; None where it is not there, or damaged."""
    with keeper.store.blind.kept(keeper.store.journal.database) as kept:
        return kept.read(name)


def to_format_2(keeper: Replica, kept: list[tuple[bytes, int]]) -> None:
    """A keeper's journal is as a former version has left it; chunks have names and sizes there."""
    with keeper.store.journal.change() as database:
        for change in ("DROP TABLE segments", "DROP TABLE kept", "DROP TABLE observed", "PRAGMA user_version=2",
                       "CREATE TABLE kept(name BLOB PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID"):  # fmt: skip
            database.execute(change)
        database.executemany("INSERT INTO kept VALUES(?, ?)", kept)


@contextmanager
def unreadable(path: Path, offset: int | None = None) -> Iterator[None]:
    """The disk does not give a file, or what begins at one place of it."""
    real = os.pread

    def pread(descriptor: int, size: int, at: int) -> bytes:
        if offset in (None, at) and os.readlink(f"/dev/fd/{descriptor}") == str(path):
            raise OSError(errno.EIO, "the disk failed")
        return real(descriptor, size, at)

    with mock.patch.object(os, "pread", pread):
        yield


class KeeperCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(segments, "FULL", FULL)
        self.keeper = Replica(Path(self.mktemp()), "keeper", encrypted_secret().weaker()[1])
        self.addCleanup(self.keeper.close)
        self.place = self.keeper.root / BLIND

    @property
    def database(self) -> sqlite3.Connection:
        return self.keeper.store.journal.database

    def name(self, *some: list[Chunk]) -> None:
        """From now on records name these, and nothing else."""
        rows = [(name, b"record", number, len(data)) for number, (name, data) in enumerate(sum(some, []))]
        with self.keeper.store.journal.change():
            self.database.execute("DELETE FROM pieces")
            self.database.executemany("INSERT INTO pieces VALUES(?, ?, ?, ?, x'')", rows)

    def keep(self, *some: list[Chunk]) -> None:
        """Chunks come, and records name them beside those before."""
        rows = self.database.execute("SELECT name, length FROM pieces").fetchall()
        self.name([(name, bytes(length)) for name, length in rows], *some)
        for one in some:
            self.keeper.store.blind.keep(one)

    def steps(self, *works: Callable[[], Any]) -> int:
        return sum(1 for work in works or (self.mend, self.collect) for _ in work())

    @property
    def mend(self) -> Callable[[], Any]:
        return self.keeper.store.tidying.mend

    @property
    def collect(self) -> Callable[[], Any]:
        """While somebody is here who could tell records."""
        return lambda: self.keeper.store.tidying.collect(True)

    @contextmanager
    def database_unchanged(self) -> Iterator[None]:
        """The journal has the same afterwards."""
        count = self.database.total_changes
        yield
        self.assertEqual(self.database.total_changes, count)

    def again(self) -> None:
        """The next process."""
        self.keeper.close()
        self.keeper.open()

    def here(self, some: list[Chunk]) -> list[bool]:
        """Which of them can be read, as the journal knows too."""
        found = [read(self.keeper, name) for name, _ in some]
        self.assertEqual([one for one in found if one is not None],
                         [data for (_, data), one in zip(some, found, strict=True) if one is not None])  # fmt: skip
        return [one is not None for one in found]

    def wanted(self) -> list[bytes]:
        return [one.name for one in self.keeper.store.blind.wanted(1000, b"")[0]]

    def files(self) -> dict[str, int]:
        files = (path for path in self.place.rglob("*") if path.is_file())
        return {str(path.relative_to(self.place)): path.stat().st_size for path in files}

    def path(self, chunk: Chunk) -> Path:
        return kept_at(self.keeper, chunk[0])[0]

    def all_here(self, some: list[Chunk]) -> None:
        self.assertEqual((self.here(some), self.wanted()), ([True] * len(some), []))
