"""What one folder has on this node's disk, and the one thread that works on it: journal, tree, archive, chunks.

Peers are served in another thread, which only reads.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.batching import Batcher, ThreadQueue
from bitdust.crypt.files import write_all
from bitdust.disk.reserve import Reserve
from bitdust.folders.archive import Archive
from bitdust.folders.blind import Blind
from bitdust.folders.database import JOURNAL, read_only
from bitdust.folders.items import Local
from bitdust.folders.journal import Journal
from bitdust.folders.keys import FolderKeys
from bitdust.folders.packing import unpack
from bitdust.folders.placing import AT_ONCE, Call, Placed, each, place_all
from bitdust.folders.portions import Taken
from bitdust.folders.serving import ChunkSource, Serving
from bitdust.folders.tidying import Tidying
from bitdust.folders.tree import TEMPORARY, Tree
from bitdust.folders.walk import Read, Walk
from bitdust.folders.wishes import Wishes
from bitdust.folders.writing import Writer
from bitdust.observed import ObservedTime
from bitdust.world import World

if TYPE_CHECKING:
    from bitdust.folders.transfer import Task, Transfer

T = TypeVar("T")
CLEAN_EVERY = 3600.0


class Store:
    """I am made on the reactor; whatever I am asked goes through `run`, save `serve`."""

    def __init__(self, world: World, home: Path, root: Path, keys: FolderKeys) -> None:
        self.clock = world.clock
        self._home = home
        self._marked = home / "marked"
        self._wall = world.wall
        self._cleaned = 0.0
        self.keys = keys
        self.ident = keys.proof("mark")[:16].hex().encode()
        self.tree = Tree(root)
        self.journal = Journal(home / JOURNAL, keys, world.wall, world.entropy)
        self._late = late = ObservedTime(world)
        # A version that is put there while the clock is years behind is as new as any.
        self.archive = Archive(self.tree, lambda: max(world.wall(), late.stamp()))
        self.writer = Writer(self.tree, self.archive)
        self._percent = 0
        self.reserve = Reserve(lambda: self._percent)
        self.blind = Blind(self.tree, self.ident, self.journal, self.reserve)
        self.tidying = Tidying(self.tree, self.ident, self.journal, self.blind, world.wall)
        self._walk: Walk | None = None
        self._work = ThreadQueue(world.run_in_thread)
        self._small: Batcher[Call] = Batcher(lambda calls: self.run(each, calls), AT_ONCE)
        self._placing: Batcher[Transfer] = Batcher(lambda transfers: self.run(place_all, self, transfers), AT_ONCE)
        self._serving = ThreadQueue(world.run_in_thread)
        self.serving = Serving(self.tree, keys, self.blind)

    def run(self, call: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        """Call it in the folder's thread."""
        return self._work.submit(call, *arguments)

    def soon(self, call: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        """The same, in one job with others that come meanwhile: for very many, each of which is short."""
        return self._small.put((call, arguments))

    def place(self, transfer: "Transfer") -> "Deferred[None]":
        """Let it take its place, with others that come meanwhile."""
        return self._placing.put(transfer)

    def open(self) -> None:
        """Open the journal and find the folder; one that was just added gets its mark.

        Raises `bitdust.folders.tree.Missing`, `OSError`, `BitDustError`.
        """
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.serving.reader is None:
            self.journal.open()
            with self.journal.change() as database:
                self._late.load(database)
            self.serving.reader = read_only(self._home / JOURNAL)
        if not self._marked.exists():
            self.tree.mark(self.ident)
            os.close(os.open(self._marked, os.O_WRONLY | os.O_CREAT, 0o600))
        self.tree.check(self.ident)
        if self.keys.secret.may_read:
            self._finish()
        else:
            self.blind.open()

    def _finish(self) -> None:
        """What was replaced or deleted when a process died is between its place and the archive: it goes on."""
        with self.tree.folder(TEMPORARY) as folder, os.scandir(folder) as entries:
            left = {entry.stat(follow_symlinks=False).st_ino: os.fsdecode(entry.name) for entry in entries}
        for local in self.journal.items.with_inodes(left):
            found = self.tree.look(f"{TEMPORARY}/{left[local.inode]}")
            if found is not None and (found.kind, found.size, found.mtime) == (local.kind, local.size, local.mtime):
                self.archive.keep(found.path, local.path)

    def follow(self, wishes: Wishes) -> None:
        """What is wanted now; what has been kept for long enough goes, once an hour at most."""
        self.archive.is_on, self.archive.largest = wishes.is_archived, wishes.largest
        self._percent = wishes.reserve
        with self.journal.change():
            self.journal.note("selective", b"\1" if wishes.is_selective else b"")
            self._late.writer()(self.journal.database)
        if not 0 <= self._wall() - self._cleaned < CLEAN_EVERY:
            self._cleaned = self._wall()
            self.clean(wishes.archive_days)
            self.journal.forget_deletions(wishes.deletion_days, self._late.now())

    def clean(self, days: int) -> None:
        """Remove what has been in the archive for so many days; 0: nothing."""
        gone = self.archive.clean(days, self._late.now())
        if gone:
            with self.journal.change():
                for place in gone:
                    self.journal.items.forget(place)

    def forget(self) -> None:
        """The folder is kept in sync no more: should it be added again, it is marked again."""
        self._marked.unlink(missing_ok=True)

    def close(self) -> "Deferred[Any]":
        """Fires when nothing is read or written any more, and all is closed."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._work.when_idle()
        await self._serving.when_idle()
        reader, self.serving.reader = self.serving.reader, None
        if reader is not None:
            reader.close()
        self.journal.close()  # the last one, which brings all of the log into the file

    def read_housekeeping(self, name: str, most: int) -> str:
        """A text of the folder's own place; empty where there is none."""
        try:
            with self.tree.file(name) as descriptor:
                return os.read(descriptor, most).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def write_housekeeping(self, name: str, text: str) -> None:
        """Another such text, whole or not at all."""
        temporary = f"{TEMPORARY}/{name.rpartition('/')[2]}"
        with self.tree.beside(temporary) as (folder, last):
            descriptor = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            try:
                write_all(descriptor, text.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        with self.tree.beside(temporary) as (here, old), self.tree.beside(name) as (there, new):
            os.replace(old, new, src_dir_fd=here, dst_dir_fd=there)
            os.fsync(there)

    def reread(self, most: int) -> Read:
        """Read the next chunks of a keeper again, so many bytes. Raises `bitdust.folders.tree.Missing`, `OSError`."""
        self.tree.check(self.ident)
        self._walk = self._walk or Walk(self._home / "reread", self._wall)
        found = self._walk.read(self.journal, self.blind, most)
        self.tree.check(self.ident)  # its disk may have gone meanwhile, and nothing is damaged
        return found

    # for peers

    def take(self, payload: bytes, origin: bytes) -> Taken:
        """Records of a peer as they travel. Raises `WireError` where they cannot be unpacked."""
        return self.journal.take(unpack(payload), origin)

    def learn(self, records: Sequence[bytes], public: bytes) -> Taken:
        """Take records that came by another way, with the writers' key where that is known."""
        if public:
            self.journal.learn_public(public)
        return self.journal.take(records)

    def serve(self, names: Sequence[bytes]) -> "Deferred[ChunkSource]":
        """Sealed chunks, as the payload of an answer."""
        return ChunkSource(self.serving, self._serving.submit).find(names)

    # what is to be done

    def tasks(self, most: int, skip: Iterable[bytes]) -> "list[Task]":
        """The next items that the disk does not show yet."""
        from bitdust.folders.transfer import Task  # noqa: PLC0415 - it works on a store

        found = []
        for item in self.journal.items.due(most, skip):
            heads = self.journal.heads(item.id)
            entry = self.journal.entry(heads)
            local = self.journal.items.local(item.path)
            if not item.wanted and not item.deleted:
                # Not wanted here any more: it goes from this disk, and nobody is told. Peers have the same content.
                as_known = local is not None and local.content == item.content
                found.append(Task(item, heads[0].raw, evolve(entry, deleted=True), local, not as_known))
                continue
            found.append(Task(item, heads[0].raw, entry, local))
        return found

    def done(self, placed: "Sequence[Placed]") -> None:
        """The disk shows these items now."""
        if not placed:
            return
        with self.journal.change():
            for task, local, former in placed:
                self._done(task, local, former)
            if not self.journal.items.has_deletions():
                self.journal.note("confirmed", b"")

    def _done(self, task: "Task", local: Local | None, former: str) -> None:
        items, entry = self.journal.items, task.entry
        if former:
            items.move_pieces(entry.path, former)
        if local is not None:
            items.see(local, entry)
        else:
            items.forget(entry.path)
        heads = self.journal.heads(task.item.id)
        if heads and heads[0].raw == task.raw:
            items.settle(task.item.id)
        else:
            # Something newer has come meanwhile, be it that the path is no more: the disk is to show that.
            items.keep_base(task.item.id, task.raw, True)
            items.mark(task.item.id)
