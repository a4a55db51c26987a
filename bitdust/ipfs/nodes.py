"""dag-pb nodes as such: their links and bytes, changed one by one, and compared."""

from collections.abc import Callable, Sequence
from enum import IntEnum

from attrs import frozen

from bitdust.ipfs.blocks import Blocks, get, work
from bitdust.ipfs.mfs_tree import naming_of
from bitdust.ipld import dagpb
from bitdust.ipld.cid import DAG_PB, Block, Cid
from bitdust.ipld.dagpb import Link, Node
from bitdust.ipld.naming import Naming
from bitdust.wire.errors import BitDustError

DEEPEST = 256
MOST_COMPARED = 100_000
"""Pairs of nodes that one comparison looks at."""


class Kind(IntEnum):
    """What a change is."""

    ADDED = 0
    REMOVED = 1
    CHANGED = 2


@frozen
class Difference:
    """What is at a path below one node and not below another."""

    kind: Kind
    path: str
    before: Cid | None = None
    after: Cid | None = None


@frozen
class Stored:
    """A node that is stored: its CID, its links and bytes, and the size of its block."""

    cid: Cid
    node: Node
    size: int

    @property
    def whole(self) -> int:
        """Bytes of the block and of all below it, as its links say."""
        return self.size + sum(link.size for link in self.node.links)


def no_link(name: str, cid: Cid) -> BitDustError:
    """Of a name that a node does not have."""
    return BitDustError("no-link", f'no link named "{name}" under {cid}')


@frozen
class Nodes:
    """I read nodes, and make new ones of them: those are in `made`, the last one last."""

    _blocks: Blocks
    made: list[Block]

    async def load(self, cid: Cid) -> Stored:
        """Raises `BitDustError` ``no-node`` for a block that has no links by name."""
        if cid.codec != DAG_PB:
            raise BitDustError("no-node", f"{cid}: expected protobuf dag node")
        data = await get(self._blocks, cid)
        return Stored(cid, await work(self._blocks.in_thread, len(data), dagpb.decode, data), len(data))

    def make(self, links: Sequence[Link], data: bytes | None, naming: Naming) -> Stored:
        """A new node; one without bytes has no data."""
        block = naming.node(dagpb.encode(links, data or None))
        self.made.append(block)
        return Stored(block.cid, Node(tuple(links), data), len(block.data))

    async def with_data(self, cid: Cid, change: Callable[[bytes], bytes]) -> Stored:
        """A node with other bytes."""
        node = (await self.load(cid)).node
        return self.make(node.links, change(node.data or b""), naming_of(cid))

    async def with_link(self, root: Cid, names: Sequence[str], target: Cid, between: bytes | None) -> Stored:
        """A node that links to another one at a path; nodes on the way that are missing have the bytes ``between``."""
        size = len(await get(self._blocks, target))
        if target.codec == DAG_PB:
            size = (await self.load(target)).whole
        return await self._change(root, names, Link(target, names[-1], size), between)

    async def without_link(self, root: Cid, names: Sequence[str]) -> Stored:
        """A node without the link at a path."""
        return await self._change(root, names, None, None)

    async def _change(self, root: Cid, names: Sequence[str], entry: Link | None, between: bytes | None) -> Stored:
        if len(names) > DEEPEST:
            raise BitDustError("too-deep", f"a path has at most {DEEPEST} names here")
        above = [await self.load(root)]
        for name in names[:-1]:
            link = _find(above[-1].node, name)
            if link is not None:
                above.append(await self.load(link.cid))
            elif between is not None:
                above.append(Stored(root, Node((), between), 0))
            else:
                raise no_link(name, above[-1].cid)
        if entry is None and _find(above[-1].node, names[-1]) is None:
            raise no_link(names[-1], above[-1].cid)
        made = above[0]
        for here, name in zip(reversed(above), reversed(names), strict=True):
            links = [link for link in here.node.links if link.name != name]
            if entry is not None:
                links.append(Link(entry.cid, name, entry.size))
            made = self.make(links, here.node.data, naming_of(here.cid))
            entry = Link(made.cid, "", made.whole)
        return made

    # comparing

    async def compare(self, one: Cid, other: Cid) -> list[Difference]:
        """What is different below two nodes, by the names of links. Raises ``too-large``."""
        found: list[Difference] = []
        await _Comparison(self, found).compare(one, other, "", 0)
        return found


class _Comparison:
    """One comparison, which ends where it is too much."""

    def __init__(self, nodes: Nodes, found: list[Difference]) -> None:
        self._nodes = nodes
        self._found = found
        self._count = 0

    async def compare(self, one: Cid, other: Cid, path: str, depth: int) -> None:
        self._count += 1
        if self._count > MOST_COMPARED or depth > DEEPEST or len(self._found) > MOST_COMPARED:
            raise BitDustError("too-large", "there is more to compare than one command looks at")
        if one == other:
            return
        pair = [await self._links(cid) for cid in (one, other)]
        if pair[0] is None or pair[1] is None or not (pair[0] or pair[1]):
            self._found.append(Difference(Kind.CHANGED, path, one, other))
            return
        before, after = pair[0], pair[1]
        for name in [name for name in before if name in after]:
            await self.compare(before.pop(name), after.pop(name), _joined(path, name), depth + 1)
        self._found += [Difference(Kind.REMOVED, _joined(path, name), cid) for name, cid in before.items()]
        self._found += [Difference(Kind.ADDED, _joined(path, name), None, cid) for name, cid in after.items()]

    async def _links(self, cid: Cid) -> dict[str, Cid] | None:
        """Links by name; None where it has no names."""
        if cid.codec != DAG_PB:
            return None
        links: dict[str, Cid] = {}
        for link in (await self._nodes.load(cid)).node.links:
            links.setdefault(link.name, link.cid)
        return links


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _find(node: Node, name: str) -> Link | None:
    return next((link for link in node.links if link.name == name), None)
