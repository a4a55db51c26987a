"""Canonical CBOR (RFC 8949, section 4.2), the one encoding of everything that is signed, stored or sent.

A value is built of ``int`` (64 bit), ``bytes``, ``str``, ``bool``, ``None``, ``list`` and ``dict`` with ``str`` keys.
`decode` accepts exactly the bytes that `encode` would have made: no tags, no floats, no indefinite lengths, no
duplicate or unordered keys. So equal values have equal bytes, and a signature over bytes is a signature over the value.
"""

from typing import Any

import cbor2

from bitdust.wire.errors import BitDustError

Value = Any
"""int, bytes, str, bool, None, or list / dict of these."""

MAX_DEPTH = 12
BYTES, LIST = 2, 4
"""Major types (RFC 8949, section 3.1) for `head`."""
_SIMPLE = frozenset((20, 21, 22))
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}


class WireError(BitDustError, ValueError):
    """Bytes or fields that are not what the format says."""


def encode(value: Value) -> bytes:
    """Canonical bytes of a value."""
    return cbor2.dumps(value, canonical=True)


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
        value = cbor2.loads(data, max_depth=MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
        raise WireError("malformed", f"not CBOR: {error}") from error
    if encode(value) != data:
        raise WireError("not-canonical", "the bytes are not the canonical form of their value")
    return value


def _scan(data: bytes, max_items: int) -> None:
    """Refuse tags, floats, indefinite lengths, depth and item floods before anything is built from the bytes."""
    pending, maps = [1], [False]
    position = items = 0
    size = len(data)
    while pending:
        if pending[-1] == 0:
            pending.pop()
            maps.pop()
            continue
        is_key = maps[-1] and pending[-1] % 2 == 0
        pending[-1] -= 1
        items += 1
        if items > max_items or position >= size:
            raise WireError("malformed", "the bytes end too early or hold too many items")
        major, argument, position = _head(data, position)
        if is_key and major != 3:
            raise WireError("malformed", "the keys of a map are texts")
        if major in (2, 3):
            position += argument
        elif major in (4, 5):
            if len(pending) > MAX_DEPTH or argument > max_items:
                raise WireError("malformed", "nested too deeply or too many items")
            pending.append(argument * (major - 3))
            maps.append(major == 5)
        elif major == 6:
            raise WireError("malformed", "tags are not used in this format")
    if position != size:
        raise WireError("malformed", "the bytes go on after the value, or end inside it")


def _head(data: bytes, position: int) -> tuple[int, int, int]:
    major, info = data[position] >> 5, data[position] & 31
    position += 1
    if major == 7:
        if info not in _SIMPLE:
            raise WireError("malformed", "only true, false and null are used of the simple values")
        return major, info, position
    if info < 24:
        return major, info, position
    length = _ARGUMENT_BYTES.get(info)
    if length is None or position + length > len(data):
        raise WireError("malformed", "an indefinite, reserved or cut-off length")
    return major, int.from_bytes(data[position : position + length], "big"), position + length
