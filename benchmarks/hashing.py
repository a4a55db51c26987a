"""MB/s of one core for what touches every byte: piece roots, chunk names, seals; beside what they replaced.

    python -m benchmarks hashing --rounds 7

Each row takes turns with its alternatives in every round, so that a machine that drifts spoils none of them; medians.
"""

import argparse
import hashlib
import hmac
import os
import statistics
import time
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.crypt import merkle, sealing

PIECE, CHUNK, PACK = 2 * 1024 * 1024, 128 * 1024, 4 * 1024 * 1024
KEY, PACK_ID = bytes(32), bytes(16)


def sha256_root(data: bytes) -> bytes:
    """The tree of RFC 6962 as it was: SHA-256 with the prefixes 0 and 1."""
    view, level = memoryview(data), []
    for start in range(0, len(view), merkle.LEAF_SIZE):
        digest = hashlib.sha256(b"\0")
        digest.update(view[start : start + merkle.LEAF_SIZE])
        level.append(digest.digest())
    while len(level) > 1:
        level = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


def joined_seal(plain: bytes) -> bytes:
    """The seal as it was made before: segments that are put together afterwards."""
    view, cipher = memoryview(plain), AESGCM(sealing.hkdf(KEY, b"BitDust pack 1" + PACK_ID))
    count = len(plain) // sealing.SEGMENT
    step = sealing.SEGMENT
    return b"".join(
        cipher.encrypt(number.to_bytes(12, "big"), view[number * step : (number + 1) * step], bytes((number == count,)))
        for number in range(count)
    )


Row = tuple[str, int, int, Callable[[bytes], object]]
ROWS: tuple[Row, ...] = (
    ("piece root, BLAKE3", PIECE, 8, merkle.root),
    ("piece root, SHA-256", PIECE, 8, sha256_root),
    ("chunk name, keyed BLAKE3", CHUNK, 100, lambda data: sealing.chunk_name(KEY, data)),
    ("chunk name, HMAC-SHA-256", CHUNK, 100, lambda data: hmac.digest(KEY, data, "sha256")[:16]),
    ("chunk name, keyed BLAKE2b", CHUNK, 100, lambda data: hashlib.blake2b(data, key=KEY, digest_size=16).digest()),
    ("seal of a pack, into one buffer", PACK, 8, lambda data: sealing.seal_pack(data, KEY, PACK_ID)),
    ("seal of a pack, joined", PACK, 8, joined_seal),
)


def rate(row: Row, data: bytes) -> float:
    """MB/s of one row."""
    _, size, count, call = row
    begin = time.perf_counter()
    for _ in range(count):
        call(data)
    return size * count / (time.perf_counter() - begin) / 1e6


def main(arguments: Sequence[str]) -> int:
    """Print a line a row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hashing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    inputs = {size: os.urandom(size) for size in (PIECE, CHUNK, PACK)}
    rates: dict[str, list[float]] = {row[0]: [] for row in ROWS}
    for _ in range(options.rounds):
        for row in ROWS:
            rates[row[0]].append(rate(row, inputs[row[1]]))
    for name, found in rates.items():
        print(f"{name:34} {statistics.median(found):8.0f} MB/s")
    return 0
