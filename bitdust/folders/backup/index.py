"""What suppliers have of one folder: ``suppliers.db`` beside the journal. It may be lost: all of it is read again.

==========  ========================================================================================================
table       one row is
==========  ========================================================================================================
meta        a fact by name: ``epoch`` of the journal that ``refs`` follow, and up to which number (``followed``);
            ``told``, the digest of the list that suppliers have, and when they got it (``told_at``)
refs        a chunk that the records of one path name
segments    a segment that is at suppliers
saved       where a chunk is in a segment
states      a list of a device: which version of it is in the journal, of which one the head was read (``head``), and
            what it needs
==========  ========================================================================================================
"""

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from bitdust.disk.disk import own_disk_error
from bitdust.folders.journal import Journal
from bitdust.folders.keys import TAG

FORMAT = 2
SEGMENT = 16 * 1024 * 1024
"""Bytes of a segment."""
MANY_SMALL = 16
"""Segments that are less than half full, after which they are made anew as fewer."""
_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE refs(id BLOB NOT NULL, name BLOB NOT NULL, length INTEGER NOT NULL, PRIMARY KEY(id, name)) WITHOUT ROWID;
CREATE INDEX refs_by_name ON refs(name);
CREATE TABLE segments(name TEXT PRIMARY KEY, size INTEGER NOT NULL, sparse INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE saved(name BLOB PRIMARY KEY, segment TEXT NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE INDEX saved_by_segment ON saved(segment);
CREATE TABLE states(name TEXT PRIMARY KEY, version TEXT NOT NULL, head TEXT NOT NULL, time INTEGER NOT NULL,
    segments TEXT NOT NULL) WITHOUT ROWID;
"""


@frozen
class Figures:
    """Chunks that the folder has, and their bytes; bytes that suppliers have of it."""

    chunks: int = 0
    size: int = 0
    kept: int = 0


@frozen
class Spot:
    """Where a sealed chunk is at suppliers."""

    name: bytes
    segment: str
    offset: int
    size: int


class SupplierIndex:
    """I am opened by `open` and closed by `close`; my methods block, in the folder's thread."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self._path = path
        self._journal = journal
        self._open: sqlite3.Connection | None = None

    def open(self) -> None:
        """May be called again. Raises `BitDustError` ``disk-full``, ``disk-error``."""
        if self._open is None:
            try:
                self._open = _connect(self._path)
            except sqlite3.OperationalError as error:
                raise own_disk_error(error, self._path) from error
            except sqlite3.DatabaseError:
                for end in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + end).unlink(missing_ok=True)
                self._open = _connect(self._path)
        if self._journal.epoch and self._fact("epoch") != self._journal.epoch:
            with self._database:
                self._database.execute("DELETE FROM refs")
                self._database.execute("DELETE FROM states")  # none of them is in this journal
                self._note(epoch=self._journal.epoch, followed=0, told=b"")

    def close(self) -> None:
        """May be called twice."""
        database, self._open = self._open, None
        if database is not None:
            database.close()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            raise RuntimeError("the index of what suppliers have is closed")
        return self._open

    def _fact(self, name: str) -> Any:
        row = self._database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return row[0] if row is not None else None

    def _note(self, **facts: Any) -> None:
        self._database.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", list(facts.items()))

    # what the folder has

    def follow(self, most: int = 1000) -> bool:
        """Take over what the journal has learnt; whether there is more."""
        followed = int(self._fact("followed") or 0)
        rows = self._journal.database.execute(
            "SELECT seq, id FROM heads WHERE seq>? ORDER BY seq LIMIT ?", (followed, most)
        ).fetchall()
        with self._database as database:
            for ident in {ident for _, ident in rows}:
                chunks = {chunk for head in self._journal.heads(ident) for chunk in head.chunks()}
                database.execute("DELETE FROM refs WHERE id=?", (ident,))
                database.executemany(
                    "INSERT OR REPLACE INTO refs VALUES(?, ?, ?)", [(ident, name, length) for name, length in chunks]
                )
            if rows:
                self._note(followed=rows[-1][0])
        return len(rows) == most

    def due(self, most: int, skip: Collection[bytes]) -> list[tuple[bytes, int]]:
        """Name and length of chunks that suppliers have not, or have in a segment that is to be made anew."""
        rows = self._database.execute(
            "SELECT name, max(length) FROM refs WHERE name NOT IN (SELECT saved.name FROM saved JOIN segments"
            " ON segments.name=segment WHERE NOT sparse) GROUP BY name LIMIT ?",
            (most + len(skip),),
        )
        return [(name, length) for name, length in rows if name not in skip][:most]

    def figures(self) -> Figures:
        """How much there is, and how much of it suppliers have."""
        row = self._database.execute(
            "SELECT count(*), coalesce(sum(length + ?), 0), coalesce(sum(saved.size), 0) FROM"
            " (SELECT name, max(length) AS length FROM refs GROUP BY name) LEFT JOIN saved USING(name)",
            (TAG,),
        ).fetchone()
        return Figures(*row)

    # what suppliers have

    def add(self, segment: str, chunks: Iterable[tuple[bytes, int, int]]) -> None:
        """A segment is at suppliers: name, place and length of what is in it."""
        rows = [(name, segment, offset, size) for name, offset, size in chunks]
        with self._database as database:
            database.execute(
                "INSERT OR REPLACE INTO segments(name, size) VALUES(?, ?)", (segment, sum(row[3] for row in rows))
            )
            database.executemany("INSERT OR REPLACE INTO saved VALUES(?, ?, ?, ?)", rows)

    def forget(self, segment: str) -> None:
        """It is there no more."""
        with self._database as database:
            database.execute("DELETE FROM saved WHERE segment=?", (segment,))
            database.execute("DELETE FROM segments WHERE name=?", (segment,))

    def segments(self) -> list[str]:
        """Those that are known to be there."""
        return [name for (name,) in self._database.execute("SELECT name FROM segments ORDER BY name")]

    def needed(self) -> list[str]:
        """Those that hold something of the folder as it is."""
        rows = self._database.execute(
            "SELECT DISTINCT segment FROM saved WHERE name IN (SELECT name FROM refs) ORDER BY segment"
        )
        return [name for (name,) in rows]

    def spots(self, names: Sequence[bytes]) -> list[Spot]:
        """Where these are, as far as suppliers have them; those of a segment in their order."""
        marks = ",".join("?" * len(names))
        rows = self._database.execute(
            f"SELECT name, segment, offset, size FROM saved WHERE name IN ({marks}) ORDER BY segment, offset",
            tuple(names),
        )
        return [Spot(*row) for row in rows]

    def choose_sparse(self) -> None:
        """Mark what is to be made anew: segments that are half empty, and small ones where there are many."""
        rows = self._database.execute(
            "SELECT segments.name, segments.size, coalesce(sum(saved.size), 0) FROM segments LEFT JOIN saved"
            " ON segment=segments.name AND saved.name IN (SELECT name FROM refs) GROUP BY segments.name"
        ).fetchall()
        sparse = {name for name, size, live in rows if live and 2 * live < size}
        small = {name for name, _, live in rows if live and 2 * live < SEGMENT}
        if len(small) >= MANY_SMALL:
            sparse |= small
        self.mark_sparse(sparse)

    def mark_sparse(self, segments: Iterable[str]) -> None:
        """These are to be made anew, however full they are."""
        with self._database as database:
            database.executemany("UPDATE segments SET sparse=1 WHERE name=?", [(name,) for name in segments])

    # lists

    def digest(self) -> bytes:
        """Of all that a list tells: the journal as it is, and the segments that it needs."""
        return hashlib.sha256(self._journal.digest() + " ".join(self.needed()).encode()).digest()

    def is_told(self, since: int) -> bool:
        """Whether suppliers have the list of the folder as it is, told after a time."""
        return bool(self._fact("told") == self.digest() and self.told_at() >= since)

    def note_told(self, digest: bytes, time: int) -> None:
        """They have it."""
        with self._database:
            self._note(told=digest, told_at=time)

    def told_at(self) -> int:
        """When they got one last, seconds since the epoch; 0 for never."""
        return int(self._fact("told_at") or 0)

    def states(self) -> dict[str, str]:
        """Which version of each list is in the journal."""
        return dict(self._database.execute("SELECT name, version FROM states WHERE version<>''"))

    def heads(self) -> dict[str, str]:
        """Of which version of each list it is known what it needs."""
        return dict(self._database.execute("SELECT name, head FROM states"))

    def note_head(self, name: str, version: str, time: int, segments: Iterable[str]) -> None:
        """It is known what a list needs; its records are not in the journal yet."""
        self._note_state(name, "", version, time, segments)

    def note_state(self, name: str, version: str, time: int, segments: Iterable[str]) -> None:
        """All of a list is in the journal, or was written from it."""
        self._note_state(name, version, version, time, segments)

    def _note_state(self, *row: Any) -> None:
        *facts, segments = row
        with self._database as database:
            database.execute("INSERT OR REPLACE INTO states VALUES(?, ?, ?, ?, ?)", (*facts, " ".join(segments)))

    def drop_states(self, names: Iterable[str]) -> None:
        """These lists are there no more."""
        with self._database as database:
            database.executemany("DELETE FROM states WHERE name=?", [(name,) for name in names])

    def needed_by_others(self, mine: str, since: int) -> set[str]:
        """What lists of other devices need that were told after a time."""
        rows = self._database.execute("SELECT segments FROM states WHERE name<>? AND time>=?", (mine, since))
        return {segment for (text,) in rows for segment in text.split()}


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        path.chmod(0o600)
        if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
            for (name,) in tables:
                connection.execute(f"DROP TABLE {name}")
            connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
        connection.execute("SELECT 1 FROM meta, refs, segments, saved, states LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
