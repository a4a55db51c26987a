"""A key as it travels: its owner's signed word about it, and the private part beside it where that is given too.

``docs/formats.md``, section 8, has its bytes. The word names owner, holder and public key, so that nobody passes a key
of somebody else off as his own, and no word for one person serves for another.
"""

import hashlib
from typing import Any, ClassVar, Protocol

from attrs import asdict, evolve, frozen

from bitdust.crypt.device import check_record
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.names import KEY_ALIAS
from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Int, Optional, Schema, Struct, Text, parse
from bitdust.wire.signed import Signed

VERSION = 1
MAX_OFFER = 24 * 1024
MAX_WORD = 4096
_OFFER = Struct({"version": Int(VERSION, VERSION), "word": Bytes(1, MAX_WORD), "private": Optional(Text(10 * 1024))})


class _Device(Protocol):
    @property
    def key(self) -> bytes: ...

    @property
    def revoked(self) -> int | None: ...


class OwnerDocument(Protocol):
    """The part of an identity document that is asked."""

    @property
    def fingerprint(self) -> bytes: ...

    def device(self, ident: bytes, /) -> _Device | None: ...


@frozen
class KeyWord(Record):
    """The owner's word: ``public`` (SubjectPublicKeyInfo) is what I call ``alias``, and this is for ``holder``.

    ``private`` is the SHA-256 of the private part, where that is given; ``time`` seconds since the epoch.
    """

    KIND: ClassVar[str] = "key"
    LIMIT: ClassVar[int] = MAX_WORD
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "holder": Bytes(32),
        "alias": Text(64, lambda alias: KEY_ALIAS.fullmatch(alias) is not None),
        "public": Bytes(1, 1200),
        "label": Text(800),
        "time": Int(),
        "private": Optional(Bytes(32)),
    }

    owner: bytes
    holder: bytes
    alias: str
    public: bytes
    label: str
    time: int
    private: bytes | None = None

    def to_body(self) -> bytes:
        return encode({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def from_body(cls, data: bytes) -> "KeyWord":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))


@frozen
class KeyOffer:
    """A word whose signature holds, and the private part (PEM) that it speaks of."""

    word: KeyWord
    private: str | None = None

    @property
    def pem(self) -> str:
        """The public part. Raises `WireError` ``bad-key``."""
        return MasterPublic.from_spki(self.word.public).to_pem()


def write_offer(word: KeyWord, private: str | None, sign: Any) -> bytes:
    """Canonical bytes; ``sign`` signs a record with my device's key."""
    digest = hashlib.sha256(private.encode()).digest() if private is not None else None
    whole = evolve(word, private=digest)
    offer: dict[str, Any] = {"version": VERSION, "word": sign(whole.KIND, whole.to_body()).to_bytes()}
    return encode(offer | ({"private": private} if private is not None else {}))


def read_offer(data: bytes, owner: OwnerDocument, holder: bytes) -> KeyOffer:
    """What the peer with the document ``owner`` brought to ``holder``; the private part is not looked at yet.

    Raises `WireError`: ``bad-field`` for what is no offer, ``not-allowed`` for a key of or for somebody else,
    ``bad-signature`` for what no device of the owner has signed that counts.
    """
    value = parse(data, _OFFER, MAX_OFFER, "offer")
    signed = Signed.from_bytes(value["word"], KeyWord.KIND, MAX_WORD)
    word = KeyWord.from_body(signed.body)
    if word.owner != owner.fingerprint or word.holder != holder:
        raise WireError("not-allowed", "a key is given by its owner alone, and this is for somebody else")
    device = owner.device(signed.device)
    if device is None or device.revoked is not None:
        raise WireError("bad-signature", "no device of the key's owner that counts has signed this")
    check_record(signed, device.key)
    private = value.get("private")
    digest = hashlib.sha256(private.encode()).digest() if private is not None else None
    if digest != word.private:
        raise WireError("bad-signature", "the private part is not the one that was signed")
    return KeyOffer(word, private)


def check_private(offer: KeyOffer) -> str:
    """The private part, written as this node writes it, once it fits the public part; slow, for a thread.

    Raises `WireError` ``bad-key``.
    """
    if offer.private is None or "ENCRYPTED" in offer.private:
        raise WireError("bad-key", "the private part of the key cannot be read")
    key = MasterKey.from_pem(offer.private)
    if key.public.spki != MasterPublic.from_spki(offer.word.public).spki:
        raise WireError("bad-key", "the private part belongs to another key than the public part")
    return key.to_pem()
