"""The block store: blocks, pins, roots, and what is collected."""

from bitdust.blocks import leases
from bitdust.blocks.values import Mode, Pin, Root, Unpin
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.multihash import IDENTITY
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import DAG_CBOR, MAX, RAW, BlockCase, leaf, named, node, tree


def cids(*blocks: Block) -> set[Cid]:
    return {block.cid for block in blocks}


class StoringTests(BlockCase):
    def test_what_is_put_is_there(self) -> None:
        """Blocks come back byte for byte, in this life of the node and in the next one."""
        blocks = [*tree("a", 200), leaf(""), leaf("large", 9000), *tree("b")]
        self.put(*blocks)
        self.gets(*blocks)
        self.again()
        self.gets(*blocks)
        self.assertEqual(self.here(), cids(*blocks))
        self.assertGreater(len(list(self.folder.glob("*.pack"))), 2)

    def test_the_same_twice(self) -> None:
        """The same block is stored once, whoever brings it and under whatever name."""
        one = leaf("x", 100)
        self.put(one, one)
        before = self.came(self.store.stat())
        self.put(named(one, DAG_CBOR), one)
        after = self.came(self.store.stat())
        self.assertEqual((before.blocks, before.packed), (1, after.packed))
        self.assertEqual(after.blocks, 1)

    def test_nothing_that_a_cid_holds_is_stored(self) -> None:
        """A block inside its CID costs nothing, is always there, and can be linked to."""
        inner = leaf("below")
        data = node(inner).data
        inline = Block(Cid.of(data, 0x70, IDENTITY), data)
        top = node(inline)
        self.put(inner, inline, top, changes=[Pin(top.cid)])
        self.gets(inline)
        self.assertEqual(self.here(), cids(inner, top))
        self.assertEqual(self.came(self.store.stat()).blocks, 2)
        self.collect()
        self.assertEqual(self.here(), cids(inner, top))
        self.came(self.store.apply(Unpin(top.cid)))
        self.collect()
        self.assertEqual(self.here(), set())

    def test_something_else(self) -> None:
        """A block that does not hash to its CID is refused, and nothing that came with it is there."""
        lease = self.store.lease()
        lease.put(leaf("good"))
        lease.put(Block(leaf("one").cid, b"another"))
        self.refused("bad-block", lease.commit())
        self.assertEqual(self.here(), set())

    def test_too_large(self) -> None:
        """A block has two megabytes at most."""
        data = bytes(2 * 1024 * 1024 + 1)
        error = self.assertRaises(BitDustError, self.store.lease().put, Block(Cid.of(data), data))
        self.assertEqual(error.code, "too-large")

    def test_ranges(self) -> None:
        """Part of a block is read by its offset, and ends where the block ends; some blocks come at once."""
        one, other = leaf("a", 100), leaf("b", 100)
        self.put(one, other)
        self.assertEqual(self.came(self.store.get_range(one.cid, 10, 20)), one.data[10:30])
        self.assertEqual(self.came(self.store.get_range(one.cid, 95, 20)), one.data[95:])
        cids = [one.cid, other.cid, leaf("nowhere").cid]
        self.assertEqual(self.came(self.store.get_some(cids)), [one.data, other.data])
        self.assertEqual(self.came(self.store.get_some(cids, 50)), [one.data])
        self.refused("not-found", self.store.get_some(cids[2:]))

    def test_absent(self) -> None:
        """A block that is not here is said not to be here, by its name."""
        error = self.refused("not-found", self.store.get(leaf("nowhere").cid))
        self.assertIn(str(leaf("nowhere").cid), str(error))

    def test_a_lease_reads_what_it_has_put(self) -> None:
        """What was put can be read before it is on the disk, and afterwards."""
        lease, one = self.store.lease(), leaf("mine")
        lease.put(one)
        self.assertEqual(self.came(lease.get(one.cid)), one.data)
        self.refused("not-found", self.store.get(one.cid))
        self.came(lease.commit())
        self.assertEqual(self.came(lease.get(one.cid)), one.data)
        self.gets(one)

    def test_a_commit_that_is_refused(self) -> None:
        """What was put stays with the lease when a change is refused, and is stored by the next commit."""
        lease, blocks = self.store.lease(), tree("a")
        for block in blocks:
            lease.put(block)
        self.refused("not-pinned", lease.commit(Pin(blocks[-1].cid), Unpin(blocks[0].cid)))
        self.assertEqual((self.here(), self.came(self.store.pins())), (set(), []))
        self.assertEqual(self.came(lease.get(blocks[0].cid)), blocks[0].data)
        self.came(lease.commit(Pin(blocks[-1].cid)))
        lease.end()
        self.again()
        self.gets(*blocks)

    def test_many_portions(self) -> None:
        """A lease writes while it is filled; what went wrong on the way is told at the next block, and at the end."""
        self.patch(leases, "FLUSH", 300)
        self.patch(leases, "BESIDE", 0)
        lease, blocks = self.store.lease(), tree("a", 50)
        for block in blocks:
            self.came(lease.put(block))
        self.assertGreater(len(self.here()), 30)
        self.came(lease.commit(Pin(blocks[-1].cid)))
        self.gets(*blocks)
        self.settings.values[MAX] = 0
        lease.put(leaf("too much", 400))
        self.assertEqual(self.assertRaises(BitDustError, lease.put, leaf("more")).code, "storage-full")
        self.refused("storage-full", lease.commit())
        lease.end()
        self.assertEqual(self.assertRaises(BitDustError, lease.put, leaf("more")).code, "closed")

    def test_storage_max(self) -> None:
        """What would be too much is refused in words, with nothing half-added; what was pinned before stays."""
        first = tree("first")
        self.put(*first, changes=[Pin(first[-1].cid)])
        self.settings.values[MAX] = self.came(self.store.stat()).packed + 100
        lease, big = self.store.lease(), leaf("big", 200)
        lease.put(big)
        error = self.refused("storage-full", lease.commit(Root("mfs", big.cid)))
        self.assertIn(MAX, str(error))
        lease.end()
        self.assertEqual((self.here(), self.came(self.store.roots())), (cids(*first), {}))
        self.put(leaf("small"))


