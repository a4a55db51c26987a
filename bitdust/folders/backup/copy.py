"""One folder at my suppliers: the port of its `folder_backup`, and where chunks are had that no peer gives.

Chunks are kept sealed by the folder's keys, beneath the seal that all data at suppliers has, in segments that are files
of a hidden key. Each device tells a list of the folder's records; all lists together are what a new node begins with.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.folder_backup import FolderBackup
from bitdust.blocks.backup.others import FOR_GOOD, SILENT
from bitdust.crypt.files import remove_safely, write_all
from bitdust.folders.backup.formats import (
    CHUNKS,
    INDEX,
    STATE,
    Told,
    label_of,
    read_index,
    write_head,
    write_index,
    write_records,
)
from bitdust.folders.backup.index import SEGMENT, Figures, SupplierIndex
from bitdust.folders.backup.lists import Lists
from bitdust.folders.backup.segments import AT_ONCE, Built, parts, runs
from bitdust.folders.backup.shelves import OneShelf
from bitdust.folders.config import FolderConfig
from bitdust.folders.fetching import parted
from bitdust.folders.keys import sealed_name
from bitdust.folders.portions import Taken
from bitdust.folders.serving import ChunkSource
from bitdust.folders.store import Store
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

MOST_DUE = 256
TELL_EVERY = 30 * 24 * 3600
"""Seconds after which a list is told again that is as it was: who is silent for long counts as gone."""
DEVICE = 8  # digits of a device by which its segments are known


class Host(Protocol):
    """The folder, as far as suppliers are concerned."""

    around: Connected
    config: FolderConfig
    store: Store
    is_meeting: bool

    def learn(self, records: Sequence[bytes], public: bytes) -> "Deferred[Taken]":
        """Take records in, whoever has brought them."""

    def look_for_chunks(self) -> None:
        """Chunks can be had now that could not be had before."""


class SupplierCopy:
    """I begin with `start` and end with `stop`. ``home`` is the folder's place in the node's home."""

    log = Logger()

    def __init__(self, host: Host, shelf: OneShelf, home: Path, index: str = "suppliers.db") -> None:
        self._host = host
        self._world = host.around.world
        self._shelf = shelf
        self._home = home
        self._run = host.store.run
        self._label = label_of(host.store.keys.secret)
        self._index = SupplierIndex(home / index, host.store.journal)
        self._lists = Lists(host, shelf, self._index, self._label)
        self._built: Built | None = None
        self._missing: set[bytes] = set()
        self._unread: dict[str, str] = {}
        self._is_told = self._has_changed = self._is_open = False
        self.failure = ""
        """Why it does not go on; empty while it does."""
        self.machine = FolderBackup(host.around.registry, host.config.label, self)

    def start(self) -> None:
        """Go on where the last process has stopped."""
        self.machine.send("start")

    def stop(self) -> None:
        """Do nothing more; before the folder is closed."""
        self.machine.send("stop")
        self._is_open = False
        self._run(self._index.close)

    @property
    def problem(self) -> str:
        """Why it does not go on, and what of it cannot be read; empty where all is well."""
        unread = [f"a segment cannot be read: {why} ({name})" for name, why in sorted(self._unread.items())]
        return "; ".join(filter(None, (self.failure, self._lists.problem, *unread[:3])))

    def changed(self) -> None:
        """The folder is another than it was."""
        self._has_changed = True

    @property
    def has_changed(self) -> bool:
        """Whether the folder is another one than was looked at last."""
        return self._has_changed

    def _name(self, what: str, kind: str) -> str:
        return f"{self._label}-{what}{kind}"

    @property
    def _mine(self) -> str:
        return self._host.around.me.device.id.hex()

    # the port

    def can_keep(self) -> bool:
        return self._host.is_meeting and self._shelf.can_keep()

    def is_untold(self) -> bool:
        return not self._is_told

    def is_behind(self) -> bool:
        behind = self._has_changed and self.can_keep()
        if behind:
            self._missing.clear()
        return behind

    def give_up(self, why: Any) -> None:
        error = getattr(why, "value", why)
        if not isinstance(error, BitDustError | OSError | str):
            self.log.failure("a folder at suppliers has met something unexpected", why)
        self.failure = str(error)
        self.log.info("folder {label} goes to suppliers later: {why}", label=self._host.config.label, why=self.failure)
        built, self._built = self._built, None
        if built is not None:
            self._world.run_in_thread(built.remove)

    # what suppliers have

    def read(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> None:
        await self._run(self._index.open)
        await self._run(self._clear)
        self._is_open = True
        self._missing.clear()
        self._unread.clear()
        names, former = await self._versions(), await self._former()
        known = set(await self._run(self._index.segments))
        segments = {name.removesuffix(INDEX) for name in names if name.endswith(INDEX)}
        for segment in sorted(segments - known, key=lambda one: (one + INDEX not in former, one)):
            if segment + CHUNKS in names:
                await self._read_index(segment)
        for segment in known - segments:
            await self._run(self._index.forget, segment)
        for name in sorted(names):
            segment = name.removesuffix(CHUNKS)
            if segment != name and segment not in segments and self._is_mine(segment):
                await self._shelf.remove(self._name(segment, CHUNKS))
        await self._run(self._index.mark_sparse, [name.removesuffix(INDEX) for name in former])
        if self._mine + STATE not in names or self._mine + STATE in former:
            await self._run(self._index.note_told, b"", 0)
        else:
            self._let_in()
        await self._lists.take(names)
        if await self._run(self._index.is_told, 0):  # lists of others may need less than when this one was told
            await self._clean(await self._versions())
        self._host.look_for_chunks()

    async def _former(self) -> frozenset[str]:
        """What lies there as former versions have put it, by the rest of its name: it is made anew, then removed."""
        return frozenset(name.partition("-")[2] for name in await self._shelf.former())

    def _let_in(self) -> None:
        """Whoever can read the folder may read it at my suppliers."""
        holder = self._host.store.keys.holder
        if holder is not None:
            self._shelf.let_in(holder.public)

    async def _versions(self) -> dict[str, str]:
        """The newest version of each file of the folder, by the rest of its name."""
        begin = f"{self._label}-"
        versions = await self._shelf.versions()
        return {name.removeprefix(begin): one for name, one in versions.items() if name.startswith(begin)}

    def _clear(self) -> None:
        """What a process that died has left."""
        for path in self._home.glob(f"{self._label}-*"):
            remove_safely(path)

    async def _read_index(self, segment: str) -> None:
        try:
            read = await self._shelf.read(self._name(segment, INDEX))
            chunks = await self._world.run_in_thread(read_index, read)
        except BitDustError as error:
            if error.code not in FOR_GOOD:
                raise
            self.log.warn("a segment of a folder does not come back: {why}", why=str(error))
            return
        await self._run(self._index.add, segment, chunks)

    # chunks for the folder

    def ask_chunks(self, names: Sequence[bytes], size: int) -> "Deferred[list[bytes | None]]":
        """See `bitdust.folders.fetching.Source`."""
        return Deferred.fromCoroutine(self._ask(names))

    async def _ask(self, names: Sequence[bytes]) -> list[bytes | None]:
        found: dict[bytes, bytes] = {}
        spots = await self._run(self._index.spots, names) if self._is_open else []
        for run in runs(spots):
            begin, size = run[0].offset, sum(spot.size for spot in run)
            read = await outcome(self._shelf.read(self._name(run[0].segment, CHUNKS), begin, size))
            if read.error is not None:
                self._not_read(run[0].segment, read.error)
                continue
            self._unread.pop(run[0].segment, None)
            data = read.value
            found |= {spot.name: data[spot.offset - begin : spot.offset - begin + spot.size] for spot in run}
        return [found.get(name) for name in names]

    def _not_read(self, segment: str, error: BaseException) -> None:
        if not isinstance(error, BitDustError | OSError):
            raise error
        self.log.warn("chunks of a segment of a folder cannot be had: {why}", why=str(error))
        self._unread[segment] = str(error)

    # what is new

    def gather(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._gather())

    async def _gather(self) -> bool:
        self._has_changed = False
        while await self._run(self._index.follow):
            pass
        name = f"{self._mine[:DEVICE]}{self._world.entropy(8).hex()}"
        built = Built(name, self._home / self._name(name, CHUNKS))
        while built.size < SEGMENT:
            due = await self._run(self._index.due, MOST_DUE, frozenset(self._missing))
            if not due:
                break
            for part in parts(due):
                await self._append(built, part)
        self._is_told = await self._run(self._index.is_told, int(self._world.wall()) - TELL_EVERY)
        if not built.chunks:
            return False
        await self._world.run_in_thread(built.finish)
        self._built = built
        return True

    async def _append(self, built: Built, names: Sequence[bytes]) -> None:
        source = await self._host.store.serve(names)
        chunks = parted(await _whole(source), len(names))
        away = [name for name, chunk in zip(names, chunks, strict=True) if chunk is None]
        there = iter(await self._ask(away))  # in a segment that is to be made anew
        chunks = [next(there) if chunk is None else chunk for chunk in chunks]
        known = {name for name, _ in built.chunks}
        good = [
            (name, chunk)
            for name, chunk in zip(names, chunks, strict=True)
            if chunk is not None and name not in known and sealed_name(chunk) == name
        ]
        self._missing.update(names)
        if good:
            await self._world.run_in_thread(built.append, good)

    def upload(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._upload())

    async def _upload(self) -> None:
        built = self._built
        if built is None:
            return
        self._shelf.make_key()
        await self._shelf.keep(self._name(built.name, CHUNKS), built.path, True)
        await self._shelf.keep(self._name(built.name, INDEX), built.index_path)
        await self._run(self._index.add, built.name, read_index(write_index(built.chunks)))
        self._built, self.failure = None, ""
        await self._world.run_in_thread(built.remove)

    # the list

    def tell(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._tell())

    async def _tell(self) -> None:
        self._shelf.make_key()
        now, name = int(self._world.wall()), self._mine + STATE
        names = await self._versions()
        await self._lists.take(names)
        if name in await self._lists.untaken(names):
            text = "the list that this machine has told is not in its journal, and is not replaced; to begin anew, take"
            raise BitDustError("list-refused", f"{text} the folder from its suppliers, and have them keep it again")
        path = self._home / f"{self._label}-{name}"
        written = await self._run(self._write_list, path, now)
        if written is None:
            self._has_changed = True
            return
        digest, segments = written
        try:
            await self._shelf.keep(f"{self._label}-{name}", path)
        finally:
            await self._world.run_in_thread(remove_safely, path)
        names = await self._versions()
        await self._run(self._index.note_state, name, names.get(name, ""), now, segments)
        await self._run(self._index.note_told, digest, now)
        self._let_in()
        self.failure = ""
        await self._clean(names)

    def _write_list(self, path: Path, now: int) -> tuple[bytes, list[str]] | None:
        """Digest and segments of what was written; None where chunks of it have come that suppliers have not."""
        journal, config = self._host.store.journal, self._host.config
        while self._index.follow():
            pass
        if self._index.due(1, frozenset(self._missing)):
            return None
        digest, segments = self._index.digest(), self._index.needed()
        called = config.dir.name.encode("utf-8", "replace").decode()[:60]
        told = Told(now, called, journal.keys.public or b"", segments, config.text)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            write_all(descriptor, write_head(told, self._shelf.secrets()[-1], self._world.entropy(12)))
            number, more = 0, True
            while more:
                portion = journal.since(number)
                write_all(descriptor, write_records(portion.records))
                number, more = portion.upto, portion.more
        finally:
            os.close(descriptor)
        return digest, segments

    async def _clean(self, names: Mapping[str, str]) -> None:
        """Remove what no list needs; what another device has just brought may be in none yet."""
        await self._run(self._index.choose_sparse)
        if await self._lists.untaken(names):
            return
        needed, silent_before = set(await self._run(self._index.needed)), int(self._shelf.earliest()) - SILENT
        needed |= await self._run(self._index.needed_by_others, self._mine + STATE, silent_before)
        for segment in await self._run(self._index.segments):
            if segment not in needed and self._is_mine(segment):
                await self._remove(segment)

    def _is_mine(self, segment: str) -> bool:
        return segment.startswith(self._mine[:DEVICE])

    async def _remove(self, segment: str) -> None:
        await self._shelf.remove(self._name(segment, INDEX))
        await self._shelf.remove(self._name(segment, CHUNKS))
        await self._run(self._index.forget, segment)

    def withdraw(self) -> "Deferred[None]":
        """Take this device's list and segments from the suppliers, as far as no list of another one needs them.

        `stop` comes after it. Fails, and removes nothing, where it is not known what another list needs.
        """
        self.failure = ""
        return Deferred.fromCoroutine(self._withdraw())

    async def _withdraw(self) -> None:
        mine = self._mine + STATE
        await self._run(self._index.open)
        names = await self._versions()
        await self._lists.heads(names, mine)
        needed = await self._run(self._index.needed_by_others, mine, 0)
        holder = self._host.store.keys.holder
        if holder is not None and not any(name.endswith(STATE) and name != mine for name in names):
            self._shelf.shut_out(holder.public)
        await self._shelf.remove(f"{self._label}-{mine}")
        segments = {name.partition(".")[0] for name in names if name.endswith((INDEX, CHUNKS)) and self._is_mine(name)}
        for segment in sorted(segments - needed):
            await self._remove(segment)

    # what is shown

    async def figures(self) -> tuple[Figures, int]:
        """How much suppliers have, and when they got the list last."""
        if not self._is_open:
            return Figures(), 0
        return await self._run(self._figures)

    def _figures(self) -> tuple[Figures, int]:
        while self._index.follow():
            pass
        return self._index.figures(), self._index.told_at()


async def _whole(source: ChunkSource) -> bytes:
    parts: list[bytes] = []
    at = 0
    while at < source.size:
        parts.append(await source.read(at, AT_ONCE))
        at += len(parts[-1])
    return b"".join(parts)
