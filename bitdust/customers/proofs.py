"""A supplier proves that it still has pieces: a leaf of each that the customer could not foresee, with its Merkle path.

To make a path the whole piece is read, in a thread; what its root shows to be damaged is marked and said at once.
"""

import sqlite3
from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.merkle import LEAF_SIZE, leaves_of, rooted_proof
from bitdust.crypt.possession import NOTHING, LeafChain
from bitdust.customers.database import PieceCondition
from bitdust.customers.intake import Shelf, mark_piece
from bitdust.customers.names import PieceName, record_of
from bitdust.customers.small import small_bytes
from bitdust.disk.disk import Disk
from bitdust.formats.proof import DAMAGED, MISSING, MOST_READ, LeafProof
from bitdust.wire.errors import BitDustError

AT_ONCE = 4
"""Questions that are answered side by side, one of each customer: each reads whole pieces."""
LATELY = 10.0
"""The last free one of them is not for who had an answer within so many seconds: a few customers that ask all the time
would keep all others from their audits."""


@frozen
class Kept:
    """What the database says of a piece."""

    name: PieceName
    size: int
    signed: bytes
    data: bytes | None


@frozen
class Proven:
    """Proofs in the order of the question, and the end of the chain."""

    proofs: list[LeafProof]
    chain: bytes


class Proofs:
    """I answer one question of a customer at a time."""

    log = Logger()

    def __init__(self, shelf: Shelf, seconds: Callable[[], float]) -> None:
        self._shelf = shelf
        self._seconds = seconds
        self._asking: set[bytes] = set()
        self._answered: dict[bytes, float] = {}

    async def prove(
        self, database: sqlite3.Connection, names: Sequence[PieceName], chain: LeafChain, scope: bytes | None
    ) -> Proven:
        """Raises ``busy``, ``bad-field``. ``names`` are of one customer."""
        if not names:
            return Proven([], chain.value)
        customer = names[0].customer
        kept = [_kept(database, name, scope) for name in names]
        if len(names) > 1 and sum(piece.size for piece in kept if piece is not None) > MOST_READ:
            raise BitDustError("bad-field", f"these pieces have more than {MOST_READ} bytes; ask for fewer")
        if customer in self._asking or len(self._asking) >= AT_ONCE - self._was_lately(customer):
            raise BitDustError("busy", "other proofs are being made; ask again in a moment")
        self._asking.add(customer)
        try:
            found: list[LeafProof] = await self._shelf.run_in_thread(self.walk, kept, chain)
        finally:
            self._asking.discard(customer)
            self._answered[customer] = self._seconds()
        self._mark(kept, found)
        return Proven(found, chain.value)

    def _was_lately(self, customer: bytes) -> bool:
        since = self._seconds() - LATELY
        self._answered = {who: when for who, when in self._answered.items() if when > since}
        return customer in self._answered

    def walk(self, kept: Sequence[Kept | None], chain: LeafChain) -> list[LeafProof]:
        """The proofs, one piece after the other along the chain; blocks, for a thread."""
        found = []
        for piece in kept:
            proof = _proof(self._shelf, piece, chain) if piece is not None else LeafProof(code=MISSING)
            chain.take(proof.leaf or NOTHING)
            found.append(proof)
        return found

    def _mark(self, kept: Sequence[Kept | None], found: Sequence[LeafProof]) -> None:
        conditions = {MISSING: PieceCondition.MISSING, DAMAGED: PieceCondition.DAMAGED}
        lost = [
            (piece.name, conditions[proof.code])
            for piece, proof in zip(kept, found, strict=True)
            if piece is not None and proof.code
        ]
        if lost:
            self._note(lost).addErrback(lambda failure: self.log.failure("lost pieces could not be marked", failure))

    def _note(self, lost: Sequence[tuple[PieceName, PieceCondition]]) -> "Deferred[None]":
        def write(database: sqlite3.Connection) -> None:
            for name, condition in lost:
                mark_piece(database, name, condition)

        return self._shelf.commits.change(write)


def _kept(database: sqlite3.Connection, name: PieceName, scope: bytes | None) -> Kept | None:
    row = database.execute(
        "SELECT size, state, record, scope FROM pieces WHERE customer=? AND pack=? AND number=?", name.key
    ).fetchone()
    if row is None or row[1] == PieceCondition.MISSING or scope not in (None, row[3]):
        return None
    return Kept(name, row[0], row[2], small_bytes(database, name))


def _proof(shelf: Shelf, piece: Kept, chain: LeafChain) -> LeafProof:
    try:
        data = piece.data if piece.data is not None else _read(shelf.disk, piece, shelf)
    except FileNotFoundError:
        return LeafProof(code=MISSING)
    except OSError:
        return LeafProof(code=DAMAGED)
    if len(data) != piece.size:
        return LeafProof(code=DAMAGED)
    leaf = chain.leaf(leaves_of(piece.size))
    found, path = rooted_proof(data, leaf)
    if found != record_of(piece.signed).roots[piece.name.number]:
        return LeafProof(code=DAMAGED)
    return LeafProof(data[leaf * LEAF_SIZE : (leaf + 1) * LEAF_SIZE], tuple(path))


def _read(disk: Disk, piece: Kept, shelf: Shelf) -> bytes:
    descriptor = disk.open(piece.name.path(shelf.folder))
    try:
        return disk.read(descriptor, 0, piece.size + 1)
    finally:
        disk.close(descriptor)