class PinTests(BlockCase):
    def test_pins_and_roots_come_with_blocks(self) -> None:
        """One commit has blocks, pin and root; they are listed."""
        blocks = tree("a")
        root = blocks[-1].cid
        self.put(*blocks, changes=[Pin(root, name="mine"), Root("mfs", root)])
        self.again()
        self.assertEqual([pin for _, pin in self.came(self.store.pins())], [Pin(root, Mode.RECURSIVE, "mine")])
        self.assertEqual(self.came(self.store.roots()), {"mfs": root})
        self.assertEqual(self.came(self.store.pinned_through(blocks[0].cid)), root)
        self.assertIsNone(self.came(self.store.pinned_through(root)))

    def test_an_incomplete_tree_is_not_pinned(self) -> None:
        """A recursive pin names what is missing; a direct one needs its block alone."""
        blocks = tree("a", 3, 2)
        self.put(*blocks[1:])
        error = self.refused("not-found", self.store.apply(Pin(blocks[-1].cid)))
        self.assertIn(str(blocks[0].cid), str(error))
        self.came(self.store.apply(Pin(blocks[-1].cid, Mode.DIRECT)))
        self.put(blocks[0])
        self.came(self.store.apply(Pin(blocks[-1].cid)))

    def test_a_tree_that_came_from_above(self) -> None:
        """Parents may come before their children."""
        blocks = tree("a", 5, 3)
        self.put(*reversed(blocks), changes=[Pin(blocks[-1].cid)])
        self.collect()
        self.gets(*blocks)

    def test_refusals(self) -> None:
        """What is not here, not pinned, or pinned more firmly, is said; nothing of the other changes is made."""
        one, blocks = leaf("one"), tree("a")
        self.put(one, *blocks, changes=[Pin(blocks[-1].cid)])
        self.refused("not-found", self.store.apply(Pin(leaf("nowhere").cid)))
        self.refused("not-pinned", self.store.apply(Pin(one.cid), Unpin(leaf("nowhere").cid)))
        self.refused("not-pinned", self.store.apply(Unpin(one.cid)))
        self.refused("not-pinned", self.store.apply(Unpin(blocks[-1].cid, Mode.DIRECT)))
        self.refused("already-pinned", self.store.apply(Pin(blocks[-1].cid, Mode.DIRECT)))
        self.assertIsNone(self.came(self.store.pin_of(one.cid)))

    def test_another_name_hides_nothing(self) -> None:
        """Whoever brings an inner block as plain bytes first does not hide what is below it."""
        for number, early in enumerate((False, True)):
            blocks = tree(f"t{number}", 2, 2)
            inner = blocks[-2]
            if early:
                self.put(named(inner, RAW))
            self.put(blocks[-1])
            if not early:
                self.put(named(inner, RAW))
            self.refused("not-found", self.store.apply(Pin(blocks[-1].cid)))
            self.put(*blocks, changes=[Pin(blocks[-1].cid)])
            self.collect()
            self.gets(*blocks)
            self.came(self.store.apply(Unpin(blocks[-1].cid)))

    def test_a_wrong_name_spoils_nothing(self) -> None:
        """Whoever links to a tree under a codec that it is not of does not keep others from pinning it."""
        blocks = tree("a", 2)
        self.put(*blocks, node(named(blocks[-1], DAG_CBOR)), changes=[Pin(blocks[-1].cid)])
        self.refused("unreadable", self.store.apply(Pin(node(named(blocks[-1], DAG_CBOR)).cid)))
        self.collect()
        self.gets(*blocks)

    def test_a_node_that_is_none(self) -> None:
        """What is not what its codec says is stored, and cannot be pinned with what is below it."""
        bad = named(leaf("no node"), 0x70)
        top = node(bad)
        self.put(bad, top)
        self.refused("unreadable", self.store.apply(Pin(bad.cid)))
        self.refused("unreadable", self.store.apply(Pin(top.cid)))
        self.came(self.store.apply(Pin(top.cid, Mode.DIRECT), Pin(bad.cid, Mode.DIRECT)))


