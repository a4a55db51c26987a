"""The types of settings: how a text or JSON value becomes a typed one, and what is refused with which sentence."""

import os
import re
from collections.abc import Callable
from fractions import Fraction
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from bitdust.wire.errors import BitDustError

_TRUE = ("1", "true", "yes", "on", "ok")
_FALSE = ("0", "false", "no", "off")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?)\s*([kmgtp]?)(i?b|bytes|byte)?", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_POWERS = MappingProxyType({"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5})
MAX_TEXT = 64 * 1024
MAX_LINE = 4096


class SettingError(BitDustError):
    """A value or key that a setting does not take; the text says what is allowed."""


def _bad(value: Any, why: str) -> SettingError:
    """``bad-value``: what was given, not at full length, and what is wrong with it."""
    given = ascii(value)
    return SettingError("bad-value", f"{given if len(given) <= 80 else given[:80] + '...'} {why}")


def parse_bool(value: Any) -> bool:
    """true, yes, on, ok, 1 and their opposites."""
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _bad(value, "is neither true nor false")


def parse_int(value: Any) -> int:
    """A whole number."""
    text = str(value).strip().replace("_", "")
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise _bad(value, "is not a whole number")
    return int(text)


def parse_size(value: Any) -> int:
    """Bytes of ``4 MB``, ``1.5 GB``, ``65536``; K, M, G are powers of 1024. A part of a byte is left out."""
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None:
        raise _bad(value, "is not a size such as 64 KB, 4 MB, 1.5 GB or a number of bytes")
    return int(Fraction(match[1]) * 1024 ** _POWERS[match[2].lower()])


def show_size(size: int) -> str:
    """The shortest exact form: ``4 MB`` for 4194304."""
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("KB", 1)):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power} {unit}"
    return str(size)


def parse_text(value: Any) -> str:
    """Text of lines, at most 64 KB, without other control characters; a list becomes comma separated."""
    if isinstance(value, list | tuple):
        return ",".join(parse_text(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SettingError("bad-value", f"a text is expected, not {type(value).__name__}")
    text = str(value)
    if _CONTROL.search(text) or len(text) > MAX_TEXT or not _is_unicode(text):
        raise SettingError(
            "bad-value", f"a text of at most {MAX_TEXT} characters without control characters is expected"
        )
    return text


def parse_line(value: Any) -> str:
    """One line of text, at most 4096 characters; blanks around it are dropped."""
    text = parse_text(value).strip()
    if len(text) > MAX_LINE or len(text.splitlines()) > 1:
        raise SettingError("bad-value", f"one line of at most {MAX_LINE} characters is expected")
    return text


def parse_password(value: Any) -> str:
    """One line of text, with the blanks around it."""
    text = parse_text(value)
    parse_line(value)
    return text


def parse_folder(value: Any) -> str:
    """An absolute path, or nothing; ``~`` is the user's home."""
    text = os.path.expanduser(parse_line(value))
    if text and not os.path.isabs(text):
        raise _bad(value, "is not the absolute path of a folder, such as /srv/bitdust")
    return os.path.normpath(text) if text else ""


def words(value: str) -> list[str]:
    """What a line names, separated by blanks or commas."""
    return value.replace(",", " ").split()


def parse_networks(value: Any) -> str:
    """Networks such as 192.168.1.0/24, separated by blanks or commas."""
    names = words(parse_line(value))
    try:
        return " ".join(str(ip_network(name, strict=False)) for name in names)
    except ValueError as error:
        raise _bad(value, "is no list of networks, such as 192.168.1.0/24 2001:db8::/48") from error


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_PARSERS: MappingProxyType[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "bool": parse_bool,
        "int": parse_int,
        "port": parse_int,
        "size": parse_size,
        "str": parse_line,
        "text": parse_text,
        "dir": parse_folder,
        "networks": parse_networks,
        "password": parse_password,
    }
)
_LABELS = MappingProxyType(
    {
        "bool": "boolean",
        "int": "integer",
        "port": "network port",
        "size": "disk space",
        "str": "string",
        "text": "text",
        "dir": "folder path",
        "networks": "networks",
        "password": "password",
    }
)


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
    unread: bool = False
    """Scripts of older nodes set it, so it is accepted and kept; nothing in this version reads it."""

    def parse(self, value: Any) -> Any:
        """The typed value; raises `SettingError` ``bad-value``, which names the key and what it takes."""
        try:
            parsed = _PARSERS[self.type](value)
            self._check_range(parsed)
            if self.choices and parsed not in self.choices:
                raise _bad(value, f"is none of {', '.join(map(str, self.choices))}")
        except SettingError as error:
            raise SettingError(error.code, f"{self.key}: {error}") from error
        return parsed

    def _check_range(self, parsed: Any) -> None:
        if self.type not in ("int", "port", "size"):
            return
        least = self.least or 0
        most = 65535 if self.type == "port" else self.most
        if parsed < least or (most is not None and parsed > most):
            shown = show_size if self.type == "size" else str
            upper = f"to {shown(most)}" if most is not None else "or more"
            raise _bad(shown(parsed), f"is not in the range of {shown(least)} {upper}")

    def stored(self, value: Any) -> Any:
        """As the settings file holds it."""
        return show_size(value) if self.type == "size" else value

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
            "type": "choice" if self.choices else _LABELS[self.type],
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
