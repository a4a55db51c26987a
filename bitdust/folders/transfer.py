"""One item that is brought to the disk: the port of its `file_transfer`.

Folders, links and deletions take that way too, with nothing to fetch.
"""

import errno
import os
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from bitdust.automats.file_transfer import FileTransfer
from bitdust.automats.kernel import Registry
from bitdust.folders.database import one_look
from bitdust.folders.fetching import Fetcher, Wanted
from bitdust.folders.items import Item, Local
from bitdust.folders.reading import ranges, read_place
from bitdust.folders.records import FILE, FOLDER, LINK, Entry
from bitdust.folders.retracting import retract
from bitdust.folders.store import Store
from bitdust.folders.writing import Part, part_of
from bitdust.outcome import outcomes
from bitdust.wire.errors import BitDustError

AT_ONCE = 32
"""Chunks of one file that are asked for together."""
TRANSFERS, TRANSFER_BYTES = 384, 64 * 1024 * 1024
"""Items that are brought to the disk at a time, and how much of them may be on its way: while some wait for the disk,
others wait for peers."""
AT_A_TIME = 128
"""So many begin together."""
LARGE = 8 * 1024 * 1024
"""No more than that is on its way of one."""
LANES = 3
"""So many times chunks of one file are asked for, or wait for the disk, at a time."""


@frozen
class Task:
    """An item, the record that says what it is to be, and what was seen at its path last."""

    item: Item
    raw: bytes = field(repr=False)
    entry: Entry
    expected: Local | None
    is_kept: bool = True
    """Whether what it replaces goes to the archive."""


class Parent(Protocol):
    """The folder."""

    registry: Registry
    store: Store
    fetcher: Fetcher

    def witnesses(self) -> Collection[bytes]:
        """The devices that are asked for chunks, all of whose records are known here; none where others are as well."""

    def transfer_ended(self, transfer: "Transfer", why: Any) -> None:
        """It is over."""


@define(eq=False)
class _Missing:
    id: bytes
    name: bytes
    length: int
    offsets: list[int]


