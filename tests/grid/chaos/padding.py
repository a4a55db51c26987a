"""RSA with random bytes that follow from what is signed or sealed: a library draws them by itself (RFC 8017)."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa

from bitdust.crypt.master import MasterKey, MasterPublic

HASH = 32


def _mask(seed: bytes, size: int) -> bytes:
    """MGF1 with SHA-256."""
    count = -(-size // HASH)
    return b"".join(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in range(count))[:size]


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def padded_to_sign(data: bytes, salt: bytes, bits: int) -> bytes:
    """EMSA-PSS for a key of so many bits."""
    digest = hashlib.sha256(bytes(8) + hashlib.sha256(data).digest() + salt).digest()
    size = bits // 8 - HASH - 1
    masked = _xor((b"\x01" + salt).rjust(size, b"\0"), _mask(digest, size))
    return bytes((masked[0] & 0x7F,)) + masked[1:] + digest + b"\xbc"


def padded_to_seal(data: bytes, seed: bytes, bits: int) -> bytes:
    """EME-OAEP for a key of so many bits."""
    size = bits // 8 - HASH - 1
    block = hashlib.sha256().digest() + (b"\x01" + data).rjust(size - HASH, b"\0")
    masked = _xor(block, _mask(seed, size))
    return b"\0" + _xor(seed, _mask(masked, HASH)) + masked


def sign(key: MasterKey, data: bytes) -> bytes:
    """Stands for `MasterKey.sign`."""
    numbers, bits = key._key.private_numbers(), key._key.key_size
    block = int.from_bytes(padded_to_sign(data, hashlib.sha256(data).digest(), bits), "big")
    p, q = (pow(block, exponent, prime) for exponent, prime in ((numbers.dmp1, numbers.p), (numbers.dmq1, numbers.q)))
    return (q + (p - q) * numbers.iqmp % numbers.p * numbers.q).to_bytes(bits // 8, "big")


def wrap(key: MasterPublic, secret: bytes) -> bytes:
    """Stands for `MasterPublic.wrap`."""
    public: rsa.RSAPublicNumbers = key._key.public_numbers()
    block = padded_to_seal(secret, hashlib.sha256(secret).digest(), key.bits)
    return pow(int.from_bytes(block, "big"), public.e, public.n).to_bytes(key.bits // 8, "big")
