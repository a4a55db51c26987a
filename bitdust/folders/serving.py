"""Sealed chunks for a peer: an answer that is read from the disk while it is sent, so that it takes no memory."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from weakref import WeakSet

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from bitdust.folders.blind import Blind, Kept
from bitdust.folders.database import one_look
from bitdust.folders.fetching import MISSING, REQUEST
from bitdust.folders.items import Items, Place
from bitdust.folders.keys import TAG, FolderKeys
from bitdust.folders.reading import read_chunk
from bitdust.folders.tree import Tree

AHEAD = REQUEST + REQUEST // 2
"""Bytes that are read at once: all of an answer to a question of ours."""
MOST_AHEAD = 6
"""Answers of a folder that hold so much at a time."""


@frozen
class Planned:
    """A chunk of an answer: ``size`` is None where it is not here; ``place`` None where it is kept sealed."""

    name: bytes
    size: int | None
    place: Place | None = None


class Serving:
    """I find chunks by their sealed names, and read them. My methods block, in the thread that serves peers."""

    def __init__(self, tree: Tree, keys: FolderKeys, blind: Blind) -> None:
        self._tree = tree
        self._keys = keys
        self._blind = blind
        self.reader: sqlite3.Connection | None = None
        self.ahead: WeakSet[ChunkSource] = WeakSet()
        """Answers of which more was read than was asked for."""

    def plan(self, names: Sequence[bytes]) -> list[Planned]:
        """What can be given of these."""
        if self.reader is None:
            return [Planned(name, None) for name in names]
        sizes: dict[str, int] = {}
        with one_look(self.reader):
            return [self._planned(self.reader, name, sizes) for name in names]

    def _planned(self, reader: sqlite3.Connection, name: bytes, sizes: dict[str, int]) -> Planned:
        """``sizes`` of files that were looked at already."""
        if not self._keys.secret.may_read:
            row = reader.execute("SELECT size FROM kept WHERE name=?", (name,)).fetchone()
            return Planned(name, row[0] if row is not None else None)
        for place in Items(reader).places(name):
            if place.path not in sizes:
                sizes[place.path] = self._tree.size(place.path)
            if sizes[place.path] >= place.offset + place.length:
                return Planned(name, place.length + TAG, place)
        return Planned(name, None)

    def chunks(self) -> "Chunks":
        """To read some of them, one after the other."""
        return Chunks(self._tree, self._keys, self._blind.kept(self.reader))


class Chunks:
    """Sealed chunks, one after the other; the file that the last one was in stays open until the end of a ``with``."""

    def __init__(self, tree: Tree, keys: FolderKeys, kept: Kept) -> None:
        self._tree = tree
        self._keys = keys
        self._kept = kept
        self._opened = ExitStack()
        self._file: tuple[str, int] = ("", -1)

    def __enter__(self) -> "Chunks":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
        self._kept.close()

    def read(self, planned: Planned) -> bytes | None:
        """The sealed chunk, None where it is another one by now."""
        place = planned.place
        if place is None:
            return self._kept.read(planned.name)
        try:
            if self._file[0] != place.path:
                self._opened.close()
                self._file = ("", -1)
                self._file = (place.path, self._opened.enter_context(self._tree.file(place.path)))
        except OSError:
            return None
        chunk = read_chunk(self._file[1], place, self._keys)
        return self._keys.seal_chunk(place.id, chunk) if chunk is not None else None


class ChunkSource:
    """The payload of an answer; see `bitdust.wire.table.Source`.

    A chunk that was changed meanwhile is sent as zeros: the peer compares it with its name anyway. To ask a thread for
    each part costs more than to read it, so that the thread reads ahead, for a few answers at a time.
    """

    def __init__(self, serving: Serving, run: "Callable[..., Deferred[Any]]") -> None:
        self._serving = serving
        self._run = run
        self._plan: list[Planned] = []
        self._starts: list[int] = []
        self.size = 0
        self._current: tuple[int, bytes] = (-1, b"")
        self._begin, self._ahead = 0, b""
        """What was read and not asked for yet, and where it begins."""

    def find(self, names: Sequence[bytes]) -> "Deferred[ChunkSource]":
        """Chunks by their names; fires with me when it is known which are here, and their first bytes are read."""
        return self._run(self._find, names, self._may_read_ahead()).addCallback(lambda _: self)

    def _find(self, names: Sequence[bytes], ahead: bool) -> None:
        self._plan = self._serving.plan(names)
        for one in self._plan:
            self._starts.append(self.size)
            self.size += 4 + (one.size or 0)
        if ahead:
            self._ahead = self._read(0, AHEAD)

    def _may_read_ahead(self) -> bool:
        ahead = self._serving.ahead
        if self not in ahead and len(ahead) < MOST_AHEAD:
            ahead.add(self)
        return self in ahead

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """See the protocol."""
        if self._begin <= offset < self._begin + len(self._ahead):
            return succeed(self._from_ahead(offset, length))
        self._ahead = b""
        if self._may_read_ahead():
            read = self._run(self._read, offset, max(length, AHEAD))
            return read.addCallback(self._has_read, offset, length)
        return self._run(self._read, offset, length)

    def _has_read(self, data: bytes, offset: int, length: int) -> bytes:
        self._begin, self._ahead = offset, data
        return self._from_ahead(offset, length)

    def _from_ahead(self, offset: int, length: int) -> bytes:
        at = offset - self._begin
        part = memoryview(self._ahead)[at : at + length]
        if at + len(part) == len(self._ahead):
            self._ahead = b""
            self._serving.ahead.discard(self)
        return part  # type: ignore[return-value]

    def _read(self, offset: int, length: int) -> bytes:
        with self._serving.chunks() as chunks:
            return b"".join(self._parts(offset, length, chunks))

    def _parts(self, offset: int, length: int, chunks: Chunks) -> Iterator[memoryview]:
        number = self._current[0] if self._current[0] >= 0 and self._starts[self._current[0]] <= offset else 0
        while length and number < len(self._plan):
            begin = self._starts[number]
            if offset < begin + 4 + (self._plan[number].size or 0):
                for piece in self._pieces(number, chunks):
                    part = memoryview(piece)[offset - begin : offset - begin + length]
                    yield part
                    begin += len(piece)
                    offset, length = offset + len(part), length - len(part)
            number += 1

    def _pieces(self, number: int, chunks: Chunks) -> tuple[bytes, bytes]:
        """Four bytes of length, and what follows them."""
        planned = self._plan[number]
        if planned.size is None:
            return MISSING.to_bytes(4, "big"), b""
        if self._current[0] != number:
            chunk = chunks.read(planned)
            whole = chunk is not None and len(chunk) == planned.size
            self._current = (number, chunk if chunk is not None and whole else bytes(planned.size))
        return planned.size.to_bytes(4, "big"), self._current[1]
