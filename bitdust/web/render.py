"""Envelopes as JSON."""

import json
from pathlib import PurePath
from typing import Any


def pretty(envelope: dict[str, Any]) -> bytes:
    """As REST shows it: two spaces, sorted keys, a line end."""
    return json.dumps(envelope, indent=2, sort_keys=True, default=plain).encode() + b"\n"


def compact(value: Any) -> bytes:
    """As it goes over a WebSocket."""
    return json.dumps(value, separators=(",", ":"), default=plain).encode()


def plain(value: Any) -> Any:
    """What JSON has no word for: bytes become hex, paths text, other collections lists."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, dict | list):
        return value
    try:
        return list(value)
    except TypeError:
        return str(value)
