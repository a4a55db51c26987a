"""Content identifiers: which bytes (a multihash), and how they are to be read (a codec).

Version 0 is a bare SHA-256 multihash in base 58 (``Qm…``), always of a dag-pb node. Version 1 says its version and its
codec, and its text is multibase (``bafy…``). Two CIDs with one multihash name the same bytes, so blocks are stored by
multihash.
"""

from functools import lru_cache
from typing import NamedTuple, Self

from attrs import frozen

from bitdust.ipld import multibase, varint
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.multihash import IDENTITY, LONGEST, SHA2_256, Buffer, compute, matches, read, split

RAW, DAG_PB, DAG_CBOR, DAG_JSON, LIBP2P_KEY, CAR = 0x55, 0x70, 0x71, 0x0129, 0x72, 0x0202
CODECS = {
    "raw": RAW,
    "dag-pb": DAG_PB,
    "dag-cbor": DAG_CBOR,
    "dag-json": DAG_JSON,
    "libp2p-key": LIBP2P_KEY,
    "cbor": 0x51,
    "json": 0x0200,
    "git-raw": 0x78,
    "protobuf": 0x50,
}
LONGEST_BLOCK = 2 * 1024 * 1024
"""Bytes of a block that is read; builders make none of more than 1 MiB and what stands around it."""
LONGEST_CID = 1 + 3 * varint.LONGEST + LONGEST
LONGEST_TEXT = 1 + 8 * LONGEST_CID
_V0_HEAD, _V0_SIZE = bytes((SHA2_256, 32)), 34
_V0_TEXT = 46


@frozen
class Cid:
    """One CID; equal when version, codec and multihash are."""

    version: int
    codec: int
    multihash: bytes

    @classmethod
    def of(cls, data: Buffer, codec: int = RAW, function: int = SHA2_256) -> Self:
        """Version 1 for these bytes."""
        return cls(1, codec, compute(data, function))

    @classmethod
    def v0(cls, data: Buffer) -> Self:
        """Version 0 for the bytes of a dag-pb node."""
        return cls(0, DAG_PB, compute(data))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Of exactly these bytes."""
        cid, end = cls.read(data, 0)
        if end != len(data):
            raise malformed("a CID that goes on after its digest")
        return cid

    @classmethod
    def read(cls, data: Buffer, position: int) -> tuple[Self, int]:
        """The CID at ``position``, and where it ends."""
        if data[position : position + 2] == _V0_HEAD:
            end = position + _V0_SIZE
            if end > len(data):
                raise malformed("a CID that ends inside its digest")
            return cls(0, DAG_PB, bytes(data[position:end])), end
        version, position = varint.decode(data, position)
        if version != 1:
            raise unsupported(f"a CID of version {version}")
        codec, position = varint.decode(data, position)
        _, _, end = read(data, position)
        return cls(1, codec, bytes(data[position:end])), end

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of its text in any base."""
        if len(text) > LONGEST_TEXT:
            raise too_large("a text that is too long for a CID")
        if len(text) == _V0_TEXT and text.startswith("Qm"):
            return cls.from_bytes(multibase.read(multibase.BASE58, text))
        if text.startswith("Qm"):
            raise malformed(f"a CID that begins with Qm has {_V0_TEXT} letters, not {len(text)}")
        if len(text) < 2:
            raise malformed("a text that is too short for a CID")
        data = multibase.decode(text)
        if data[:1] == _V0_HEAD[:1]:
            raise malformed("a CID of version 0 has no multibase")
        return cls.from_bytes(data)

    @property
    def is_inline(self) -> bool:
        """Whether the CID holds the block itself."""
        return self.multihash[0] == IDENTITY

    def inline(self) -> bytes:
        """The block that the CID holds."""
        return split(self.multihash)[1]

    def matches(self, data: Buffer) -> bool:
        """Whether ``data`` is the block that is named."""
        return matches(self.multihash, data)

    def to_v1(self) -> "Cid":
        """The same block, as version 1."""
        return self if self.version else Cid(1, self.codec, self.multihash)

    def to_v0(self) -> "Cid":
        """The same block, as version 0; refused where that has no word for it."""
        if self.codec != DAG_PB or self.multihash[:2] != _V0_HEAD or len(self.multihash) != _V0_SIZE:
            raise unsupported(f"{self} has no form of version 0")
        return Cid(0, DAG_PB, self.multihash)

    def text(self, prefix: str = "b") -> str:
        """The text in a base; version 0 has only one."""
        return str(self) if not self.version else multibase.encode(bytes(self), prefix)

    def __bytes__(self) -> bytes:
        if not self.version:
            return self.multihash
        return b"\x01" + varint.encode(self.codec) + self.multihash

    def __str__(self) -> str:
        return _text(self)


class Block(NamedTuple):
    """What stores take and give: bytes under the CID that they were made or asked for with."""

    cid: Cid
    data: bytes


@lru_cache(maxsize=8192)
def _text(cid: Cid) -> str:
    if not cid.version:
        return multibase.BASE58.write(cid.multihash)
    return multibase.encode(bytes(cid))
