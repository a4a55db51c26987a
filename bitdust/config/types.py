"""The types of settings: how a text or JSON value becomes a typed one, and what is refused with which sentence."""

import re
from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from bitdust.wire.errors import BitDustError

_TRUE = ("1", "true", "yes", "on", "ok")
_FALSE = ("0", "false", "no", "off")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgtp]?)(i?b|bytes|byte)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
MAX_TEXT = 64 * 1024


class SettingError(BitDustError):
    """A value or key that a setting does not take; the text says what is allowed."""


def parse_bool(value: Any) -> bool:
    """true, yes, on, ok, 1 and their opposites."""
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise SettingError("bad-value", f"{value!r} is neither true nor false")


def parse_int(value: Any) -> int:
    """A whole number."""
    text = str(value).strip().replace("_", "")
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}", text):
        raise SettingError("bad-value", f"{value!r} is not a whole number")
    return int(text)


def parse_size(value: Any) -> int:
    """Bytes of ``4 MB``, ``1.5 GB``, ``65536``; K, M, G are powers of 1024."""
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None:
        raise SettingError("bad-value", f"{value!r} is not a size such as 64 KB, 4 MB, 1.5 GB or a number of bytes")
    number, unit = match[1], match[2].lower()
    return int(float(number) * 1024 ** _POWERS[unit]) if "." in number else int(number) * 1024 ** _POWERS[unit]


def show_size(size: int) -> str:
    """The shortest exact form: ``4 MB`` for 4194304."""
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("KB", 1)):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power} {unit}"
    return str(size)


def parse_text(value: Any) -> str:
    """Text without null characters, at most 64 KB; lists become comma separated."""
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    if "\0" in text or len(text) > MAX_TEXT:
        raise SettingError("bad-value", f"a text of at most {MAX_TEXT} characters without null characters is expected")
    return text


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "bool": parse_bool,
    "int": parse_int,
    "port": parse_int,
    "size": parse_size,
    "str": parse_text,
    "text": parse_text,
    "dir": parse_text,
    "password": parse_text,
}
_LABELS = {
    "bool": "boolean",
    "int": "integer",
    "port": "network port",
    "size": "disk space",
    "str": "string",
    "text": "text",
    "dir": "folder path",
    "password": "password",
}


@frozen
class Option:
    """One setting: its key, type, default, what it means, and what it takes."""

    key: str
    type: str
    default: Any
    label: str
    help: str
    least: int | None = None
    most: int | None = None
    unit: str = ""
    choices: tuple[Any, ...] = field(factory=tuple)
    read_only: bool = False

    def parse(self, value: Any) -> Any:
        """The typed value; raises `SettingError` ``bad-value``."""
        parsed = _PARSERS[self.type](value)
        if isinstance(parsed, int) and not isinstance(parsed, bool):
            least = 0 if self.least is None else self.least
            most = 65535 if self.type == "port" else self.most
            if parsed < least or (most is not None and parsed > most):
                shown = show_size if self.type == "size" else str
                upper = f" to {shown(most)}" if most is not None else " or more"
                raise SettingError("bad-value", f"{self.key} takes {shown(least)}{upper}, not {value!r}")
        if self.choices and parsed not in self.choices:
            raise SettingError(
                "bad-value", f"{self.key} takes one of {', '.join(map(str, self.choices))}, not {value!r}"
            )
        return parsed

    def show(self, value: Any) -> Any:
        """As the API and the command line print it."""
        if self.type == "password":
            return "***" if value else ""
        return show_size(value) if self.type == "size" else value

    def describe(self, value: Any, include_info: bool = False) -> dict[str, Any]:
        """As `config_get` shows it."""
        described: dict[str, Any] = {
            "key": self.key,
            "value": self.show(value),
            "type": _LABELS[self.type],
            "label": self.label,
            "readonly": self.read_only,
            "default": self.show(self.default),
        }
        if include_info:
            described["info"] = self.help
            limits = {"min": self.least, "max": self.most, "unit": self.unit or None}
            described |= {name: limit for name, limit in limits.items() if limit is not None}
            if self.choices:
                described["possible_values"] = list(self.choices)
        return described
