"""``mailboxes.db``: envelopes for people who are away, and the one-time prekeys that they have left.

========  ============================================================================================================
table     one row is
========  ============================================================================================================
boxes     the mailbox of one device of a person, opened last at a time
once      a one-time prekey of its owner, to be handed out once
handed    somebody who got one, and when
kept      an envelope, whose it is and for how long
senders   the identity document of somebody who has brought one, as it was shown last
observed  how late it is: a clock that is ahead for a day makes no envelope old
========  ============================================================================================================

Nothing in it can be read here: envelopes are sealed for the devices of their recipients.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.batching import ThreadQueue
from bitdust.disk.commit import GroupCommit
from bitdust.disk.disk import Disk, is_disk_trouble, own_disk_error
from bitdust.observed import ObservedTime
from bitdust.people.mailboxes.database import connect
from bitdust.wire.errors import BitDustError
from bitdust.wire.prekeys import MOST_ONCE, OncePrekey
from bitdust.world import World

T = TypeVar("T")
DAY = 86_400
KEPT_DAYS = 30
UNUSED_DAYS = 60
"""A mailbox that its owner has not opened for so long is closed."""
MIB = 1024 * 1024
BOX_BYTES, BOX_MOST = 64 * MIB, 10_000
SENDER_BYTES, SENDER_MOST = 16 * MIB, 2_000
"""What one sender may have in one mailbox."""
BOXES = 16
"""Mailboxes of one person: devices that are there, and those from which something is still to be fetched."""
HANDED_EVERY = DAY
"""Nobody gets more than one one-time prekey of a device in so many seconds."""
FETCHED_BYTES, FETCHED_MOST = MIB, 200
FETCHED_SENDERS = 16
"""Senders in one answer: their documents come with it."""
STORED = "stored"
Box = tuple[bytes, bytes]
"""Whose mailbox it is: fingerprint and device id."""


@frozen
class Letter:
    """An envelope that is kept, or to be kept."""

    sender: bytes
    device: bytes
    envelope: bytes
    data: bytes
    number: int = 0


@frozen
class Fetched:
    """Some of what is in a mailbox, and how many one-time prekeys it has left."""

    letters: list[Letter]
    more: bool
    left: int
    documents: list[bytes]
    lost: list[tuple[int, bytes, bytes, bytes]]
    """Of mailboxes of devices that count no more: number, sender, its device, and the envelope."""


class MailboxStore:
    """`open` first, `close` last; ``most`` gives the bytes that all mailboxes together may have."""

    def __init__(self, world: World, path: Path, most: Callable[[], int], disk: Disk | None = None) -> None:
        self._late = ObservedTime(world)
        self._run_in_thread = world.run_in_thread
        self._path = path
        self._most = most
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._commits = GroupCommit(
            world.run_in_thread, disk or Disk(), self._write_connection, lambda error: own_disk_error(error, path)
        )
        self._reads = ThreadQueue(world.run_in_thread)

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    def open(self) -> "Deferred[None]":
        """Fails with ``damaged-store``, ``disk-full``, ``disk-error``."""
        return self._run_in_thread(self._open)

    def _open(self) -> None:
        try:
            self._writer, self._reader = connect(self._path), connect(self._path)
            self._late.load(self._writer)
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, OSError) or is_disk_trouble(error):
                raise own_disk_error(error, self._path) from error
            text = f"{self._path} cannot be read ({error}); move it away, and senders bring again what they still have"
            raise BitDustError("damaged-store", text) from error

    async def close(self) -> None:
        """When all that was begun is written."""
        await self._commits.when_idle()
        await self._reads.when_idle()
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _write_connection(self) -> sqlite3.Connection:
        assert self._writer is not None
        return self._writer

    def _read(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        return self._reads.submit(lambda: call(self._reader))  # type: ignore[arg-type]

    # owners

    def keep_open(self, box: Box, once: Sequence[OncePrekey]) -> "Deferred[int]":
        """Open a mailbox, or keep it open, with more one-time prekeys; how many it has."""
        now = self._late.stamp()

        def write(database: sqlite3.Connection) -> int:
            _close_oldest(database, box)
            database.execute(
                "INSERT INTO boxes(person, device, opened) VALUES(?, ?, ?)"
                " ON CONFLICT(person, device) DO UPDATE SET opened=excluded.opened",
                (*box, now),
            )
            number = _number(database, box)
            rows = ((number, one.id, one.key, one.signature) for one in once)
            database.executemany("INSERT OR IGNORE INTO once VALUES(?, ?, ?, ?)", rows)
            database.execute(
                "DELETE FROM once WHERE box=? AND id IN (SELECT id FROM once WHERE box=? LIMIT -1 OFFSET ?)",
                (number, number, MOST_ONCE),
            )
            return _left(database, number)

        return self._commits.change(write)

    def fetch(self, box: Box, after: int, living: Sequence[bytes]) -> "Deferred[Fetched]":
        """The next of a mailbox after a number; ``living`` are the devices of its owner that count."""

        def read(database: sqlite3.Connection) -> Fetched:
            number = _number(database, box)
            rows = database.execute(
                "SELECT sender, device, envelope, data, number FROM kept WHERE box=? AND number>? ORDER BY number"
                " LIMIT ?",
                (number, after, FETCHED_MOST + 1),
            )
            found: list[Letter] = []
            senders: dict[bytes, None] = {}
            size, more = 0, False
            for row in rows:
                size += len(row[3])
                senders[row[0]] = None
                is_full = size > FETCHED_BYTES or len(found) == FETCHED_MOST or len(senders) > FETCHED_SENDERS
                if found and is_full:
                    more = True
                    break
                found.append(Letter(*row))
            asked = {letter.sender for letter in found}
            documents = [
                row[0]
                for sender in senders
                if sender in asked
                for row in database.execute("SELECT document FROM senders WHERE person=?", (sender,))
            ]
            marks = ",".join("?" * len(living))
            lost = database.execute(
                "SELECT k.number, k.sender, k.device, k.envelope FROM kept k JOIN boxes b ON b.number=k.box"
                f" WHERE b.person=? AND b.device NOT IN ({marks}) ORDER BY k.number LIMIT ?",
                (box[0], *living, FETCHED_MOST),
            ).fetchall()
            return Fetched(found, more, _left(database, number), documents, lost)

        return self._read(read)

    def taken(self, box: Box, numbers: Sequence[int], living: Sequence[bytes]) -> "Deferred[int]":
        """Its owner has these, or needs them no more; how many went."""

        def write(database: sqlite3.Connection) -> int:
            marks = ",".join("?" * len(living))
            allowed = f"SELECT number FROM boxes WHERE person=? AND (device=? OR device NOT IN ({marks}))"
            text = f"DELETE FROM kept WHERE number=? AND box IN ({allowed})"
            return sum(database.execute(text, (number, *box, *living)).rowcount for number in numbers)

        return self._commits.change(write)

    # senders

    def deposit(self, box: Box, letters: Sequence[Letter], document: bytes, share: float = 1) -> "Deferred[list[str]]":
        """Keep these for their recipient, with their sender's document; how each ended: `STORED`, or a code.

        Nothing is kept above this ``share`` of all room. The document counts with each, as if nothing else needed it.
        """
        now, most = self._late.stamp(), int(self._most() * share)

        def write(database: sqlite3.Connection) -> list[str]:
            number = _number(database, box)
            if not number:
                return ["no-mailbox"] * len(letters)
            (total,) = database.execute("SELECT coalesce(sum(size), 0) FROM kept").fetchone()
            results: list[str] = []
            for letter in letters:
                size = len(letter.data) + len(document)
                result = _keep(database, number, letter, now, size, most - total)
                total += size if result == STORED else 0
                results.append(result)
            if STORED in results:
                database.execute("INSERT OR REPLACE INTO senders VALUES(?, ?)", (letters[0].sender, document))
            return results

        return self._commits.change(write)

    def hand_out(self, box: Box, asker: bytes) -> "Deferred[OncePrekey | None]":
        """A one-time prekey of a device, which nobody gets again; None where there is none for this asker now.

        Fails with ``no-mailbox``.
        """
        now = self._late.now()

        def write(database: sqlite3.Connection) -> OncePrekey | None:
            number = _number(database, box)
            if not number:
                raise BitDustError("no-mailbox", "this device has no mailbox here")
            place = (number, asker)
            row = database.execute("SELECT time FROM handed WHERE box=? AND asker=?", place).fetchone()
            if row is not None and row[0] > now - HANDED_EVERY:
                return None
            found = database.execute("SELECT id, key, signature FROM once WHERE box=? LIMIT 1", (number,)).fetchone()
            if found is None:
                return None
            database.execute("DELETE FROM once WHERE box=? AND id=?", (number, found[0]))
            database.execute("INSERT OR REPLACE INTO handed VALUES(?, ?, ?)", (*place, now))
            return OncePrekey(*found)

        return self._commits.change(write)

    # upkeep and figures

    def upkeep(self) -> "Deferred[None]":
        """Forget what is too old, and mailboxes that nobody opens any more."""
        now, note = self._late.now(), self._late.writer()

        def write(database: sqlite3.Connection) -> None:
            note(database)
            database.execute("DELETE FROM kept WHERE time<?", (now - KEPT_DAYS * DAY,))
            database.execute("DELETE FROM senders WHERE person NOT IN (SELECT sender FROM kept)")
            database.execute("DELETE FROM handed WHERE time<?", (now - HANDED_EVERY,))
            old = database.execute("SELECT number FROM boxes WHERE opened<?", (now - UNUSED_DAYS * DAY,)).fetchall()
            _close(database, old)

        return self._commits.change(write)

    def figures(self) -> "Deferred[tuple[int, int, int]]":
        """How many mailboxes there are, and how many envelopes and bytes are in them."""

        def read(database: sqlite3.Connection) -> tuple[int, int, int]:
            (boxes,) = database.execute("SELECT count(*) FROM boxes").fetchone()
            letters, size = database.execute("SELECT count(*), coalesce(sum(size), 0) FROM kept").fetchone()
            return boxes, letters, size

        return self._read(read)


def _number(database: sqlite3.Connection, box: Box) -> int:
    row = database.execute("SELECT number FROM boxes WHERE person=? AND device=?", box).fetchone()
    return int(row[0]) if row is not None else 0


def _left(database: sqlite3.Connection, number: int) -> int:
    (count,) = database.execute("SELECT count(*) FROM once WHERE box=?", (number,)).fetchone()
    return int(count)


def _close_oldest(database: sqlite3.Connection, box: Box) -> None:
    """Somebody who takes one device after the other leaves those mailboxes that were opened longest ago."""
    query = "SELECT number FROM boxes WHERE person=? AND device<>? ORDER BY opened DESC, number DESC LIMIT -1 OFFSET ?"
    _close(database, database.execute(query, (*box, BOXES - 1)).fetchall())


def _close(database: sqlite3.Connection, numbers: list[tuple[int]]) -> None:
    for table in ("kept", "once", "handed"):
        database.executemany(f"DELETE FROM {table} WHERE box=?", numbers)
    database.executemany("DELETE FROM boxes WHERE number=?", numbers)


def _keep(database: sqlite3.Connection, number: int, letter: Letter, now: int, size: int, room: int) -> str:
    known = database.execute(
        "SELECT 1 FROM kept WHERE box=? AND sender=? AND envelope=?", (number, letter.sender, letter.envelope)
    ).fetchone()
    if known is not None:
        return STORED
    many, much = "SELECT count(*), coalesce(sum(size), 0) FROM kept WHERE box=?", (number,)
    count, taken = database.execute(many, much).fetchone()
    his_count, his_taken = database.execute(f"{many} AND sender=?", (*much, letter.sender)).fetchone()
    is_full = count >= BOX_MOST or taken + size > BOX_BYTES
    if is_full or his_count >= SENDER_MOST or his_taken + size > SENDER_BYTES or size > room:
        return "full"
    database.execute(
        "INSERT INTO kept(box, sender, device, envelope, size, time, data) VALUES(?, ?, ?, ?, ?, ?, ?)",
        (number, letter.sender, letter.device, letter.envelope, size, now, letter.data),
    )
    return STORED
