"""Canonical CBOR (RFC 8949, section 4.2), the one encoding of everything that is signed, stored or sent.

A value is built of ``int`` (64 bit), ``bytes``, ``str``, ``bool``, ``None``, ``list`` and ``dict`` with ``str`` keys.
`decode` accepts exactly the bytes that `encode` would have made: no tags, no floats, no indefinite lengths, no
duplicate or unordered keys. So equal values have equal bytes, and a signature over bytes is a signature over the value.
"""

from functools import lru_cache
from typing import Any, NoReturn

import cbor2

from bitdust.wire.errors import BitDustError

Value = Any
"""int, bytes, str, bool, None, or list / dict of these."""

MAX_DEPTH = 12
BYTES, TEXT, LIST = 2, 3, 4
"""Major types (RFC 8949, section 3.1)."""
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_LEAST = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}
"""The least argument that needs so many bytes after the first one."""
_LEAVES = frozenset((int, bytes, str, bool, type(None)))
_FEW = 32
"""Keys of a map at most whose order is remembered."""

_SHORT = frozenset((BYTES << 5 | 24, TEXT << 5 | 24))
"""First bytes of strings whose length is in the next byte: keys, fingerprints and signatures."""


def _length(first: int) -> int:
    """Bytes of a data item whose first byte tells all about its length; 0 where there is more to see."""
    major, info = first >> 5, first & 31
    if major == 7:
        return int(info in (20, 21, 22))
    if major > TEXT or info >= 24:
        return 0
    return 1 + info if major in (BYTES, TEXT) else 1


_LENGTHS = tuple(map(_length, range(256)))
_KEY_LENGTHS = tuple(length if first >> 5 == TEXT else 0 for first, length in enumerate(_LENGTHS))


class WireError(BitDustError, ValueError):
    """Bytes or fields that are not what the format says."""


def encode(value: Value) -> bytes:
    """Canonical bytes of a value."""
    return cbor2.dumps(_in_order(value))


def _in_order(value: Value) -> Value:
    """The value, its maps in the order of their keys: the library writes them as they come, and sorts them slowly."""
    if isinstance(value, dict):
        keys = _sorted(tuple(value)) if len(value) <= _FEW else sorted(value, key=_place)
        return {key: item if type(item := value[key]) in _LEAVES else _in_order(item) for key in keys}
    if isinstance(value, list | tuple):
        return [item if type(item) in _LEAVES else _in_order(item) for item in value]
    return value


@lru_cache(maxsize=1024)
def _sorted(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Most maps have the keys of one of some hundred schemas: they are sorted once."""
    return tuple(sorted(keys, key=_place))


@lru_cache(maxsize=2048)
def _place(key: str) -> tuple[int, bytes]:
    """The order of keys is that of their encoded forms; of texts the shorter ones come first."""
    raw = key.encode()
    return len(raw), raw


def head(major: int, argument: int) -> bytes:
    """What stands before so many bytes, or items of a list: for values that are sent part by part."""
    if argument < 24:
        return bytes([major << 5 | argument])
    info, width = next((info, width) for info, width in _ARGUMENT_BYTES.items() if argument < 1 << 8 * width)
    return bytes([major << 5 | info]) + argument.to_bytes(width, "big")


def decode(data: bytes, limit: int, max_items: int = 100_000) -> Value:
    """The value whose canonical form ``data`` is; at most ``limit`` bytes and ``max_items`` data items.

    Raises `WireError` with code ``too-large``, ``malformed`` or ``not-canonical``.
    """
    if len(data) > limit:
        raise WireError("too-large", f"{len(data)} bytes where at most {limit} are allowed")
    _scan(bytes(data), max_items)
    try:
        return cbor2.loads(data, max_depth=MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
        raise WireError("malformed", f"not CBOR: {error}") from error


def _scan(data: bytes, max_items: int) -> None:
    """Refuse what is not canonical, tags, floats, depth and item floods before anything is built from the bytes.

    ``left`` items of a list, or pairs of a map whose last key was ``last``, are to come; ``outer`` has those of what is
    around it. Heads of one byte, which nearly all are, cost a look in a table.
    """
    outer: list[tuple[int, bytes | None]] = []
    left, last = 1, None
    position = items = 0
    size = len(data)
    while left or outer:
        if not left:
            left, last = outer.pop()
            continue
        left -= 1
        if last is not None:
            length = _KEY_LENGTHS[data[position]] if position < size else 0
            end = position + length if length else _end_of_key(data, position)
            key = data[position:end]
            position = end
            if key <= last:
                _refuse_order(key, last)
            last = key
            items += 1
        items += 1
        if items > max_items or position >= size:
            raise WireError("malformed", "the bytes end too early or hold too many items")
        length = _LENGTHS[data[position]]
        if length:
            position += length
            continue
        if data[position] in _SHORT and position + 1 < size and data[position + 1] >= 24:
            position += 2 + data[position + 1]
            continue
        major, argument, position = _head(data, position)
        if major < 2:
            continue
        if major < 4:
            position += argument
            continue
        if len(outer) == MAX_DEPTH or argument > max_items:
            raise WireError("malformed", "nested too deeply or too many items")
        outer.append((left, last))
        left, last = argument, b"" if major == 5 else None
    if position != size:
        raise WireError("malformed", "the bytes go on after the value, or end inside it")


def _end_of_key(data: bytes, position: int) -> int:
    """Where a key of a map that begins there ends."""
    if position >= len(data) or data[position] >> 5 != TEXT:
        raise WireError("malformed", "the bytes end too early, or the key of a map is no text")
    _, argument, position = _head(data, position)
    return position + argument


def _refuse_order(key: bytes, last: bytes) -> NoReturn:
    if key == last:
        raise WireError("malformed", "a key comes twice in a map")
    raise WireError("not-canonical", "the keys of a map are not in their order")


def _head(data: bytes, position: int) -> tuple[int, int, int]:
    """Major type, argument and end of a head that says more than its first byte alone can."""
    major, info = data[position] >> 5, data[position] & 31
    position += 1
    if major in (6, 7):
        raise WireError("malformed", "tags are not used, and of the simple values only true, false and null")
    if info < 24:
        return major, info, position
    width = _ARGUMENT_BYTES.get(info)
    if width is None or position + width > len(data):
        raise WireError("malformed", "an indefinite, reserved or cut-off length")
    argument = int.from_bytes(data[position : position + width], "big")
    if argument < _LEAST[width]:
        raise WireError("not-canonical", "a number or length is written longer than it need be")
    return major, argument, position + width