class Transfer:
    """I work in the folder's thread, and wait for peers on the reactor."""

    def __init__(self, parent: Parent, task: Task) -> None:
        self._parent = parent
        self._store = parent.store
        self.task = task
        self.entry = task.entry
        self._part = Part(self._store.tree, part_of(task.item.id, task.entry))
        self._missing: dict[bytes, _Missing] = {}
        self._has_ended = False
        self._room = 0
        """Bytes that the disk had room for when it was asked last; each job asks anew."""
        self.have = self.total = 0
        """Chunks."""
        self.left = 0
        """Bytes that are still to come."""
        self.machine = FileTransfer(parent.registry, task.entry.path, self)

    # what the disk has

    def gather(self) -> "Deferred[Any]":
        return self._store.soon(self._gather)

    def _gather(self) -> None:
        entry, expected = self.entry, self.task.expected
        is_here = expected is not None and expected.content == entry.content
        if entry.deleted or entry.kind != FILE or is_here:
            return
        for ident, name, offset, length in ranges(entry):
            chunk = self._missing.setdefault(ident, _Missing(ident, name, length, []))
            chunk.offsets.append(offset)
        self.total = len(self._missing)
        self._room = 0
        descriptor = self._part.open()
        try:
            size = os.fstat(descriptor).st_size
            with one_look(self._store.journal.database):
                for chunk in list(self._missing.values()):
                    if self._gather_one(descriptor, chunk, size):
                        del self._missing[chunk.id]
        finally:
            os.close(descriptor)
        self.have = self.total - len(self._missing)
        self.left = sum(chunk.length for chunk in self._missing.values())

    def _gather_one(self, descriptor: int, chunk: _Missing, size: int) -> bool:
        """``size`` of the file on its way, as an earlier attempt has left it."""
        keys = self._store.keys
        first = Part.read(descriptor, chunk.offsets[0], chunk.length) if chunk.offsets[0] < size else b""
        data: bytes | None = first if first and keys.chunk_id(first) == chunk.id else None
        if data is None:
            for place in self._store.journal.items.places(chunk.name):
                data = read_place(self._store.tree, place, keys)
                if data is not None:
                    break
        if data is None:
            return False
        self._write_chunk(descriptor, chunk, data)
        return True

    def _write_chunk(self, descriptor: int, chunk: _Missing, data: bytes) -> None:
        """Wherever it stands in the file; each time it takes room of the disk. Raises `BitDustError` ``disk-full``."""
        wanted = len(data) * len(chunk.offsets) if data.strip(b"\0") else 0
        if wanted > self._room:
            self._room = self._store.reserve.check(self._store.tree.root, wanted, self.entry.path)
        self._room -= wanted
        for offset in chunk.offsets:
            Part.write(descriptor, offset, data)

    def is_whole(self) -> bool:
        return not self._missing

    # what peers have

    def fetch(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._fetch())

    async def _fetch(self) -> None:
        waiting = deque(self._missing.values())
        lanes = [Deferred.fromCoroutine(self._lane(waiting)) for _ in range(min(LANES, -(-len(waiting) // AT_ONCE)))]
        ended = await outcomes(lanes)
        error = next((one.error for one in ended if one.error is not None), None)
        if error is not None:
            raise error

    async def _lane(self, waiting: "deque[_Missing]") -> None:
        """Some chunks after the others, while other lanes do the same: neither line nor disk waits for the other."""
        while waiting and not self._has_ended:
            batch = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
            sealed = await self._parent.fetcher.fetch(self, [Wanted(chunk.name, chunk.length) for chunk in batch])
            here = [(chunk, sealed[chunk.name]) for chunk in batch if chunk.name in sealed]
            if not self._has_ended:
                await self._store.soon(self._write, here)
            if len(here) < len(batch):
                raise BitDustError("nobody-has", "nobody who is here has all of it")

    def _write(self, chunks: list[tuple[_Missing, bytes]]) -> None:
        self._room = 0
        descriptor = self._part.open()
        try:
            for chunk, sealed in chunks:
                data = self._store.keys.open_chunk(chunk.id, sealed)
                if self._store.keys.chunk_id(data) != chunk.id:
                    raise OSError(errno.EIO, "a chunk is not what its record says", self.entry.path)
                self._write_chunk(descriptor, chunk, data)
                self._missing.pop(chunk.id, None)
                self.have += 1
                self.left -= chunk.length
        finally:
            os.close(descriptor)

    # its place

    def place(self) -> "Deferred[Any]":
        return self._store.place(self)

    def complete(self, opened: ExitStack) -> int | None:
        """What is fetched becomes a file that only lacks its name: a descriptor that is to be synced and closed."""
        entry, expected = self.entry, self.task.expected
        if entry.deleted or entry.kind == FOLDER or (expected is not None and expected.content == entry.content):
            return None
        if entry.kind == LINK:
            self._store.writer.make_link(entry, self._part.name)
            return None
        descriptor = self._part.open()
        opened.callback(os.close, descriptor)
        Part.finish(descriptor, entry)
        return descriptor

    def place_now(self) -> tuple[Local | None, str]:
        """What is at its path now, and where its former version is, if anywhere."""
        writer, entry, expected = self._store.writer, self.entry, self.task.expected
        if entry.deleted:
            return None, self._remove(expected)
        if expected is not None and expected.content == entry.content:
            return (writer.touch(entry, expected) if entry.kind == FILE else expected), ""
        if entry.kind == FOLDER:
            return writer.make_folder(entry, expected)
        return writer.place(self._part.name, entry, expected)

    def _remove(self, expected: Local | None) -> str:
        if expected is None:
            return ""
        try:
            return self._store.writer.remove(self.entry.path, expected, self.task.is_kept)
        except FileNotFoundError:
            return ""

    def ended(self, why: Any) -> None:
        self._has_ended = True
        error, fetcher = getattr(why, "value", why), self._parent.fetcher
        if getattr(error, "code", "") == "nobody-has" and not fetcher.is_doubtful(self):
            self._store.run(retract, self._store.journal, self.task.item.id, self._parent.witnesses())
        fetcher.drop(self)
        self._parent.transfer_ended(self, why)

    def stop(self) -> None:
        """Give it up; what has come stays."""
        self.machine.send("stop")


class OnTheWay:
    """Items that are brought to the disk now, and how many more may be."""

    def __init__(self) -> None:
        self._by_item: dict[bytes, Transfer] = {}
        self._size = 0

    def __iter__(self) -> Iterator[Transfer]:
        return iter(list(self._by_item.values()))

    def __bool__(self) -> bool:
        return bool(self._by_item)

    def __contains__(self, ident: bytes) -> bool:
        return ident in self._by_item

    def items(self) -> list[bytes]:
        """Their ids."""
        return list(self._by_item)

    def add(self, transfer: Transfer) -> None:
        """One more."""
        self._by_item[transfer.task.item.id] = transfer
        self._size += min(transfer.entry.size, LARGE)

    def drop(self, transfer: Transfer) -> None:
        """It is over."""
        if self._by_item.pop(transfer.task.item.id, None) is not None:
            self._size -= min(transfer.entry.size, LARGE)

    @property
    def room(self) -> int:
        """How many may begin beside these."""
        return TRANSFERS - len(self._by_item) if self._size < TRANSFER_BYTES else 0

    @property
    def has_much_room(self) -> bool:
        """Whether it is worth looking for more."""
        return self.room >= AT_A_TIME
