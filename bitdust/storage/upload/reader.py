"""Reading files: chunk by chunk, each put into a pack unless it is stored already."""

import os
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterator
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from bitdust.batching import ThreadQueue
from bitdust.formats.extras import NO_EXTRAS, Extras
from bitdust.storage.options import Wishes
from bitdust.storage.packs.packer import Packer, StorageKey
from bitdust.storage.upload.attributes import chunks_around, extras_at, holes_of, links_of
from bitdust.storage.upload.scan import CHANGED, FileStatus, Skipped, skipped

STEP_BYTES = 4 * 1024 * 1024
READ_WINDOW = 2 * 1024 * 1024
STEP_FILES = 256
RETRIES = 2


class ReadingThread:
    """The one thread that reads files: calls run in order, one at a time, with a connection to the catalog."""

    def __init__(
        self, run_in_thread: "Callable[..., Deferred[Any]]", connect: Callable[[], sqlite3.Connection]
    ) -> None:
        self._calls = ThreadQueue(run_in_thread)
        self._connect = connect
        self._database: sqlite3.Connection | None = None

    def run(self, call: Callable[[sqlite3.Connection], Any]) -> "Deferred[Any]":
        """Fires with what the call returned; it gets a connection for reading."""
        return self._calls.submit(self._call, call)

    def _call(self, call: Callable[[sqlite3.Connection], Any]) -> Any:
        if self._database is None:
            self._database = self._connect()
        return call(self._database)

    def close(self) -> "Deferred[None]":
        """Fires when nothing is being read any more."""
        self._calls.stop()
        return self._calls.when_idle().addCallback(lambda _: self._drop())

    def _drop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


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
    status: FileStatus
    mode: int
    size: int = 0
    extents: list[list[Any]] = field(factory=list)
    packs: set[bytes] = field(factory=set)
    changed: bool = False
    extras: Extras = NO_EXTRAS

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

    def __init__(self, packer: Packer, key: StorageKey, works: list[Work], wishes: Wishes, apart: bool = False) -> None:
        self._packer = packer
        self._apart = apart
        self._wishes = wishes
        self._linked: dict[bytes, FileRead] = {}
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
                file = yield from self._read_once(work, database, attempt < RETRIES)
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
                self._step.skipped.append(
                    skipped(work.source, "it changed while it was read; stored as it was read", CHANGED)
                )
            self._step.files.append(file)
            return

    def _read_once(self, work: Work, database: sqlite3.Connection, leap: bool) -> Generator[int, None, FileRead | None]:
        """Yields lengths of chunks; gives the `FileRead`, or None for something that is no plain file.

        ``leap`` over holes: not where they may move while it is read.
        """
        descriptor = os.open(work.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as raw:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return None
            file = FileRead(work.path, work.source, FileStatus.of(before), stat.S_IMODE(before.st_mode))
            file.extras, left_out = self._extras(descriptor, before, leap)
            known = self._linked.get(file.extras.links or b"")
            if known is not None:
                file.size, file.extents, file.packs = known.size, known.extents, known.packs
                yield file.size
                return file
            window = min(READ_WINDOW, max(before.st_size + 1, 4096))
            for chunk in chunks_around(raw, file.extras.holes, before.st_size, window):
                pack, number, new = self._packer.place(self._key, chunk, database, self._apart)
                file.add(pack, number, len(chunk))
                self._step.new += len(chunk) if new else 0
                yield len(chunk)
            leapt = sum(length for _, length in file.extras.holes)
            file.size += leapt
            yield leapt
            after = os.fstat(descriptor)
            file.changed = FileStatus.of(after) != file.status or file.size != before.st_size
            if not file.changed:
                os.lstat(work.source)
                self._step.skipped += [skipped(work.source, reason, CHANGED) for reason in left_out]
                if file.extras.links is not None:
                    self._linked[file.extras.links] = file
            return file

    def _extras(self, descriptor: int, status: os.stat_result, leap: bool) -> tuple[Extras, list[str]]:
        extras, left_out = extras_at(descriptor, status, self._wishes)
        links, holes = links_of(status), holes_of(descriptor, status) if leap else ()
        if links is None and not holes:
            return extras, left_out
        return evolve(extras, links=links, holes=holes), left_out
