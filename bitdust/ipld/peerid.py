"""Peer ids: the multihash of a public key, or the key itself where it is short. IPNS names are peer ids."""

from typing import Final, Self

from attrs import frozen

from bitdust.ipld import multibase, multihash
from bitdust.ipld.cid import DAG_PB, LIBP2P_KEY, LONGEST_TEXT, Cid
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.keys import PublicKey

LONGEST_INLINE: Final = 42
"""Bytes of a public key that stands in its peer id."""
_OLD_STARTS: Final = ("Qm", "1")


@frozen
class PeerId:
    """One peer, or one name of IPNS."""

    multihash: bytes

    @classmethod
    def of(cls, key: PublicKey) -> Self:
        """The peer that has this key."""
        data = key.encode()
        return cls(multihash.compute(data, multihash.IDENTITY if len(data) <= LONGEST_INLINE else multihash.SHA2_256))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Of a multihash, which is one of SHA-256 or holds a key."""
        code, digest = multihash.split(data)
        if code == multihash.IDENTITY:
            PublicKey.decode(digest)
            if len(digest) > LONGEST_INLINE:
                raise malformed("a peer id that holds a key which is too long for it")
        elif code != multihash.SHA2_256 or len(digest) != 32:
            raise unsupported("a peer id of another hash function than sha2-256")
        return cls(data)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of ``12D3…`` or ``Qm…`` (base 58), or of a CID of a key in any base (``k51…``, ``bafz…``)."""
        if len(text) > LONGEST_TEXT:
            raise too_large("a text that is too long for a peer id")
        if text.startswith(_OLD_STARTS):
            return cls.from_bytes(multibase.read(multibase.BASE58, text))
        cid = Cid.parse(text)
        if cid.codec not in (LIBP2P_KEY, DAG_PB):
            raise unsupported(f"{text} is not the CID of a key")
        return cls.from_bytes(cid.multihash)

    @property
    def cid(self) -> Cid:
        """The CID of the key."""
        return Cid(1, LIBP2P_KEY, self.multihash)

    @property
    def base36(self) -> str:
        """The text that newer nodes show for names (``k51…``)."""
        return self.cid.text("k")

    @property
    def key(self) -> PublicKey | None:
        """The public key, where the id holds it."""
        code, digest = multihash.split(self.multihash)
        return PublicKey.decode(digest) if code == multihash.IDENTITY else None

    def matches(self, key: PublicKey) -> bool:
        """Whether this peer has that key."""
        return self == PeerId.of(key)

    def __bytes__(self) -> bytes:
        return self.multihash

    def __str__(self) -> str:
        return multibase.BASE58.write(self.multihash)
