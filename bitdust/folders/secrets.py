"""Secrets of folders: who has one may read, write or merely keep a folder, and needs no account for it.

A secret is a letter and 20 bytes in base32; that of an encrypted folder's reader has 16 more. All of them come from the
20 bytes of the writer, by steps that only go one way, and they are the ones that BitTorrent Sync made:

* ``public`` = the Ed25519 public key of the seed ``writer ‖ 12 zero bytes``;
* ``A`` writer → ``B`` reader = SHA-1(``public``);
* ``D`` writer of an encrypted folder → ``F`` keeper = Keccak-256(``public``)[:20], which cannot read it, and ``E``
  reader = the keeper's bytes ‖ Keccak-256(writer)[:16].

So whoever has any of them can check a ``public`` that a stranger shows, and with it every record that a writer signed.
The keys below are BitDust's own: no program of others reads its folders.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Literal, cast, get_args

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bitdust.crypt.keccak import keccak_256
from bitdust.crypt.sealing import hkdf
from bitdust.wire.errors import BitDustError

Kind = Literal["A", "B", "D", "E", "F"]
"""Writer and reader of a plain folder; writer, reader and keeper of an encrypted one."""
BODY = 20
READING_KEY = 16
_BODY_TEXT = 32
LONGEST = 1 + _BODY_TEXT + 26
"""Characters of a secret of kind E."""
_KINDS = frozenset(get_args(Kind))
_WRITERS, _KEEPERS = frozenset("AD"), frozenset("F")
_CONTENT_INFO = b"BitDust 2026-11 folder content"
_ONE_TIME = "a one-time secret is good for the program that made it alone: ask for a lasting one"


@frozen
class Secret:
    """One secret; it shows its kind alone where it is printed. `parse` and `make` are how to get one."""

    kind: Kind
    body: bytes = field(repr=False)
    """20 bytes: the writer's own, or what names the folder."""
    reading_key: bytes = field(default=b"", repr=False)
    """16 bytes, of kind E alone."""
    folder_id: bytes = field(init=False, repr=False, eq=False)
    """32 bytes that are the same for all secrets of a folder, and tell nothing of them."""
    _shared: bytes = field(init=False, repr=False, eq=False)
    """The 20 bytes that a plain folder's reader, or an encrypted one's keeper, has."""

    def __attrs_post_init__(self) -> None:
        shared = self._name_of(_public(self.body)) if self.may_write else self.body
        object.__setattr__(self, "_shared", shared)
        object.__setattr__(self, "folder_id", hashlib.sha256(b"folder" + shared).digest())

    @property
    def text(self) -> str:
        """As people pass it on: 33 characters, 59 of kind E."""
        return self.kind + _base32(self.body) + (_base32(self.reading_key) if self.reading_key else "")

    @property
    def may_write(self) -> bool:
        """Whether records of the folder can be signed with it."""
        return self.kind in _WRITERS

    @property
    def may_read(self) -> bool:
        """Whether names and contents can be opened with it."""
        return self.kind not in _KEEPERS

    @property
    def encrypted(self) -> bool:
        """Whether the folder may have keepers, who hold it and cannot read it."""
        return self.kind not in ("A", "B")

    @property
    def public(self) -> bytes | None:
        """The writers' public key, 32 bytes; nobody else can tell it, and `check_public` is what he can do."""
        return _public(self.body) if self.may_write else None

    def signing_key(self) -> Ed25519PrivateKey | None:
        """What writers sign records with; None for whoever may not write."""
        return _writers_key(self.body) if self.may_write else None

    def content_key(self) -> bytes | None:
        """32 bytes that names and contents are sealed under; None for a keeper."""
        if not self.may_read:
            return None
        reading = keccak_256(self.body)[:READING_KEY] if self.kind == "D" else self.reading_key
        return hkdf(reading or self._shared, _CONTENT_INFO)

    def check_public(self, public: bytes) -> bool:
        """Whether this is the public key of the folder's writers."""
        return len(public) == 32 and hmac.compare_digest(self._name_of(public), self._shared)

    def weaker(self) -> "tuple[Secret, ...]":
        """All that can be told from it, the stronger first."""
        if self.kind == "A":
            return (Secret("B", self._shared),)
        if self.kind == "D":
            return Secret("E", self._shared, keccak_256(self.body)[:READING_KEY]), Secret("F", self._shared)
        return (Secret("F", self._shared),) if self.kind == "E" else ()

    def _name_of(self, public: bytes) -> bytes:
        if self.encrypted:
            return keccak_256(public)[:BODY]
        return hashlib.sha1(public, usedforsecurity=False).digest()


def parse(text: str) -> Secret:
    """The secret that this text is. Raises `BitDustError` ``bad-secret``, which does not repeat it."""
    kind, body = text[:1], text[1:]
    if kind == "C":
        raise BitDustError("bad-secret", _ONE_TIME)
    if kind not in _KINDS or len(text) != (LONGEST if kind == "E" else 1 + _BODY_TEXT):
        raise _bad()
    reading = READING_KEY if kind == "E" else 0
    found = Secret(cast(Kind, kind), _bytes(body[:_BODY_TEXT], BODY), _bytes(body[_BODY_TEXT:], reading))
    if found.text != text:
        raise _bad()
    return found


def make(kind: Literal["A", "D"], entropy: Callable[[int], bytes]) -> Secret:
    """A new folder's secret of a writer, out of ``entropy(20)``; the others are told from it."""
    return Secret(kind, entropy(BODY))


def _bad() -> BitDustError:
    return BitDustError("bad-secret", "that is no secret of a folder: a letter of A, B, D, E, F and 32 of A-Z and 2-7")


def _writers_key(body: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(body + bytes(32 - BODY))


def _public(body: bytes) -> bytes:
    return _writers_key(body).public_key().public_bytes_raw()


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _bytes(text: str, size: int) -> bytes:
    try:
        found = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise _bad() from error
    if len(found) != size:
        raise _bad()
    return found
