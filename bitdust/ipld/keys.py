"""Keys of libp2p: four kinds, as protocol buffers.

| kind | public key | private key |
|---|---|---|
| RSA | SubjectPublicKeyInfo, DER | PKCS #1, DER |
| ED25519 | 32 bytes | seed and public key, 64 bytes |
| SECP256K1 | compressed point, 33 bytes | 32 bytes |
| ECDSA | SubjectPublicKeyInfo, DER | SEC 1, DER |

RSA signs by PKCS #1 version 1.5, the curves by ECDSA in DER, all three over SHA-256.
"""

from enum import IntEnum
from typing import Any, Final, Self

from attrs import frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from bitdust.ipld import protobuf
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.protobuf import BYTES, NUMBER

LONGEST_KEY: Final = 8 * 1024
SHORTEST_RSA, LONGEST_RSA = 2048, 8192
"""Bits of a modulus that count as a key."""
_TYPE, _DATA = 1, 2
_SHA256: Final = hashes.SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)
_SPKI: Final = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_RAW: Final = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
_POINT: Final = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
_PKCS8: Final = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
_PRIVATE_DER: Final = (
    serialization.Encoding.DER,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)


class KeyKind(IntEnum):
    """Numbers of the protocol buffer."""

    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


_CODES: Final = frozenset(KeyKind)
_CLASSES: Final = {
    KeyKind.RSA: rsa.RSAPrivateKey,
    KeyKind.ED25519: Ed25519PrivateKey,
    KeyKind.ECDSA: ec.EllipticCurvePrivateKey,
}


def _encode(kind: KeyKind, data: bytes) -> bytes:
    return protobuf.number_field(_TYPE, kind) + protobuf.bytes_field(_DATA, data)


def _decode(data: bytes) -> tuple[KeyKind, bytes]:
    if len(data) > LONGEST_KEY:
        raise too_large(f"a key of {len(data)} bytes")
    found: dict[int, Any] = dict(protobuf.read(data, {_TYPE: NUMBER, _DATA: BYTES}))
    if set(found) != {_TYPE, _DATA}:
        raise malformed("a key without a kind or without bytes")
    if found[_TYPE] not in _CODES:
        raise unsupported(f"a key of the kind {found[_TYPE]}")
    return KeyKind(found[_TYPE]), found[_DATA]


