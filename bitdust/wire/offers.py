"""Offers in the hash table: what lets whoever has a key read something at its owner's suppliers, sealed to that key.

Nodes that keep such a record see whose device wrote it, not what for: the place is a keyed hash of the holder's public
key, which the owner, the owner's suppliers and those who have the secret behind it know. Several owners may offer
something to one holder, each at a position of its own. A long offer lies in parts, at a place each.
"""

import hashlib
import hmac
from typing import ClassVar

from attrs import frozen

from bitdust.wire.providers import POSITIONS, subject
from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Int, Schema

PART = 2048
"""Bytes of a part at most: a record has the keys of its owner besides."""
MOST_PARTS = 16
_BLINDING = b"offer"


def blinded(holder: bytes, part: int) -> bytes:
    """The place of one part of what is offered to a holder."""
    return hmac.new(_BLINDING, holder + bytes([part]), hashlib.sha256).digest()


@frozen
class PlacedOffer(Record):
    """One part of an offer, at one position; ``time`` is milliseconds since the epoch, the same for all its parts.

    ``parts`` is how many there are; none, with nothing sealed, where the owner has withdrawn it.
    """

    KIND: ClassVar[str] = "offer"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "key": Bytes(32),
        "position": Int(0, POSITIONS - 1),
        "time": Int(),
        "parts": Int(0, MOST_PARTS),
        "sealed": Bytes(0, PART),
    }

    owner: bytes
    key: bytes
    position: int
    time: int
    parts: int
    sealed: bytes

    @classmethod
    def from_body(cls, data: bytes) -> "PlacedOffer":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))

    @property
    def subject(self) -> str:
        """Of its record."""
        return subject(self.key, self.position)
