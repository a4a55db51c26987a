"""Files that come in, one after the other, and become blocks; at their end the directories above them are made.

Nothing is kept of a file but its CID and size. All blocks and the pins are committed together, so an answer means that
everything is on the disk; what was not answered for is removed by the next collection.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from bitdust.blocks.values import Change, Pin
from bitdust.ipfs.blocks import InThread, work
from bitdust.ipld import dagpb, directory, unixfs
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.directory import Style
from bitdust.ipld.layout import Part
from bitdust.wire.errors import BitDustError

MOST_ENTRIES = 1_000_000
"""Files and directories of one add."""
DEEPEST = 256
LONGEST_TARGET = 4096
LINK = 64
"""Bytes of an entry of a directory, about."""


class Incoming(Protocol):
    """A file, directory or symlink that comes in; its name is a path in bytes."""

    @property
    def name(self) -> bytes: ...

    @property
    def kind(self) -> str:
        """``file``, ``directory`` or ``symlink``."""


class Source(Protocol):
    """Files as they come, each read to its end before the next one; `bitdust.web.ipfs.upload.Upload` is one."""

    async def next(self) -> Incoming | None:
        """The next one."""

    async def read(self) -> bytes:
        """More of its bytes; none at its end."""


class Lease(Protocol):
    """Where blocks go; `bitdust.blocks.leases.Lease` is one."""

    def put(self, block: Block, /) -> "Deferred[None] | None":
        """Take one; a Deferred asks to wait."""

    def commit(self, *changes: Change) -> "Deferred[None]":
        """Fires when everything is on the disk."""

    def end(self) -> None:
        """No more."""


@frozen
class Added:
    """A file or directory that is there now: its path, "" for what has none."""

    name: str
    part: Part


@frozen
class AddOptions:
    """How files become blocks; ``wrap`` makes a directory around everything, ``pin`` pins what was added as such."""

    recipe: Recipe = Recipe()
    wrap: bool = False
    pin: bool = True


@define
class _Folder:
    """A directory that is being filled."""

    entries: "dict[str, Part | _Folder]" = field(factory=dict)


class Adder:
    """One add. Without a ``lease`` blocks are only counted and named, not stored."""

    def __init__(self, options: AddOptions, lease: Lease | None, in_thread: InThread) -> None:
        self._options = options
        self._lease = lease
        self._in_thread = in_thread
        self._top = _Folder()
        self._count = 0
        self.added: list[Added] = []

    async def take(self, source: Source) -> None:
        """Take every file. Raises `BitDustError`."""
        while (incoming := await source.next()) is not None:
            path = _path(incoming.name)
            if incoming.kind == "directory":
                while await source.read():
                    continue
                self._folder(path)
            else:
                part = await (self._symlink(source) if incoming.kind == "symlink" else self._file(source))
                self._place(path, part)

    async def _file(self, source: Source) -> Part:
        """A small one is hashed at once: to wake a thread takes longer."""
        builder, size = FileBuilder(self._options.recipe), 0
        while data := await source.read():
            size += len(data)
            await self._store(await work(self._in_thread, size, builder.feed, data))
        await self._store(await work(self._in_thread, size, builder.finish))
        return builder.root

    async def _symlink(self, source: Source) -> Part:
        target = b""
        while data := await source.read():
            target += data
            if len(target) > LONGEST_TARGET:
                raise BitDustError("too-large", f"a symlink has a target of at most {LONGEST_TARGET} bytes")
        meaning = unixfs.symlink(target.decode("utf-8", "surrogateescape"))
        block = self._options.recipe.naming.node(dagpb.encode((), meaning.encode()))
        await self._store([block])
        return Part(block.cid, len(target), len(block.data))

    async def _store(self, blocks: Sequence[Block]) -> None:
        if self._lease is None:
            return
        for block in blocks:
            waiting = self._lease.put(block)
            if waiting is not None:
                await waiting

    # the tree

    def _count_one(self) -> None:
        self._count += 1
        if self._count > MOST_ENTRIES:
            raise BitDustError("too-large", f"one add takes at most {MOST_ENTRIES} files; add them in several")

    def _folder(self, path: Sequence[str]) -> _Folder:
        here = self._top
        for name in path:
            below = here.entries.get(name)
            if below is None:
                self._count_one()
                below = here.entries[name] = _Folder()
            elif not isinstance(below, _Folder):
                raise BitDustError("bad-name", f"{'/'.join(path)[:200]!r} is both a file and a directory")
            here = below
        return here

    def _place(self, path: Sequence[str], part: Part) -> None:
        self._count_one()
        if not path:
            name = str(part.cid)
            self.added.append(Added(name, part))
            self._top.entries.setdefault(name, part)
            return
        folder = self._folder(path[:-1])
        if isinstance(folder.entries.get(path[-1]), _Folder):
            raise BitDustError("bad-name", f"{'/'.join(path)[:200]!r} is both a file and a directory")
        folder.entries[path[-1]] = part
        self.added.append(Added("/".join(path), part))

    async def finish(self) -> list[Cid]:
        """Make the directories and commit everything; what was added as such, first to last."""
        roots: list[Cid] = []
        if self._options.wrap:
            roots = [(await self._build(self._top, "")).cid]
        else:
            for name, entry in self._top.entries.items():
                part = await self._build(entry, name) if isinstance(entry, _Folder) else entry
                roots.append(part.cid)
        if self._lease is not None:
            pins = [Pin(cid) for cid in dict.fromkeys(roots)] if self._options.pin else []
            await self._lease.commit(*pins)
        return roots

    async def _build(self, top: _Folder, name: str) -> Part:
        """From the lowest directories up, each behind what is in it, by name."""
        for path, folder, parent, last in list(_walk(top, name)):
            links = [
                Link(part.cid, entry, part.size) for entry, part in folder.entries.items() if isinstance(part, Part)
            ]
            size = LINK * len(links)
            made = await work(self._in_thread, size, lambda links=links: list(directory.build(self._style, links)))
            await self._store([one.block for one in made if not one.block.cid.is_inline])
            part: Part = made[-1].part
            self.added.append(Added(path, part))
            if parent is None:
                return part
            parent.entries[last] = part
        raise AssertionError("a walk ends at its top")

    @property
    def _style(self) -> Style:
        return Style(self._options.recipe.naming)


def _walk(
    folder: _Folder, path: str, parent: _Folder | None = None
) -> "Iterator[tuple[str, _Folder, _Folder | None, str]]":
    """Every directory with its path, the one above it, and its name there; what is below comes first."""
    for name in sorted(folder.entries):
        below = folder.entries[name]
        if isinstance(below, _Folder):
            yield from _walk(below, f"{path}/{name}" if path else name, folder)
    yield path, folder, parent, path.rpartition("/")[2]


def _path(name: bytes) -> list[str]:
    """The names of a path. Raises `BitDustError` ``bad-name`` for one that leads out of what is added."""
    segments = name.decode("utf-8", "surrogateescape").split("/") if name else []
    if len(segments) > DEEPEST or any(not one or one in (".", "..") or "\0" in one for one in segments):
        raise BitDustError("bad-name", f"{name[:200]!r} is no path inside of what is added")
    return segments
