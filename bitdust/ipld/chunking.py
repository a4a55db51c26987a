"""Chunkers cut a file into what becomes its leaves: `FixedSize`, or `ContentDefined` by a search for boundaries.

Both take bytes as they come, hold at most one chunk and what was given last, and cut the same wherever the pieces end.
"""

from collections.abc import Callable
from typing import Protocol

from bitdust.ipld import buzhash, rabin
from bitdust.ipld.errors import malformed, too_large, unsupported

DEFAULT_SIZE = 256 * 1024
LONGEST_CHUNK = 1024 * 1024
_STEP = 64 * 1024
"""Bytes that gather before they are searched."""
_LONGEST_TEXT = 64
Search = Callable[[bytes, int, int], int]
"""The first boundary in bytes, from one position to another, both included; -1 where there is none."""


class Chunker(Protocol):
    """Cuts one file."""

    def feed(self, data: bytes) -> list[bytes]:
        """The chunks that are complete with this."""

    def finish(self) -> list[bytes]:
        """The chunks of what is left at the end."""


class FixedSize:
    """Chunks of one size."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._size = size
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The chunks that are complete with this."""
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._size:
            return []
        joined = b"".join(self._parts)
        end = self._held - self._held % self._size
        self._held -= end
        self._parts = [joined[end:]]
        return [joined[start : start + self._size] for start in range(0, end, self._size)]

    def finish(self) -> list[bytes]:
        """The chunk that is shorter than the others."""
        return [b"".join(self._parts)] if self._held else []


class ContentDefined:
    """Chunks that end where a search finds a boundary, neither shorter nor longer than is said."""

    def __init__(self, search: Search, shortest: int, longest: int) -> None:
        self._search, self._shortest, self._longest = search, shortest, longest
        self._parts: list[bytes] = []
        self._held, self._due = 0, shortest
        self._next = shortest

    def feed(self, data: bytes) -> list[bytes]:
        """The chunks that are complete with this."""
        self._parts.append(data)
        self._held += len(data)
        return self._cut() if self._held >= self._due else []

    def finish(self) -> list[bytes]:
        """The chunks of what was not yet searched, and the last one."""
        chunks = self._cut()
        return [*chunks, *self._parts] if self._held else chunks

    def _cut(self) -> list[bytes]:
        data, chunks, start = b"".join(self._parts), [], 0
        while len(data) - start >= self._next:
            stop = min(len(data), start + self._longest)
            end = self._search(data, start + self._next, stop)
            if end < 0 and stop - start < self._longest:
                self._next = stop - start + 1
                break
            end = stop if end < 0 else end
            chunks.append(data[start:end])
            start, self._next = end, self._shortest
        self._parts = [data[start:]]
        self._held = len(data) - start
        self._due = min(max(self._held + _STEP, self._shortest), self._longest)
        return chunks


def parse(text: str = "") -> Chunker:
    """The chunker of ``size-N``, ``rabin``, ``rabin-AVG``, ``rabin-MIN-AVG-MAX`` or ``buzhash``; empty: of 256 KiB."""
    name, *words = text[:_LONGEST_TEXT].split("-")
    if text in ("", "default"):
        return FixedSize()
    if text == "buzhash":
        return ContentDefined(buzhash.search, buzhash.SHORTEST, buzhash.LONGEST)
    if name == "size" and len(words) == 1:
        size = _number(words[0])
        _checked(1, size)
        return FixedSize(size)
    if name == "rabin":
        return _rabin(words)
    raise unsupported(f"unrecognized chunker option: {text[:_LONGEST_TEXT]}")


def _rabin(words: list[str]) -> Chunker:
    """Chunks of `rabin`; each number may have its name before it (``min:``)."""
    if len(words) in (0, 1):
        average = _number(words[0]) if words else DEFAULT_SIZE
        shortest, longest = average // 3, average + average // 2
    elif len(words) == 3:
        named = zip(("min", "avg", "max"), words, strict=True)
        shortest, average, longest = (_number(word.removeprefix(f"{name}:")) for name, word in named)
        if not shortest < average < longest:
            raise malformed("rabin-min must be smaller than rabin-avg, and that smaller than rabin-max")
    else:
        raise malformed("incorrect format (expected 'rabin' 'rabin-[avg]' or 'rabin-[min]-[avg]-[max]'")
    _checked(shortest, longest)
    if shortest < rabin.WINDOW:
        raise malformed(f"rabin min must be at least {rabin.WINDOW}")
    return ContentDefined(rabin.Search(average), shortest, longest)


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise malformed(f"not a number of bytes: {word!r}")
    return int(word)


def _checked(shortest: int, longest: int) -> None:
    if longest < 1 or shortest < 1:
        raise malformed("chunker size must be greater than 0")
    if longest > LONGEST_CHUNK:
        raise too_large(f"chunker parameters may not exceed the maximum chunk size of {LONGEST_CHUNK}")
