"""Boundaries by a cyclic polynomial (buzhash), with the window, the limits and the table of go-ipfs.

Each byte stands for a word of 32 bits; the hash of a window is the sum (exclusive or) of those words, each rotated once
more for each byte that came after it. A boundary is where its lowest 17 bits are zero.

Many positions are tried at once: four very long numbers, the *planes*, hold one byte of the hash of each position. The
hash of twice as many bytes is the sum of two of them, one rotated, so five doublings make a window of 32.
"""

import struct
from functools import cache, lru_cache
from typing import Final

WINDOW: Final = 32
SHORTEST, LONGEST = 128 * 1024, 512 * 1024
_MASK = (1 << 17) - 1
_BLOCK = 32 * 1024
"""Positions that are tried at once."""
_TABLE = """
    6236e7d510279b0b72818182dc5265142fd41e3d777ef8c883ee52852c8f36372f049c1a57df97919207151f9b54481874eef6582028ca60
    0271d91a27ae587eecf9fa5f236e71cdf43a8a2e0bb133809e57912c89a26cdb9fcf3d71a86da6f19c49f376346aecc7f094a9eeea99e9cb
    b01713c6088acffb2960a0fb344a626c7ff22a466d7a1aa56a71491641d454ca8325b8300b65f563447feccaf9d0ea5ec1d9d3d4cb5ec574
    55aae90286edc0e70d3a9e33e70dc1e1e3c5f6399b43140ac6490ac55e4030fb8e976dd5a87468eaf830ef6fcc1ed5a5611f4e78ddd11905
    f2613904566c67b9905a5ccc7b37b3a44b53898a6b8fd29daad81575511be4143cfac1e78029a179d40efeda07380e02dc9beffd2d049082
    99bc7831ff5002a821ce764601cd049b0f43994fc3c6c5a5bbda5f500ec15ec79adb19b60c1e80b9b9b52968ae1624192542b40591a42e9d
    6be0f6686ed7a6b9bc2777b4e162ce564266aad560fdb70466f832a59595f6cafee83ced55228d9912bf0e28668964590789afda0282baa8
    2367a343591491b02ff1a4b1410739b69b7055a02e0eb22924fc82523327d3dfb07826691c62e0697f503101f50593aed9eb275de00eb678
    5917ccde97b9660add06202ded229e22a9c735bfd6316fe66fc72e4c0206dfa2d6b15c5a69d87b4909c9774513445d6135a975aa859aa9b9
    65380013d1fb6391c29255fd784a3b91b9e74c2663ce4d40c07cbe9ee6e4529e0fb3632f9438d9c9682f94a8f8fd4611257ec1ed475ce3d6
    60ee2db12afab0022b9e487886b340de1482fdcafe41b3bfd4a412b0e09db98cc1af5d537e55e25fd3346b38b7a12cbd9c6827ba71f78bee
    8c3a0f52150491b0f26de912233e3a4ed309ebbaa0a9e0ffca2b5921eeb9893c33829e889870cc2a23c4b9d0eba32ea3bdac4d223bc8c44c
    1e8d0397f9327735783b009f0eb837422621dc71ed017d035c760aa15a69814b96e3047fa93c9cde615c86f5b4322aa54225534d0d2e2de3
    ccfccc4b0bac2a57f0a06d04bc78d737f2d1f766f5a7953cbcdfda855213b7d5bce8a328d38f5f18db094244fe571253317fa7ee4a324f43
    3ffc39d951b3fa8e7a4bee9f78bbc6829f5c035002fe286c245ab686ed6bf7d70ac4988a3fe010fac65fe369a45749cb2b84e537de9ff363
    20540f9aaa8c9b345bc476b31d574bd7929100ad4721de4d27df1b0558b18546b7e76764df904e5897af57a1bd4dc433a6256dfdf63998f3
    f1e05833e20acf26f57fd9d690300b4d89df429068d01cbccf893ee3cc42a046778e181b67265c76e981a4c482991da1708f7294e6e2ae62
    fc44187095e1b0b60445f8255a93b47f5e9cf4be84da71e79d9582b09bf835ef591f61e2433259855d2de32e8d8fbf0f95b30f3807ad5b6e
    4e934edf3cd4990e9053e2595c41857d
"""
WORDS: Final = struct.unpack(">256I", bytes.fromhex(_TABLE))
"""The word of each byte: any, save that each bit is set in half of them; what is cut depends on every one."""


def search(data: bytes, start: int, stop: int) -> int:
    """The first boundary from ``start`` to ``stop``, both included; at least a window is before ``start``."""
    for begin in range(start, stop + 1, _BLOCK):
        found = _try(data, begin, min(begin + _BLOCK, stop + 1) - begin)
        if found >= 0:
            return found
    return -1


def fingerprint(window: bytes) -> int:
    """Of 32 bytes."""
    state = 0
    for byte in window:
        state = (state << 1 & 0xFFFFFFFF | state >> 31) ^ WORDS[byte]
    return state


def _try(data: bytes, begin: int, count: int) -> int:
    first = begin - WINDOW
    segment = data[first : begin + count - 1]
    planes = [int.from_bytes(segment.translate(table), "little") for table in _planes()]
    for bits in (1, 2, 4):
        planes = _doubled(planes, len(segment), bits)
    p, q, r, s = planes
    low, high = p ^ s << 64 ^ r << 128 ^ q << 192, q ^ p << 64 ^ s << 128 ^ r << 192
    lowest = (low | high).to_bytes(len(segment) + WINDOW, "little")
    end = WINDOW - 1 + count
    position = lowest.find(0, WINDOW - 1, end)
    while position >= 0:
        after = first + position + 1
        if not fingerprint(data[after - WINDOW : after]) & _MASK:
            return after
        position = lowest.find(0, position + 1, end)
    return -1


def _doubled(planes: list[int], size: int, bits: int) -> list[int]:
    """Hashes of twice as many bytes: of as many as ``bits``, and of those before them, rotated by that."""
    kept, carried = _masks(size, bits)
    shift = 8 * bits
    return [
        plane ^ ((plane & kept) << shift + bits) ^ ((planes[index - 1] & carried) << shift + bits - 8)
        for index, plane in enumerate(planes)
    ]


@lru_cache(maxsize=32)
def _masks(size: int, bits: int) -> tuple[int, int]:
    kept = 0xFF >> bits
    return int.from_bytes(bytes((kept,)) * size, "little"), int.from_bytes(bytes((0xFF ^ kept,)) * size, "little")


@cache
def _planes() -> tuple[bytes, ...]:
    """The lowest byte of each word, the next, and so on."""
    return tuple(bytes(word >> shift & 0xFF for word in WORDS) for shift in (0, 8, 16, 24))
