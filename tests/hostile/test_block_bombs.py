"""Blocks that are made to cost much: very many links, deep chains, very many ways, and blocks that are no blocks."""

import struct
from itertools import pairwise

from bitdust.blocks.values import MOST_LINKS, Mode, Pin, Unpin
from bitdust.ipld import codecs, dagpb
from bitdust.ipld.cid import DAG_CBOR, DAG_PB, RAW, Block, Cid
from bitdust.ipld.errors import FormatError
from bitdust.ipld.multihash import IDENTITY, wrap
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import BlockCase

DEEP, WIDE = 10_000, 100_000


def parent(*cids: Cid) -> Block:
    """A node of the real format."""
    data = dagpb.encode([dagpb.Link(cid, "", 0) for cid in cids])
    return Block(Cid.of(data, DAG_PB), data)


def numbered(number: int) -> Cid:
    """A CID that holds four bytes itself."""
    return Cid(1, RAW, wrap(IDENTITY, struct.pack(">I", number)))


def chain(length: int) -> list[Block]:
    """Each block links to the one before."""
    blocks = [Block(Cid.of(b"end"), b"end")]
    for _ in range(length):
        blocks.append(parent(blocks[-1].cid))
    return blocks


class BombTests(BlockCase):
    made = (codecs.links,)
    full = 1 << 26

    def test_very_many_links(self) -> None:
        """A hundred thousand links are stored, pinned and forgotten; more than the limit are refused in words."""
        wide = parent(*map(numbered, range(WIDE)))
        self.put(wide, changes=[Pin(wide.cid)])
        (row,) = self.came(self.store.rows([wide.cid]))
        self.assertEqual(len(self.came(self.store.links(row.id, WIDE - 10, 100))), 10)
        self.came(self.store.apply(Unpin(wide.cid)))
        self.assertEqual(self.collect().blocks, 1)

    def test_too_many_links(self) -> None:
        """More links than the limit are refused in words, with the block that has them, and nothing of it is left."""
        self.store._ledger.index._links = lambda cid, data: [numbered(1)] * (MOST_LINKS + 1)
        lease = self.store.lease()
        lease.put(parent())
        self.refused("too-many-links", lease.commit())
        self.assertEqual(self.here(), set())

    def test_very_deep(self) -> None:
        """A chain of ten thousand blocks is pinned and collected, whichever end came first."""
        blocks = chain(DEEP)
        self.put(*blocks, changes=[Pin(blocks[-1].cid)])
        self.assertEqual(self.came(self.store.pinned_through(blocks[0].cid)), blocks[-1].cid)
        self.collect()
        self.assertEqual(self.came(self.store.stat()).blocks, DEEP + 1)
        self.came(self.store.apply(Unpin(blocks[-1].cid)))
        self.assertEqual(self.collect().blocks, DEEP + 1)
        self.put(*reversed(blocks[1:]))
        self.refused("not-found", self.store.apply(Pin(blocks[-1].cid)))
        self.put(blocks[0], changes=[Pin(blocks[-1].cid)])
        self.assertEqual(self.collect().blocks, 0)

    def test_very_many_ways(self) -> None:
        """A tree with more ways through it than there are atoms costs what its blocks cost."""
        blocks = [Block(Cid.of(b"end"), b"end")]
        for _ in range(300):
            blocks.append(parent(*[blocks[-1].cid] * 5))
        self.put(*reversed(blocks), changes=[Pin(blocks[-1].cid)])
        self.assertEqual(self.collect().blocks, 0)
        self.came(self.store.apply(Unpin(blocks[-1].cid)))
        self.assertEqual(self.collect().blocks, 301)

    def test_a_circle(self) -> None:
        """Blocks that claim to be below each other are refused: their bytes are not what the CIDs name."""
        first, second = parent(numbered(1)), parent(numbered(2))
        for claimed, block in pairwise((first, second, first)):
            lease = self.store.lease()
            lease.put(Block(claimed.cid, parent(block.cid).data))
            self.refused("bad-block", lease.commit())
        self.assertEqual(self.here(), set())

    def test_what_nobody_can_read(self) -> None:
        """A block of an unknown codec or of none of its own is kept as bytes; one of an unknown hash is refused."""
        strange = [Block(Cid.of(b"x", 0x78), b"x"), Block(Cid.of(b"\xff", DAG_PB), b"\xff"),
                   Block(Cid.of(b"\xff", DAG_CBOR), b"\xff")]  # fmt: skip
        self.put(*strange)
        self.gets(*strange)
        for block in strange:
            self.refused("unreadable", self.store.apply(Pin(block.cid)))
            self.came(self.store.apply(Pin(block.cid, Mode.DIRECT)))
        lease = self.store.lease()
        lease.put(Block(Cid(1, RAW, wrap(0x7012, bytes(32))), b"x"))
        error = self.failureResultOf(lease.commit(), BitDustError).value
        self.assertIsInstance(error, FormatError)

    def test_nested_in_names(self) -> None:
        """Nodes that stand in the CIDs of nodes that stand in CIDs keep what is below them."""
        leaf = Block(Cid.of(b"below"), b"below")
        inner = dagpb.encode([dagpb.Link(leaf.cid, "", 0)])
        outer = dagpb.encode([dagpb.Link(Cid.of(inner, DAG_PB, IDENTITY), "", 0)])
        top = parent(Cid.of(outer, DAG_PB, IDENTITY))
        self.put(top)
        self.refused("not-found", self.store.apply(Pin(top.cid)))
        self.put(leaf, changes=[Pin(top.cid)])
        self.collect()
        self.gets(leaf, top)
