"""Asking a supplier to prove that it has pieces, and checking what it answers against the roots that I have signed."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from bitdust.batching import InTurn
from bitdust.crypt.merkle import check_proof, leaf_size, leaves_of
from bitdust.crypt.possession import NONCE, NOTHING, LeafChain
from bitdust.formats.proof import ANSWER, MAX_ANSWER, MISSING, MOST_PIECES, MOST_READ, LeafProof, parse_proofs, question
from bitdust.outcome import Outcome, outcome
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState
from bitdust.storage.ports import Holders
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord, PieceRef

SILENCE = 15.0
PAUSES = (0.5, 1.0, 2.0)
"""Seconds before a busy supplier is asked again."""
WRONG = "wrong"
REFUSALS = frozenset(
    ("no-contract", "not-allowed", "not-found", "internal", "too-large", "malformed", "bad-field", "wrong")
)
"""Codes of an error that a supplier is to blame for. Everything else is absence, or another time."""


@frozen
class Sought:
    """A piece to be proved, and how many bytes it has."""

    piece: PieceRef
    size: int


@define
class Asked:
    """A question on its way, and what came back. ``begun`` is when the first bytes of the answer were here."""

    supplier: bytes
    nonce: bytes
    sought: list[Sought]
    sent: float
    begun: float | None = None
    fields: Mapping[str, Any] = field(factory=dict)
    payload: bytes = b""

    @property
    def pieces(self) -> list[PieceRef]:
        """What was asked for."""
        return [one.piece for one in self.sought]

    @property
    def took(self) -> float | None:
        """Seconds until the header of the answer was here, which commits to all leaves; None while it is not."""
        return self.begun - self.sent if self.begun is not None else None


def take_batch(waiting: list[Sought]) -> list[Sought]:
    """Take as many from the front as one question may name, one at least."""
    batch: list[Sought] = []
    size = 0
    while waiting and len(batch) < MOST_PIECES and (not batch or size + waiting[0].size <= MOST_READ):
        size += waiting[0].size
        batch.append(waiting.pop(0))
    return batch


def is_refusal(error: BaseException) -> bool:
    """Whether a supplier was there and gave no proof, as opposed to being away or busy."""
    return getattr(error, "code", "") in REFUSALS


class Prover:
    """I ask and check."""

    def __init__(self, around: Connected, catalog: Catalog, ports: Holders) -> None:
        self._world = around.world
        self._me = around.me
        self._catalog = catalog
        self._ports = ports
        self._turns = InTurn()

    def measure(self, supplier: bytes) -> "Deferred[float]":
        """Seconds there and back, now."""

        def came(asked: Asked) -> float:
            return asked.took or 0.0

        return self.ask(supplier, []).addCallback(came)

    def ask(self, supplier: bytes, sought: Sequence[Sought]) -> "Deferred[Asked]":
        """Ask for proofs of at most as many pieces as one question may name, after all questions before it."""
        return self._turns.run(supplier, lambda: self._send(supplier, sought))

    def _send(self, supplier: bytes, sought: Sequence[Sought]) -> "Deferred[Asked]":
        clock, nonce = self._world.clock, self._world.entropy(NONCE)
        asked = Asked(supplier, nonce, list(sought), clock.seconds())

        def progress(done: int, total: int) -> None:
            asked.begun = clock.seconds() if asked.begun is None else asked.begun

        def answered(reply: Any) -> Asked:
            progress(0, 0)
            asked.fields, asked.payload = reply.fields, bytes(reply.payload)
            return asked

        sending = self._ports.outbox.send(
            supplier, Command.RETRIEVE, question(nonce, asked.pieces), deadline=SILENCE, max_answer=MAX_ANSWER,
            progress=progress,
        )  # fmt: skip
        return sending.addCallback(answered)

    def check(self, asked: Asked) -> "Deferred[dict[PieceRef, str]]":
        """What was not proved, with a word each; in a thread. A whole answer that makes no sense proves nothing."""
        return self._world.run_in_thread(self._check, asked)

    def _check(self, asked: Asked) -> dict[PieceRef, str]:
        records = self._catalog.read_apart(
            lambda database: {piece.pack: record_of(database, piece.pack) for piece in asked.pieces}
        )
        try:
            ANSWER.check(dict(asked.fields), "answer")
            proofs = parse_proofs(asked.payload)
        except WireError:
            proofs = []
        chain = LeafChain(asked.nonce, self._me.fingerprint, asked.supplier)
        known = [(piece, records[piece.pack]) for piece in asked.pieces]
        if len(proofs) != len(known):
            return {piece: WRONG for piece, record in known if record is not None}
        failed = {}
        for (piece, record), proof in zip(known, proofs, strict=True):
            wrong = _wrong(piece, record, proof, chain) if record is not None else ""
            chain.take(proof.leaf or NOTHING)
            if wrong:
                failed[piece] = wrong
        if asked.fields["chain"] != chain.value:
            return {piece: failed.get(piece, WRONG) for piece, record in known if record is not None}
        return failed

    async def prove(self, supplier: bytes, sought: Iterable[Sought]) -> dict[PieceRef, str]:
        """What a supplier does not prove of these, one question after the other, however long each takes.

        Raises what asking raises.
        """
        waiting = list(sought)
        failed: dict[PieceRef, str] = {}
        while waiting:
            failed |= await self.check(await self._patiently(supplier, take_batch(waiting)))
        return failed

    async def _patiently(self, supplier: bytes, batch: Sequence[Sought]) -> Asked:
        """Another customer, or another device of mine, may have its turn just now."""
        for pause in PAUSES:
            answer: Outcome = await outcome(self.ask(supplier, batch))
            if answer.code != "busy":
                break
            await deferLater(self._world.clock, pause)
        else:
            return await self.ask(supplier, batch)
        if answer.error is not None:
            raise answer.error
        found: Asked = answer.value
        return found


def record_of(database: sqlite3.Connection, pack: bytes) -> PackRecord | None:
    """The record of a living pack in my catalog: of one that was deleted meanwhile nobody has to have anything."""
    query = "SELECT record FROM packs WHERE pack=? AND state<=?"
    row = database.execute(query, (pack, PackState.HELD)).fetchone()
    return PackRecord.from_body(bytes(row[0])) if row is not None else None


def _wrong(piece: PieceRef, record: PackRecord, proof: LeafProof, chain: LeafChain) -> str:
    """Why a proof is none, empty for a good one."""
    if proof.code or not 0 <= piece.index < len(record.roots):
        return proof.code or MISSING
    leaves = leaves_of(record.piece_size)
    leaf = chain.leaf(leaves)
    if len(proof.leaf) != leaf_size(record.piece_size, leaf):
        return WRONG
    good = check_proof(proof.leaf, leaf, leaves, list(proof.path), record.roots[piece.index])
    return "" if good else WRONG
