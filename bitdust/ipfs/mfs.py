"""Files with names that stay while what they hold changes (MFS): one directory, whose CID is a root of the block store.

Changes come one after the other, and each is one commit: its blocks, and the root that names them. So a path is as it
was before a change or as it is afterwards, whatever happens, and what was answered stays.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from attrs import Factory, define, evolve, frozen
from twisted.internet.defer import Deferred, DeferredLock

from bitdust.blocks.leases import Lease
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Root
from bitdust.ipfs.adding import Source
from bitdust.ipfs.blocks import InThread
from bitdust.ipfs.mfs_paths import MfsPath, absent
from bitdust.ipfs.mfs_tree import EMPTY, Tree
from bitdust.ipfs.mfs_writing import FileWriter, Writing
from bitdust.ipfs.reading import What, node_of
from bitdust.ipld.cid import Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.naming import Naming
from bitdust.wire.errors import BitDustError

NAME = "mfs"
Read = Callable[[], Awaitable[bytes]]
"""More bytes of a body; none at its end."""


@frozen
class Mfs:
    """I change the directory, and find what is in it."""

    _store: Callable[[], BlockStore]
    _in_thread: InThread
    _lock: DeferredLock
    _writing: dict[MfsPath, DeferredLock]
    _is_local: bool = False

    @classmethod
    def over(cls, store: Callable[[], BlockStore], in_thread: InThread) -> "Mfs":
        """Of the block store that is open when it is asked for."""
        return cls(store, in_thread, DeferredLock(), {})

    def local(self) -> "Mfs":
        """The same, which reads nothing but this disk."""
        return evolve(self, is_local=True)

    # finding

    async def root(self) -> Cid:
        """The directory. An empty one is made where there is none yet."""
        found = (await self._store().roots()).get(NAME)
        if found is None:
            await self.change(_nothing)
            found = (await self._store().roots()).get(NAME, EMPTY.cid)
        return found

    async def find(self, path: MfsPath) -> Link:
        """What is at a path. Raises ``no-file`` where nothing is, ``no-directory`` where a file is above it."""
        lease = self._store().lease(self._is_local)
        try:
            found = await Tree(await self.root(), lease, self._in_thread).find(path.names)
        finally:
            lease.end()
        if found is None:
            raise absent()
        return found

    # changing

    async def change(self, work: Callable[[Tree], Awaitable[None]]) -> None:
        """Work on the directory, alone, and commit what it has become. Where it fails, nothing has changed."""
        lease = self._store().lease(self._is_local)
        try:
            await _alone(self._lock, lambda: self._change(work, lease))
        finally:
            lease.end()

    async def _change(self, work: Callable[[Tree], Awaitable[None]], lease: Lease) -> None:
        before = (await self._store().roots()).get(NAME)
        tree = Tree(before or EMPTY.cid, lease, self._in_thread)
        if before is None:
            await tree.keep([EMPTY])
        await work(tree)
        if tree.root != before:
            await lease.commit(Root(NAME, tree.root))

    async def make_folder(self, path: MfsPath, parents: bool, naming: Naming | None) -> None:
        """A new directory; with ``parents`` those above it too, and no error where it is there."""
        await self.change(lambda tree: tree.make_folder(path.names, parents, naming))

    async def copy(self, entry: Link, path: MfsPath, parents: bool) -> None:
        """Let a path lead to a file or directory of any other place."""

        async def place(tree: Tree) -> None:
            await tree.lease.hold(entry.cid)
            node = await node_of(tree, entry.cid)
            if node.what is What.OTHER:
                raise BitDustError("no-file", f"{entry.cid} is neither a file nor a directory")
            if parents:
                await tree.make_folder(path.names[:-1], True, None)
            await tree.add(path.names, Link(entry.cid, "", node.whole))

        await self.change(place)

    async def move(self, source: MfsPath, target: MfsPath) -> None:
        """Another path for what is at one: in the directory at ``target``, or in place of the file there."""
        await self.change(lambda tree: tree.move(source, target))

    async def remove(self, paths: list[MfsPath], recursive: bool, force: bool) -> None:
        """All of these paths or none. ``force`` takes directories too, and does not miss what is not there."""

        async def take(tree: Tree) -> None:
            for path in paths:
                await tree.take(path, recursive or force, force)

        await self.change(take)

    async def rename_blocks(self, path: MfsPath, naming: Naming) -> None:
        """Write a directory with CIDs of another kind, and from now on what is made in it."""
        await self.change(lambda tree: tree.rename(path.names, naming))

    # writing files

    async def write(self, path: MfsPath, how: Writing, read: Read) -> None:
        """Write what ``read`` gives into a file; see `FileWrite`."""
        writing = self.writing(path, how)
        try:
            await writing.take_all(read)
            await writing.finish()
        finally:
            writing.end()

    def writing(self, path: MfsPath, how: Writing) -> "FileWrite":
        """A file that is to be written."""
        lock = self._writing.setdefault(path, DeferredLock())
        return FileWrite(self, path, how, lock, self._store().lease(self._is_local), self._in_thread)

    async def commit(self, work: Callable[[Tree], Awaitable[None]], lease: Lease) -> None:
        """As `change`, with what was put under a lease."""
        await _alone(self._lock, lambda: self._change(work, lease))

    def written(self, path: MfsPath, lock: DeferredLock) -> None:
        """Nobody writes a file any more, unless somebody waits for it."""
        if not lock.locked and not lock.waiting:
            self._writing.pop(path, None)


@define(eq=False)
class FileWrite:
    """One file that is written. Who writes the same one waits; everything else goes on meanwhile. `end` ends it."""

    _mfs: Mfs
    _path: MfsPath
    _how: Writing
    _lock: DeferredLock
    _lease: Lease
    _in_thread: InThread
    _has_lock: bool = False
    _root: Cid | None = None
    _walked: list[Link] = Factory(list)
    _before: Link | None = None
    _writer: FileWriter | None = None

    async def take(self, source: Source) -> None:
        """All bytes of the file at which a source is."""
        await self.take_all(source.read)

    async def take_all(self, read: Read) -> None:
        """All bytes that there are."""
        await self._lock.acquire()
        self._has_lock = True
        self._root = await self._mfs.root()
        tree = Tree(self._root, self._lease, self._in_thread)
        self._walked = await tree.need_place(self._path.names, self._how.create, self._how.parents)
        self._before = self._at_path(self._walked)
        if self._before is not None:
            await self._lease.hold(self._before.cid)
        self._writer = await FileWriter.of(self._before, self._how, self._lease, self._in_thread, self._path)
        await self._writer.take(read)

    def _at_path(self, way: list[Link]) -> Link | None:
        return way[-1] if len(way) > len(self._path.names) else None

    async def finish(self) -> list[Link]:
        """Let the path lead to it. Raises ``changed`` where something else is there than when it was begun."""
        assert self._writer is not None
        await self._mfs.commit(self._place, self._lease)
        return [self._writer.part.link()]

    async def _place(self, tree: Tree) -> None:
        names, before = self._path.names, self._before
        way = self._walked if tree.root == self._root else await tree.walk(names)
        now = self._at_path(way)
        if (now and now.cid) != (before and before.cid):
            raise BitDustError("changed", f"{self._path} was changed while it was written; write it again")
        if len(way) < len(names) and self._how.parents:
            await tree.make_folder(names[:-1], True, None)
            way = []
        assert self._writer is not None
        await tree.put(names, self._writer.part.link(), way)

    def end(self) -> None:
        """It is written, or given up; may be called again."""
        self._lease.end()
        if self._has_lock:
            self._has_lock = False
            self._lock.release()
        self._mfs.written(self._path, self._lock)


def _alone(lock: DeferredLock, work: Callable[[], Coroutine[Any, Any, None]]) -> "Deferred[None]":
    """Work once nobody else does."""
    return lock.run(lambda: Deferred.fromCoroutine(work()))


async def _nothing(tree: Tree) -> None:
    """A change that only makes the directory."""
