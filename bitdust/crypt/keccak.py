"""Keccak-256 with the padding of 2011, which programs of before FIPS 202 name things by; `hashlib` has the later one.

Source: Bertoni and others, "The Keccak reference", version 3.0; the two paddings differ by one byte.
"""

_RATE = 136
"""Bytes of the state that take in input, of its 200."""
_LANES = 25
_MASK = 2**64 - 1
_ORIGINAL_PADDING = 0x01


def _round_constants() -> tuple[int, ...]:
    """The 24 numbers that a shift register of eight bits gives (section 1.2 of the reference)."""
    found, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << (2**power - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        found.append(constant)
    return tuple(found)


def _walk() -> tuple[tuple[int, int], ...]:
    """Where each lane goes in turn, and by how many bits it is turned (rho and pi in one)."""
    steps, x, y = [], 1, 0
    for number in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        steps.append((x + 5 * y, (number + 1) * (number + 2) // 2 % 64))
    return tuple(steps)


_CONSTANTS, _WALK = _round_constants(), _walk()


def keccak_256(data: bytes) -> bytes:
    """32 bytes; for names and keys of a few bytes, not for files."""
    return sponge(data, _ORIGINAL_PADDING)


def sponge(data: bytes, padding: int) -> bytes:
    """32 bytes of Keccak with capacity 512; ``padding`` is the byte that ends the input: 1, or 6 for SHA3-256."""
    padded = bytearray(data) + bytearray(_RATE - len(data) % _RATE)
    padded[len(data)] ^= padding
    padded[-1] ^= 0x80
    lanes = [0] * _LANES
    for start in range(0, len(padded), _RATE):
        for number in range(_RATE // 8):
            lanes[number] ^= int.from_bytes(padded[start + 8 * number : start + 8 * number + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        parity = [columns[(x + 4) % 5] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ parity[number % 5] for number, lane in enumerate(lanes)]
        carried = lanes[1]
        for place, turn in _WALK:
            lanes[place], carried = _turned(carried, turn), lanes[place]
        lanes = [
            lanes[row + x] ^ (~lanes[row + (x + 1) % 5] & lanes[row + (x + 2) % 5] & _MASK)
            for row in range(0, _LANES, 5)
            for x in range(5)
        ]
        lanes[0] ^= constant
    return lanes


def _turned(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & _MASK
