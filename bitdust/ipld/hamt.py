"""Directories too large for one block: a hash array mapped trie of shards.

The hash of a name, eight bits a floor, says in which of the 256 places of a shard it stands; where two names have one
place, a shard stands there. A link is called by its place (``1F``), and an entry by its name after that (``1Fname``).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, pairwise
from typing import Final

from attrs import frozen

from bitdust.ipld import dagpb, unixfs
from bitdust.ipld.dagpb import Link, Node, name_bytes
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.layout import Made, Part
from bitdust.ipld.murmur import murmur64
from bitdust.ipld.naming import Naming
from bitdust.ipld.unixfs import Kind, UnixFs

FANOUT: Final = 256
MURMUR3: Final = 0x22
_KEY_BITS: Final = 64


def key_of(name: str) -> int:
    """Where a name stands, from the highest bits downwards."""
    return murmur64(name_bytes(name))


@frozen
class Shard:
    """One block: links by place. A link without a name is another shard."""

    slots: Mapping[int, Link]
    fanout: int = FANOUT

    @property
    def bits(self) -> int:
        """Bits of a hash that this floor uses."""
        return self.fanout.bit_length() - 1

    def place(self, key: int, depth: int) -> int:
        """The place of a hash in a shard so many floors below the root."""
        shift = _KEY_BITS - self.bits * (depth + 1)
        if shift < 0:
            raise too_large("names whose hashes are the same")
        return key >> shift & self.fanout - 1

    def encode(self) -> bytes:
        """The block."""
        width = len(f"{self.fanout - 1:X}")
        bitmap = sum(1 << place for place in self.slots)
        data = bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "big")
        meaning = UnixFs(Kind.HAMT, data, hash_type=MURMUR3, fanout=self.fanout)
        links = [Link(cid, f"{place:0{width}X}{name}", size) for place, (cid, name, size) in sorted(self.slots.items())]
        return dagpb.encode(links, meaning.encode())

    def make(self, naming: Naming) -> Made:
        """The block, and what its parent has to know of it."""
        block = naming.node(self.encode())
        return Made(block, Part(block.cid, 0, len(block.data) + sum(link.size for link in self.slots.values())))


def read(node: Node, meaning: UnixFs) -> Shard:
    """The shard of a node that is one. Places ascend and are those of the bitmap."""
    fanout = meaning.fanout
    if meaning.kind != Kind.HAMT or fanout is None:
        raise malformed("not a shard of a directory")
    if meaning.hash_type != MURMUR3:
        raise unsupported(f"a directory sharded by the hash function {meaning.hash_type}")
    width = len(f"{fanout - 1:X}")
    slots = {_place(name[:width], width, fanout): Link(cid, name[width:], size) for cid, name, size in node.links}
    if len(slots) != len(node.links) or any(one > other for one, other in pairwise(slots)):
        raise malformed("a shard whose places are not in order")
    if sum(1 << place for place in slots) != int.from_bytes(meaning.data or b"", "big"):
        raise malformed("a shard whose bitmap does not name its places")
    return Shard(slots, fanout)


def load(data: bytes) -> Shard:
    """The shard of a block."""
    node = dagpb.decode(data)
    return read(node, unixfs.decode(node.data))


def check(shard: Shard, prefix: int, depth: int) -> None:
    """Refuse a shard in the place of another: one of its own entries has to belong below the places that led here.

    So nobody makes a tree without end of few blocks that are named again and again.
    """
    if depth and not shard.slots:
        raise malformed("a shard without an entry below another one")
    for place, link in shard.slots.items():
        if link.name:
            shift = _KEY_BITS - shard.bits * (depth + 1)
            if shift < 0 or key_of(link.name) >> shift != prefix * shard.fanout + place:
                raise malformed("an entry in a place where its name does not belong")
            return
    if shard.bits * (depth + 2) > _KEY_BITS:
        raise malformed("a shard deeper than hashes reach")


def build(naming: Naming, entries: Iterable[Link], fanout: int = FANOUT) -> Iterator[Made]:
    """All shards of a directory, the root last. Each name stands once."""
    keyed = sorted(((key_of(link.name), link) for link in entries), key=_by_key)
    if len({link.name for _, link in keyed}) != len(keyed):
        raise malformed("a name that stands twice in a directory")
    return subtree(naming, keyed, 0, fanout)


def subtree(naming: Naming, keyed: list[tuple[int, Link]], depth: int, fanout: int) -> Iterator[Made]:
    """The shards below some places, for entries in the order of their hashes."""
    empty, slots = Shard({}, fanout), {}
    for place, group in groupby(keyed, lambda one: empty.place(one[0], depth)):
        entries = list(group)
        if len(entries) == 1:
            slots[place] = entries[0][1]
            continue
        for made in subtree(naming, entries, depth + 1, fanout):
            yield made
            slots[place] = made.part.link()
    yield Shard(slots, fanout).make(naming)


def _by_key(one: tuple[int, Link]) -> int:
    return one[0]


def _place(text: str, width: int, fanout: int) -> int:
    if len(text) == width and not set(text) - set("0123456789ABCDEF"):
        place = int(text, 16)
        if place < fanout:
            return place
    raise malformed("a link of a shard that has no place")
