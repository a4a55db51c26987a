"""From files to packs: read, cut, look up, collect. Whatever is new fills packs that many files and uploads share.

Reading runs in a thread, one step at a time for the whole node: a step takes a window of bytes, so that memory is
bounded, and many small uploads at once end up in the same pack instead of in one each.
"""

import os
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterator
from typing import Any

from attrs import define, field, frozen

from bitdust.crypt.sealing import chunk_name, index_key
from bitdust.storage.catalog.database import PackState
from bitdust.storage.packs.chunks import chunks_of
from bitdust.storage.packs.pack import Buffer, PackBuilder
from bitdust.storage.upload.scan import Look, Skipped, skipped

STEP_BYTES = 4 * 1024 * 1024
READ_WINDOW = 2 * 1024 * 1024
STEP_FILES = 256
RETRIES = 2


@frozen
class StorageKey:
    """The key of a path: its alias, the newest epoch and that epoch's storage secret."""

    alias: str
    epoch: int
    secret: bytes = field(repr=False)


@define
class OpenPackage:
    """A pack that is being filled."""

    key: StorageKey
    pack: bytes
    builder: PackBuilder


class Packer:
    """I find or make a place for each chunk. `place` runs in the reading thread, under the caller's lock."""

    def __init__(self, entropy: Callable[[int], bytes], limit: Callable[[], int]) -> None:
        self._entropy = entropy
        self._limit = limit
        self._open: dict[str, OpenPackage] = {}
        self._index_keys: dict[bytes, bytes] = {}
        self._placed: dict[bytes, tuple[bytes, int]] = {}
        self.full: list[OpenPackage] = []
        self.unsealed: set[bytes] = set()

    def name(self, key: StorageKey, chunk: Buffer) -> bytes:
        """The chunk's name in the index."""
        found = self._index_keys.get(key.secret)
        if found is None:
            found = self._index_keys[key.secret] = index_key(key.secret)
        return chunk_name(found, chunk)

    def place(self, key: StorageKey, chunk: Buffer, database: sqlite3.Connection) -> tuple[bytes, int, bool]:
        """Pack and number of the chunk, and whether it is new."""
        name = self.name(key, chunk)
        known = self._placed.get(name) or stored_place(database, name)
        if known is not None:
            return (*known, False)
        package = self._open.get(key.alias)
        if package is None or package.key != key:
            package = self._start(key)
        number = package.builder.add(name, chunk)
        self._placed[name] = (package.pack, number)
        if package.builder.size >= self._limit() - 256 * 1024:
            self._close(key.alias)
        return package.pack, number, True

    def _start(self, key: StorageKey) -> OpenPackage:
        self._close(key.alias)
        package = self._open[key.alias] = OpenPackage(key, self._entropy(16), PackBuilder(key.alias))
        self.unsealed.add(package.pack)
        return package

    def _close(self, alias: str) -> None:
        package = self._open.pop(alias, None)
        if package is not None:
            self.full.append(package)

    def close_all(self) -> None:
        """What is there is a pack, full or not."""
        for alias in list(self._open):
            self._close(alias)

    def take_full(self) -> list[OpenPackage]:
        """Packs that are to be sealed."""
        full, self.full = self.full, []
        return full

    def recorded(self, package: OpenPackage) -> None:
        """The pack's chunks are in the catalog's index from now on, or, when it was given up, nowhere."""
        for chunk in package.builder.chunks:
            self._placed.pop(chunk.name, None)
        self.unsealed.discard(package.pack)


def stored_place(database: sqlite3.Connection, name: bytes) -> tuple[bytes, int] | None:
    """Where the catalog has a chunk of this name, in a pack that counts."""
    row = database.execute(
        "SELECT c.pack, c.number FROM chunks c JOIN packs p ON p.pack=c.pack WHERE c.name=? AND p.state<=?",
        (name, PackState.HELD),
    ).fetchone()
    return (bytes(row[0]), row[1]) if row is not None else None


@define
class Work:
    """One file that is to be read, and its item's path id."""

    path: str
    source: bytes
    size: int


@define
class FileRead:
    """A file that was read to its end: where its chunks are, and how it looked."""

    path: str
    source: bytes
    look: Look
    mode: int
    size: int = 0
    extents: list[list[Any]] = field(factory=list)
    packs: set[bytes] = field(factory=set)
    changed: bool = False

    def add(self, pack: bytes, number: int, length: int) -> None:
        """The next chunk."""
        self.size += length
        last = self.extents[-1] if self.extents else None
        if last is not None and last[0] == pack and last[1] + last[2] == number:
            last[2] += 1
        else:
            self.extents.append([pack, number, 1])
            self.packs.add(pack)


@define
class Step:
    """What one step of reading brought."""

    files: list[FileRead] = field(factory=list)
    skipped: list[Skipped] = field(factory=list)
    read: int = 0
    new: int = 0
    more: bool = True


class FilesReader:
    """I read the files of one upload, step by step."""

    def __init__(self, packer: Packer, key: StorageKey, works: list[Work]) -> None:
        self._packer = packer
        self._key = key
        self._works = works[::-1]
        self._current: Iterator[int] | None = None
        self._step = Step()

    def step(self, database: sqlite3.Connection) -> Step:
        """Read about a window of bytes; blocks, for the reading thread."""
        self._step = Step()
        while self._step.read < STEP_BYTES and len(self._step.files) < STEP_FILES:
            if self._current is None:
                if not self._works:
                    break
                self._current = self._read(self._works.pop(), database)
            for length in self._current:
                self._step.read += length
                if self._step.read >= STEP_BYTES:
                    break
            else:
                self._current = None
        self._step.more = bool(self._works) or self._current is not None
        return self._step

    def close(self) -> None:
        """Stop in the middle."""
        if self._current is not None:
            close = getattr(self._current, "close", None)
            if close is not None:
                close()
            self._current = None
        self._works.clear()

    def _read(self, work: Work, database: sqlite3.Connection) -> Iterator[int]:
        for attempt in range(RETRIES + 1):
            try:
                file = yield from self._read_once(work, database)
            except OSError as error:
                gone = isinstance(error, FileNotFoundError)
                reason = "it vanished while it was read" if gone else error.strerror or str(error)
                self._step.skipped.append(skipped(work.source, reason))
                return
            if file is None:
                self._step.skipped.append(skipped(work.source, "it is no plain file any more"))
                return
            if file.changed and attempt < RETRIES:
                continue
            if file.changed:
                self._step.skipped.append(skipped(work.source, "it changed while it was read; stored as it was read"))
            self._step.files.append(file)
            return

    def _read_once(self, work: Work, database: sqlite3.Connection) -> Generator[int, None, FileRead | None]:
        """Yields lengths of chunks; gives the `FileRead`, or None for something that is no plain file."""
        descriptor = os.open(work.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as raw:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return None
            file = FileRead(work.path, work.source, Look.of(before), stat.S_IMODE(before.st_mode))
            for chunk in chunks_of(Whole(raw), min(READ_WINDOW, max(before.st_size + 1, 4096))):
                pack, number, new = self._packer.place(self._key, chunk, database)
                file.add(pack, number, len(chunk))
                self._step.new += len(chunk) if new else 0
                yield len(chunk)
            after = os.fstat(descriptor)
            file.changed = Look.of(after) != file.look or file.size != before.st_size
            if not file.changed:
                os.lstat(work.source)
            return file


class Whole:
    """A raw file whose `read` gives fewer bytes than asked for only at the end."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self, length: int) -> bytes:
        """Up to ``length`` bytes."""
        parts: list[bytes] = []
        while length:
            part = self._raw.read(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
