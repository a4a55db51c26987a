"""Proofs that a supplier still has pieces: what is asked for, and the answer (``docs/formats.md``, section 5)."""

from collections.abc import Sequence

from attrs import frozen

from bitdust.crypt.merkle import LEAF_SIZE
from bitdust.crypt.possession import NONCE
from bitdust.wire.encoding import encode
from bitdust.wire.records import MAX_SUPPLIERS, PieceRef
from bitdust.wire.schema import Bytes, Int, ListOf, Optional, Schema, Struct, Text, parse, present

VERSION = 1
MOST_PIECES = 16
"""Of one question. None at all asks for a sign of life."""
MOST_READ = 64 * 1024 * 1024
"""Bytes of all pieces of one question, where it names more than one: its answer reads each of them whole."""
MOST_PATH = 32
MAX_ANSWER = MOST_PIECES * (LEAF_SIZE + MOST_PATH * 34 + 64) + 1024
MISSING, DAMAGED = "not-found", "damaged"
"""Codes in place of a proof."""
QUESTION: dict[str, Schema] = {
    "nonce": Bytes(NONCE),
    "pieces": ListOf(Struct({"pack": Bytes(16), "index": Int(0, MAX_SUPPLIERS - 1)}), MOST_PIECES),
}
ANSWER = Struct({"kind": Text(40), "chain": Bytes(32)})
_PROOF = Struct(
    {"leaf": Optional(Bytes(1, LEAF_SIZE)), "path": Optional(ListOf(Bytes(32), MOST_PATH)), "code": Optional(Text(40))}
)
_PROOFS = Struct({"version": Int(VERSION, VERSION), "proofs": ListOf(_PROOF, MOST_PIECES)})


@frozen
class LeafProof:
    """One leaf with its Merkle path, or the ``code`` that says why there is none."""

    leaf: bytes = b""
    path: tuple[bytes, ...] = ()
    code: str = ""


def question(nonce: bytes, pieces: Sequence[PieceRef]) -> dict[str, object]:
    """The fields of ``Retrieve proof``."""
    named = [{"pack": piece.pack, "index": piece.index} for piece in pieces]
    return {"kind": "proof", "nonce": nonce, "pieces": named}


def to_bytes(proofs: Sequence[LeafProof]) -> bytes:
    """The payload of the answer, in the order of the question."""
    value = [{"code": one.code} if one.code else {"leaf": one.leaf, "path": list(one.path)} for one in proofs]
    return encode({"version": VERSION, "proofs": value})


def parse_proofs(data: bytes) -> list[LeafProof]:
    """Raises `WireError`; nothing is checked against a root."""
    value = parse(data, _PROOFS, MAX_ANSWER, "proofs")
    found = [present(one) for one in value["proofs"]]
    return [LeafProof(one.get("leaf", b""), tuple(one.get("path", ())), one.get("code", "")) for one in found]