class CollectingTests(BlockCase):
    def test_what_nobody_needs_goes(self) -> None:
        """Pinned trees, roots and direct pins stay; packs that are half empty are given back."""
        pinned, rooted, loose = tree("pinned", 30), tree("rooted", 30), tree("loose", 300)
        alone = tree("alone")
        self.put(*pinned, *loose, *alone, *rooted, changes=[
            Pin(pinned[-1].cid), Root("mfs", rooted[-1].cid), Pin(alone[-1].cid, Mode.DIRECT)])  # fmt: skip
        collection = self.store.collect()
        self.assertEqual(collection.machine.state, "DONE")
        stay = cids(*pinned, *rooted, alone[-1])
        self.assertEqual(self.here(), stay)
        self.gets(*pinned, *rooted, alone[-1])
        self.assertEqual(collection.blocks, 304)
        stat = self.came(self.store.stat())
        files = sum(path.stat().st_size for path in self.folder.glob("*.pack"))
        self.assertEqual(stat.packed, files)
        self.assertLess(stat.packed, 2 * stat.live)
        self.assertEqual(stat.blocks, len(stay))
        self.again()
        self.gets(*pinned, *rooted, alone[-1])

    def test_a_lease_keeps_what_it_has(self) -> None:
        """What an add has put, and what it has found here, stays until the lease ends."""
        shared, fresh = tree("shared"), tree("fresh")
        self.put(*shared)
        lease = self.store.lease()
        for block in (*fresh, shared[-1]):
            lease.put(block)
        self.came(lease.commit())
        self.collect()
        self.assertEqual(self.here(), cids(*shared, *fresh))
        lease.end()
        self.collect()
        self.assertEqual(self.here(), set())

    def test_a_direct_pin_keeps_nothing_below(self) -> None:
        """What was whole and lost what is below it to a collection is not taken for whole any more."""
        blocks = tree("a", 3, 2)
        self.put(*blocks, changes=[Pin(blocks[-1].cid, Mode.DIRECT)])
        self.collect()
        self.assertEqual(self.here(), cids(blocks[-1]))
        self.refused("not-found", self.store.apply(Pin(blocks[-1].cid)))
        self.put(*blocks[:-1])
        self.came(self.store.apply(Pin(blocks[-1].cid)))
        self.collect()
        self.gets(*blocks)

    def test_everything_goes(self) -> None:
        """An empty store has no packs and no rows."""
        self.put(*tree("a", 200, 3))
        self.collect()
        stat = self.came(self.store.stat())
        self.assertEqual((stat.blocks, stat.bytes, stat.packed, stat.live), (0, 0, 0, 0))
        self.assertEqual(list(self.folder.glob("*.pack")), [])
        self.put(*tree("a", 200, 3))
        self.gets(*tree("a", 200, 3))
