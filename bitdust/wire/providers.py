"""Providers: who has a block of IPFS and gives it to others, found in the hash table by whoever knows its CID.

Nodes that keep such a record know a keyed hash, and not which block it is about, unless they know the CID already.
Several people may have one block, each at a position of its own, as with nicknames.
"""

import hashlib
import hmac
from typing import ClassVar

from attrs import frozen

from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Int, Schema

POSITIONS = 8
_BLINDING = b"provide"


def blinded(multihash: bytes) -> bytes:
    """The 32 bytes that stand for a block."""
    return hmac.new(_BLINDING, multihash, hashlib.sha256).digest()


def subject(key: bytes, position: int) -> str:
    """Of the record at one position of a blinded block."""
    return f"{key.hex()}/{position}"


@frozen
class Provider(Record):
    """Who has a block, at which position. ``key`` is `blinded`, ``time`` is milliseconds since the epoch."""

    KIND: ClassVar[str] = "provider"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "key": Bytes(32),
        "position": Int(0, POSITIONS - 1),
        "time": Int(),
    }

    owner: bytes
    key: bytes
    position: int
    time: int

    @classmethod
    def from_body(cls, data: bytes) -> "Provider":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))

    @property
    def subject(self) -> str:
        """Of its record."""
        return subject(self.key, self.position)
