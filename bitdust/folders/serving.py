"""Sealed chunks for a peer: an answer that is read from the disk while it is sent, so that it takes no memory."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.folders.blind import Blind
from bitdust.folders.fetching import MISSING
from bitdust.folders.items import Items, Place
from bitdust.folders.keys import TAG, FolderKeys
from bitdust.folders.reading import read_place
from bitdust.folders.tree import Tree


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

    def plan(self, names: Sequence[bytes]) -> list[Planned]:
        """What can be given of these."""
        return [self._planned(name) for name in names]

    def _planned(self, name: bytes) -> Planned:
        if self.reader is None:
            return Planned(name, None)
        if not self._keys.secret.may_read:
            row = self.reader.execute("SELECT size FROM kept WHERE name=?", (name,)).fetchone()
            return Planned(name, row[0] if row is not None else None)
        for place in Items(self.reader).places(name):
            if self._tree.has(place.path, place.offset + place.length):
                return Planned(name, place.length + TAG, place)
        return Planned(name, None)

    def chunk(self, planned: Planned) -> bytes | None:
        """The sealed chunk, None where it is another one by now."""
        if planned.place is None:
            return self._blind.read(planned.name)
        chunk = read_place(self._tree, planned.place, self._keys)
        return self._keys.seal_chunk(planned.place.id, chunk) if chunk is not None else None


class ChunkSource:
    """The payload of an answer; see `bitdust.wire.table.Source`.

    A chunk that was changed meanwhile is sent as zeros: the peer compares it with its name anyway.
    """

    def __init__(self, serving: Serving, plan: Sequence[Planned], run: "Callable[..., Deferred[Any]]") -> None:
        self._serving = serving
        self._run = run
        self._plan = list(plan)
        self._starts: list[int] = []
        self.size = 0
        for one in self._plan:
            self._starts.append(self.size)
            self.size += 4 + (one.size or 0)
        self._current: tuple[int, bytes] = (-1, b"")

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """See the protocol."""
        return self._run(self._read, offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        number = self._current[0] if self._current[0] >= 0 and self._starts[self._current[0]] <= offset else 0
        while length and number < len(self._plan):
            start = self._starts[number]
            end = self._starts[number + 1] if number + 1 < len(self._plan) else self.size
            if offset < end:
                part = self._bytes(number)[offset - start : offset - start + length]
                parts.append(part)
                offset, length = offset + len(part), length - len(part)
            number += 1
        return b"".join(parts)

    def _bytes(self, number: int) -> bytes:
        if self._current[0] != number:
            planned = self._plan[number]
            if planned.size is None:
                self._current = (number, MISSING.to_bytes(4, "big"))
            else:
                chunk = self._serving.chunk(planned)
                if chunk is None or len(chunk) != planned.size:
                    chunk = bytes(planned.size)
                self._current = (number, planned.size.to_bytes(4, "big") + chunk)
        return self._current[1]
