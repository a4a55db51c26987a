"""Pieces on a supplier's disk: checked against their Merkle root while they stream in, read back by range.

A piece lies at ``<customer fingerprint>/<first 2 digits of the pack>/<pack>.<index>``, all in hex: no name on the disk
is made of anything that a peer wrote. While it comes it ends in ``.part``. The quota is counted in the transaction that
makes the piece known, and bytes still on their way are reserved before the first of them is taken.
"""

import sqlite3
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from bitdust.crypt.merkle import MerkleHasher
from bitdust.customers.database import PieceState
from bitdust.disk.commit import GroupCommit, Job
from bitdust.disk.disk import Disk, disk_error
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord
from bitdust.wire.signed import Signed

FLUSH = 1024 * 1024
"""Bytes gathered in memory before a thread writes them; a smaller piece is written with its batch."""
PARTIAL = ".part"
ACTIVE = "active"
ENDING = ("retiring", "rejected")
RunInThread = Callable[..., "Deferred[Any]"]


@frozen
class PieceName:
    """Which piece of whom."""

    customer: bytes
    pack: bytes
    number: int

    @property
    def key(self) -> tuple[bytes, bytes, int]:
        """The parameters of every statement about one piece."""
        return (self.customer, self.pack, self.number)

    def path(self, folder: Path) -> Path:
        pack = self.pack.hex()
        return folder / self.customer.hex() / pack[:2] / f"{pack}.{self.number}"

    def partial(self, folder: Path) -> Path:
        """Where it lies until it is whole."""
        path = self.path(folder)
        return path.with_name(path.name + PARTIAL)


@frozen
class Usage:
    """Bytes of a customer's pieces, and what the contract gives."""

    used: int
    room: int


class PieceWriter:
    """I bring the bytes of one piece to a temporary file and make sure that they are the right ones."""

    def __init__(self, disk: Disk, run_in_thread: RunInThread, path: Path, size: int, root: bytes) -> None:
        self._disk = disk
        self._run_in_thread = run_in_thread
        self._path = path
        self._size = size
        self._missing = size
        self._stored = 0
        self._root = root
        self._hasher = MerkleHasher()
        self._parts: list[bytes] = []
        self._gathered = 0
        self._descriptor: int | None = None
        self._work: Deferred[None] = succeed(None)
        self.flushed = False

    def take(self, data: memoryview) -> "Deferred[None] | None":
        """Keep a copy of some bytes; the Deferred, where there is one, asks the sender to wait."""
        self._missing -= len(data)
        if self._missing < 0:
            raise BitDustError("bad-piece", "the piece is longer than its record says")
        self._parts.append(bytes(data))
        self._gathered += len(data)
        if self._gathered < FLUSH or not self._missing:
            return None
        return self._flush()

    def quiet(self) -> "Deferred[None]":
        """Fires when no thread works on the file; until then nobody else may touch it."""
        done: Deferred[None] = Deferred()
        self._work.addCallback(done.callback)
        return done

    def _flush(self) -> "Deferred[None]":
        self.flushed = True
        parts, self._parts, self._gathered = self._parts, [], 0
        done: Deferred[None] = Deferred()

        self._work.addCallback(lambda _: self._run_in_thread(self._store, parts))
        self._work.addCallbacks(done.callback, done.errback)
        return done

    def _store(self, parts: list[bytes]) -> None:
        if self._descriptor is None:
            self._disk.make_folder(self._path.parent)
            self._descriptor = self._disk.create(self._path)
        for part in parts:
            self._hasher.update(memoryview(part))
        self._disk.write(self._descriptor, parts)
        self._stored += sum(map(len, parts))

    def seal(self) -> None:
        """In a thread: the rest of the bytes, the check, the sync. Raises `BitDustError` ``bad-piece``, `OSError`."""
        parts, self._parts = self._parts, []
        self._store(parts)
        if self._stored != self._size or self._hasher.root() != self._root:
            raise BitDustError("bad-piece", "the piece does not fit the root in its record")
        if self._descriptor is not None:
            self._disk.sync(self._descriptor)
            self._close()

    def discard(self) -> None:
        """In a thread: leave nothing behind."""
        self._close()
        self._disk.remove(self._path)

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._disk.close(descriptor)


