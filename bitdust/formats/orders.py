"""What a customer signs for its suppliers to obey or to keep: which packs to forget, and its sealed key ring."""

import hashlib

from attrs import asdict, frozen

from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.schema import Bytes, Flag, Int, ListOf, Struct, parse

DELETE_KIND = "delete"
DECISION_KIND = "deletion-decision"
MOST_PACKS = 1000
MAX_RING = 256 * 1024
RING = Struct({"owner": Bytes(32), "revision": Int(1), "sealed": Bytes(1, MAX_RING)})
_DECISION = Struct({"owner": Bytes(32), "supplier": Bytes(32), "device": Bytes(8), "undo": Flag(), "until": Int()})
_ORDER = Struct({"owner": Bytes(32), "packs": ListOf(Bytes(16), MOST_PACKS), "time": Int()})


@frozen
class DeleteOrder:
    """The owner's word, already verified: packs to forget. ``time`` grows with each order of a device."""

    owner: bytes
    device: bytes
    packs: tuple[bytes, ...]
    time: int
    digest: bytes

    @classmethod
    def parse(cls, body: bytes, device: bytes) -> "DeleteOrder":
        """Raises `WireError`."""
        value = parse(body, _ORDER, 32 * 1024, "delete")
        digest = hashlib.sha256(body).digest()
        return cls(value["owner"], device, tuple(dict.fromkeys(value["packs"])), value["time"], digest)


@frozen
class Decision:
    """A device's word about what another one has ordered and what waits: it does not happen, or happens now.

    What is due after ``until`` is not meant.
    """

    owner: bytes
    supplier: bytes
    device: bytes
    undo: bool
    until: int

    def to_body(self) -> bytes:
        """The bytes that are signed."""
        return encode(asdict(self))

    @classmethod
    def parse(cls, body: bytes) -> "Decision":
        """Raises `WireError`."""
        return cls(**parse(body, _DECISION, 512, DECISION_KIND))


def ring_revision(body: bytes, owner: bytes) -> int:
    """The revision of a key ring's body, which must be the owner's. Raises `WireError`, `BitDustError`."""
    value = parse(body, RING, MAX_RING + 256, "key ring")
    if value["owner"] != owner:
        raise BitDustError("not-allowed", "a key ring is accepted only from its owner")
    return int(value["revision"])
