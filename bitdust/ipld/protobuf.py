"""Protocol buffers, as far as formats of IPFS use them: fields of numbers and of bytes.

No generated classes: libraries write fields by their numbers, and dag-pb has its links (2) before its data (1).
Reading is lenient as others are (any order, unknown fields passed over, long varints), or strict: only what one writer
of the format would have made.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bitdust.ipld import varint
from bitdust.ipld.errors import malformed

NUMBER, FIXED64, BYTES, FIXED32, PACKED = 0, 1, 2, 5, -1
"""Kinds of fields. ``PACKED`` stands for numbers, one by one or many in one field of bytes, which only readers take."""
_LONGEST_NUMBER = 10
_HIGHEST_FIELD = (1 << 29) - 1
_FIXED = {FIXED64: 8, FIXED32: 4}
_WORD = (1 << 64) - 1


def number(value: int) -> bytes:
    """A varint of at most 64 bits; a number below zero is written as its complement."""
    value &= _WORD
    if value <= varint.HIGHEST:
        return varint.encode(value)
    return bytes(value >> 7 * index & 0x7F | 0x80 for index in range(varint.LONGEST)) + b"\x01"


def number_field(field: int, value: int) -> bytes:
    """A field that is a number."""
    return varint.encode(field << 3 | NUMBER) + number(value)


def bytes_head(field: int, length: int) -> bytes:
    """What stands before the bytes of a field."""
    return varint.encode(field << 3 | BYTES) + varint.encode(length)


def bytes_field(field: int, value: bytes) -> bytes:
    """A field that is bytes."""
    return bytes_head(field, len(value)) + value


def read_number(data: bytes, position: int, strict: bool = False) -> tuple[int, int]:
    """The number of at most 64 bits at ``position``, and where it ends."""
    if position < len(data) and data[position] < 0x80:
        return data[position], position + 1
    value = shift = 0
    for index in range(position, min(position + _LONGEST_NUMBER, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if strict and not byte and shift:
                raise malformed("a number that is longer than its value needs")
            if value > _WORD:
                raise malformed("a number of more than 64 bits")
            return value, index + 1
        shift += 7
    raise malformed("a number that does not end")


def read(data: bytes, kinds: Mapping[int, int], strict: bool = False) -> Iterator[tuple[int, Any]]:
    """Field number and value (``int`` or ``bytes``) of the fields that ``kinds`` names, in the order of the bytes."""
    position, size = 0, len(data)
    while position < size:
        key, position = read_number(data, position, strict)
        field, kind = key >> 3, key & 7
        if not 0 < field <= _HIGHEST_FIELD:
            raise malformed(f"a field of the number {field}")
        value: int | bytes
        if kind == NUMBER:
            value, position = read_number(data, position, strict)
        elif kind == BYTES:
            length, start = read_number(data, position, strict)
            position = start + length
            value = data[start:position]
        elif kind in _FIXED:
            start, position = position, position + _FIXED[kind]
            value = int.from_bytes(data[start:position], "little")
        else:
            raise malformed(f"a field of the kind {kind}")
        if position > size:
            raise malformed("a field that ends behind its message")
        expected = kinds.get(field)
        if expected == kind or (expected == PACKED and kind == NUMBER):
            yield field, value
        elif expected == PACKED and isinstance(value, bytes):
            yield from ((field, one) for one in _numbers(value, strict))
        elif expected is not None:
            raise malformed(f"field {field} is of the kind {kind}, not {expected}")
        elif strict:
            raise malformed(f"a field {field} that the format does not have")


def _numbers(data: bytes, strict: bool) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = read_number(data, position, strict)
        yield value
