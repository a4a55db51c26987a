"""dag-json: the data model of IPLD as JSON. A link is ``{"/":"bafy…"}``, bytes are ``{"/":{"bytes":"…"}}`` in base 64.

The canonical form has no spaces and its keys are sorted by their bytes. `decode` takes other forms too, since people
write JSON by hand, unless it is told to be strict; it never takes a key twice.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from bitdust.ipld import multibase
from bitdust.ipld.cid import LONGEST_BLOCK, Cid
from bitdust.ipld.dagcbor import DEEPEST, Value, utf8
from bitdust.ipld.errors import FormatError, malformed, too_large

_BYTES: Final = multibase.NAMES["base64"]
_LOWEST, _HIGHEST = -(1 << 64), (1 << 64) - 1
_MOST_DIGITS: Final = 20
_EXPONENT: Final = re.compile(r"e([+-])0(\d)$")


def encode(value: Value) -> bytes:
    """The canonical form."""
    parts: list[str] = []
    _write(value, parts, 0)
    return utf8("".join(parts))


def decode(data: bytes, strict: bool = False) -> Value:
    """The value of JSON; if ``strict`` it has to be in the canonical form."""
    if len(data) > LONGEST_BLOCK:
        raise too_large(f"{len(data)} bytes are too many for a block")
    try:
        found = json.loads(data.decode("utf-8"), **_HOOKS)
    except FormatError:
        raise
    except RecursionError as error:
        raise too_large(f"a value deeper than {DEEPEST}") from error
    except ValueError as error:
        raise malformed("not JSON") from error
    made = encode(found)
    if strict and made != data:
        raise malformed("JSON that is not in the canonical form")
    return found


def links(data: bytes) -> tuple[Cid, ...]:
    """The CIDs in a block, in its order."""
    return tuple(_links(decode(data)))


def _links(value: Value) -> Iterator[Cid]:
    if isinstance(value, Cid):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _links(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _links(item)


def _write(value: Value, parts: list[str], depth: int) -> None:
    if depth > DEEPEST:
        raise too_large(f"a value deeper than {DEEPEST}")
    if value is None or isinstance(value, bool | str):
        parts.append(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, int):
        parts.append(str(_integer(value)))
    elif isinstance(value, float):
        parts.append(_EXPONENT.sub(r"e\1\2", repr(_finite(value))))
    elif isinstance(value, bytes):
        parts.append(f'{{"/":{{"bytes":"{_BYTES.write(value)}"}}}}')
    elif isinstance(value, Cid):
        parts.append(f'{{"/":"{value}"}}')
    elif isinstance(value, list | tuple):
        parts.append("[")
        for index, item in enumerate(value):
            parts += "," if index else ""
            _write(item, parts, depth + 1)
        parts.append("]")
    elif isinstance(value, dict):
        _write_map(value, parts, depth)
    else:
        raise malformed(f"a value of the type {type(value).__name__}")


def _write_map(value: dict[str, Value], parts: list[str], depth: int) -> None:
    if not all(isinstance(key, str) for key in value):
        raise malformed("a key that is no text")
    if _is_reserved(value):
        raise malformed('a map that only has the key "/" would be read as a link or as bytes')
    parts.append("{")
    for index, key in enumerate(sorted(value, key=utf8)):
        parts.append(("," if index else "") + json.dumps(key, ensure_ascii=False) + ":")
        _write(value[key], parts, depth + 1)
    parts.append("}")


def _is_reserved(value: dict[str, Value]) -> bool:
    if list(value) != ["/"]:
        return False
    inner = value["/"]
    return isinstance(inner, str) or (
        isinstance(inner, dict) and list(inner) == ["bytes"] and isinstance(inner["bytes"], str)
    )


def _map(pairs: list[tuple[str, Value]]) -> Value:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise malformed("a key that stands twice")
    if not _is_reserved(found):
        return found
    inner = found["/"]
    return Cid.parse(inner) if isinstance(inner, str) else _read_bytes(inner["bytes"])


def _read_bytes(text: str) -> bytes:
    return multibase.read(_BYTES, text.rstrip("="))


def _number(text: str) -> int:
    if len(text) > _MOST_DIGITS + 1:
        raise too_large("an integer of more than 64 bits")
    return _integer(int(text))


def _integer(value: int) -> int:
    if not _LOWEST <= value <= _HIGHEST:
        raise too_large("an integer of more than 64 bits")
    return value


def _float(text: str) -> float:
    return _finite(float(text))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise malformed("a number that is not finite")
    return value


def _constant(text: str) -> Any:
    raise malformed(f"{text} is no number")


_HOOKS: Final[dict[str, Any]] = {
    "object_pairs_hook": _map,
    "parse_int": _number,
    "parse_float": _float,
    "parse_constant": _constant,
}
