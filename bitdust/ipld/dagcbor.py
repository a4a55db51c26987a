"""dag-cbor: the canonical CBOR of the data model of IPLD.

A value is built of ``None``, ``bool``, ``int`` (64 bits and a sign), ``float``, ``str``, ``bytes``, ``list``, ``dict``
with ``str`` keys, and `Cid`, which is the only tag (42). `decode` takes exactly what `encode` makes: shortest lengths,
none of them open, floats of 64 bits, no NaN and no infinity, keys sorted by length and then by bytes. So equal values
have one block, and one CID.
"""

import math
import struct
from typing import Any, Final

from bitdust.ipld.cid import LONGEST_BLOCK, Cid
from bitdust.ipld.errors import malformed, too_large

Value = Any
DEEPEST: Final = 128
MOST_ITEMS: Final = 1_000_000
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(8)
_LINK: Final = 42
_FALSE, _TRUE, _NULL, _FLOAT64 = 20, 21, 22, 27
_CONSTANTS: Final = {_FALSE: False, _TRUE: True, _NULL: None}
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_HIGHEST: Final = (1 << 64) - 1


def encode(value: Value) -> bytes:
    """The one form of a value."""
    parts: list[bytes] = []
    _write(value, parts, 0)
    return b"".join(parts)


def decode(data: bytes) -> Value:
    """The value whose form these bytes are."""
    return _Reader(data).whole()


def links(data: bytes) -> tuple[Cid, ...]:
    """The CIDs in a block, in its order."""
    reader = _Reader(data)
    reader.whole()
    return tuple(reader.links)


def key_order(key: str) -> tuple[int, bytes]:
    """What keys are sorted by."""
    data = utf8(key)
    return len(data), data


def utf8(text: str) -> bytes:
    """The bytes of a text, which may not have lone surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise malformed("a text that is no Unicode") from error


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, width in _WIDTHS.items():
        if argument < 1 << 8 * width:
            return bytes((major << 5 | info,)) + argument.to_bytes(width, "big")
    raise too_large("an integer of more than 64 bits")


def _write(value: Value, parts: list[bytes], depth: int) -> None:
    if depth > DEEPEST:
        raise too_large(f"a value deeper than {DEEPEST}")
    if value is None or value is True or value is False:
        parts.append(bytes((_SIMPLE << 5 | (_NULL if value is None else _TRUE if value else _FALSE),)))
    elif isinstance(value, int):
        parts.append(_head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value))
    elif isinstance(value, str):
        text = utf8(value)
        parts += (_head(_TEXT, len(text)), text)
    elif isinstance(value, bytes):
        parts += (_head(_BYTES, len(value)), value)
    elif isinstance(value, Cid):
        cid = bytes(value)
        parts += (_head(_TAG, _LINK), _head(_BYTES, len(cid) + 1), b"\0", cid)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise malformed("a number that is not finite")
        parts.append(struct.pack(">Bd", _SIMPLE << 5 | _FLOAT64, value))
    elif isinstance(value, list | tuple):
        parts.append(_head(_LIST, len(value)))
        for item in value:
            _write(item, parts, depth + 1)
    elif isinstance(value, dict):
        _write_map(value, parts, depth)
    else:
        raise malformed(f"a value of the type {type(value).__name__}")


def _write_map(value: dict[str, Value], parts: list[bytes], depth: int) -> None:
    if not all(isinstance(key, str) for key in value):
        raise malformed("a key that is no text")
    parts.append(_head(_MAP, len(value)))
    for key in sorted(value, key=key_order):
        text = utf8(key)
        parts += (_head(_TEXT, len(text)), text)
        _write(value[key], parts, depth + 1)


class _Reader:
    """One pass over a block; `links` gathers the CIDs."""

    def __init__(self, data: bytes) -> None:
        if len(data) > LONGEST_BLOCK:
            raise too_large(f"{len(data)} bytes are too many for a block")
        self._data = data
        self._at = self._items = 0
        self.links: list[Cid] = []

    def whole(self) -> Value:
        """The value, behind which nothing comes."""
        value = self._value(0)
        if self._at != len(self._data):
            raise malformed("bytes behind the value")
        return value

    def _value(self, depth: int) -> Value:
        if depth > DEEPEST:
            raise too_large(f"a value deeper than {DEEPEST}")
        self._items += 1
        if self._items > MOST_ITEMS:
            raise too_large(f"more than {MOST_ITEMS} items in a block")
        major, argument = self._head()
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _BYTES:
            return self._take(argument)
        if major == _TEXT:
            return self._text(argument)
        if major == _LIST:
            self._expect(argument)
            return [self._value(depth + 1) for _ in range(argument)]
        if major == _MAP:
            return self._map(argument, depth)
        return self._link(argument) if major == _TAG else self._simple(argument)

    def _head(self) -> tuple[int, int]:
        (first,) = self._take(1)
        major, info = first >> 5, first & 31
        if info < 24 or major == _SIMPLE:
            return major, info
        width = _WIDTHS.get(info)
        if width is None:
            raise malformed("a length that is open or reserved")
        argument = int.from_bytes(self._take(width), "big")
        if argument < (24 if width == 1 else 1 << 4 * width):
            raise malformed("a length that is longer than it needs")
        return major, argument

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise malformed("a value that ends too early")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def _expect(self, items: int) -> None:
        """Refuse a count that the rest of the bytes cannot hold, before anything is made for it."""
        if items > len(self._data) - self._at:
            raise malformed("a value that ends too early")

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode("utf-8")
        except UnicodeDecodeError as error:
            raise malformed("a text that is no UTF-8") from error

    def _map(self, count: int, depth: int) -> dict[str, Value]:
        self._expect(2 * count)
        found: dict[str, Value] = {}
        last: tuple[int, bytes] | None = None
        for _ in range(count):
            major, length = self._head()
            if major != _TEXT:
                raise malformed("a key that is no text")
            key = self._text(length)
            order = key_order(key)
            if last is not None and order <= last:
                raise malformed("keys that are not in order")
            last = order
            found[key] = self._value(depth + 1)
        return found

    def _link(self, tag: int) -> Cid:
        if tag != _LINK:
            raise malformed(f"the tag {tag}")
        major, length = self._head()
        data = self._take(length) if major == _BYTES else b""
        if data[:1] != b"\0":
            raise malformed("a link that is no CID")
        cid = Cid.from_bytes(data[1:])
        self.links.append(cid)
        return cid

    def _simple(self, info: int) -> Value:
        if info in _CONSTANTS:
            return _CONSTANTS[info]
        if info != _FLOAT64:
            raise malformed("a simple value or a short float")
        (value,) = struct.unpack(">d", self._take(8))
        if not math.isfinite(value):
            raise malformed("a number that is not finite")
        return value
