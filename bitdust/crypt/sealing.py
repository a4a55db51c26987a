"""Seals of packs and log entries: AES-256-GCM (SP 800-38D) under keys from HKDF-SHA-256 (RFC 5869).

A pack's key is its own, so segment numbers serve as nonces; a pack is sealed once and never again under the same id.
"""

from collections.abc import Callable, Sequence

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bitdust.wire.encoding import WireError

SEGMENT = 1024 * 1024
TAG = 16
CHUNK_NAME_SIZE = 16
_PACK_INFO = b"BitDust pack 1"
_INDEX_INFO = b"BitDust chunk index 2"
Buffer = bytes | bytearray | memoryview


def hkdf(secret: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA-256 without salt: the secrets are random."""
    return HKDF(hashes.SHA256(), length, None, info).derive(secret)


def index_key(secret: bytes) -> bytes:
    """The key under which chunks of this storage secret are named."""
    return hkdf(secret, _INDEX_INFO)


def chunk_name(key: bytes, chunk: Buffer) -> bytes:
    """16 bytes of keyed BLAKE3: equal for equal chunks of one owner, random to everybody else."""
    return blake3(chunk, key=key).digest(length=CHUNK_NAME_SIZE)


def sealed_size(plain: int) -> int:
    """Bytes of a sealed pack whose plain form has ``plain`` bytes."""
    return plain + TAG * max(1, -(-plain // SEGMENT))


def seal_pack(plain: Buffer, secret: bytes, pack: bytes) -> bytearray:
    """Segments of 1 MiB, nonce = number, AAD = format ‖ id ‖ last-segment flag; each is written where it stays."""
    cipher = AESGCM(hkdf(secret, _PACK_INFO + pack))
    view = memoryview(plain)
    sealed = bytearray(sealed_size(len(view)))
    whole = memoryview(sealed)
    count, step = max(1, -(-len(view) // SEGMENT)), SEGMENT + TAG
    for number in range(count):
        part = view[number * SEGMENT : (number + 1) * SEGMENT]
        place = whole[number * step : (number + 1) * step]
        cipher.encrypt_into(_nonce(number), part, _aad(pack, number == count - 1), place)
    return sealed


def open_pack(sealed: Buffer, secret: bytes, pack: bytes) -> bytes:
    """The plain pack; raises `WireError` ``bad-seal`` when a byte was changed, cut off or added."""
    cipher = AESGCM(hkdf(secret, _PACK_INFO + pack))
    view = memoryview(sealed)
    step = SEGMENT + TAG
    count = max(1, -(-len(view) // step))
    try:
        return b"".join(
            cipher.decrypt(_nonce(number), view[number * step : (number + 1) * step], _aad(pack, number == count - 1))
            for number in range(count)
        )
    except (InvalidTag, ValueError) as error:
        raise WireError("bad-seal", "the pack was changed, cut off, or sealed under another key") from error


def seal_entry(secret: bytes, info: bytes, number: int, aad: bytes, data: bytes) -> bytes:
    """One log entry under HKDF(secret, info) with its sequence number as nonce."""
    return AESGCM(hkdf(secret, info)).encrypt(_nonce(number), data, aad)


def open_entry(secret: bytes, info: bytes, number: int, aad: bytes, sealed: bytes) -> bytes:
    """Raises `WireError` ``bad-seal``."""
    try:
        return AESGCM(hkdf(secret, info)).decrypt(_nonce(number), sealed, aad)
    except (InvalidTag, ValueError) as error:
        raise WireError("bad-seal", "the log entry was changed or sealed under another key") from error


def open_with_any(secrets: Sequence[bytes], opens: Callable[[bytes], bytes]) -> bytes:
    """What ``opens`` gives for the first secret that fits: two of one name may be kept. Raises as ``opens`` does."""
    for secret in secrets[:-1]:
        try:
            return opens(secret)
        except WireError as error:
            if error.code != "bad-seal":
                raise
    return opens(secrets[-1])


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _aad(pack: bytes, last: bool) -> bytes:
    return _PACK_INFO + pack + (b"\1" if last else b"\0")
