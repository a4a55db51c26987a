"""Changing a file that is already a tree: bytes over others, an end cut off, more behind it. Other leaves stay.

As go-ipfs writes files that are open for writing: what is replaced keeps the shape of the tree, and what is added goes
on as a trickle tree with a new leaf, however short the last one is. To write beyond the end, add zeros first.
"""

from attrs import Factory, define, evolve

from bitdust.ipld import dagpb, unixfs
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.changes import Changed
from bitdust.ipld.cid import DAG_PB, RAW, Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.layout import Made, Open, Part, Trickle, join
from bitdust.ipld.naming import Naming
from bitdust.ipld.reading import DEEPEST
from bitdust.ipld.steps import Steps
from bitdust.ipld.unixfs import UnixFs


@define
class _Node:
    """One block of a file, open."""

    cid: Cid
    meaning: UnixFs | None
    data: bytes
    parts: list[Part] = Factory(list)

    @property
    def size(self) -> int:
        """Bytes of the file in it and below it."""
        return len(self.data) + sum(part.filesize for part in self.parts)

    def make(self, naming: Naming) -> Made:
        """The block as it is now; a leaf of bytes stays one."""
        if self.meaning is None:
            block = naming.raw(self.data)
            return Made(block, Part(block.cid, len(self.data), len(block.data)))
        return join(naming, self.parts, evolve(self.meaning, data=self.data or None))


def _open(cid: Cid, data: bytes, depth: int = 0) -> _Node:
    if depth > DEEPEST:
        raise too_large(f"a file whose tree is deeper than {DEEPEST}")
    if cid.codec == RAW:
        return _Node(cid, None, data)
    if cid.codec != DAG_PB:
        raise unsupported(f"{cid} is not a file")
    node = dagpb.decode(data)
    meaning = unixfs.decode(node.data)
    if not meaning.is_file:
        raise unsupported(f"this dag node is a {meaning.kind.name.lower()}")
    if len(meaning.blocksizes) != len(node.links):
        raise malformed("a file that does not say how long each of its parts is")
    parts = [_part(link, size) for link, size in zip(node.links, meaning.blocksizes, strict=True)]
    return _Node(cid, meaning, meaning.data or b"", parts)


def _below(part: Part, depth: int) -> Steps[_Node]:
    """A part of a file, which has the size that was said of it."""
    node = _open(part.cid, (yield part.cid), depth)
    if node.size != part.filesize:
        raise malformed(f"{node.size} bytes in a part of a file that should have {part.filesize}")
    return node


def _part(link: Link, size: int) -> Part:
    return Part(link.cid, size, link.size)


@define
class _Edit:
    """One change on its way down; `blocks` are those that it made on its way up."""

    naming: Naming
    blocks: list[Block] = Factory(list)

    def keep(self, made: Made) -> Part:
        """A new block."""
        if not made.block.cid.is_inline:
            self.blocks.append(made.block)
        return made.part

    def replace(self, node: _Node, offset: int, data: bytes, depth: int) -> Steps[Part]:
        """The node with other bytes from an offset on, all of which it has."""
        own = len(node.data)
        if offset < own:
            node.data = (node.data[:offset] + data + node.data[offset + len(data) :])[:own]
        start = own
        for index, part in enumerate(node.parts):
            first, last = max(offset, start), min(offset + len(data), start + part.filesize)
            if first < last:
                below = yield from _below(part, depth + 1)
                piece = data[first - offset : last - offset]
                node.parts[index] = yield from self.replace(below, first - start, piece, depth + 1)
            start += part.filesize
        return self.keep(node.make(self.naming))

    def cut(self, node: _Node, size: int, depth: int) -> Steps[Part]:
        """The node with so many bytes, fewer than it has."""
        left = size - len(node.data)
        node.data = node.data[:size]
        kept: list[Part] = []
        for part in node.parts:
            if left <= 0:
                break
            if part.filesize > left:
                below = yield from _below(part, depth + 1)
                part = yield from self.cut(below, left, depth + 1)  # noqa: PLW2901 - what is left of it
            kept.append(part)
            left -= part.filesize
        node.parts = kept
        return self.keep(node.make(self.naming))


def overwrite(root: Cid, offset: int, data: bytes, naming: Naming = Naming()) -> Steps[Changed]:  # noqa: B008 - a value
    """Other bytes from an offset on; they may not go beyond the end."""
    node = _open(root, (yield root))
    if offset < 0 or offset + len(data) > node.size:
        raise malformed(f"bytes beyond the end of a file of {node.size}")
    edit = _Edit(naming)
    part = yield from edit.replace(node, offset, data, 0)
    return Changed(part, edit.blocks)


def truncate(root: Cid, size: int, naming: Naming = Naming()) -> Steps[Changed]:  # noqa: B008 - a value
    """The first bytes of a file, at most as many as it has."""
    node = _open(root, (yield root))
    if not 0 <= size <= node.size:
        raise malformed(f"a file of {node.size} bytes cannot be cut to {size}")
    edit = _Edit(naming)
    part = yield from edit.cut(node, size, 0)
    return Changed(part, edit.blocks)


def reopen(root: Cid, recipe: Recipe) -> Steps[FileBuilder]:
    """A builder that goes on behind the last byte of a file, by a recipe whose layout is trickle."""
    recipe = evolve(recipe, trickle=True)
    node = _open(root, (yield root))
    nodes, deepest = list[Open](), 0
    if node.meaning is None:
        nodes.append(Open(0, [Part(root, node.size, node.size)] if node.size else []))
    while node.meaning is not None:
        trees = max(0, len(node.parts) - recipe.width)
        nodes.append(Open(deepest, node.parts, trees, node.meaning))
        if not trees:
            break
        last = node.parts[-1]
        node = yield from _below(last, len(nodes))
        if node.parts:
            nodes[-1].parts.pop()
            nodes[-1].trees -= 1
            deepest = nodes[-1].next_depth
        else:
            break
    return FileBuilder(recipe, Trickle(recipe.naming, recipe.width, nodes))
