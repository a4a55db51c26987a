"""Arguments and options of a command, as a query names them: ``arg=`` by position, everything else by name.

Values are written as Go reads them, because every client was written against a daemon in Go: ``True``, ``t`` and ``1``
are the same, and a duration is ``1m30s``. Options that a command does not know are ignored, as clients send some to all
commands. Source: the documentation of the HTTP API of IPFS, and Go's `strconv.ParseBool`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from attrs import define, field, frozen

from bitdust.ipfs.durations import read_duration
from bitdust.wire.errors import BitDustError

MAX_QUERY = 1 << 20
MAX_FIELDS = 10_000
TRUE, FALSE = frozenset(("1", "t", "T", "TRUE", "true", "True")), frozenset(("0", "f", "F", "FALSE", "false", "False"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
Fields = list[tuple[str, str]]
Parser = Callable[[str], Any]


class BadCall(BitDustError):
    """A call that names no command, or names it wrongly: HTTP 400."""

    def __init__(self, text: str) -> None:
        super().__init__("bad-call", text)


@frozen
class Kind:
    """A kind of value: its name in Go, and how it is read. The reader raises `ValueError`."""

    name: str
    read: Parser


def read_bool(text: str) -> bool:
    """True or False; an option without a value is True."""
    if text in TRUE or not text:
        return True
    if text in FALSE:
        return False
    raise ValueError(text)


def read_int(text: str) -> int:
    """A whole number of 64 bits, with its sign."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    number = int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(text)
    return number


def read_uint(text: str) -> int:
    """A whole number that is not negative."""
    number = read_int(text)
    if number < 0:
        raise ValueError(text)
    return number


BOOL, INT, UINT = Kind("bool", read_bool), Kind("int", read_int), Kind("uint", read_uint)
STRING, DURATION = Kind("string", str), Kind("duration", read_duration)


@frozen
class Option:
    """An option by its names, the first of which the command uses. Without a default it is None where it is not given.

    ``several`` gathers all values of an option that may be repeated.
    """

    names: tuple[str, ...]
    kind: Kind = STRING
    default: Any = None
    several: bool = False

    def read(self, text: str) -> Any:
        """Raises `BadCall`."""
        try:
            return self.kind.read(text)
        except ValueError:
            what = f"could not convert value {text[:100]!r} to type {self.kind.name!r} (for option '-{self.names[0]}')"
            raise BadCall(what) from None


@frozen
class Argument:
    """An argument by position; the last one of a command may be ``variadic``."""

    name: str
    required: bool = True
    variadic: bool = False


def fields(query: bytes) -> Fields:
    """Names and values of a query, in their order. Raises `BadCall`.

    A ``+`` is a space. What is no UTF-8 is kept as the command line of Python keeps it.
    """
    if len(query) > MAX_QUERY:
        raise BadCall(f"the query of a request has at most {MAX_QUERY} bytes")
    pairs = [pair for pair in query.split(b"&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise BadCall(f"the query of a request has at most {MAX_FIELDS} arguments")
    return [(_text(name), _text(value)) for name, _, value in (pair.partition(b"=") for pair in pairs)]


def _text(quoted: bytes) -> str:
    return unquote_to_bytes(quoted.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


@define(eq=False)
class Options:
    """All options of a command, found by any of their names."""

    all: Sequence[Option]
    by_name: Mapping[str, Option] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.by_name = {name: option for option in self.all for name in option.names}

    def defaults(self) -> dict[str, Any]:
        """What counts where nothing is given, by first names."""
        return {option.names[0]: [] if option.several else option.default for option in self.all}


def read_options(given: Fields, options: Options) -> dict[str, Any]:
    """Every option by its first name. Raises `BadCall`, also where one is given two values, by whichever names."""
    values, by_name = options.defaults(), options.by_name
    seen: dict[str, str] = {}
    for name, text in given:
        option = by_name.get(name)
        if option is None:
            continue
        value, first = option.read(text), option.names[0]
        if option.several:
            values[first].append(value)
        elif seen.setdefault(first, text) != text:
            raise BadCall(f"expected key {first} to have only a single value, received [{seen[first]} {text}]"[:300])
        else:
            values[first] = value
    return values


def read_arguments(given: list[str], arguments: Sequence[Argument]) -> dict[str, Any]:
    """Arguments by name: text, a list for a variadic one, None for one that is left out. Raises `BadCall`.

    What is given beyond them is ignored: clients send `False` and single letters there.
    """
    values: dict[str, Any] = {}
    for position, argument in enumerate(arguments):
        rest = given[position:]
        if argument.required and not rest:
            raise BadCall(f'argument "{argument.name}" is required')
        values[argument.name] = rest if argument.variadic else rest[0] if rest else None
    return values