def _sized(key: Any) -> Any:
    """The key, unless it is one of RSA that is too weak, or so long that checking it would cost too much."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey) and not SHORTEST_RSA <= key.key_size <= LONGEST_RSA:
        raise unsupported(f"an RSA key of {key.key_size} bits")
    return key


@frozen
class PublicKey:
    """What checks signatures. `encode` gives the bytes that its holder chose, so that the peer id stays the same."""

    kind: KeyKind
    data: bytes
    _key: Any

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Of a protocol buffer."""
        kind, body = _decode(data)
        try:
            if kind == KeyKind.ED25519:
                return cls(kind, body, Ed25519PublicKey.from_public_bytes(body))
            if kind == KeyKind.SECP256K1:
                return cls(kind, body, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), body))
            key = serialization.load_der_public_key(body)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise malformed(f"not a public key of {kind.name}") from error
        if not isinstance(key, rsa.RSAPublicKey if kind == KeyKind.RSA else ec.EllipticCurvePublicKey):
            raise malformed(f"not a public key of {kind.name}")
        return cls(kind, body, _sized(key))

    @classmethod
    def of_ed25519(cls, raw: bytes) -> Self:
        """Of 32 bytes."""
        try:
            return cls(KeyKind.ED25519, raw, Ed25519PublicKey.from_public_bytes(raw))
        except ValueError as error:
            raise malformed("not a public key of ED25519") from error

    def encode(self) -> bytes:
        """The protocol buffer."""
        return _encode(self.kind, self.data)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the holder of the private key has signed the message."""
        try:
            if self.kind == KeyKind.ED25519:
                self._key.verify(signature, message)
            elif self.kind == KeyKind.RSA:
                self._key.verify(signature, message, PKCS1v15(), _SHA256)
            else:
                self._key.verify(signature, message, _ECDSA)
        except InvalidSignature:
            return False
        return True


@frozen
class PrivateKey:
    """What signs."""

    kind: KeyKind
    _key: Any

    @classmethod
    def generate(cls, kind: KeyKind = KeyKind.ED25519, bits: int = SHORTEST_RSA) -> Self:
        """A new key; ``bits`` of RSA."""
        if kind == KeyKind.ED25519:
            return cls(kind, Ed25519PrivateKey.generate())
        if kind != KeyKind.RSA:
            raise unsupported(f"no new keys of {kind.name} are made")
        if not SHORTEST_RSA <= bits <= LONGEST_RSA:
            raise unsupported(f"an RSA key of {bits} bits")
        return cls(kind, rsa.generate_private_key(65537, bits))

    @classmethod
    def of_ed25519(cls, seed: bytes) -> Self:
        """Of the 32 secret bytes."""
        try:
            return cls(KeyKind.ED25519, Ed25519PrivateKey.from_private_bytes(seed))
        except ValueError as error:
            raise malformed("not a private key of ED25519") from error

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Of a protocol buffer."""
        kind, body = _decode(data)
        try:
            return cls(kind, _sized(_load(kind, body)))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise malformed(f"not a private key of {kind.name}") from error

    def encode(self) -> bytes:
        """The protocol buffer."""
        if self.kind == KeyKind.ED25519:
            body = self._key.private_bytes_raw() + self.public.data
        elif self.kind == KeyKind.SECP256K1:
            body = self._key.private_numbers().private_value.to_bytes(32, "big")
        else:
            body = self._key.private_bytes(*_PRIVATE_DER)
        return _encode(self.kind, body)

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Of PKCS #8 in PEM, without a passphrase."""
        if len(data) > 2 * LONGEST_KEY:
            raise too_large(f"a key of {len(data)} bytes")
        try:
            key = _sized(serialization.load_pem_private_key(data, None))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise malformed("not a private key in PEM") from error
        kind = next((kind for kind, known in _CLASSES.items() if isinstance(key, known)), None)
        if kind is None or (kind == KeyKind.ECDSA and isinstance(key.curve, ec.SECP256K1)):
            raise unsupported("a private key of this kind in PEM")
        return cls(kind, key)

    def to_pem(self) -> bytes:
        """PKCS #8 in PEM, without a passphrase."""
        return bytes(self._key.private_bytes(*_PKCS8))

    @property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""
        key = self._key.public_key()
        form = {KeyKind.ED25519: _RAW, KeyKind.SECP256K1: _POINT}.get(self.kind, _SPKI)
        return PublicKey(self.kind, key.public_bytes(*form), key)

    def sign(self, message: bytes) -> bytes:
        """The signature."""
        if self.kind == KeyKind.ED25519:
            made = self._key.sign(message)
        elif self.kind == KeyKind.RSA:
            made = self._key.sign(message, PKCS1v15(), _SHA256)
        else:
            made = self._key.sign(message, _ECDSA)
        return bytes(made)


def _load(kind: KeyKind, body: bytes) -> Any:
    """The private key; one of ED25519 may have its public key behind it twice, as it had once."""
    if kind == KeyKind.ED25519:
        pair = Ed25519PrivateKey.from_private_bytes(body[:32])
        if body[32:] not in (pair.public_key().public_bytes_raw(), pair.public_key().public_bytes_raw() * 2):
            raise malformed("a private key of ED25519 with another public key")
        return pair
    if kind == KeyKind.SECP256K1:
        if len(body) != 32:
            raise malformed("not a private key of SECP256K1")
        return ec.derive_private_key(int.from_bytes(body, "big"), ec.SECP256K1())
    key = serialization.load_der_private_key(body, None)
    if not isinstance(key, rsa.RSAPrivateKey if kind == KeyKind.RSA else ec.EllipticCurvePrivateKey):
        raise malformed(f"not a private key of {kind.name}")
    return key
