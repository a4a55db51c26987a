"""From files to packs: read, cut, look up, collect. Whatever is new fills packs that many files and uploads share.

Reading runs in a thread, one step at a time for the whole node: a step takes a window of bytes, so that memory is
bounded, and many small uploads at once end up in the same pack instead of in one each.
"""

import sqlite3
from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen

from bitdust.crypt.sealing import chunk_name, index_key
from bitdust.formats.operations import MOST_CHUNKS
from bitdust.storage.catalog.database import PackState
from bitdust.storage.catalog.whereabouts import HAS_ENOUGH
from bitdust.storage.packs.pack import Buffer, PackBuilder


@frozen
class StorageKey:
    """The key of a path: its alias, the storage secret for what is new with its name, and the tag of its packs."""

    alias: str
    epoch: int
    secret: bytes = field(repr=False)
    scope: bytes | None = None


@define
class OpenPackage:
    """A pack that is being filled, until it holds so many bytes."""

    key: StorageKey
    pack: bytes
    builder: PackBuilder
    limit: int


class Packer:
    """I find or make a place for each chunk. `place` runs in the reading thread, under the caller's lock."""

    def __init__(self, entropy: Callable[[int], bytes], limit: Callable[[], int]) -> None:
        self._entropy = entropy
        self._limit = limit
        self._open: dict[str, OpenPackage] = {}
        self._index_keys: dict[bytes, bytes] = {}
        self._placed: dict[bytes, tuple[bytes, int]] = {}
        self._started: deque[OpenPackage] = deque()
        self._full: deque[OpenPackage] = deque()

    def name(self, key: StorageKey, chunk: Buffer) -> bytes:
        """The chunk's name in the index."""
        found = self._index_keys.get(key.secret)
        if found is None:
            found = self._index_keys[key.secret] = index_key(key.secret)
        return chunk_name(found, chunk)

    def place(
        self, key: StorageKey, chunk: Buffer, database: sqlite3.Connection, apart: bool = False
    ) -> tuple[bytes, int, bool]:
        """Pack and number of the chunk, and whether it is new; it always is where it is to be stored ``apart``."""
        name = self.name(key, chunk)
        known = None if apart else self._placed.get(name) or stored_place(database, name)
        if known is not None:
            return (*known, False)
        package = self._open.get(key.alias)
        if package is None or package.key != key:
            package = self._start(key)
        number = package.builder.add(name, chunk)
        self._placed[name] = (package.pack, number)
        if package.builder.size >= package.limit or len(package.builder.chunks) == MOST_CHUNKS:
            self._close(key.alias)
        return package.pack, number, True

    def _start(self, key: StorageKey) -> OpenPackage:
        self._close(key.alias)
        limit = self._limit() - 256 * 1024  # asked once a pack: reading a setting is a third of placing a chunk
        package = self._open[key.alias] = OpenPackage(key, self._entropy(16), PackBuilder(key.alias), limit)
        self._started.append(package)
        return package

    def _close(self, alias: str) -> None:
        package = self._open.pop(alias, None)
        if package is not None:
            self._full.append(package)

    def close_all(self) -> None:
        """What is there is a pack, full or not."""
        for alias in list(self._open):
            self._close(alias)

    def take_started(self) -> list[OpenPackage]:
        """Packs that were begun since the last time; for the reactor, while the reading thread works."""
        return _emptied(self._started)

    def take_full(self) -> list[OpenPackage]:
        """Packs that are to be sealed; after `take_started`."""
        return _emptied(self._full)

    def recorded(self, package: OpenPackage) -> None:
        """The pack's chunks are in the catalog's index from now on, or, when it was given up, nowhere."""
        for chunk in package.builder.chunks:
            self._placed.pop(chunk.name, None)


def _emptied(packages: deque[OpenPackage]) -> list[OpenPackage]:
    """One by one: another thread may be adding to it."""
    found = []
    while packages:
        found.append(packages.popleft())
    return found


def stored_place(database: sqlite3.Connection, name: bytes) -> tuple[bytes, int] | None:
    """Where the catalog has a chunk of this name, in a pack that counts and of which there are enough pieces."""
    row = database.execute(
        f"SELECT c.pack, c.number FROM chunks c JOIN packs p ON p.pack=c.pack WHERE c.name=? AND p.state<=?"
        f" AND {HAS_ENOUGH}",
        (name, PackState.HELD),
    ).fetchone()
    return (bytes(row[0]), row[1]) if row is not None else None
