"""Time as Go writes it: spans such as ``300ms``, ``1.5h`` and ``1h15m30s`` (`time.ParseDuration`), and moments."""

import re
from datetime import UTC, datetime

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 2**63 / 1e9
"""Seconds, 292 years: Go counts nanoseconds."""
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def read_duration(text: str) -> float:
    """Seconds; ``0`` needs no unit. Raises `ValueError`."""
    if text == "0":
        return 0.0
    if len(text) > 100:
        raise ValueError(text)
    at, seconds = 0, 0.0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(text)
        seconds += float(part[1]) * UNITS[part[2]]
        at = part.end()
    if not at or seconds >= LONGEST:
        raise ValueError(text)
    return seconds


def write_duration(seconds: int) -> str:
    """Whole seconds, as ``4h0m0s``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def write_moment(seconds: float) -> str:
    """Seconds since 1970, as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
