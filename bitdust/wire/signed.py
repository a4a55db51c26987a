"""A body with a device's Ed25519 signature (RFC 8032): what is stored, forwarded or shown to third parties."""

from attrs import frozen

from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.schema import Bytes, Schema, Text

DOMAIN = b"BitDust signature 1\0"
COUNTER_DOMAIN = b"BitDust countersignature 1\0"
COUNTERSIGNATURE = "countersignature"
"""The field beside a signed record in which the owner's RSA key confirms it."""
MAX_SIGNED = 256 * 1024
_KIND, _DEVICE, _SIGNATURE = Text(32), Bytes(8), Bytes(64)


def message(kind: str, body: bytes) -> bytes:
    """The bytes that are signed: the kind keeps a signature of one kind from passing as another's."""
    return DOMAIN + kind.encode() + b"\0" + body


@frozen
class Signed:
    """``kind`` names the body's format, ``device`` is the signing device's id (8 bytes)."""

    kind: str
    body: bytes
    device: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """Canonical CBOR list of the four fields."""
        return encode([self.kind, self.body, self.device, self.signature])

    @classmethod
    def from_bytes(cls, data: bytes, kind: str, limit: int = MAX_SIGNED) -> "Signed":
        """Raises `WireError`; the signature is not checked here (see `bitdust.crypt.device`)."""
        value = decode(data, limit, max_items=8)
        if type(value) is not list or len(value) != 4:
            raise WireError("malformed", "a signed record is a list of four")
        schemas: tuple[Schema, ...] = (_KIND, Bytes(0, limit), _DEVICE, _SIGNATURE)
        for number, (item, schema) in enumerate(zip(value, schemas, strict=True)):
            schema.check(item, f"signed[{number}]")
        if value[0] != kind:
            raise WireError("wrong-kind", f"a signed {value[0]!r} where {kind!r} is expected")
        return cls(*value)

    def message(self) -> bytes:
        """What the signature must fit."""
        return message(self.kind, self.body)

    def countersigned(self) -> bytes:
        """What the owner's RSA key signs to confirm this record, its signature included."""
        return COUNTER_DOMAIN + self.to_bytes()
