"""One piece on its way to a supplier's disk: checked against its Merkle root while it streams in, then stored.

The quota is counted in the transaction that makes the piece known.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from bitdust.crypt.merkle import MerkleHasher
from bitdust.customers.database import NO_SCOPE, PieceCondition
from bitdust.customers.delays import keep_condemned
from bitdust.customers.grants import charge, discharge, need_valid
from bitdust.customers.names import PieceName, record_of
from bitdust.customers.quota import Usage, count, usage
from bitdust.disk.commit import GroupCommit, Job
from bitdust.disk.disk import Disk, disk_error
from bitdust.outcome import shielded
from bitdust.wire.capability import Capability
from bitdust.wire.errors import BitDustError

FLUSH = 1024 * 1024
"""Bytes gathered in memory before a thread writes them; a smaller piece is written with its batch."""
RunInThread = Callable[..., "Deferred[Any]"]


@frozen
class Shelf:
    """Where pieces are stored, and what brings them there."""

    folder: Path
    disk: Disk
    run_in_thread: RunInThread
    commits: GroupCommit


@frozen
class IncomingPiece:
    """What is known of a piece before its bytes come: its signed pack record, its scope, under which capability."""

    name: PieceName
    size: int
    signed: bytes
    scope: bytes = NO_SCOPE
    grant: Capability | None = None


class PieceWriter:
    """I bring the bytes of one piece to a temporary file and make sure that they are the right ones."""

    def __init__(self, shelf: Shelf, path: Path, size: int, root: bytes) -> None:
        self._disk = shelf.disk
        self._run_in_thread = shelf.run_in_thread
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

    def write(self, data: memoryview) -> "Deferred[None] | None":
        """Copy some bytes; the Deferred, where there is one, asks the sender to wait."""
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

        self._work.addCallback(lambda _: self._run_in_thread(self._append, parts))
        self._work.addCallbacks(done.callback, done.errback)
        return done

    def _append(self, parts: list[bytes]) -> None:
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
        self._append(parts)
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


class StorePiece(Job):
    """The batch's part of one piece: seal it if it is small, count it, give it its name."""

    def __init__(self, shelf: Shelf, piece: IncomingPiece, writer: PieceWriter) -> None:
        self._disk = shelf.disk
        self._piece = piece
        self._path = piece.name.path(shelf.folder)
        self._partial = piece.name.partial(shelf.folder)
        self._writer = writer
        self._before: PieceCondition | None = None
        self.folder = self._path.parent

    def prepare(self) -> None:
        if not self._writer.flushed:
            self._writer.seal()

    def apply(self, database: sqlite3.Connection) -> Usage:
        self._before = store_piece(database, self._piece)
        return usage(database, self._piece.name.customer)

    def finish(self) -> None:
        self._disk.rename(self._partial, self._path)

    def undo(self, database: sqlite3.Connection) -> None:
        piece = self._piece
        if self._before is not None:
            mark_piece(database, piece.name, self._before)
            return
        gone = database.execute("DELETE FROM pieces WHERE customer=? AND pack=? AND number=?", piece.name.key)
        if not gone.rowcount:
            return  # an order of the same batch has deleted it, and counted it
        count(database, piece.name.customer, -piece.size, -1)
        if piece.grant is not None:
            discharge(database, piece.name.customer, piece.grant.id, piece.size)


class PieceIntake:
    """One piece on its way in: `write` its bytes, then `store` or `abort`; ``ended`` is called once, at the end."""

    def __init__(self, shelf: Shelf, piece: IncomingPiece, writer: PieceWriter, ended: Callable[[], object]) -> None:
        self._shelf = shelf
        self._piece = piece
        self._writer = writer
        self._ended = ended

    def write(self, data: memoryview) -> "Deferred[None] | None":
        """See `PieceWriter.write`."""
        return self._writer.write(data)

    def store(self) -> "Deferred[Usage]":
        """Fires when the piece is on the disk for good; fails with a `BitDustError`, and then nothing of it is left."""
        return shielded(Deferred.fromCoroutine(self._store(self._writer)))

    async def _store(self, writer: PieceWriter) -> Usage:
        try:
            await writer.quiet()
            if writer.flushed:
                await self._shelf.run_in_thread(writer.seal)
            now: Usage = await self._shelf.commits.run(StorePiece(self._shelf, self._piece, writer))
        except (OSError, sqlite3.Error) as error:
            await self._discard(writer)
            raise disk_error(error) from error
        except Exception:
            await self._discard(writer)
            raise
        finally:
            self._ended()
        return now

    def abort(self) -> "Deferred[None]":
        """The sender stopped in the middle: forget the piece and its temporary file."""
        return shielded(Deferred.fromCoroutine(self._abort(self._writer)))

    async def _abort(self, writer: PieceWriter) -> None:
        try:
            await writer.quiet()
            await self._discard(writer)
        finally:
            self._ended()

    async def _discard(self, writer: PieceWriter) -> None:
        try:
            await self._shelf.run_in_thread(writer.discard)
        except OSError:
            return  # the scan at the next start removes what could not be removed now


def store_piece(database: sqlite3.Connection, piece: IncomingPiece) -> PieceCondition | None:
    """Make a piece known and count it, inside a transaction; what it was before, where it was known.

    Raises no-contract, no-service, no-space, not-allowed, conflict, before anything of the piece is written.
    """
    before = usage(database, piece.name.customer)
    need_same_pack(database, piece)
    if piece.grant is None:
        keep_condemned(database, piece.name)
    row = database.execute(
        "SELECT state FROM pieces WHERE customer=? AND pack=? AND number=?", piece.name.key
    ).fetchone()
    if row is not None:
        if piece.grant is not None:
            need_valid(database, piece.grant)
        mark_piece(database, piece.name, PieceCondition.KEPT)
        return PieceCondition(row[0])
    before.need_room(piece.size)
    capability = None
    if piece.grant is not None:
        charge(database, piece.grant, piece.size)
        capability = piece.grant.id
    database.execute("DELETE FROM garbage WHERE customer=? AND pack=? AND number=?", piece.name.key)
    database.execute(
        "INSERT INTO pieces VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        (*piece.name.key, piece.size, PieceCondition.KEPT, piece.signed, piece.scope, capability),
    )
    count(database, piece.name.customer, piece.size, 1)
    return None


def need_same_pack(database: sqlite3.Connection, piece: IncomingPiece) -> None:
    """A pack is sealed once: raises ``conflict`` where another record is kept under its id."""
    row = database.execute(
        "SELECT record FROM pieces WHERE customer=? AND pack=? LIMIT 1", (piece.name.customer, piece.name.pack)
    ).fetchone()
    if row is not None and row[0] != piece.signed and record_of(row[0]) != record_of(piece.signed):
        raise BitDustError("conflict", "another record is kept for this pack; a pack is sealed once")


def mark_piece(database: sqlite3.Connection, name: PieceName, condition: PieceCondition) -> None:
    """Remember what was found out about a piece; it still counts, and its owner may bring it again."""
    database.execute("UPDATE pieces SET state=? WHERE customer=? AND pack=? AND number=?", (condition, *name.key))