class KeepPiece(Job):
    """The batch's part of one piece: seal it if it is small, count it, give it its name."""

    def __init__(
        self, disk: Disk, folder: Path, name: PieceName, size: int, signed: bytes, writer: PieceWriter
    ) -> None:
        self._disk = disk
        self._name = name
        self._path = name.path(folder)
        self._partial = name.partial(folder)
        self._size = size
        self._signed = signed
        self._writer = writer
        self._before: PieceState | None = None
        self.folder = self._path.parent

    def prepare(self) -> None:
        if not self._writer.flushed:
            self._writer.seal()

    def apply(self, database: sqlite3.Connection) -> Usage:
        row = database.execute(
            "SELECT state FROM pieces WHERE customer=? AND pack=? AND number=?", self._name.key
        ).fetchone()
        if row is not None:
            self._before = PieceState(row[0])
            self._set_state(database, PieceState.KEPT)
            return usage(database, self._name.customer)
        database.execute("DELETE FROM garbage WHERE customer=? AND pack=? AND number=?", self._name.key)
        after = usage(database, self._name.customer)
        if after.used + self._size > after.room:
            raise no_room(after, self._size)
        database.execute(
            "INSERT INTO pieces VALUES(?, ?, ?, ?, ?, ?)", (*self._name.key, self._size, PieceState.KEPT, self._signed)
        )
        count(database, self._name.customer, self._size)
        return Usage(after.used + self._size, after.room)

    def finish(self) -> None:
        self._disk.rename(self._partial, self._path)

    def undo(self, database: sqlite3.Connection) -> None:
        if self._before is not None:
            self._set_state(database, self._before)
            return
        database.execute("DELETE FROM pieces WHERE customer=? AND pack=? AND number=?", self._name.key)
        count(database, self._name.customer, -self._size)

    def _set_state(self, database: sqlite3.Connection, state: PieceState) -> None:
        database.execute("UPDATE pieces SET state=? WHERE customer=? AND pack=? AND number=?", (state, *self._name.key))


def usage(database: sqlite3.Connection, customer: bytes, after_notice: bool = False) -> Usage:
    """What a customer uses and may use; no room without an active contract, or after a notice where that is asked."""
    row = database.execute(
        "SELECT c.used, k.room, k.state FROM customers c JOIN contracts k ON k.customer = c.fingerprint"
        " WHERE c.fingerprint = ?",
        (customer,),
    ).fetchone()
    if row is not None and row[2] in ENDING:
        if not after_notice:
            raise BitDustError("no-service", "this supplier has given notice; it keeps what it has and takes no more")
    elif row is None or row[2] != ACTIVE:
        raise BitDustError("no-contract", "there is no contract with you; ask for the service first")
    return Usage(row[0], row[1])


def count(database: sqlite3.Connection, customer: bytes, size: int) -> None:
    """Add to, or take from, the bytes of a customer's pieces."""
    database.execute("UPDATE customers SET used = used + ? WHERE fingerprint = ?", (size, customer))


def no_room(now: Usage, size: int) -> BitDustError:
    return BitDustError("no-space", f"{size} bytes do not fit: {now.used} of {now.room} bytes are used")


class PieceIntake:
    """One piece on its way in: `take` the bytes, then `keep` or `give_up`."""

    def __init__(self, pieces: "Pieces", name: PieceName, size: int, signed: bytes, writer: PieceWriter | None) -> None:
        self._pieces = pieces
        self._writer = writer
        self.name = name
        self.size = size
        self.signed = signed

    def take(self, data: memoryview) -> "Deferred[None] | None":
        """Bytes of a piece that is already kept go nowhere."""
        return self._writer.take(data) if self._writer is not None else None

    def keep(self) -> "Deferred[Usage]":
        """Fires when the piece is on the disk for good; fails with a `BitDustError`, and then nothing of it is left."""
        return self._pieces.keep(self, self._writer)

    def give_up(self) -> "Deferred[None]":
        """The sender stopped in the middle."""
        return self._pieces.release(self, self._writer)


