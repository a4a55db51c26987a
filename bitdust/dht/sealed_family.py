"""My family as the DHT has it: sealed for me, so that nobody else reads there who keeps my pieces, nor how many do.

Whoever recovers has the RSA key; a device whose RSA key is elsewhere opens it with its own.
"""

from typing import ClassVar

from attrs import frozen

from bitdust.crypt.boxes import open_box, seal_for
from bitdust.dht.messages import MAX_RECORD
from bitdust.identity.me import Me
from bitdust.wire.records import Family, Record
from bitdust.wire.schema import Bytes, Int, Optional, Schema
from bitdust.wire.signed import Signed

PADDED = 2
LENGTH = 4
SIZES = (1024, 1536)
"""Bytes of what is sealed: many families have the same."""
BESIDE = 450
"""Bytes that a record of the DHT has besides the box, the owner's key and the certificate, at most."""


@frozen
class SealedFamily(Record):
    """A family that its owner alone can open. ``sealed`` is filled up to a size; without a version it is not."""

    KIND: ClassVar[str] = "sealed-family"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "customer": Bytes(32),
        "revision": Int(1),
        "sealed": Bytes(1, 4000),
        "version": Optional(Int(PADDED, PADDED)),
    }

    customer: bytes
    revision: int
    sealed: bytes
    version: int | None = None

    @classmethod
    def from_body(cls, data: bytes) -> "SealedFamily":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))


def sealed_for(me: Me, family: Family, signed: Signed) -> Signed:
    """My family for the RSA key and for my devices that count; for the RSA key alone where a record has no more room.

    A large one is as long as it is.
    """
    data = signed.to_bytes()
    whole = len(data).to_bytes(LENGTH, "big") + data
    plain = whole.ljust(next((size for size in SIZES if size >= len(whole)), 0), b"\0")
    box = seal_for(me.public, [device.key for device in me.document.devices if device.revoked is None], plain)
    if len(box) > MAX_RECORD - BESIDE - len(me.public.spki) - len(me.certificate.to_body()):
        box = me.public.seal(plain)
    record = SealedFamily(family.customer, family.revision, box, PADDED)
    return me.sign(SealedFamily.KIND, record.to_body())


def opened(me: Me, value: bytes) -> bytes:
    """My signed family record out of the sealed one that the DHT has. Raises `WireError` for one that is not mine."""
    record = SealedFamily.from_body(Signed.from_bytes(value, SealedFamily.KIND).body)
    plain = open_box(record.sealed, me.device, me.held_master)
    if record.version is None:
        return plain
    size = int.from_bytes(plain[:LENGTH], "big")
    return plain[LENGTH : LENGTH + size]
