"""Diffie-Hellman on Curve25519 (RFC 7748), and a device's Ed25519 key as one of its keys.

Ed25519 keys are converted as RFC 7748, section 4.1, and libsodium do it.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from bitdust.crypt.device import DeviceKey
from bitdust.wire.encoding import WireError

_PRIME = 2**255 - 19


def converted(public: bytes) -> bytes:
    """The point of an Ed25519 key on the curve of X25519: u = (1 + y) / (1 − y). Raises `ValueError` for y = 1."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, -1, _PRIME) % _PRIME).to_bytes(32, "little")


def private_of(device: DeviceKey) -> bytes:
    """The secret number of a device's key on the curve of X25519."""
    return hashlib.sha512(device.seed).digest()[:32]


def public_of(private: bytes) -> bytes:
    """The public half of an X25519 key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def shared(private: bytes, public: bytes) -> bytes:
    """What both agree on; raises `WireError` ``bad-key`` for a public key of small order, which all would agree on."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise WireError("bad-key", "a public key that makes no secret") from error
