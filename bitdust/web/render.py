"""Envelopes as JSON."""

import json
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any

LONG_LIST = 100
"""Longer lists are written one row a line: laying out each field of them takes twice as long."""


def pretty(envelope: Mapping[str, Any]) -> bytes:
    """As REST shows it: two spaces, sorted keys, a line end."""
    lines = [f"  {encode_basestring_ascii(key)}: {_value(envelope[key])}" for key in sorted(envelope)]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _value(value: Any) -> str:
    if isinstance(value, list) and len(value) > LONG_LIST:
        rows = ",\n    ".join(_ONE_LINE.encode(row) for row in value)
        return f"[\n    {rows}\n  ]"
    return _laid_out(value, "  ")


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
