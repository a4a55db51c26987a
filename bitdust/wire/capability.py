"""A capability: the owner's signed word that somebody else may ask its suppliers in its place, within limits.

It travels in the header of each packet that it covers (`bitdust.wire.packet.Packet.capability`). The owner ends one
before its time with a signed `Revocation`. Both are described in ``docs/formats.md``, section 8.
"""

import hashlib
from enum import StrEnum
from typing import Any, ClassVar

from attrs import frozen

from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.packet import MAX_CAPABILITY
from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Optional, Schema, Text
from bitdust.wire.signed import Signed, message

VERSION, BY_PROOF = 1, 2
"""2 is of capabilities whose holder is shown by a proof alone."""
PROOF = "capability-proof"
DAY = 86_400
MOST_DAYS = 366
"""No capability is accepted that ends later than so many days from now."""


def shown_end(ends: int, now: int) -> int:
    """When a capability is to end, in seconds since the epoch: no later than it is accepted.

    A grant that was made while the clock was ahead ends later. Then it is in whole days, because what is signed is
    brought again with each change of it.
    """
    return ends if ends <= now + MOST_DAYS * DAY else (now // DAY + MOST_DAYS - 1) * DAY


class Right(StrEnum):
    """What the holder may do with what belongs to the scope."""

    READ = "read"
    """Retrieve pieces, log entries and heads."""
    LIST = "list"
    """List pieces."""
    WRITE = "write"
    """Bring pieces."""
    LOG = "log"
    """Append entries to a log of the holder's own device."""


@frozen
class Capability(Record):
    """``id`` names it for a revocation; ``ends`` is in seconds since the epoch.

    ``holder`` is the fingerprint of a user, or the Ed25519 key of one device; or, where it is held ``by_proof``, an
    Ed25519 key that several people have as they have a secret: who has that shows a proof with it, and only reads.
    ``scope`` is the tag of the key to whose packs and logs it is limited (`bitdust.crypt.scope`); without one these are
    the owner's own. ``quota`` are bytes that may be kept under it.
    """

    KIND: ClassVar[str] = "capability"
    LIMIT: ClassVar[int] = 1024
    FIELDS: ClassVar[dict[str, Schema]] = {
        "version": Int(VERSION, BY_PROOF),
        "id": Bytes(16),
        "owner": Bytes(32),
        "holder": Bytes(32),
        "scope": Optional(Bytes(16)),
        "rights": ListOf(Choice(tuple(Right)), len(Right), 1),
        "quota": Int(0, 2**60),
        "ends": Int(),
    }

    id: bytes
    owner: bytes
    holder: bytes
    rights: tuple[Right, ...]
    quota: int
    ends: int
    scope: bytes | None = None
    by_proof: bool = False

    def to_body(self) -> bytes:
        """Canonical bytes, with the format's number."""
        value: dict[str, Any] = {
            "version": BY_PROOF if self.by_proof else VERSION,
            "id": self.id,
            "owner": self.owner,
            "holder": self.holder,
            "rights": [right.value for right in self.rights],
            "quota": self.quota,
            "ends": self.ends,
        }
        return encode(value if self.scope is None else value | {"scope": self.scope})

    @classmethod
    def from_body(cls, data: bytes) -> "Capability":
        """Raises `WireError`."""
        value = cls.parse_fields(data)
        value["by_proof"] = value.pop("version") == BY_PROOF
        rights = value["rights"] = tuple(map(Right, value["rights"]))
        if len(set(rights)) != len(rights):
            raise WireError("bad-field", "capability: a right is named twice")
        return cls(**value)


@frozen
class ShownCapability:
    """A capability as it travels: ``device`` is the id of the owner's device that signed, empty for its RSA key.

    ``proof`` is the holder's signature over who asks whom (`proof_message`), empty where the session proves the holder.
    """

    body: bytes
    device: bytes
    signature: bytes
    proof: bytes = b""

    @classmethod
    def of(cls, signed: Signed) -> "ShownCapability":
        """A capability that a device of the owner has signed."""
        return cls(signed.body, signed.device, signed.signature)

    def to_bytes(self) -> bytes:
        """Canonical CBOR list of kind, body, device and signature, and the proof where there is one."""
        shown = [Capability.KIND, self.body, self.device, self.signature]
        return encode([*shown, self.proof] if self.proof else shown)

    @classmethod
    def from_bytes(cls, data: bytes) -> "ShownCapability":
        """Raises `WireError`; the signature is not checked here."""
        value = decode(data, MAX_CAPABILITY, max_items=6)
        if type(value) is not list or len(value) not in (4, 5):
            raise WireError("malformed", "a signed capability is a list of four, or of five with a proof")
        schemas: tuple[Schema, ...] = (Text(32), Bytes(1, Capability.LIMIT), Bytes(0, 8), Bytes(64, 1024), Bytes(64))
        for number, (item, schema) in enumerate(zip(value, schemas, strict=False)):
            schema.check(item, f"capability[{number}]")
        kind, body, device, signature = value[:4]
        if kind != Capability.KIND or len(device) not in (0, 8):
            raise WireError("bad-field", "this is no signed capability")
        return cls(body, device, signature, *value[4:])

    def message(self) -> bytes:
        """What the signature must fit."""
        return message(Capability.KIND, self.body)

    def proof_message(self, supplier: bytes, device: bytes) -> bytes:
        """What the proof must fit: a supplier's fingerprint, and the key of the device that asks it.

        The session proves that key, so whoever has seen a proof can do nothing with it.
        """
        return message(PROOF, encode([hashlib.sha256(self.body).digest(), supplier, device]))


@frozen
class Revocation(Record):
    """The owner's word, signed by one of its devices, that a capability counts no more."""

    KIND: ClassVar[str] = "revocation"
    LIMIT: ClassVar[int] = 256
    FIELDS: ClassVar[dict[str, Schema]] = {
        "version": Int(VERSION, VERSION),
        "owner": Bytes(32),
        "capability": Bytes(16),
    }

    owner: bytes
    capability: bytes

    def to_body(self) -> bytes:
        """Canonical bytes, with the format's number."""
        return encode({"version": VERSION, "owner": self.owner, "capability": self.capability})

    @classmethod
    def from_body(cls, data: bytes) -> "Revocation":
        """Raises `WireError`."""
        value = cls.parse_fields(data)
        return cls(value["owner"], value["capability"])
