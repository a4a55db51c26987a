"""Envelopes as JSON."""

import json
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any

LONG_LIST = 100
"""Longer lists are written one row a line: laying out each field of them takes twice as long."""
VERY_LONG_LIST = 2000
"""Longer ones take tens of milliseconds, and are written in a thread."""


def is_long(envelope: Mapping[str, Any]) -> bool:
    """Whether others would wait noticeably while this is written as JSON."""
    result = envelope.get("result")
    return isinstance(result, list) and len(result) > VERY_LONG_LIST


def pretty(envelope: Mapping[str, Any]) -> bytes:
    """As REST shows it: two spaces, sorted keys, a line end."""
    parts = [b"{\n"]
    before = ""
    for key in sorted(envelope):
        value, start = envelope[key], f"{before}  {encode_basestring_ascii(key)}: "
        if isinstance(value, list) and len(value) > LONG_LIST:
            parts.append(start.encode())
            parts.extend(_rows(value))
        else:
            parts.append((start + _laid_out(value, "  ")).encode())
        before = ",\n"
    parts.append(b"\n}\n")
    return b"".join(parts)


def _rows(value: list[Any]) -> Iterator[bytes]:
    """A long list comes in parts, so that its text is not there several times over."""
    before = "[\n    "
    for start in range(0, len(value), LONG_LIST):
        yield (before + ",\n    ".join(map(_ONE_LINE.encode, value[start : start + LONG_LIST]))).encode()
        before = ",\n    "
    yield b"\n  ]"


def _laid_out(value: Any, indent: str) -> str:
    """The standard library lays JSON out in plain Python, five times as slowly."""
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is int:
        return repr(value)
    if value is None or value is True or value is False:
        return _WORDS[value]
    if not value and isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    deeper = indent + "  "
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            return json.dumps(value, indent=2, sort_keys=True, default=plain).replace("\n", f"\n{indent}")
        lines = [f"{encode_basestring_ascii(key)}: {_laid_out(value[key], deeper)}" for key in sorted(value)]
        return f"{{\n{deeper}" + f",\n{deeper}".join(lines) + f"\n{indent}}}"
    if isinstance(value, list | tuple):
        return f"[\n{deeper}" + f",\n{deeper}".join(_laid_out(one, deeper) for one in value) + f"\n{indent}]"
    if isinstance(value, str | int | float):
        return _ONE_LINE.encode(value)
    return _laid_out(plain(value), indent)


def compact(value: Any) -> bytes:
    """As it goes over a WebSocket."""
    return _COMPACT.encode(value).encode()


def plain(value: Any) -> Any:
    """What JSON has no word for: bytes become hex, paths text, other collections lists."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    try:
        return list(value)
    except TypeError:
        return str(value)


_WORDS = {None: "null", True: "true", False: "false"}
_ONE_LINE = json.JSONEncoder(sort_keys=True, default=plain)
_COMPACT = json.JSONEncoder(separators=(",", ":"), default=plain)
