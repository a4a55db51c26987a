"""The store of what is on its way: one writer with group commit, and reads in a thread."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.batching import ThreadQueue
from bitdust.crypt.ratchet.agreement import Prekey
from bitdust.crypt.ratchet.session import Sessions
from bitdust.disk.commit import GroupCommit
from bitdust.disk.disk import Disk
from bitdust.observed import ObservedTime
from bitdust.people.messages.database import connect, open_database
from bitdust.people.messages.vault import Vault
from bitdust.surroundings import Surroundings

T = TypeVar("T")
Device = tuple[bytes, bytes]
"""Whose device it is, and its id."""
FILE = "correspondence.db"
LETTER, NOTICE = 0, 1
"""Kinds of what is sent: a message, or a word between nodes about messages."""
READ_BYTES, READ_MOST = 512 * 1024, 128
"""So much is read at once of what waits for a device."""


@define
class Outgoing:
    """One row of the table, without its text."""

    number: int
    person: bytes
    message: bytes
    made: int
    kind: int
    noted: bool
    reached: bool
    targets: dict[Device, tuple[bool, bool]] = field(factory=dict)
    """The devices that have not acknowledged it: whether it is sealed for each, and whether mailboxes have that."""


@frozen
class Waiting:
    """Something sealed for one device, how often it was, and since when mailboxes have it."""

    number: int
    data: bytes
    sealings: int
    deposited: int


@frozen
class StoredPrekey:
    """A prekey with its secret; ``place`` is the mailbox that hands it out."""

    prekey: Prekey
    is_once: bool
    made: int
    place: bytes
    retired: int


class Store:
    """`open` first, `close` last. Changes are functions over the database, many of them in one commit."""

    log = Logger()

    def __init__(self, around: Surroundings, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self.vault = Vault(around.me, folder)
        self._world = around.world
        self.late = ObservedTime(around.world)
        """For what is let go by age."""
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._commits = GroupCommit(self._world.run_in_thread, disk or Disk(), self._write_connection)
        self._reads = ThreadQueue(self._world.run_in_thread)
        self._later: list[Callable[[sqlite3.Connection], object]] = []
        self._flushing: IDelayedCall | None = None

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    def open(self) -> None:
        """In a thread; raises as `open_database` and `Vault.open` do."""
        self.vault.open()
        path = self.folder / FILE
        self._writer = open_database(path)
        self.late.load(self._writer)
        self._reader = connect(path)

    async def close(self) -> None:
        """When all that was begun is written."""
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
            self._flush()
        await self._commits.when_idle()
        await self._reads.when_idle()
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None
        self.vault.close()

    def _write_connection(self) -> sqlite3.Connection:
        assert self._writer is not None
        return self._writer

    def change(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        """Fires with what ``call`` returned, once it is on the disk."""
        return self._commits.change(call)

    def later(self, call: Callable[[sqlite3.Connection], object]) -> None:
        """Do it with all others that come in this turn. Nobody waits for it: what is not written is done again by the
        next life."""
        if not self._later:
            self._flushing = self._world.clock.callLater(0, self._flush)
        self._later.append(call)

    def _flush(self) -> None:
        calls, self._later = self._later, []

        def write(database: sqlite3.Connection) -> None:
            for call in calls:
                call(database)

        if calls and self._writer is not None:
            self.change(write).addErrback(
                lambda failure: self.log.warn("not written: {error}", error=failure.getErrorMessage())
            )

    def _read(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        return self._reads.submit(lambda: call(self._reader))  # type: ignore[arg-type]

    # reading

    def outgoing(self) -> "Deferred[list[Outgoing]]":
        """All that is on its way, the oldest first."""
        return self._read(_outgoing)

    def body(self, number: int) -> "Deferred[bytes | None]":
        """The signed text of something that is on its way."""

        def read(database: sqlite3.Connection) -> bytes | None:
            row = database.execute("SELECT body FROM outgoing WHERE number=?", (number,)).fetchone()
            return self.vault.opened(row[0]) if row is not None else None

        return self._read(read)

    def waiting(self, device: Device, after: int, undeposited: bool) -> "Deferred[list[Waiting]]":
        """The next of what is sealed for a device, in its order, and some of it at once."""

        def read(database: sqlite3.Connection) -> list[Waiting]:
            only = " AND deposited=0" if undeposited else ""
            rows = database.execute(
                "SELECT number, data, sealings, deposited FROM targets WHERE person=? AND device=? AND number>?"
                f" AND data IS NOT NULL{only} ORDER BY number LIMIT ?",
                (*device, after, READ_MOST),
            )
            found: list[Waiting] = []
            size = 0
            for row in rows:
                size += len(row[1])
                if found and size > READ_BYTES:
                    break
                found.append(Waiting(*row))
            return found

        return self._read(read)

    def sealed_as(self, person: bytes, envelopes: Sequence[bytes]) -> "Deferred[list[tuple[int, bytes]]]":
        """Number and device of what was sealed for a person under these names."""

        def read(database: sqlite3.Connection) -> list[tuple[int, bytes]]:
            text = "SELECT number, device FROM targets WHERE envelope=? AND person=?"
            return [row for one in envelopes for row in database.execute(text, (one, person))]

        return self._read(read)

    def sessions(self, device: Device) -> "Deferred[Sessions]":
        """The sessions with a device; none where there are none yet."""

        def read(database: sqlite3.Connection) -> Sessions:
            row = database.execute("SELECT data FROM sessions WHERE person=? AND device=?", device).fetchone()
            return Sessions.from_bytes(self.vault.opened(row[0])) if row is not None else Sessions()

        return self._read(read)

    def prekeys(self) -> "Deferred[list[StoredPrekey]]":
        """All prekeys that are kept."""

        def read(database: sqlite3.Connection) -> list[StoredPrekey]:
            rows = database.execute("SELECT id, kind, secret, made, place, retired FROM prekeys")
            return [
                StoredPrekey(Prekey(ident, self.vault.opened(secret)), bool(kind), made, place, retired)
                for ident, kind, secret, made, place, retired in rows
            ]

        return self._read(read)

    def incoming(self) -> "Deferred[list[tuple[int, bytes]]]":
        """What was opened and the history has not yet, in the order in which it came."""

        def read(database: sqlite3.Connection) -> list[tuple[int, bytes]]:
            rows = database.execute("SELECT number, body FROM incoming ORDER BY number").fetchall()
            return [(number, self.vault.opened(body)) for number, body in rows]

        return self._read(read)

    def sequences(self) -> "Deferred[dict[tuple[str, bytes], int]]":
        """The last number of each device in each conversation."""
        return self._read(
            lambda database: {
                (conversation, device): sequence
                for conversation, device, sequence in database.execute("SELECT * FROM sequences")
            }
        )

    def keepers(self, since: int) -> "Deferred[tuple[list[bytes], list[bytes]]]":
        """Who keeps mailboxes of mine, and who has kept one until a time after ``since``."""

        def read(database: sqlite3.Connection) -> tuple[list[bytes], list[bytes]]:
            rows = database.execute("SELECT peer, until FROM keepers ORDER BY place").fetchall()
            named = [peer for peer, until in rows if until is None]
            return named, [peer for peer, until in rows if until is not None and until > since]

        return self._read(read)

    def have_seen(self, device: Device, envelopes: list[bytes]) -> "Deferred[set[bytes]]":
        """Which of these envelopes of a device were opened before."""

        def read(database: sqlite3.Connection) -> set[bytes]:
            asked = ((*device, one) for one in envelopes)
            found = (database.execute(_SEEN, one).fetchone() for one in asked)
            return {row[0] for row in found if row is not None}

        return self._read(read)


_SEEN = "SELECT envelope FROM seen WHERE person=? AND device=? AND envelope=?"


def _outgoing(database: sqlite3.Connection) -> list[Outgoing]:
    rows = database.execute("SELECT number, person, message, made, kind, noted, reached FROM outgoing ORDER BY number")
    found = {row[0]: Outgoing(row[0], row[1], row[2], row[3], row[4], bool(row[5]), bool(row[6])) for row in rows}
    targets = database.execute("SELECT person, device, number, data IS NOT NULL, deposited FROM targets")
    for person, device, number, is_sealed, deposited in targets:
        if number in found:
            found[number].targets[person, device] = (bool(is_sealed), bool(deposited))
    return list(found.values())


def adopt(database: sqlite3.Connection, person: bytes, device: bytes) -> bool:
    """Whose store it is. What another device has agreed on is of no use to this one: True where all that is on its way
    has to be signed again, and sealed again."""
    row = database.execute("SELECT person, device FROM owner").fetchone()
    if row == (person, device):
        return False
    if row is not None:
        for table in ("sessions", "prekeys", "seen", "keepers"):
            database.execute(f"DELETE FROM {table}")
        database.execute("UPDATE targets SET envelope=NULL, data=NULL, deposited=0, sealings=0")
        database.execute("DELETE FROM targets WHERE person=? AND device=?", (person, device))
    database.execute("DELETE FROM owner")
    database.execute("INSERT INTO owner VALUES(?, ?)", (person, device))
    return row is not None


def put_keepers(database: sqlite3.Connection, named: Sequence[bytes], now: int) -> None:
    """Who keeps mailboxes of mine from now on."""
    database.execute("UPDATE keepers SET until=? WHERE until IS NULL", (now,))
    rows = ((peer, place) for place, peer in enumerate(named))
    database.executemany("INSERT OR REPLACE INTO keepers VALUES(?, ?, NULL)", rows)


def put_sessions(database: sqlite3.Connection, device: Device, sealed: bytes, now: int) -> None:
    """Keep the sessions with a device."""
    database.execute("INSERT OR REPLACE INTO sessions VALUES(?, ?, ?, ?)", (*device, sealed, now))


def put_outgoing(database: sqlite3.Connection, row: Outgoing, body: bytes) -> int:
    """Keep something new that is to be sent; its number."""
    cursor = database.execute(
        "INSERT INTO outgoing(person, message, made, body, kind, noted, reached) VALUES(?, ?, ?, ?, ?, ?, ?)",
        (row.person, row.message, row.made, body, row.kind, row.noted, row.reached),
    )
    number = cursor.lastrowid
    assert number is not None
    return number


def put_target(database: sqlite3.Connection, device: Device, number: int) -> None:
    """Another device that is to have something."""
    database.execute("INSERT OR IGNORE INTO targets(person, device, number) VALUES(?, ?, ?)", (*device, number))


def put_envelope(database: sqlite3.Connection, device: Device, number: int, envelope: bytes, data: bytes) -> None:
    """It is sealed for the device."""
    database.execute(
        "UPDATE targets SET envelope=?, data=?, deposited=0, sealings=sealings+1"
        " WHERE person=? AND device=? AND number=?",
        (envelope, data, *device, number),
    )


def put_sequence(database: sqlite3.Connection, conversation: str, device: bytes, sequence: int) -> None:
    """The last number of a device in a conversation."""
    database.execute("INSERT OR REPLACE INTO sequences VALUES(?, ?, ?)", (conversation, device, sequence))


def drop_target(database: sqlite3.Connection, device: Device, number: int, reached: bool) -> None:
    """The device has it, or will never have it. What nobody waits for any more goes when the history has it."""
    database.execute("DELETE FROM targets WHERE person=? AND device=? AND number=?", (*device, number))
    if reached:
        database.execute("UPDATE outgoing SET reached=1 WHERE number=? AND person=?", (number, device[0]))
    drop_done(database, number)


def drop_outgoing(database: sqlite3.Connection, number: int) -> None:
    """Forget something, whoever waits for it."""
    database.execute("DELETE FROM targets WHERE number=?", (number,))
    database.execute("DELETE FROM outgoing WHERE number=?", (number,))


def drop_done(database: sqlite3.Connection, number: int) -> None:
    """Forget what is done: noted, reached, and awaited by no device."""
    database.execute(
        "DELETE FROM outgoing WHERE number=? AND noted=1 AND reached=1"
        " AND NOT EXISTS (SELECT 1 FROM targets t WHERE t.number=outgoing.number)",
        (number,),
    )
