"""Changing one entry of a directory: only the blocks on the way to it are read and written.

What comes out is what `directory.build` would make of all entries, whatever order they came in, save that one which was
sharded because it was full stays so.
"""

from attrs import Factory, define

from bitdust.ipld import directory, hamt
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.dagpb import Link, Node
from bitdust.ipld.directory import Listing, Style, weight
from bitdust.ipld.errors import FormatError
from bitdust.ipld.hamt import Shard
from bitdust.ipld.layout import Made, Part
from bitdust.ipld.naming import Naming
from bitdust.ipld.steps import Steps
from bitdust.ipld.unixfs import Kind, UnixFs


@define
class Changed:
    """The directory after a change: new blocks, the root last, and the root itself."""

    root: Part
    blocks: list[Block] = Factory(list)


def put(root: Cid, entry: Link, style: Style = Style()) -> Steps[Changed]:  # noqa: B008 - a value
    """Add an entry, or replace the one of its name."""
    return _change(root, directory.checked(entry).name, entry, style)


def remove(root: Cid, name: str, style: Style = Style()) -> Steps[Changed]:  # noqa: B008 - a value
    """Take an entry away; code ``absent`` where there is none of that name."""
    return _change(root, name, None, style)


def _change(root: Cid, name: str, entry: Link | None, style: Style) -> Steps[Changed]:
    node, meaning = directory.load(root, (yield root))
    if meaning.kind == Kind.DIRECTORY:
        return _flat(node, meaning, name, entry, style)
    change = _ShardChange(style.naming, name, entry)
    shard = yield from change.apply(hamt.read(node, meaning), 0)
    made = change.keep(shard.make(style.naming))
    if entry is None and style.sharded_from < directory.FULL:
        links = yield from _if_small(made, change.blocks, style.sharded_from)
        if links is not None:
            made = directory.flat(style.naming, links)
            return Changed(made.part, [made.block])
    return Changed(made.part, change.blocks)


def _flat(node: Node, meaning: UnixFs, name: str, entry: Link | None, style: Style) -> Changed:
    """The change of a directory of one block, which may be one of shards then."""
    links = [link for link in node.links if link.name != name]
    if entry is not None:
        links.append(entry)
    elif len(links) == len(node.links):
        raise _absent(name)
    if style.is_sharded(links):
        every = list(hamt.build(style.naming, links))
        return Changed(every[-1].part, [made.block for made in every])
    made = directory.flat(style.naming, links, meaning)
    return Changed(made.part, [made.block])


def _if_small(root: Made, new: list[Block], limit: int) -> Steps[list[Link] | None]:
    """All entries of a directory of shards which is so small now that one block is enough."""
    at_hand = {block.cid: block.data for block in new}
    listing, found, size = Listing(root.part.cid), list[Link](), 0
    while wanted := listing.wanted():
        data = at_hand.get(wanted[0])
        links = listing.give((yield wanted[0]) if data is None else data)
        found += links
        size += sum(weight(link) for link in links)
        if size >= limit:
            return None
    return found


@define
class _ShardChange:
    """One change on its way down; `blocks` are those that it made on its way up."""

    naming: Naming
    name: str
    entry: Link | None
    blocks: list[Block] = Factory(list)

    @property
    def key(self) -> int:
        return hamt.key_of(self.name)

    def keep(self, made: Made) -> Made:
        """A new block."""
        if not made.block.cid.is_inline:
            self.blocks.append(made.block)
        return made

    def apply(self, shard: Shard, depth: int) -> Steps[Shard]:
        """The shard as it is afterwards."""
        slots = dict(shard.slots)
        place = shard.place(self.key, depth)
        here = slots.get(place)
        if here is not None and not here.name:
            below = yield from self.apply(hamt.load((yield here.cid)), depth + 1)
            after = self._above(below)
        elif here is None or here.name == self.name:
            if here is None and self.entry is None:
                raise _absent(self.name)
            after = self.entry
        elif self.entry is None:
            raise _absent(self.name)
        else:
            after = self._both(here, self.entry, depth + 1, shard.fanout)
        if after is None:
            del slots[place]
        else:
            slots[place] = after
        return Shard(slots, shard.fanout)

    def _above(self, below: Shard) -> Link | None:
        """What stands for a changed shard in the one above it: a shard of one entry is that entry."""
        if not below.slots:
            return None
        first = next(iter(below.slots.values()))
        if self.entry is None and len(below.slots) == 1 and first.name:
            return first
        return self.keep(below.make(self.naming)).part.link()

    def _both(self, one: Link, other: Link, depth: int, fanout: int) -> Link:
        """Two entries whose hashes have met."""
        keyed = sorted(((hamt.key_of(link.name), link) for link in (one, other)), key=lambda pair: pair[0])
        made = [self.keep(made) for made in hamt.subtree(self.naming, keyed, depth, fanout)]
        return made[-1].part.link()


def _absent(name: str) -> FormatError:
    return FormatError("absent", f"no link named {name!r}")