class PieceSource:
    """Part of a kept piece, read in a thread; the file stays open until this object goes, even if it is deleted."""

    def __init__(self, disk: Disk, run_in_thread: RunInThread, descriptor: int, offset: int, size: int) -> None:
        self._disk = disk
        self._run_in_thread = run_in_thread
        self._descriptor = descriptor
        self._offset = offset
        self.size = size
        self.close = weakref.finalize(self, disk.close, descriptor)

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """At most ``length`` bytes from ``offset`` of this part."""
        length = max(0, min(length, self.size - offset))
        return self._run_in_thread(self._disk.read, self._descriptor, self._offset + offset, length)


@frozen
class FoundPiece:
    """A piece that is being read: its signed record as it came, and its bytes."""

    signed: bytes
    source: PieceSource


class Pieces:
    """All pieces of all customers."""

    def __init__(
        self,
        disk: Disk,
        run_in_thread: RunInThread,
        folder: Path,
        commits: GroupCommit,
        disk_free: Callable[[], int],
        most_at_once: int,
    ) -> None:
        self._most_at_once = most_at_once
        self._given: weakref.WeakSet[PieceSource] = weakref.WeakSet()
        self._disk_free = disk_free
        self._disk = disk
        self._run_in_thread = run_in_thread
        self._folder = folder
        self._commits = commits
        self._coming: dict[tuple[bytes, bytes, int], int] = {}

    def reserved(self, customer: bytes) -> int:
        """Bytes of this customer that are on their way."""
        return sum(size for key, size in self._coming.items() if key[0] == customer)

    def receive(self, database: sqlite3.Connection, name: PieceName, record: PackRecord, signed: bytes) -> PieceIntake:
        """Begin to take a piece of a verified record. Raises no-contract, no-space, conflict, busy."""
        now = usage(database, name.customer)
        known = self._known(database, name, record)
        if known is PieceState.KEPT:
            return PieceIntake(self, name, 0, signed, None)
        if name.key in self._coming:
            raise BitDustError("busy", "this piece is already on its way over another stream")
        size = record.piece_size
        if known is None and now.used + self.reserved(name.customer) + size > now.room:
            raise no_room(now, size)
        self._need_turn()
        self._need_disk(size)
        self._coming[name.key] = 0 if known is not None else size
        root = record.roots[name.number]
        writer = PieceWriter(self._disk, self._run_in_thread, name.partial(self._folder), size, root)
        return PieceIntake(self, name, size, signed, writer)

    def _need_turn(self) -> None:
        """Each piece on its way has a file open and some memory."""
        on_the_way = len(self._coming) + sum(source.close.alive for source in self._given)
        if on_the_way >= self._most_at_once:
            raise BitDustError("busy", f"{on_the_way} pieces are on their way already; ask again in a moment")

    def _need_disk(self, size: int) -> None:
        """The disk is never filled: what is still on its way counts as written."""
        try:
            left = self._disk_free() - sum(self._coming.values())
        except OSError as error:
            raise disk_error(error) from error
        if size > left:
            raise BitDustError("no-space", f"the supplier's disk is nearly full; {size} bytes would take its reserve")

    def _known(self, database: sqlite3.Connection, name: PieceName, record: PackRecord) -> PieceState | None:
        """A pack is sealed once: another record under a pack's id is refused."""
        rows = database.execute(
            "SELECT number, state, record FROM pieces WHERE customer=? AND pack=?", (name.customer, name.pack)
        ).fetchall()
        if rows and record_of(rows[0][2]) != record:
            raise BitDustError("conflict", "another record is kept for this pack; a pack is sealed once")
        return next((PieceState(state) for number, state, _ in rows if number == name.number), None)

    def keep(self, intake: PieceIntake, writer: PieceWriter | None) -> "Deferred[Usage]":
        """See `PieceIntake.keep`."""
        if writer is None:
            return self._commits.change(lambda database: usage(database, intake.name.customer))
        return shielded(Deferred.fromCoroutine(self._keep(intake, writer)))

    async def _keep(self, intake: PieceIntake, writer: PieceWriter) -> Usage:
        job = KeepPiece(self._disk, self._folder, intake.name, intake.size, intake.signed, writer)
        try:
            await writer.quiet()
            if writer.flushed:
                await self._run_in_thread(writer.seal)
            now: Usage = await self._commits.run(job)
        except (OSError, sqlite3.Error) as error:
            await self.release(intake, writer)
            raise disk_error(error) from error
        except BitDustError:
            await self.release(intake, writer)
            raise
        finally:
            self._coming.pop(intake.name.key, None)
        return now

    def release(self, intake: PieceIntake, writer: PieceWriter | None) -> "Deferred[None]":
        """Forget a piece that will not be kept, and its temporary file."""
        return succeed(None) if writer is None else shielded(Deferred.fromCoroutine(self._release(intake, writer)))

    async def _release(self, intake: PieceIntake, writer: PieceWriter) -> None:
        await writer.quiet()
        try:
            await self._run_in_thread(writer.discard)
        except OSError:
            return  # the scan at the next start removes what could not be removed now
        finally:
            self._coming.pop(intake.name.key, None)

    def find(self, database: sqlite3.Connection, name: PieceName, offset: int, length: int) -> "Deferred[FoundPiece]":
        """Fires with a kept piece, from ``offset``, ``length`` bytes (0 = to its end)."""
        row = database.execute(
            "SELECT size, state, record FROM pieces WHERE customer=? AND pack=? AND number=?", name.key
        ).fetchone()
        if row is None or row[1] == PieceState.MISSING:
            raise BitDustError("not-found", "this piece is not kept here")
        size, _, signed = row
        if offset > size:
            raise BitDustError("bad-field", f"the piece has {size} bytes; offset {offset} is behind its end")
        wanted = min(length or size, size - offset)
        return Deferred.fromCoroutine(self._open(name, signed, offset, wanted))

    async def _open(self, name: PieceName, signed: bytes, offset: int, length: int) -> FoundPiece:
        self._need_turn()
        try:
            descriptor: int = await self._run_in_thread(self._disk.open, name.path(self._folder))
        except FileNotFoundError as error:
            await self.mark(name, PieceState.MISSING)
            raise BitDustError("not-found", "this piece was kept here and is gone from the disk") from error
        except OSError as error:
            raise disk_error(error) from error
        source = PieceSource(self._disk, self._run_in_thread, descriptor, offset, length)
        self._given.add(source)
        return FoundPiece(signed, source)

    def mark(self, name: PieceName, state: PieceState) -> "Deferred[None]":
        """Remember what was found out about a piece; it still counts, and its owner may bring it again."""
        return self._commits.change(lambda database: mark_piece(database, name, state))


def mark_piece(database: sqlite3.Connection, name: PieceName, state: PieceState) -> None:
    database.execute("UPDATE pieces SET state=? WHERE customer=? AND pack=? AND number=?", (state, *name.key))


def record_of(signed: bytes) -> PackRecord:
    """The pack record inside stored signed bytes."""
    return PackRecord.from_body(Signed.from_bytes(signed, PackRecord.KIND).body)


def shielded(work: "Deferred[Any]") -> "Deferred[Any]":
    """The end of some work that goes on when nobody waits any more: a thread must never meet a second writer."""
    waiting: Deferred[Any] = Deferred()
    work.addCallbacks(waiting.callback, waiting.errback)
    return waiting
