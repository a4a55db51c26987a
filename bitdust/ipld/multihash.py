"""Multihashes: a digest that says which function made it and how long it is.

A multihash is ``bytes``: two varints, the code of the function and the number of bytes, and then the digest.
"""

import hashlib
from collections.abc import Callable, Mapping
from hmac import compare_digest

from attrs import frozen
from blake3 import blake3

from bitdust.ipld import varint
from bitdust.ipld.errors import malformed, too_large, unsupported

IDENTITY, SHA2_256 = 0x00, 0x12
LONGEST = 128
"""Bytes of a digest, and of what is inlined under the identity function."""
SHORTEST = 20
"""Bytes of a digest that proves anything."""
Buffer = bytes | bytearray | memoryview
Digest = Callable[[Buffer], bytes]


@frozen
class Function:
    """One row of the table: code, name, and how many bytes of digest it makes."""

    code: int
    name: str
    length: int
    digest: Digest


def _of(name: str) -> Digest:
    make = getattr(hashlib, name)
    return lambda data: bytes(make(data).digest())


def _twice(data: Buffer) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def _blake2b(length: int) -> Digest:
    return lambda data: hashlib.blake2b(data, digest_size=length).digest()


def _blake2s(length: int) -> Digest:
    return lambda data: hashlib.blake2s(data, digest_size=length).digest()


_TABLE = (
    Function(IDENTITY, "identity", -1, bytes),
    Function(0x11, "sha1", 20, _of("sha1")),
    Function(SHA2_256, "sha2-256", 32, lambda data: hashlib.sha256(data).digest()),
    Function(0x13, "sha2-512", 64, _of("sha512")),
    Function(0x14, "sha3-512", 64, _of("sha3_512")),
    Function(0x15, "sha3-384", 48, _of("sha3_384")),
    Function(0x16, "sha3-256", 32, _of("sha3_256")),
    Function(0x17, "sha3-224", 28, _of("sha3_224")),
    Function(0x18, "shake-128", 32, lambda data: hashlib.shake_128(data).digest(32)),
    Function(0x19, "shake-256", 64, lambda data: hashlib.shake_256(data).digest(64)),
    Function(0x1E, "blake3", 32, lambda data: blake3(data).digest()),
    Function(0x20, "sha2-384", 48, _of("sha384")),
    Function(0x56, "dbl-sha2-256", 32, _twice),
    *(Function(0xB200 + size, f"blake2b-{size * 8}", size, _blake2b(size)) for size in range(SHORTEST, 65)),
    *(Function(0xB240 + size, f"blake2s-{size * 8}", size, _blake2s(size)) for size in range(SHORTEST, 33)),
)
FUNCTIONS: Mapping[int, Function] = {one.code: one for one in _TABLE}
NAMES: Mapping[str, Function] = {one.name: one for one in _TABLE}
_SHA2_256_HEAD = bytes((SHA2_256, 32))


def function(code: int) -> Function:
    """The row of a code; ``unsupported`` where there is none."""
    found = FUNCTIONS.get(code)
    if found is None:
        raise unsupported(f"no hash function here has the code 0x{code:x}")
    return found


def named(name: str) -> Function:
    """The row of a name such as ``sha2-256``."""
    found = NAMES.get(name)
    if found is None:
        raise unsupported(f"no hash function here has the name {name!r}")
    return found


def wrap(code: int, digest: bytes) -> bytes:
    """A digest as a multihash."""
    return varint.encode(code) + varint.encode(len(digest)) + digest


def compute(data: Buffer, code: int = SHA2_256) -> bytes:
    """The multihash of ``data``."""
    if code == SHA2_256:
        return _SHA2_256_HEAD + hashlib.sha256(data).digest()
    if code == IDENTITY and len(data) > LONGEST:
        raise too_large(f"{len(data)} bytes are too many to stand in a multihash")
    return wrap(code, function(code).digest(data))


def read(data: Buffer, position: int = 0) -> tuple[int, int, int]:
    """Code, and where the digest begins and ends, of the multihash at ``position``. Of a known function or not."""
    code, position = varint.decode(data, position)
    length, position = varint.decode(data, position)
    if length > LONGEST:
        raise too_large(f"a digest of {length} bytes")
    if position + length > len(data):
        raise malformed("a multihash that ends inside its digest")
    known = FUNCTIONS.get(code)
    if known is not None and known.length not in (-1, length) and not SHORTEST <= length <= known.length:
        raise malformed(f"a digest of {length} bytes where {known.name} makes {known.length}")
    return code, position, position + length


def split(multihash: bytes) -> tuple[int, bytes]:
    """Code and digest of a whole multihash."""
    code, start, end = read(multihash)
    if end != len(multihash):
        raise malformed("a multihash that goes on after its digest")
    return code, multihash[start:end]


def matches(multihash: bytes, data: Buffer) -> bool:
    """Whether ``data`` is what the multihash names. A digest that is cut down counts from twenty bytes on."""
    if multihash[:2] == _SHA2_256_HEAD:
        return compare_digest(multihash[2:], hashlib.sha256(data).digest())
    code, digest = split(multihash)
    made = function(code).digest(data)
    return compare_digest(digest, made if code == IDENTITY else made[: len(digest)])
