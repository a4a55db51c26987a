"""Trees over the leaves of a file, built from the bottom while leaves come.

A builder holds, for each floor of the tree, the parts whose parent is not yet full: never the tree.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from attrs import Factory, define, evolve, frozen

from bitdust.ipld import dagpb, unixfs
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.errors import malformed
from bitdust.ipld.naming import Naming
from bitdust.ipld.unixfs import Kind, UnixFs

WIDTH = 174
"""Links of a node: as many as fill 8 KiB, at 47 bytes each."""
NODE = UnixFs(Kind.FILE)
"""What a node above others says, besides sizes."""
_REPEAT = 4
"""Sub-trees of each depth in a trickle tree."""


class Part(NamedTuple):
    """A block of a tree. ``filesize``: bytes of the file in it and below it; ``size``: bytes of blocks (Tsize)."""

    cid: Cid
    filesize: int
    size: int

    def link(self, name: str = "") -> dagpb.Link:
        """A link to it."""
        return dagpb.Link(self.cid, name, self.size)


class Made(NamedTuple):
    """A block that was built, and what its parent has to know of it."""

    block: Block
    part: Part


@frozen
class Leaves:
    """How leaves are made: bare bytes, or dag-pb nodes of a kind."""

    naming: Naming
    raw: bool = False
    kind: Kind = Kind.FILE

    def make(self, data: bytes) -> Made:
        """The leaf of a chunk."""
        if self.raw:
            block = self.naming.raw(data)
        else:
            block = self.naming.node(dagpb.encode((), unixfs.file_part(self.kind, data)))
        return Made(block, Part(block.cid, len(data), len(block.data)))


def join(naming: Naming, parts: Sequence[Part], like: UnixFs = NODE) -> Made:
    """The node above these parts of a file; what else it says and the bytes in it are those of ``like``."""
    sizes = tuple(part.filesize for part in parts)
    total = sum(sizes) + len(like.data or b"")
    meaning = evolve(like, filesize=total, blocksizes=sizes)
    block = naming.node(dagpb.encode([part.link() for part in parts], meaning.encode()))
    return Made(block, Part(block.cid, total, len(block.data) + sum(part.size for part in parts)))


class Layout(Protocol):
    """Takes leaves in the order of the file."""

    empty_leaf: bool
    """Whether a file without bytes has a leaf."""

    def add(self, leaf: Part) -> list[Block]:
        """The nodes that are complete with this leaf."""

    def finish(self) -> tuple[list[Block], Part]:
        """The nodes that were open, and the root."""


class Balanced:
    """All leaves equally deep; each node is full save for the last one of its floor. One leaf is its own root."""

    empty_leaf = True

    def __init__(self, naming: Naming, width: int = WIDTH) -> None:
        self._naming, self._width = naming, width
        self._floors: list[list[Part]] = [[]]

    def add(self, leaf: Part) -> list[Block]:
        """The nodes that are complete with this leaf."""
        blocks: list[Block] = []
        self._floors[0].append(leaf)
        floor = 0
        while len(self._floors[floor]) == self._width:
            blocks.append(self._close(floor))
            floor += 1
        return blocks

    def finish(self) -> tuple[list[Block], Part]:
        """The nodes that were open, and the root."""
        blocks, floor = [], 0
        while floor < len(self._floors) - 1 or len(self._floors[floor]) > 1:
            if self._floors[floor]:
                blocks.append(self._close(floor))
            floor += 1
        if not self._floors[floor]:
            raise malformed("a file without a leaf")
        return blocks, self._floors[floor][0]

    def _close(self, floor: int) -> Block:
        block, part = join(self._naming, self._floors[floor])
        self._floors[floor] = []
        if floor + 1 == len(self._floors):
            self._floors.append([])
        self._floors[floor + 1].append(part)
        return block


@define
class Open:
    """A node of a trickle tree that may get more: its parts, and how many of them are trees, at most of which depth."""

    deepest: int
    parts: list[Part] = Factory(list)
    trees: int = 0
    like: UnixFs = NODE

    @property
    def next_depth(self) -> int:
        return 1 + self.trees // _REPEAT


class Trickle:
    """Leaves first, then four trees of depth 1, four of depth 2, and so on: what comes first is found soonest.

    A tree of depth d has leaves, and trees of less depth than d. The root has a depth without limit, and stands over a
    single leaf too. ``nodes`` are those that are open, the root first, where a tree is not begun but goes on.
    """

    empty_leaf = False

    def __init__(self, naming: Naming, width: int = WIDTH, nodes: Sequence[Open] = ()) -> None:
        self._naming, self._width = naming, width
        self._open = list(nodes) or [Open(0)]

    def add(self, leaf: Part) -> list[Block]:
        """The nodes that are complete with this leaf."""
        blocks: list[Block] = []
        while True:
            last = self._open[-1]
            if len(last.parts) < self._width and not last.trees:
                last.parts.append(leaf)
                return blocks
            if len(self._open) == 1 or last.next_depth < last.deepest:
                self._open.append(Open(last.next_depth))
            else:
                blocks.append(self._close())

    def finish(self) -> tuple[list[Block], Part]:
        """The nodes that were open, and the root."""
        blocks = [self._close() for _ in self._open[1:]]
        block, root = join(self._naming, self._open[0].parts, self._open[0].like)
        return [*blocks, block], root

    def _close(self) -> Block:
        closed = self._open.pop()
        block, part = join(self._naming, closed.parts, closed.like)
        self._open[-1].parts.append(part)
        self._open[-1].trees += 1
        return block
