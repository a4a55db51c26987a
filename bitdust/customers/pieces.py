"""Pieces on a supplier's disk: taken in after a check of room, disk and turn, and read back by range.

Bytes still on their way are reserved before the first of them is taken.
"""

import sqlite3
import weakref
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from bitdust.crypt.merkle import root
from bitdust.customers.database import NO_SCOPE, PieceCondition
from bitdust.customers.grants import need_quota
from bitdust.customers.intake import (
    IncomingPiece,
    PieceIntake,
    PieceWriter,
    Shelf,
    mark_piece,
    need_same_pack,
)
from bitdust.customers.names import PieceName, record_of
from bitdust.customers.quota import usage
from bitdust.customers.scan import piece_is_whole
from bitdust.customers.small import SmallIntake, StoreLog, StoreSmall, small_bytes
from bitdust.disk.disk import Disk, disk_error
from bitdust.formats.log_packet import SmallPiece
from bitdust.scopes.networks import Household
from bitdust.scopes.plan import Plan
from bitdust.scopes.reservations import Reservation, Resource
from bitdust.scopes.scopes import Scopes
from bitdust.surroundings import Surroundings
from bitdust.wire.capability import Capability
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord
from bitdust.wire.table import Who


class PieceSource:
    """Part of a kept piece, read in a thread; the file stays open until this object goes, even if it is deleted."""

    def __init__(self, shelf: Shelf, descriptor: int, offset: int, size: int, place: Reservation) -> None:
        self._disk = shelf.disk
        self._run_in_thread = shelf.run_in_thread
        self._descriptor = descriptor
        self._offset = offset
        self.size = size
        self.close = weakref.finalize(self, _give_back, shelf.disk, descriptor, place)

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """At most ``length`` bytes from ``offset`` of this part."""
        length = max(0, min(length, self.size - offset))
        return self._run_in_thread(self._disk.read, self._descriptor, self._offset + offset, length)


def _give_back(disk: Disk, descriptor: int, place: Reservation) -> None:
    disk.close(descriptor)
    place.release()


@frozen
class FoundPiece:
    """A piece that is being read: its signed record as it came, and its bytes."""

    signed: bytes
    source: PieceSource | bytes


@frozen
class TestedPiece:
    """One piece that was read again; ``is_news`` when its condition is another one than before."""

    name: PieceName
    condition: PieceCondition
    size: int = 0
    is_news: bool = True

    @property
    def is_whole(self) -> bool:
        return self.condition is PieceCondition.KEPT


