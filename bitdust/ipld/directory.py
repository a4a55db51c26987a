"""Directories, in one block or in shards: made of their entries, read, searched, and resolved along a path."""

from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from bitdust.ipld import dagpb, hamt, unixfs
from bitdust.ipld.cid import DAG_PB, Cid
from bitdust.ipld.dagpb import Link, Node, name_bytes
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.layout import Made, Part
from bitdust.ipld.naming import Naming
from bitdust.ipld.steps import Steps
from bitdust.ipld.unixfs import FOLDER, Kind, UnixFs

SHARDED_FROM = 256 * 1024
"""Bytes of names and CIDs from which newer nodes shard a directory."""
FULL = 1024 * 1024
"""So many bytes of names and CIDs fit into one block; go-ipfs 0.6 goes on, and makes blocks that nobody takes."""
LONGEST_NAME = 4096
MOST_PENDING = 250_000
"""Links that are known and were not followed, of one walk."""


@frozen
class Style:
    """How directories are written: from ``sharded_from`` bytes of names and CIDs on in shards, below in one block.

    One that was sharded because it was `FULL` stays so when it shrinks, as in go-ipfs 0.6.
    """

    naming: Naming = Naming()
    sharded_from: int = FULL

    def is_sharded(self, links: Iterable[Link]) -> bool:
        """Whether a directory of these entries is written in shards."""
        return sum(weight(link) for link in links) >= self.sharded_from


def weight(entry: Link) -> int:
    """What an entry counts for when it is decided whether a directory is sharded."""
    return len(name_bytes(entry.name)) + len(bytes(entry.cid))


def build(style: Style, entries: Iterable[Link]) -> Iterator[Made]:
    """The blocks of a directory, the root last. Each name stands once."""
    links = [checked(entry) for entry in entries]
    if style.is_sharded(links):
        return hamt.build(style.naming, links)
    if len({link.name for link in links}) != len(links):
        raise malformed("a name that stands twice in a directory")
    return iter((flat(style.naming, links),))


def flat(naming: Naming, links: Sequence[Link], meaning: UnixFs = FOLDER) -> Made:
    """A directory of one block."""
    block = naming.node(dagpb.encode(links, meaning.encode()))
    return Made(block, Part(block.cid, 0, len(block.data) + sum(link.size for link in links)))


def checked(entry: Link) -> Link:
    """An entry whose name a path can lead to."""
    name = entry.name
    if not name or "/" in name or name in (".", ".."):
        raise malformed(f"{name!r} is no name of a directory's entry")
    if len(name_bytes(name)) > LONGEST_NAME:
        raise too_large(f"a name of more than {LONGEST_NAME} bytes")
    return entry


def load(cid: Cid, data: bytes) -> tuple[Node, UnixFs]:
    """Node and meaning of a block that should be a directory's."""
    if cid.codec != DAG_PB:
        raise unsupported(f"{cid} is not a directory")
    node = dagpb.decode(data)
    meaning = unixfs.decode(node.data)
    if not meaning.is_directory:
        raise unsupported(f"{cid} is not a directory")
    return node, meaning


def symlink(naming: Naming, target: str) -> Made:
    """A link to a path."""
    block = naming.node(dagpb.encode((), unixfs.symlink(target).encode()))
    return Made(block, Part(block.cid, 0, len(block.data)))


def lookup(root: Cid, name: str) -> Steps[Link | None]:
    """The entry of that name, if there is one."""
    return (yield from search(*load(root, (yield root)), name))


def search(node: Node, meaning: UnixFs, name: str) -> Steps[Link | None]:
    """The entry of that name in a directory whose first block is there."""
    if meaning.kind == Kind.DIRECTORY:
        return next((link for link in node.links if link.name == name), None)
    key, depth, shard = hamt.key_of(name), 0, hamt.read(node, meaning)
    while True:
        found = shard.slots.get(shard.place(key, depth))
        if found is None or found.name:
            return found if found is not None and found.name == name else None
        shard, depth = hamt.load((yield found.cid)), depth + 1


def resolve(root: Cid, names: Iterable[str]) -> Steps[Cid | None]:
    """What a path leads to from a root; ``None`` where a name is missing."""
    for name in names:
        entry = yield from lookup(root, name)
        if entry is None:
            return None
        root = entry.cid
    return root


class Listing:
    """All entries of a directory: by name in one block, by hash in shards.

    Fetch what is `wanted`, in any number ahead, and `give` the blocks in that order.
    """

    def __init__(self, root: Cid) -> None:
        self._pending: list[tuple[Cid, int, int]] = [(root, 0, 0)]
        self._fanout: int | None = None

    def wanted(self, most: int = 1) -> list[Cid]:
        """The next blocks, as far as they are known; none when all was given."""
        return [cid for cid, _, _ in self._pending[: -most - 1 : -1]]

    def give(self, data: bytes) -> list[Link]:
        """The entries in the next block."""
        cid, prefix, depth = self._pending.pop()
        node, meaning = load(cid, data)
        if meaning.kind == Kind.DIRECTORY and not depth:
            return list(node.links)
        shard = hamt.read(node, meaning)
        if self._fanout not in (None, shard.fanout):
            raise malformed("shards of one directory with different fanouts")
        self._fanout = shard.fanout
        hamt.check(shard, prefix, depth)
        slots = shard.slots.items()
        below = [(link.cid, prefix * shard.fanout + place, depth + 1) for place, link in slots if not link.name]
        self._pending += reversed(below)
        if len(self._pending) > MOST_PENDING:
            raise too_large("a directory with more open shards than any has")
        return [link for _, link in slots if link.name]
