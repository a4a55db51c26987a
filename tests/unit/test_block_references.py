"""References of a tree, from the table of links."""

import random

from bitdust.blocks import references
from bitdust.blocks.references import References
from bitdust.blocks.values import Pin
from bitdust.ipld.cid import Block, Cid
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import RAW, BlockCase, leaf, links_of, node, tree
from tests.unit.test_block_model import universe

Found = list[tuple[Cid, Cid]]


class ReferenceTests(BlockCase):
    def found(self, root: Block, deepest: int | None = None, unique: bool = False, most: int = 3) -> Found:
        (row,) = self.came(self.store.rows([root.cid]))
        walk, found = References(root.cid, row.id, deepest, unique), []
        while portion := self.came(self.store.references(walk, most)):
            self.assertLessEqual(len(portion), most)
            found += [(one.parent, one.link.cid) for one in portion]
        return found

    def expected(self, cid: Cid, every: dict[bytes, bytes], deepest: int, seen: set[bytes] | None) -> Found:
        """The same by reading the blocks, one within the other."""
        found: Found = []
        data = cid.inline() if cid.is_inline else every[cid.multihash]
        for link in links_of(cid, data) if data[:1] == b"N" and data[1] == cid.codec & 0xFF else ():
            if seen is not None and link.multihash in seen:
                continue
            if seen is not None:
                seen.add(link.multihash)
            found.append((cid, link))
            if deepest > 1 and link.codec != RAW:
                found += self.expected(link, every, deepest - 1, seen)
        return found

    def test_in_the_order_of_a_reader(self) -> None:
        """Every link, or every block once, down to any depth, as who reads the blocks themselves meets them."""
        self.patch(references, "AHEAD", 20)
        for seed in range(4):
            blocks = universe(random.Random(seed))
            self.put(*blocks)
            every = {block.cid.multihash: block.data for block in blocks}
            for root in blocks[-5:]:
                self.assertEqual(self.found(root), self.expected(root.cid, every, 99, None))
                self.assertEqual(self.found(root, 2), self.expected(root.cid, every, 2, None))
                self.assertEqual(self.found(root, unique=True), self.expected(root.cid, every, 99, set()))

    def test_too_deep(self) -> None:
        """A chain without an end in sight is refused in words, after what can be given."""
        self.patch(references, "DEEPEST", 10)
        blocks = [leaf("end")]
        for number in range(20):
            blocks.append(node(blocks[-1], text=str(number)))
        self.put(*blocks)
        (row,) = self.came(self.store.rows([blocks[-1].cid]))
        error = self.failureResultOf(self.store.references(References(blocks[-1].cid, row.id)), BitDustError).value
        self.assertEqual(error.code, "too-deep")
        self.assertEqual(len(self.found(blocks[-1], 5)), 5)

    def test_indirect_pins(self) -> None:
        """What recursive pins keep besides their blocks is listed in portions, each block once."""
        first, second = tree("a", 5, 2), tree("b", 3)
        self.put(*first, *second, leaf("loose"), changes=[Pin(first[-1].cid), Pin(second[-1].cid)])
        indirect, found = self.came(self.store.indirect()), []
        while rows := self.came(self.store.indirect_page(indirect)):
            found += [row.cid for row in rows]
        self.assertEqual(sorted(map(str, found)), sorted(str(block.cid) for block in (*first[:-1], *second[:-1])))