class Pieces:
    """All pieces of all customers. Each that comes or goes takes one of the places that ``scopes`` gives to its peer.

    Those of at most ``small`` bytes are stored in the database (`bitdust.customers.small`), the others in files.
    """

    def __init__(self, shelf: Shelf, disk_free: Callable[[], int], scopes: Scopes, small: int) -> None:
        self._shelf = shelf
        self._disk_free = disk_free
        self._scopes = scopes
        self._small = small
        self._coming: dict[tuple[bytes, bytes, int], int] = {}

    def reserved(self, customer: bytes) -> int:
        """Bytes of this customer that are on their way."""
        return sum(size for key, size in self._coming.items() if key[0] == customer)

    def receive(
        self, database: sqlite3.Connection, piece: IncomingPiece, record: PackRecord, peer: bytes
    ) -> PieceIntake | SmallIntake:
        """Begin to take a piece of a verified record that a peer brings.

        Raises no-contract, no-space, not-allowed, conflict, busy.

        One that is kept already is taken again and replaces what is there: its owner sends it again because the answer
        was lost, or because what came back was not what was stored.
        """
        name, size = piece.name, piece.size
        known = self.admit(database, piece)
        place = self._scopes.reserve(Resource.WRITES, 1, peer)
        self._coming[name.key] = 0 if known is not None else size

        def over() -> None:
            self._coming.pop(name.key, None)
            place.release()

        if size <= self._small:
            return SmallIntake(self._shelf, piece, record.roots[name.number], over)
        writer = PieceWriter(self._shelf, name.partial(self._shelf.folder), size, record.roots[name.number])
        return PieceIntake(self._shelf, piece, writer, over)

    def admit(self, database: sqlite3.Connection, piece: IncomingPiece) -> PieceCondition | None:
        """What is known of a piece that may come now; raises as `receive` does."""
        name, size = piece.name, piece.size
        now = usage(database, name.customer)
        known = self._known(database, piece)
        if name.key in self._coming:
            raise BitDustError("busy", "this piece is already on its way over another stream")
        if known is None:
            coming = [reserved for key, reserved in self._coming.items() if key[0] == name.customer]
            now.need_room(size, sum(coming), len(coming))
        if known is None and piece.grant is not None:
            need_quota(database, piece.grant, size)
        self._need_disk(size)
        return known

    def admit_small(
        self, database: sqlite3.Connection, packet: StoreLog, record: PackRecord, piece: SmallPiece
    ) -> None:
        """Add a piece of a verified record to a packet, or the reason why it cannot be kept. Raises ``bad-field``."""
        name = PieceName(record.owner, record.pack, piece.index)
        coming = incoming(name, record, piece.record, packet.grant)
        try:
            self.admit(database, coming)
        except BitDustError as error:
            packet.refused.append((name, error))
        else:
            packet.pieces.append(StoreSmall(coming, record.roots[piece.index], piece.data))

    def _need_disk(self, size: int) -> None:
        """The disk is never filled: what is still on its way counts as written."""
        try:
            left = self._disk_free() - sum(self._coming.values())
        except OSError as error:
            raise disk_error(error) from error
        if size > left:
            raise BitDustError("no-space", f"the supplier's disk is nearly full; {size} bytes would take its reserve")

    def _known(self, database: sqlite3.Connection, piece: IncomingPiece) -> PieceCondition | None:
        need_same_pack(database, piece)
        row = database.execute(
            "SELECT state FROM pieces WHERE customer=? AND pack=? AND number=?", piece.name.key
        ).fetchone()
        return PieceCondition(row[0]) if row is not None else None

    def find(
        self, database: sqlite3.Connection, name: PieceName, part: tuple[int, int], scope: bytes | None, peer: bytes
    ) -> "Deferred[FoundPiece]":
        """Fires with part of a kept piece, from an offset so many bytes (0 = to its end); see `SupplierStore.find`."""
        offset, length = part
        row = database.execute(
            "SELECT size, state, record, scope FROM pieces WHERE customer=? AND pack=? AND number=?", name.key
        ).fetchone()
        if row is None or row[1] == PieceCondition.MISSING or scope not in (None, row[3]):
            raise BitDustError("not-found", "this piece is not kept here")
        size, _, signed, _ = row
        if offset > size:
            raise BitDustError("bad-field", f"the piece has {size} bytes; offset {offset} is behind its end")
        wanted = min(length or size, size - offset)
        data = small_bytes(database, name)
        if data is not None:
            return succeed(FoundPiece(signed, data[offset : offset + wanted]))
        place = self._scopes.reserve(Resource.READS, 1, peer)
        opening = Deferred.fromCoroutine(self._open(name))

        def opened(descriptor: int) -> FoundPiece:
            return FoundPiece(signed, PieceSource(self._shelf, descriptor, offset, wanted, place))

        def failed(failure: Failure) -> Failure:
            place.release()
            return failure

        return opening.addCallbacks(opened, failed)

    async def _open(self, name: PieceName) -> int:
        shelf = self._shelf
        try:
            descriptor: int = await shelf.run_in_thread(shelf.disk.open, name.path(shelf.folder))
        except FileNotFoundError as error:
            await self.mark(name, PieceCondition.MISSING)
            raise BitDustError("not-found", "this piece was kept here and is gone from the disk") from error
        except OSError as error:
            raise disk_error(error) from error
        return descriptor

    async def test(self, database: sqlite3.Connection, name: PieceName) -> "TestedPiece | None":
        """See `SupplierStore.test`."""
        row = database.execute(
            "SELECT size, state, record FROM pieces WHERE customer=? AND pack=? AND number=?", name.key
        ).fetchone()
        if row is None:
            return None
        size, before, signed = row
        expected, data = record_of(signed).roots[name.number], small_bytes(database, name)
        now = await self._condition(name, size, expected, data)
        if now != before:
            await self.mark(name, now)
        return TestedPiece(name, now, size, now != before)

    async def _condition(self, name: PieceName, size: int, expected: bytes, data: bytes | None) -> PieceCondition:
        shelf = self._shelf
        try:
            if data is not None:
                whole = len(data) == size and root(data) == expected
            else:
                whole = await shelf.run_in_thread(piece_is_whole, shelf.disk, name.path(shelf.folder), size, expected)
        except FileNotFoundError:
            return PieceCondition.MISSING
        except OSError:
            return PieceCondition.DAMAGED
        return PieceCondition.KEPT if whole else PieceCondition.DAMAGED

    def mark(self, name: PieceName, condition: PieceCondition) -> "Deferred[None]":
        """See `bitdust.customers.intake.mark_piece`."""
        return self._shelf.commits.change(lambda database: mark_piece(database, name, condition))


def incoming(name: PieceName, record: PackRecord, signed: bytes, grant: Capability | None) -> IncomingPiece:
    """A piece of a verified record. Raises ``bad-field`` for one that does not belong to it."""
    if name.customer != record.owner or name.pack != record.pack or not 0 <= name.number < len(record.roots):
        raise BitDustError("bad-field", "the piece does not belong to this record")
    if len(record.roots) != record.scheme.n:
        raise BitDustError("bad-field", "the record has another number of roots than of pieces")
    return IncomingPiece(name, record.piece_size, signed, record.scope or NO_SCOPE, grant)


def customers_alone(around: Surroundings) -> Scopes:
    """Scopes in which there is nobody but customers."""
    return Scopes(around.world.clock, Plan.of(around.budget), lambda _: Who.CUSTOMER, Household([]))
