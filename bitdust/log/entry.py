"""How one entry of the log looks, on paper and on a terminal."""

import re
from datetime import UTC, datetime
from types import MappingProxyType

from twisted.logger import LogEvent, LogLevel, eventAsText

from bitdust.log.redaction import redact

_COLOURS = MappingProxyType({LogLevel.debug: "2", LogLevel.warn: "33", LogLevel.error: "31", LogLevel.critical: "1;31"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could steer a terminal, or pretend to be another line."""


def utc(seconds: float) -> str:
    """``2026-11-21T04:26:55.123Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_text(event: LogEvent) -> str:
    """Time, level, where from, and the text with its traceback; every line after the first one is indented."""
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    level = getattr(event.get("log_level"), "name", "info")
    entry = f"{utc(event.get('log_time') or 0.0)} {level:8} {event.get('log_namespace') or '-'}: {text}"
    return plain(redact(entry)).rstrip().replace("\n", "\n\t")


def plain(text: str) -> str:
    """The text with its control characters written out."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def coloured(event: LogEvent) -> str:
    """The same, for a terminal."""
    level = event.get("log_level")
    colour = _COLOURS.get(level) if level is not None else None
    return f"\x1b[{colour}m{as_text(event)}\x1b[0m" if colour else as_text(event)
