"""MurmurHash3, x64, of 128 bits, of which directories use the first 64."""

import struct
from typing import Final

_WORD: Final = (1 << 64) - 1
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F


def murmur64(data: bytes) -> int:
    """The first half of the hash, with the seed 0."""
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 ^= _first(k1)
        h1 = ((h1 << 27 | h1 >> 37) + h2) * 5 + 0x52DCE729 & _WORD
        h2 ^= _second(k2)
        h2 = ((h2 << 31 | h2 >> 33) + h1) * 5 + 0x38495AB5 & _WORD
    tail = data[whole:]
    h1 ^= _first(int.from_bytes(tail[:8], "little")) ^ len(data)
    h2 ^= _second(int.from_bytes(tail[8:], "little")) ^ len(data)
    h1 = h1 + h2 & _WORD
    h2 = h2 + h1 & _WORD
    return _mixed(h1) + _mixed(h2) & _WORD


def _first(word: int) -> int:
    word = word * _C1 & _WORD
    return (word << 31 | word >> 33) * _C2 & _WORD


def _second(word: int) -> int:
    word = word * _C2 & _WORD
    return (word << 33 | word >> 31) * _C1 & _WORD


def _mixed(word: int) -> int:
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & _WORD
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & _WORD
    return word ^ word >> 33
