"""Envelopes as JSON."""

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

LONG_LIST = 20
"""Longer lists are written one row a line: laying out each field of them takes ten times as long."""


def pretty(envelope: Mapping[str, Any]) -> bytes:
    """As REST shows it: two spaces, sorted keys, a line end."""
    lines = [f'  "{key}": {_value(envelope[key])}' for key in sorted(envelope)]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _value(value: Any) -> str:
    if isinstance(value, list) and len(value) > LONG_LIST:
        rows = ",\n    ".join(json.dumps(row, sort_keys=True, default=plain) for row in value)
        return f"[\n    {rows}\n  ]"
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, sort_keys=True, default=plain).replace("\n", "\n  ")
    return json.dumps(value, default=plain)


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


_COMPACT = json.JSONEncoder(separators=(",", ":"), default=plain)
