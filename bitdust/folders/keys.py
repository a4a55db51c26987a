"""What is done with a folder's secret: admission of peers, names, seals and signatures.

==========  ======================================  ==================================================================
key         who has it                              what it is for
==========  ======================================  ==================================================================
admission   all who hold a secret of the folder     HMAC-SHA-256: to prove that one holds one, to find each other
content     who may read                            HKDF of it: the three keys below
naming      who may read                            keyed BLAKE3: the 16 bytes by which a path is known to keepers
chunks      who may read                            keyed BLAKE3: the id of a chunk, and the key that seals it
records     who may read                            AES-256-GCM-SIV (RFC 8452): the inner part of a record
signing     who may write                           Ed25519: records; everybody checks them with ``public``
holder      who may read                            Ed25519, and X25519: to be let in at suppliers by the folder's owner
==========  ======================================  ==================================================================

Equal paths, chunks and records have equal sealed forms within a folder, and different ones in any other.
"""

import hashlib
import hmac

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.sealing import hkdf
from bitdust.folders.secrets import Secret
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

NAME = 16
"""Bytes of the id of a path, of a chunk's id, and of a chunk's name."""
TAG = 16
_DOMAIN = b"BitDust folder record 2\0"
_NONCE = bytes(12)
Buffer = bytes | bytearray | memoryview


def sealed_name(sealed: Buffer) -> bytes:
    """The name of a sealed chunk: what a keeper checks it by."""
    return blake3(sealed).digest(length=NAME)


class FolderKeys:
    """I hold the keys of one secret. ``public`` is None for a reader or keeper until a peer has shown it."""

    def __init__(self, secret: Secret, public: bytes | None = None) -> None:
        self.secret = secret
        self.public = secret.public or public
        self._checker: Ed25519PublicKey | None = None
        weaker = secret.weaker()
        shared = weaker[-1].body if weaker else secret.body
        self._admission = hkdf(shared, b"BitDust folder admission 1")
        content = secret.content_key()
        self._signing = secret.signing_key()
        self.holder = DeviceKey(hkdf(content, b"BitDust folder at suppliers 1")) if content is not None else None
        """Who reads the folder at suppliers by its secret alone; None for a keeper, who reads nothing."""
        if content is not None:
            self._naming = hkdf(content, b"BitDust folder names 1")
            self._chunks = hkdf(content, b"BitDust folder chunk ids 1")
            self._sealing = hkdf(content, b"BitDust folder chunks 1")
            self._records = AESGCMSIV(hkdf(content, b"BitDust folder records 1"))

    # admission

    def proof(self, purpose: str, *parts: bytes) -> bytes:
        """32 bytes that only who holds a secret of this folder can make of these parts."""
        message = b"\0".join([purpose.encode(), *(hashlib.sha256(part).digest() for part in parts)])
        return hmac.digest(self._admission, message, hashlib.sha256)

    def proves(self, shown: bytes, purpose: str, *parts: bytes) -> bool:
        """Whether that is what was shown."""
        return hmac.compare_digest(shown, self.proof(purpose, *parts))

    def learn_public(self, public: bytes) -> bool:
        """Take the writers' key from a peer; False where it is none of this folder's."""
        if self.public is None and self.secret.check_public(public):
            self.public = public
        return self.public == public

    # records

    def path_id(self, path: bytes) -> bytes:
        """What a path is called in records."""
        return blake3(path, key=self._naming).digest(length=NAME)

    def seal_record(self, inner: bytes) -> bytes:
        """The inner part of a record, for readers."""
        return self._records.encrypt(_NONCE, inner, None)

    def open_record(self, sealed: bytes) -> bytes:
        """Raises `WireError` ``bad-seal``."""
        try:
            return self._records.decrypt(_NONCE, sealed, None)
        except InvalidTag as error:
            raise WireError("bad-seal", "a record of the folder is damaged, or of another folder") from error

    def sign(self, body: bytes) -> bytes:
        """A writer's signature. Raises ``read-only`` for whoever may not write."""
        if self._signing is None:
            raise BitDustError("read-only", "this secret does not let you change the folder")
        return self._signing.sign(_DOMAIN + self.secret.folder_id + body)

    def check(self, signature: bytes, body: bytes) -> None:
        """Raises `WireError` ``bad-signature``, and ``no-key`` while nobody has shown the writers' key."""
        if self.public is None:
            raise WireError("no-key", "nobody has shown the key of the folder's writers yet")
        if self._checker is None:
            self._checker = Ed25519PublicKey.from_public_bytes(self.public)
        try:
            self._checker.verify(signature, _DOMAIN + self.secret.folder_id + body)
        except InvalidSignature as error:
            raise WireError("bad-signature", "no writer of this folder has signed that record") from error

    # chunks

    def chunk_id(self, chunk: Buffer) -> bytes:
        """The id of a chunk: equal for equal chunks of this folder."""
        return blake3(chunk, key=self._chunks).digest(length=NAME)

    def seal_chunk(self, ident: bytes, chunk: Buffer) -> bytes:
        """A chunk as keepers hold it. Its key is its own, and seals nothing else, so that no nonce is needed."""
        return AESGCM(blake3(ident, key=self._sealing).digest()).encrypt(_NONCE, chunk, None)

    def open_chunk(self, ident: bytes, sealed: Buffer) -> bytes:
        """Raises `WireError` ``bad-seal``."""
        try:
            return AESGCM(blake3(ident, key=self._sealing).digest()).decrypt(_NONCE, sealed, None)
        except InvalidTag as error:
            raise WireError("bad-seal", "a chunk of the folder is damaged") from error
