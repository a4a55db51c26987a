"""Arguments of a call, as clients write them into a query.

Unknown ones are ignored, because some clients send things that no method knows, and an argument without a value is as
good as none. A ``+`` is a space. Bytes that are no UTF-8 are kept as the file system keeps them.
"""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from attrs import frozen

MAX_QUERY = 1 << 16
MAX_FIELDS = 1000
TRUE, FALSE = frozenset(("1", "true", "yes", "on")), frozenset(("0", "false", "no", "off"))


class BadQuery(Exception):
    """A request that is none: HTTP 400."""


@frozen
class Arguments:
    """What was given, by name; the last value of one that was given twice counts, where not all of them do."""

    values: Mapping[str, tuple[str, ...]]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def text(self, name: str, otherwise: str = "") -> str:
        """Its value."""
        found = self.values.get(name)
        return found[-1] if found else otherwise

    def all_of(self, *names: str) -> list[str]:
        """The values of these, each of which may hold several with commas."""
        return [
            word.strip()
            for name in names
            for value in self.values.get(name, ())
            for word in value.split(",")
            if word.strip()
        ]

    def flag(self, name: str, otherwise: bool = False) -> bool:
        """Whether it is true; what is neither true nor false counts as not given."""
        return flag_of(self.text(name), otherwise)


def flag_of(text: str, otherwise: bool) -> bool:
    """``1`` or ``true`` and their opposites, or ``otherwise``."""
    word = text.strip().lower()
    return word in TRUE if word in TRUE | FALSE else otherwise


def read(query: bytes) -> Arguments:
    """Raises `BadQuery`."""
    if len(query) > MAX_QUERY:
        raise BadQuery(f"a query has at most {MAX_QUERY} bytes")
    pairs = [pair for pair in query.split(b"&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise BadQuery(f"a query has at most {MAX_FIELDS} arguments")
    values: dict[str, tuple[str, ...]] = {}
    for name, _, value in (pair.partition(b"=") for pair in pairs):
        key, text = _text(name), _text(value)
        if text:
            values[key] = (*values.get(key, ()), text)
    return Arguments(values)


def _text(quoted: bytes) -> str:
    return unquote_to_bytes(quoted.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
