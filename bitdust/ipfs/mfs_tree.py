"""The directory of MFS during one change: what is at its paths, and what it becomes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.blocks.leases import Lease
from bitdust.ipfs.blocks import InThread, follow
from bitdust.ipfs.mfs_paths import MfsPath, absent
from bitdust.ipfs.reading import What, entries, node_of
from bitdust.ipld import changes, directory, hamt, unixfs
from bitdust.ipld.changes import Changed
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.directory import Style
from bitdust.ipld.errors import FormatError
from bitdust.ipld.multihash import split
from bitdust.ipld.naming import Naming
from bitdust.ipld.steps import Steps
from bitdust.wire.errors import BitDustError

EMPTY = directory.flat(Naming(), ()).block
Names = Sequence[str]


def naming_of(cid: Cid) -> Naming:
    """What makes CIDs of the same kind."""
    return Naming(cid.version, split(cid.multihash)[0])


class Tree:
    """A root that changes, and the blocks that it is made of: those of the store, and those that I have made."""

    def __init__(self, root: Cid, lease: Lease, in_thread: InThread) -> None:
        self.root = root
        self.lease = lease
        self.in_thread = in_thread

    # blocks

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block, old or new."""
        return self.lease.get(cid)

    def get_some(self, cids: Sequence[Cid]) -> "Deferred[list[bytes]]":
        """The first one."""
        return self.lease.get(cids[0]).addCallback(lambda data: [data])

    async def keep(self, blocks: Sequence[Block]) -> None:
        """Store new blocks with the change."""
        for block in blocks:
            waiting = self.lease.put(block)
            if waiting is not None:
                await waiting

    async def _follow(self, steps: Steps[Any]) -> Any:
        return await follow(self, steps)

    # finding

    async def walk(self, names: Names) -> list[Link]:
        """The root and what is below it along a path, as far as there is something."""
        found = [Link(self.root)]
        for name in names:
            try:
                link = await self._follow(directory.lookup(found[-1].cid, name))
            except FormatError as error:
                if error.code != "unsupported":
                    raise
                raise BitDustError("no-directory", f"cannot access {name}: Not a directory") from error
            if link is None:
                break
            found.append(link)
        return found

    async def find(self, names: Names) -> Link | None:
        """What is at a path."""
        found = await self.walk(names)
        return found[-1] if len(found) == len(names) + 1 else None

    async def is_folder(self, cid: Cid) -> bool:
        return (await node_of(self, cid)).what is What.DIRECTORY

    async def need_place(self, names: Names, create: bool, parents: bool) -> list[Link]:
        """As `walk`, where a file is at a path, or one may be made there."""
        if not names:
            raise BitDustError("is-directory", "/ was not a file")
        found = await self.walk(names)
        if len(found) > len(names):
            if await self.is_folder(found[-1].cid):
                raise BitDustError("is-directory", f"{MfsPath(tuple(names))} was not a file")
        elif not create or (len(found) < len(names) and not parents):
            raise absent()
        return found

    # changing

    async def put(self, names: Names, link: Link, walked: Sequence[Link] = ()) -> None:
        """Let a path lead there, whatever it has led to; ``walked`` is the way there, where that is known.

        Raises ``no-file`` where the directory above is not there.
        """
        entry = Link(link.cid, names[-1], link.size)
        await self._change(names, lambda root, style: changes.put(root, entry, style), walked)

    async def add(self, names: Names, link: Link) -> None:
        """As `put`, where nothing is yet."""
        if not names or await self.find(names) is not None:
            where = MfsPath(tuple(names))
            text = f"cp: cannot put node in path {where}: directory already has entry by that name"
            raise BitDustError("exists", text)
        await self.put(names, link)

    async def _change(self, names: Names, first: Any, walked: Sequence[Link] = ()) -> None:
        """Change the last directory above a path, and those above it."""
        above = walked[: len(names)] or await self.walk(names[:-1])
        if len(above) < len(names):
            raise absent()
        step = first
        for depth in range(len(names) - 1, -1, -1):
            here = above[depth].cid
            changed: Changed = await self._follow(step(here, Style(naming_of(here))))
            await self.keep(changed.blocks)
            if depth:
                step = _putting(changed.root.link(names[depth - 1]))
        self.root = changed.root.cid

    async def make_folder(self, names: Names, parents: bool, naming: Naming | None) -> None:
        """A new directory; see `Mfs.make_folder`."""
        found = await self.walk(names)
        missing = names[len(found) - 1 :]
        if not missing:
            if not parents:
                raise BitDustError("exists", "file already exists")
            if not await self.is_folder(found[-1].cid):
                raise BitDustError("no-directory", f"{MfsPath(tuple(names))} was not a directory")
            return
        if len(missing) > 1 and not parents:
            raise absent()
        naming = naming or naming_of(found[-1].cid)
        made = directory.flat(naming, ())
        await self.keep([made.block])
        for name in reversed(missing[1:]):
            made = directory.flat(naming, [directory.checked(made.part.link(name))])
            await self.keep([made.block])
        await self.put(names[: len(found)], made.part.link())

    async def move(self, source: MfsPath, target: MfsPath) -> None:
        """See `Mfs.move`."""
        entry = await self.find(source.names)
        if entry is None:
            raise absent()
        if not source.names:
            raise BitDustError("bad-path", "cannot move root")
        names = (*target.names, source.names[-1]) if target.is_folder else target.names
        there = await self.find(names)
        if there is not None and names != source.names and await self.is_folder(there.cid):
            names = (*names, source.names[-1])
            there = await self.find(names)
            if there is not None and names != source.names:
                raise BitDustError("exists", "directory already has entry by that name")
        if names == source.names:
            return
        if names[: len(source.names)] == source.names:
            raise BitDustError("bad-path", f"{source} cannot be moved into itself")
        await self.put(names, entry)
        await self.take(source, recursive=True, force=False)

    async def take(self, path: MfsPath, recursive: bool, force: bool) -> None:
        """What is at a path goes. ``force`` does not miss what is not there."""
        if not path.names:
            raise BitDustError("bad-path", "cannot delete root")
        entry = await self.find(path.names)
        if entry is None:
            if force:
                return
            raise absent()
        if not recursive and await self.is_folder(entry.cid):
            raise BitDustError("is-directory", f"{path} is a directory, use -r to remove directories")
        await self._change(path.names, lambda root, style: changes.remove(root, path.names[-1], style))

    async def rename(self, names: Names, naming: Naming) -> None:
        """See `Mfs.rename_blocks`."""
        entry = await self.find(names)
        if entry is None:
            raise absent()
        if not await self.is_folder(entry.cid):
            raise BitDustError("no-directory", "can only update directories")
        links = await entries(self, entry.cid)
        meaning = directory.load(entry.cid, await self.get(entry.cid))[1]
        if meaning.kind == unixfs.Kind.HAMT:
            every = list(hamt.build(naming, links, meaning.fanout or hamt.FANOUT))
        else:
            every = [directory.flat(naming, links, meaning)]
        await self.keep([made.block for made in every])
        if names:
            await self.put(names, every[-1].part.link())
        else:
            self.root = every[-1].part.cid


def _putting(entry: Link) -> Any:
    return partial(_put, entry)


def _put(entry: Link, root: Cid, style: Style) -> Steps[Changed]:
    return changes.put(root, entry, style)
