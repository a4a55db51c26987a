"""JSON as people write it into a file of settings: with ``//`` and ``/* */`` comments, and commas behind the last item.

All else is JSON (RFC 8259), read by `json`: comments and stray commas become blanks first, so that a place in what is
wrong is the place in the file.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bitdust.wire.errors import BitDustError

MAX_TEXT = 1 << 20
MAX_DEPTH = 32


Path = tuple[str | int, ...]
"""Where something is: names in objects and places in lists, from the outside in."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|\n|[^\s\[\]{},:"]+')


@frozen
class Document:
    """A value, and on which line of its text each part of it is."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Of a part, or of what is around one that is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> Document:
    """A document. Raises `BitDustError` ``bad-json``, which names line and column."""
    plain = _plain(text)
    return Document(_loaded(plain), _lines_of(plain))


def loads(text: str) -> Any:
    """The value alone. Raises as `read`."""
    return _loaded(_plain(text))


def _plain(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise BitDustError("bad-json", f"a file of settings has at most {MAX_TEXT} characters")
    return _Blanked(text.removeprefix("\ufeff")).run()


def _loaded(plain: str) -> Any:
    try:
        return json.loads(plain, parse_constant=_refuse_constant, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise _bad(error.lineno, error.colno, error.msg) from error
    except ValueError as error:
        raise BitDustError("bad-json", str(error)) from error


def _lines_of(plain: str) -> dict[Path, int]:
    """Lines of all parts of a text that is JSON."""
    lines: dict[Path, int] = {(): 1}
    path: list[str | int] = []
    line, waits_for_name = 1, False
    for token in _TOKEN.findall(plain):
        if token == "\n":
            line += 1
        elif token in "]}":
            path.pop()
            waits_for_name = False
        elif token == ",":
            if isinstance(path[-1], int):
                path[-1] += 1
            else:
                waits_for_name = True
        elif waits_for_name:
            path[-1] = json.loads(token)
            lines[tuple(path)] = line
            waits_for_name = False
        elif token != ":":
            lines.setdefault(tuple(path), line)
            if token in "[{":
                path.append(0 if token == "[" else "")
                waits_for_name = token == "{"
    return lines


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number here")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _bad(line: int, column: int, what: str) -> BitDustError:
    return BitDustError("bad-json", f"line {line}, column {column}: {what[:1].lower()}{what[1:]}")


class _Blanked:
    """One pass over a text, letter by letter: strings are left alone."""

    def __init__(self, text: str) -> None:
        self._letters = list(text)
        self._at = 0
        self._depth = 0
        self._comma: int | None = None
        """Where the last comma behind an item is, while nothing but blanks and comments have come behind it."""
        self._last = ","
        """The last letter that is neither blank nor comment."""

    def run(self) -> str:
        """The text with blanks for what JSON has not."""
        letters = self._letters
        while self._at < len(letters):
            letter = letters[self._at]
            if letter == '"':
                self._comma, self._last = None, letter
                self._string()
            elif letter == "/":
                self._comment()
            else:
                self._take(letter)
                self._at += 1
        return "".join(letters)

    def _take(self, letter: str) -> None:
        if letter.isspace():
            return
        if letter == ",":
            self._comma = self._at if self._last not in "[{,:" else None
        elif letter in "]}":
            if self._comma is not None:
                self._letters[self._comma] = " "
            self._comma, self._depth = None, self._depth - 1
        else:
            self._comma = None
            self._depth += letter in "[{"
            if self._depth > MAX_DEPTH:
                raise self._wrong(f"more than {MAX_DEPTH} levels")
        self._last = letter

    def _string(self) -> None:
        self._at += 1
        while self._at < len(self._letters):
            letter = self._letters[self._at]
            self._at += 2 if letter == "\\" else 1
            if letter == '"':
                return

    def _comment(self) -> None:
        start = "".join(self._letters[self._at : self._at + 2])
        if start == "//":
            end = self._next("\n", len(self._letters))
        elif start == "/*":
            end = self._next("*/", None) + 2
        else:
            raise self._wrong("a comment begins with // or /*")
        for place in range(self._at, end):
            if self._letters[place] != "\n":
                self._letters[place] = " "
        self._at = end

    def _next(self, word: str, otherwise: int | None) -> int:
        for place in range(self._at + (2 if otherwise is None else 0), len(self._letters) - len(word) + 1):
            if self._letters[place] == word[0] and "".join(self._letters[place : place + len(word)]) == word:
                return place
        if otherwise is None:
            raise self._wrong("a comment that does not end")
        return otherwise

    def _wrong(self, what: str) -> BitDustError:
        before = "".join(self._letters[: self._at])
        return _bad(before.count("\n") + 1, self._at - (before.rfind("\n") + 1) + 1, what)
