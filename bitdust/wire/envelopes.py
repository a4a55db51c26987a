"""Envelopes: what carries a message to one device. Everything beside the seal is authenticated by it.

A mailbox sees who sends, for which device, when and how large a class of sizes; nobody but that device opens it.
"""

from collections.abc import Iterable

from attrs import frozen

from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.messages import MAX_BODY
from bitdust.wire.schema import Bytes, Int, Optional, Schema

FORMAT = 1
MAX_ENVELOPE = MAX_BODY * 13 // 12 + 4096
MAX_BATCH = 1024 * 1024 + 512 * 1024
"""Bytes of envelopes that travel in one packet."""
MOST_IN_BATCH = 256
SMALLEST = 256
_NUMBER = Int(0, 2**32 - 1)
_FIELDS: tuple[Schema, ...] = (
    Int(FORMAT, FORMAT), Bytes(16), Bytes(32), Bytes(8), Bytes(32), Bytes(8), Optional(Bytes(32)), Optional(_NUMBER),
    Optional(_NUMBER), Bytes(32), _NUMBER, _NUMBER, Bytes(16, MAX_ENVELOPE),
)  # fmt: skip
_PATHS = tuple(f"envelope[{number}]" for number in range(len(_FIELDS)))


@frozen
class Envelope:
    """``id`` is random: what is sent again unopened has the same, what is sealed again another.

    ``base``, ``signed`` and ``once`` begin a session: the sender's key made for it and the numbers of the prekeys that
    it used. ``key``, ``before`` and ``number`` are the ratchet's header.
    """

    id: bytes
    sender: bytes
    device: bytes
    recipient: bytes
    to: bytes
    base: bytes | None
    signed: int | None
    once: int | None
    key: bytes
    before: int
    number: int
    sealed: bytes

    def to_bytes(self) -> bytes:
        """Canonical bytes."""
        return encode(
            [
                FORMAT, self.id, self.sender, self.device, self.recipient, self.to, self.base, self.signed, self.once,
                self.key, self.before, self.number, self.sealed,
            ]
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> "Envelope":
        """Raises `WireError`."""
        value = decode(data, MAX_ENVELOPE, max_items=20)
        if type(value) is not list or len(value) != len(_FIELDS):
            raise WireError("malformed", f"an envelope is a list of {len(_FIELDS)}")
        for item, schema, path in zip(value, _FIELDS, _PATHS, strict=True):
            schema.check(item, path)
        if (value[6] is None) != (value[7] is None) or (value[6] is None and value[8] is not None):
            raise WireError("malformed", "an envelope begins a session with all that it takes, or with nothing")
        return cls(*value[1:])

    @property
    def beside(self) -> bytes:
        """What is authenticated with the seal besides the ratchet's own header."""
        return address(self.id, self.sender, self.device, self.recipient, self.to)


def address(ident: bytes, sender: bytes, device: bytes, recipient: bytes, to: bytes) -> bytes:
    """The authenticated address of an envelope."""
    return b"BitDust envelope 1\0" + ident + sender + device + recipient + to


def pack(envelopes: Iterable[bytes]) -> bytes:
    """Several envelopes as one payload."""
    return encode(list(envelopes))


def unpack(payload: bytes) -> list[bytes]:
    """The envelopes of a payload, not read yet; raises `WireError`."""
    value = decode(payload, MAX_BATCH + MAX_ENVELOPE, max_items=MOST_IN_BATCH + 1)
    if type(value) is not list:
        raise WireError("malformed", "a batch of envelopes is a list")
    for number, item in enumerate(value):
        Bytes(1, MAX_ENVELOPE).check(item, f"envelopes[{number}]")
    return value


def padded(plain: bytes) -> bytes:
    """Filled up to a class of sizes: a power of two up to 8 KiB, above that a twelfth more at most."""
    wanted = len(plain) + 1
    size = SMALLEST
    while size < wanted and size < 8192:
        size *= 2
    if size < wanted:
        step = 1 << (wanted.bit_length() - 5)
        size = -(-wanted // step) * step
    return plain + b"\x80" + bytes(size - wanted)


def unpadded(data: bytes) -> bytes:
    """Raises `WireError`."""
    plain, mark, rest = data.rpartition(b"\x80")
    if not mark or rest.strip(b"\0"):
        raise WireError("malformed", "a message is not padded as it should be")
    return plain
