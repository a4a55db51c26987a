"""The history's file: opened, replaced where it is damaged, closed; what blocks is for a thread."""

import contextlib
import sqlite3
from pathlib import Path

from attrs import define, field

from bitdust.disk.disk import Disk
from bitdust.identity.me import Me
from bitdust.people.history import damage
from bitdust.people.history.bodies import Bodies, keep_key, load_key
from bitdust.people.history.database import (
    DAMAGED,
    can_index,
    close,
    connect,
    fact,
    note,
    open_database,
    trouble,
    word,
)
from bitdust.people.history.reading import sequences
from bitdust.wire.errors import BitDustError
from bitdust.world import World

NAME = "history.db"
SEALED, CONVERTED = "sealed", "converted"


@define(eq=False)
class HistoryFile:
    """``generation`` goes up with each file that takes the place of a damaged one."""

    world: World
    me: Me
    folder: Path
    disk: Disk = field(factory=Disk)
    bodies: Bodies = field(factory=Bodies)
    has_words: bool = False
    generation: int = 0
    damage: str = ""
    """Why the last file was set aside, and under which name."""
    _writer: sqlite3.Connection | None = None
    _reader: sqlite3.Connection | None = None
    _key: bytes | None = None
    _boxed: bytes = b""

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / NAME

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    def writer(self) -> sqlite3.Connection:
        """For the thread that writes."""
        return _need(self._writer)

    def reader(self) -> sqlite3.Connection:
        """For the thread that reads."""
        return _need(self._reader)

    def open(self) -> dict[tuple[str, bytes], int]:
        """The highest sequence numbers. A damaged file, or one of another identity, makes room for a new one.

        Raises `BitDustError` ``disk-full``, ``disk-error``, ``newer-history``, ``locked-history``.
        """
        self.disk.make_folder(self.folder)
        try:
            return self._open()
        except BitDustError as error:
            if error.code != DAMAGED:
                raise
            self._set_aside(str(error))
            return self._open()

    def _open(self) -> dict[tuple[str, bytes], int]:
        try:
            self._writer = self._mine(open_database(self.path))
            self._prepare(self._writer)
            self._reader = connect(self.path)
            return sequences(self._reader)
        except sqlite3.Error as error:
            self.close()
            raise trouble(error, self.path) from error

    def _mine(self, writer: sqlite3.Connection) -> sqlite3.Connection:
        owner, mine = word(writer, "owner"), self.me.fingerprint.hex()
        if owner and owner != mine:
            close(writer)
            damage.set_aside(self.path, self.disk, f"of-{owner[:16]}", self.world.wall())
            writer, owner = open_database(self.path), ""
        if not owner:
            aside = damage.left(self.path)
            writer.execute("BEGIN IMMEDIATE")
            note(writer, "owner", mine)
            note(writer, "checked", int(self.world.wall()))
            if aside is not None:
                damage.begin(writer, aside, self.world.wall())
            writer.execute("COMMIT")
        return writer

    def _prepare(self, writer: sqlite3.Connection) -> None:
        sealed = bool(fact(writer, SEALED))
        self._key = load_key(self.folder, self.me, False)
        self.bodies = Bodies(self._key, sealed)
        self.has_words = not sealed and can_index(writer)

    def _set_aside(self, why: str) -> None:
        aside = damage.set_aside(self.path, self.disk, damage.DAMAGED_NAME, self.world.wall())
        self.damage = f"{why}; it is kept as {aside.name}"

    def replace(self, why: str, known: dict[tuple[str, bytes], int]) -> None:
        """Set a damaged file aside and go on with a new one, which knows these sequence numbers."""
        sealing = self.bodies.sealing
        self.close()
        self._set_aside(why)
        self.open()
        writer = self.writer()
        writer.execute("BEGIN IMMEDIATE")
        query = "INSERT INTO sequences VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET last=max(last, excluded.last)"
        writer.executemany(query, [(name, device, last) for (name, device), last in known.items()])
        self.want_sealed(writer, sealing)
        writer.execute("COMMIT")
        self.generation += 1

    def close(self) -> None:
        """Let go of it; what is committed stays, as after a crash."""
        close(self._reader, self._writer)
        self._reader = self._writer = None

    def keep_key(self) -> None:
        """Where this device has another key, the box of the history's key is made for it."""
        if self._key is not None and self._boxed != self.me.device.id:
            keep_key(self.folder, self.me, self._key)
            self._boxed = self.me.device.id

    def forget_pages(self) -> None:
        """Leave nothing of what was written over in the log beside the file, unless somebody still reads it."""
        with contextlib.closing(connect(self.path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def want_sealed(self, database: sqlite3.Connection, sealed: bool) -> bool:
        """Inside a transaction: from now on bodies are sealed, or not any more; whether that is news."""
        if bool(fact(database, SEALED)) == sealed:
            return False
        self._key = self._key or load_key(self.folder, self.me, sealed)
        note(database, SEALED, int(sealed))
        note(database, CONVERTED, 0)
        note(database, "seals", None)
        self.bodies = Bodies(self._key, sealed)
        return True


def _need(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise BitDustError("busy", "the history of messages is not open")
    return connection
