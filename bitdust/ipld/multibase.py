"""Multibase: bytes as text, whose first character says which letters follow.

Reading is strict: the text must be what writing the same bytes in the same base gives, so no bytes have two texts.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

from attrs import frozen

from bitdust.ipld.errors import FormatError, malformed, too_large, unsupported

BASE32_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LONGEST = 64 * 1024 * 1024
LONGEST_RADIX = 8 * 1024
"""Of texts in bases that are no power of two, whose conversion takes the square of their length."""
GROUP = 10
"""Letters of such a text that are counted together."""


@frozen
class Base:
    """One row of the table: its character, its name, and both ways. What an ``exact`` one reads it writes so again."""

    prefix: str
    name: str
    write: Callable[[bytes], str]
    read: Callable[[str], bytes]
    longest: int = LONGEST
    exact: bool = False


def _radix(letters: str) -> tuple[Callable[[bytes], str], Callable[[str], bytes]]:
    """A base that takes all bytes for one number; each leading zero byte is one leading first letter.

    Letters are counted in groups that fit into a word: with long numbers each step costs several times as much.
    """
    size, first = len(letters), letters[0]
    values = {letter: number for number, letter in enumerate(letters)}
    group, square = size**GROUP, size**2
    pairs = [low + high for high in letters for low in letters]  # the other way round, as digits are found

    def write(data: bytes) -> str:
        number = int.from_bytes(data, "big")
        digits = []
        while number:
            number, some = divmod(number, group)
            for _ in range(GROUP // 2):
                some, rest = divmod(some, square)
                digits.append(pairs[rest])
        zeros = len(data) - len(data.lstrip(b"\0"))
        return first * zeros + "".join(digits)[::-1].lstrip(first)

    def read(text: str) -> bytes:
        number = 0
        for start in range(0, len(text), GROUP):
            some = 0
            letters_here = text[start : start + GROUP]
            for letter in letters_here:
                some = some * size + values[letter]
            number = number * (group if len(letters_here) == GROUP else size ** len(letters_here)) + some
        zeros = len(text) - len(text.lstrip(first))
        return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")

    return write, read


def _thirty_two(letters: str, padded: bool) -> tuple[Callable[[bytes], str], Callable[[str], bytes]]:
    """Base 32 with other letters, with or without ``=`` at its end."""
    there, back = str.maketrans(BASE32_LETTERS, letters), str.maketrans(letters, BASE32_LETTERS)

    def write(data: bytes) -> str:
        text = base64.b32encode(data).decode("ascii").translate(there)
        return text if padded else text.rstrip("=")

    def read(text: str) -> bytes:
        if set(text) - set(letters) - {"="}:
            raise ValueError
        return base64.b32decode(text.translate(back) + ("" if padded else "=" * (-len(text) % 8)))

    return write, read


def _sixty_four(web: bool, padded: bool) -> tuple[Callable[[bytes], str], Callable[[str], bytes]]:
    """Base 64 in the letters of mail or of addresses, with or without ``=`` at its end."""
    others = b"-_" if web else b"+/"

    def write(data: bytes) -> str:
        text = base64.b64encode(data, others).decode("ascii")
        return text if padded else text.rstrip("=")

    def read(text: str) -> bytes:
        return base64.b64decode(text + ("" if padded else "=" * (-len(text) % 4)), others, validate=True)

    return write, read


def _bits(width: int) -> tuple[Callable[[bytes], str], Callable[[str], bytes]]:
    """Base 2 and 8: digits of so many bits each, filled up with zeros at the end."""

    def write(data: bytes) -> str:
        bits = "".join(f"{byte:08b}" for byte in data)
        bits += "0" * (-len(bits) % width)
        return "".join(str(int(bits[start : start + width], 2)) for start in range(0, len(bits), width))

    def read(text: str) -> bytes:
        bits = "".join(f"{int(digit, 8):0{width}b}" for digit in text)
        return bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits) // 8 * 8, 8))

    return write, read


def _hex_upper(data: bytes) -> str:
    return data.hex().upper()


_LOWER, _HEX = BASE32_LETTERS.lower(), "0123456789abcdefghijklmnopqrstuv"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BITCOIN = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FLICKR = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_TABLE = (
    Base("0", "base2", *_bits(1), LONGEST_RADIX),
    Base("7", "base8", *_bits(3), LONGEST_RADIX),
    Base("9", "base10", *_radix("0123456789"), LONGEST_RADIX, exact=True),
    Base("f", "base16", bytes.hex, binascii.unhexlify),
    Base("F", "base16upper", _hex_upper, binascii.unhexlify),
    Base("v", "base32hex", *_thirty_two(_HEX, padded=False)),
    Base("V", "base32hexupper", *_thirty_two(_HEX.upper(), padded=False)),
    Base("t", "base32hexpad", *_thirty_two(_HEX, padded=True)),
    Base("T", "base32hexpadupper", *_thirty_two(_HEX.upper(), padded=True)),
    Base("b", "base32", *_thirty_two(_LOWER, padded=False)),
    Base("B", "base32upper", *_thirty_two(BASE32_LETTERS, padded=False)),
    Base("c", "base32pad", *_thirty_two(_LOWER, padded=True)),
    Base("C", "base32padupper", *_thirty_two(BASE32_LETTERS, padded=True)),
    Base("h", "base32z", *_thirty_two("ybndrfg8ejkmcpqxot1uwisza345h769", padded=False)),
    Base("k", "base36", *_radix(_DIGITS), LONGEST_RADIX, exact=True),
    Base("K", "base36upper", *_radix(_DIGITS.upper()), LONGEST_RADIX, exact=True),
    Base("z", "base58btc", *_radix(_BITCOIN), LONGEST_RADIX, exact=True),
    Base("Z", "base58flickr", *_radix(_FLICKR), LONGEST_RADIX, exact=True),
    Base("m", "base64", *_sixty_four(web=False, padded=False)),
    Base("M", "base64pad", *_sixty_four(web=False, padded=True)),
    Base("u", "base64url", *_sixty_four(web=True, padded=False)),
    Base("U", "base64urlpad", *_sixty_four(web=True, padded=True)),
)
BASES: Mapping[str, Base] = {base.prefix: base for base in _TABLE}
NAMES: Mapping[str, Base] = {base.name: base for base in _TABLE}
BASE58: Base = BASES["z"]
"""What CIDs of version 0 and former texts of peer ids use, without the character in front."""


def encode(data: bytes, prefix: str = "b") -> str:
    """The bytes as text in the base of that character."""
    base = _base(prefix)
    if len(data) > base.longest:
        raise too_large(f"{len(data)} bytes are too many for {base.name}")
    return prefix + base.write(data)


def decode(text: str) -> bytes:
    """The bytes of a text that begins with the character of its base."""
    return read(_base(text[:1]), text[1:])


def read(base: Base, text: str) -> bytes:
    """The bytes of a text whose base is known, and which therefore has no character in front."""
    if len(text) > base.longest:
        raise too_large(f"{len(text)} characters are too many for {base.name}")
    try:
        data = base.read(text)
        right = base.exact or base.write(data) == text
    except FormatError:
        raise
    except (ValueError, KeyError) as error:
        raise malformed(f"not {base.name}") from error
    if not right:
        raise malformed(f"not what {base.name} makes of any bytes")
    return data


def _base(prefix: str) -> Base:
    base = BASES.get(prefix)
    if base is None:
        raise unsupported(f"no multibase begins with {prefix!r}")
    return base
