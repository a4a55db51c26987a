"""From what a person or program typed (query text, JSON, command line) to the typed arguments of a method."""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any

from bitdust.wire.errors import BitDustError

TRUE_WORDS = frozenset(("1", "true", "yes", "ok", "on", "y", "t"))
FALSE_WORDS = frozenset(("0", "false", "no", "off", "n", "f", "none", ""))
MAX_TEXT = 100_000
MAX_LIST = 1_000
MAX_INTEGER = 2**63
MAX_JSON_DEPTH = 64
AROUND_ARGUMENTS = 4
"""Levels of a body or message around an argument."""
LARGEST_NUMBER = sys.float_info.max


class BadArgument(BitDustError):
    """An argument that the method cannot take; code ``bad-argument``."""

    def __init__(self, text: str) -> None:
        super().__init__("bad-argument", text)


class Kind(Enum):
    """The type of a parameter; the value is the word that documents show."""

    FLAG = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    LIST = "list of texts"
    SCALAR = "text, number, boolean or list of texts"
    JSON = "JSON value"


def convert(kind: Kind, value: Any) -> Any:
    """``value`` as its kind says; raises `ValueError` with what was expected."""
    return _CONVERTERS[kind](value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else "?"
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError("1, true, yes or 0, false, no")


def _integer(value: Any) -> int:
    if isinstance(value, str) and len(value) <= 20:
        value = int(value.strip())
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= MAX_INTEGER:
        raise ValueError("an integer")
    return value


def _number(value: Any) -> float:
    if isinstance(value, str) and len(value) <= 40:
        value = float(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        raise ValueError("a number")
    return float(value)


def _text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("text")
    if len(value) > MAX_TEXT:
        raise ValueError(f"text of at most {MAX_TEXT} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("valid UTF-8 text") from None
    return value


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise ValueError(f"a list of texts, or text with commas between, of at most {MAX_LIST} items")
    return [_text(item) for item in value]


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        if not abs(value) <= LARGEST_NUMBER:
            raise ValueError("a number within the range of a 64-bit float")
        return value
    return _list(value) if isinstance(value, list) else _text(value)


def _json(value: Any) -> Any:
    if depth(value) > MAX_JSON_DEPTH:
        raise ValueError(f"JSON of at most {MAX_JSON_DEPTH} levels")
    return value


_CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.FLAG: _flag,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.LIST: _list,
    Kind.SCALAR: _scalar,
    Kind.JSON: _json,
}


def depth(value: Any, most: int = MAX_JSON_DEPTH + 1) -> int:
    """How many lists and dictionaries are inside each other; counting ends at ``most``."""
    level = 0
    layer = [value]
    while level < most and (layer := [item for item in layer if isinstance(item, list | dict)]):
        level += 1
        layer = [inner for item in layer for inner in (item.values() if isinstance(item, dict) else item)]
    return level


def parse_json(data: bytes | str) -> Any:
    """JSON without NaN, duplicate keys and endless nesting; raises `BadArgument`."""
    try:
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data))
        value = _DECODER.decode(text)
    except RecursionError:
        raise BadArgument("not JSON: it has too many levels") from None
    except ValueError as error:
        reason = "a number has too many digits" if "int_max_str_digits" in str(error) else error
        raise BadArgument(f"not JSON: {reason}") from error
    most = MAX_JSON_DEPTH + AROUND_ARGUMENTS
    if text.count("[") + text.count("{") > most and depth(value, most + 1) > most:
        raise BadArgument(f"JSON of more than {MAX_JSON_DEPTH} levels")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"{twice[:80]!r} is given twice")
    return found


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:20]} is too large")
    return value


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, strict=False)
"""Takes line ends inside texts, as examples in older documents have them."""
