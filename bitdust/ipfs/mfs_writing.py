"""A file of MFS that is written: bytes over others, more behind its end, as its client sends them.

Portions of two megabytes are written one after the other, as go-ipfs does, so files have the CIDs that they have there.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from attrs import define, evolve, frozen

from bitdust.blocks.leases import Lease
from bitdust.ipfs.blocks import InThread, follow
from bitdust.ipfs.mfs_paths import MfsPath
from bitdust.ipfs.mfs_tree import Tree, naming_of
from bitdust.ipfs.reading import What, node_of
from bitdust.ipld import dagpb, unixfs
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.changes import Changed
from bitdust.ipld.dagpb import Link
from bitdust.ipld.editing import overwrite, reopen
from bitdust.ipld.editing import truncate as cut
from bitdust.ipld.layout import Part
from bitdust.ipld.naming import Naming
from bitdust.ipld.steps import Steps
from bitdust.ipld.unixfs import Kind
from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

PORTION = 2 * 1024 * 1024
ZEROS = "size-4096"
"""How the bytes between an old end and an offset behind it are cut."""
LARGEST_GAP = 256 * 1024 * 1024
"""Bytes of them."""


@frozen
class Writing:
    """How a file is written: from ``offset`` on, at most ``count`` bytes; ``create`` makes it, ``parents`` the
    directories above it, ``truncate`` empties it before. New blocks are named as the old ones unless said otherwise."""

    offset: int = 0
    count: int | None = None
    create: bool = False
    parents: bool = False
    truncate: bool = False
    raw_leaves: bool | None = None
    naming: Naming | None = None


@define
class FileWriter:
    """One file that is being written; ``part`` is what it is by now."""

    part: Part
    _how: Writing
    _recipe: Recipe
    _tree: Tree

    @classmethod
    async def of(
        cls, before: Link | None, how: Writing, lease: Lease, in_thread: InThread, path: MfsPath
    ) -> "FileWriter":
        """Of a file as it is, or of a new one. Raises ``no-file`` for what is none."""
        naming = how.naming or (naming_of(before.cid) if before is not None else Naming())
        raw = naming.version > 0 if how.raw_leaves is None else how.raw_leaves
        if before is None:
            block = naming.node(dagpb.encode((), unixfs.file_part(Kind.FILE, b"")))
            tree = Tree(block.cid, lease, in_thread)
            await tree.keep([block])
            part = Part(block.cid, 0, len(block.data))
        else:
            tree = Tree(before.cid, lease, in_thread)
            node = await node_of(tree, before.cid)
            if node.what is not What.FILE:
                raise BitDustError("no-file", f"{path} was not a file")
            part = Part(before.cid, node.size, before.size)
        return cls(part, how, Recipe(naming, raw, trickle=True), tree)

    async def take(self, read: Callable[[], Awaitable[bytes]]) -> None:
        """Write everything, or as much as is to be counted."""
        if self._how.truncate and self.part.filesize:
            await self._edit(cut(self.part.cid, 0, self._recipe.naming))
        at = self._how.offset
        if at > self.part.filesize:
            await self._grow(at - self.part.filesize)
        builder: FileBuilder | None = None
        async for data in _portions(read, self._how.count):
            inside = data[: max(0, self.part.filesize - at)]
            if inside:
                await self._edit(overwrite(self.part.cid, at, inside, self._recipe.naming))
            if len(inside) < len(data):
                if builder is None:
                    builder = await self._follow(reopen(self.part.cid, self._recipe))
                await self._tree.keep(await self._tree.in_thread(builder.feed, data[len(inside) :]))
                if inside:
                    await self._close(builder)
                    builder = None
            at += len(data)
        if builder is not None:
            await self._close(builder)

    async def _grow(self, size: int) -> None:
        """Zeros behind the end."""
        if size > LARGEST_GAP:
            text = f"an offset is at most {in_words(LARGEST_GAP)} behind the end of a file"
            raise BitDustError("bad-argument", text)
        builder = await self._follow(reopen(self.part.cid, evolve(self._recipe, chunker=ZEROS)))
        while size:
            piece = min(size, PORTION)
            await self._tree.keep(await self._tree.in_thread(builder.feed, bytes(piece)))
            size -= piece
        await self._close(builder)

    async def _close(self, builder: FileBuilder) -> None:
        await self._tree.keep(await self._tree.in_thread(builder.finish))
        self.part = builder.root

    async def _edit(self, steps: Steps[Changed]) -> None:
        changed: Changed = await self._follow(steps)
        await self._tree.keep(changed.blocks)
        self.part = changed.root

    async def _follow(self, steps: Steps[Any]) -> Any:
        return await follow(self._tree, steps)


async def _portions(read: Callable[[], Awaitable[bytes]], count: int | None) -> AsyncIterator[bytes]:
    """Bytes in portions; what is behind those that count is read and dropped."""
    pieces: list[bytes] = []
    size = 0
    while data := await read():
        if count is not None:
            data, count = data[:count], count - min(len(data), count)  # noqa: PLW2901 - what counts of it
        pieces.append(data)
        size += len(data)
        if size >= PORTION:
            joined = b"".join(pieces)
            whole = size // PORTION * PORTION
            for start in range(0, whole, PORTION):
                yield joined[start : start + PORTION]
            pieces, size = [joined[whole:]], size - whole
    if size:
        yield b"".join(pieces)
