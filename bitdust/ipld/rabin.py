"""Boundaries by Rabin fingerprints, with the window and the polynomial of go-ipfs.

The fingerprint of the last sixteen bytes, as a polynomial over one bit, is reduced by an irreducible one of degree 53.
A boundary is where its lowest bits are zero. It is the sum (exclusive or) of what each byte gives at its place, so many
positions are tried at once: each place of the window is one `bytes.translate` and one sum of very long numbers, which
give the lowest eight bits everywhere; where those are zero, tables give the rest.
"""

from functools import cache, lru_cache
from typing import Final

WINDOW: Final = 16
POLYNOMIAL: Final = 0x3DF305DFB2A805
_DEGREE = POLYNOMIAL.bit_length() - 1
_BLOCK = 32 * 1024
"""Positions that are tried at once."""


class Search:
    """Finds boundaries which come, in any bytes, once in as many as ``average``, rounded down to a power of two."""

    def __init__(self, average: int) -> None:
        self._mask = (1 << average.bit_length() - 1) - 1
        self._low = _low_tables(self._mask & 0xFF)

    def __call__(self, data: bytes, start: int, stop: int) -> int:
        """The first boundary from ``start`` to ``stop``, both included; at least a window is before ``start``."""
        for begin in range(start, stop + 1, _BLOCK):
            found = self._try(data, begin, min(begin + _BLOCK, stop + 1) - begin)
            if found >= 0:
                return found
        return -1

    def _try(self, data: bytes, begin: int, count: int) -> int:
        total, first = 0, begin - WINDOW
        for place, table in enumerate(self._low, first):
            total ^= int.from_bytes(data[place : place + count].translate(table), "little")
        lowest = total.to_bytes(count, "little")
        position = lowest.find(0)
        while position >= 0:
            if not fingerprint(data[first + position : begin + position]) & self._mask:
                return begin + position
            position = lowest.find(0, position + 1)
        return -1


def fingerprint(window: bytes) -> int:
    """Of sixteen bytes."""
    total = 0
    for table, byte in zip(_tables(), window, strict=True):
        total ^= table[byte]
    return total


@cache
def _tables() -> tuple[tuple[int, ...], ...]:
    """What each byte gives at each place of the window; the last place gives the byte itself."""
    tables = [tuple(range(256))]
    for _ in range(WINDOW - 1):
        tables.append(tuple(_reduced(value << 8) for value in tables[-1]))
    return tuple(reversed(tables))


@lru_cache(maxsize=8)
def _low_tables(mask: int) -> tuple[bytes, ...]:
    return tuple(bytes(value & mask for value in table) for table in _tables())


def _reduced(value: int) -> int:
    while (over := value.bit_length() - 1 - _DEGREE) >= 0:
        value ^= POLYNOMIAL << over
    return value
