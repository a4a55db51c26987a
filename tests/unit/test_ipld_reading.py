"""Reading files from any offset and walking over everything below a root; and hostile trees."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import dagcbor, dagpb, directory, reading, unixfs, walking
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.cid import DAG_CBOR, DAG_PB, Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.directory import Style
from bitdust.ipld.naming import Naming
from bitdust.ipld.reading import DEEPEST, FileReader
from bitdust.ipld.unixfs import Kind, UnixFs
from bitdust.ipld.walking import Visit, Walk
from tests.unit.ipld_kit import Blocks, FormatCase, content

A = Cid.v0(b"\x0a\x02\x08\x01")


def read(root: Cid, blocks: Blocks, offset: int = 0, length: int | None = None) -> tuple[bytes, int]:
    """The bytes, and how many blocks were read for them."""
    reader, found, count = FileReader(root, offset, length), b"", 0
    while wanted := reader.wanted():
        cid = wanted[0]
        found += reader.give(cid.inline() if cid.is_inline else blocks.get_block(cid))
        count += 1
    return found, count


def build(recipe: Recipe, data: bytes) -> tuple[Cid, Blocks]:
    """A file in memory."""
    builder, blocks = FileBuilder(recipe), Blocks()
    blocks.put(builder.feed(data) + builder.finish())
    return builder.root.cid, blocks


def node(sizes: list[int], links: list[Cid], data: bytes | None = None, kind: Kind = Kind.FILE) -> Block:
    """Any node of a file."""
    blob = dagpb.encode([Link(cid) for cid in links], UnixFs(kind, data, blocksizes=tuple(sizes)).encode())
    return Block(Cid.v0(blob), blob)


class ReadingTests(FormatCase):
    @given(st.data())
    @settings(max_examples=80)
    def test_any_range(self, data: st.DataObject) -> None:
        """Any range of any file of any recipe is what it would be of the bytes."""
        length = data.draw(st.integers(0, 300))
        naming = Naming(data.draw(st.integers(0, 1)), inline=data.draw(st.sampled_from((0, 8))))
        recipe = Recipe(naming, data.draw(st.booleans()), data.draw(st.booleans()), "size-5", 3)
        whole = content("read", length)
        root, blocks = build(recipe, whole)
        self.assertEqual(read(root, blocks)[0], whole)
        offset = data.draw(st.integers(0, length + 5))
        most = data.draw(st.none() | st.integers(0, length + 5))
        end = None if most is None else offset + most
        self.assertEqual(read(root, blocks, offset, most)[0], whole[offset:end])

    def test_few_blocks(self) -> None:
        """One byte of a large file takes the root, one node for each floor, and one leaf; the size takes the root."""
        whole = content("few", 100_000)
        for trickle in (False, True):
            root, blocks = build(Recipe(trickle=trickle, chunker="size-10"), whole)
            self.assertGreater(len(blocks), 10_000)
            for offset in (0, 50_000, 99_999):
                found, count = read(root, blocks, offset, 1)
                self.assertEqual(found, whole[offset : offset + 1])
                self.assertLessEqual(count, 8)
            reader = FileReader(root, 0, 0)
            reader.give(blocks.get_block(root))
            self.assertEqual((reader.size, reader.wanted()), (100_000, []))

    def test_ahead(self) -> None:
        """What is wanted next is known ahead, in order, and no more than what is wanted at all."""
        root, blocks = build(Recipe(Naming(1), True, chunker="size-10"), bytes(range(100)))
        reader = FileReader(root, 15, 30)
        self.assertEqual(reader.wanted(5), [root])
        reader.give(blocks.get_block(root))
        leaves = [Cid.of(bytes(range(start, start + 10))) for start in range(10, 50, 10)]
        self.assertEqual(reader.wanted(9), leaves)
        self.assertEqual(reader.wanted(2), leaves[:2])

    def test_metadata(self) -> None:
        """A node of metadata leads to its file."""
        root, blocks = build(Recipe(), b"file")
        blob = dagpb.encode([Link(root)], unixfs.metadata("text/plain").encode())
        blocks.put([Block(Cid.v0(blob), blob)])
        self.assertEqual(read(Cid.v0(blob), blocks)[0], b"file")

    def test_wrong_claims(self) -> None:
        """A part that is longer or shorter than its parent says ends the read; so does one that says nothing."""
        leaf = node([], [], b"four")
        for size in (3, 5):
            root = node([size], [leaf.cid])
            blocks = Blocks()
            blocks.put([leaf, root])
            self.refused("malformed", read, root.cid, blocks)
        for sizes in ([], [4, 4]):
            self.refused("malformed", FileReader(A).give, node(sizes, [leaf.cid]).data)

    def test_no_bomb(self) -> None:
        """Parts without bytes cost nothing, however often they are named; a tree without end has one."""
        empty = node([], [])
        root = node([0] * 1000 + [1], [empty.cid] * 1000 + [Cid.of(b"x")])
        blocks = Blocks()
        blocks.put([root, empty, Block(Cid.of(b"x"), b"x")])
        self.assertEqual(read(root.cid, blocks), (b"x", 2))
        reader, refused = FileReader(A), 0
        endless = node([1], [A]).data
        for depth in range(DEEPEST + 2):
            if depth > DEEPEST:
                self.refused("too-large", reader.give, endless)
                refused = depth
            else:
                reader.give(endless)
        self.assertEqual(refused, DEEPEST + 1)

    def test_open_nodes(self) -> None:
        """A reader holds so many links that are still to come, and no more."""
        self.patch(reading, "MOST_PENDING", 100)
        inner = node([1] * 60, [A] * 60)
        outer = node([60] + [1] * 60, [inner.cid] + [A] * 60)
        reader = FileReader(A)
        reader.give(outer.data)
        self.refused("too-large", reader.give, inner.data)

    def test_not_a_file(self) -> None:
        """Folders, shards, symlinks and nodes of other codecs are no files, and are called what they are."""
        for meaning in (unixfs.FOLDER, UnixFs(Kind.HAMT, fanout=256), unixfs.symlink("x")):
            self.refused("unsupported", FileReader(A).give, dagpb.encode((), meaning.encode()))
        self.refused("unsupported", FileReader(Cid.of(b"\xa0", 0x71)).give, b"\xa0")
        self.refused("malformed", FileReader(A).give, dagpb.encode(()))


class WalkTests(FormatCase):
    def test_order(self) -> None:
        """Each block once, a node before its links, links in their order."""
        leaf = [Block(Cid.of(bytes((one,))), bytes((one,))) for one in range(3)]
        (low,) = directory.build(Style(), [Link(leaf[1].cid, "a"), Link(leaf[0].cid, "b")])
        (top,) = directory.build(
            Style(), [Link(leaf[0].cid, "a"), low.part.link("b"), Link(leaf[2].cid, "c"), low.part.link("d")]
        )
        blocks = Blocks()
        blocks.put([*leaf, low.block, top.block])
        expected = [(top.part.cid, 0), (leaf[0].cid, 1), (low.part.cid, 1), (leaf[1].cid, 2), (leaf[2].cid, 1)]
        self.assertEqual(self.walk(Walk([top.part.cid]), blocks), [Visit(*one) for one in expected])
        self.assertEqual(self.walk(Walk([top.part.cid], deepest=0), blocks), [Visit(top.part.cid, 0)])
        walk = Walk([top.part.cid])
        walk.next()
        walk.give(top.block.data)
        coming = [leaf[0].cid, low.part.cid, leaf[2].cid, low.part.cid]
        self.assertEqual([walk.coming(most) for most in (0, 1, 3, 9)], [[], coming[:1], coming[:3], coming])
        seen = {leaf[0].cid.multihash, low.part.cid.multihash}
        self.assertEqual(
            [visit.cid for visit in self.walk(Walk([top.part.cid], seen), blocks)], [top.part.cid, leaf[2].cid]
        )
        self.assertIn(leaf[2].cid.multihash, seen)

    def walk(self, walk: Walk, blocks: Blocks) -> list[Visit]:
        """All visits."""
        visits = []
        while visit := walk.next():
            visits.append(visit)
            walk.give(blocks.get_block(visit.cid))
        return visits

    def test_deep(self) -> None:
        """A chain of three thousand links is walked to its end, or as far as is asked; open links have a limit."""
        blocks, root = Blocks(), A
        blocks.put([Block(A, b"\x0a\x02\x08\x01")])
        for _ in range(3000):
            data = dagcbor.encode([root])
            root = Cid.of(data, DAG_CBOR)
            blocks.put([Block(root, data)])
        visits = self.walk(Walk([root]), blocks)
        self.assertEqual((len(visits), visits[-1]), (3001, Visit(A, 3000)))
        self.assertEqual(len(self.walk(Walk([root], deepest=10), blocks)), 11)
        self.patch(walking, "MOST_PENDING", 10)
        wide = dagcbor.encode([Cid.of(bytes((one,))) for one in range(11)])
        walk = Walk([Cid.of(wide, DAG_CBOR)])
        walk.next()
        self.refused("too-large", walk.give, wide)

    def test_passed_over(self) -> None:
        """What is below a block that is not given is not visited."""
        (top,) = directory.build(Style(), [Link(A, "a")])
        walk = Walk([top.part.cid, A])
        self.assertEqual(walk.next(), Visit(top.part.cid, 0))
        self.assertEqual(walk.next(), Visit(A, 0))
        self.assertEqual(walk.give(b"\x0a\x02\x08\x01"), ())
        self.assertEqual(walk.give(top.block.data), ())
        self.assertIsNone(walk.next())

    def test_one_block_under_two_codecs(self) -> None:
        """A block is visited once, whatever a CID says of its codec."""
        as_bytes = Cid.of(b"\x0a\x02\x08\x01")
        walk = Walk([as_bytes, A])
        self.assertEqual([walk.next(), walk.next()], [Visit(as_bytes, 0), None])
        self.assertEqual(as_bytes.codec == DAG_PB, False)
