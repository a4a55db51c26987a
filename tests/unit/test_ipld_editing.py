"""Files that change: bytes over others, an end cut off, more behind it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import dagpb, editing, unixfs
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.changes import Changed
from bitdust.ipld.cid import RAW, Block, Cid
from bitdust.ipld.layout import Part
from bitdust.ipld.naming import Naming
from bitdust.ipld.reading import FileReader
from bitdust.ipld.steps import run
from bitdust.ipld.unixfs import Kind, Mtime, UnixFs
from tests.unit.ipld_kit import Blocks, FormatCase, content

A = Cid.v0(b"\x0a\x02\x08\x01")


def build(recipe: Recipe, data: bytes, blocks: Blocks) -> Part:
    """A file of bytes."""
    return filled(FileBuilder(recipe), data, blocks)


def filled(builder: FileBuilder, data: bytes, blocks: Blocks) -> Part:
    """A file that gets bytes."""
    blocks.put(builder.feed(data) + builder.finish())
    return builder.root


def read(root: Cid, blocks: Blocks) -> bytes:
    """All bytes of a file."""
    reader, found = FileReader(root), b""
    while wanted := reader.wanted():
        found += reader.give(wanted[0].inline() if wanted[0].is_inline else blocks.get_block(wanted[0]))
    return found


class EditingTests(FormatCase):
    @given(st.data())
    @settings(max_examples=70)
    def test_any_changes(self, data: st.DataObject) -> None:
        """After any changes a file has the bytes that they make of it, and the sizes that its blocks add up to."""
        naming = Naming(data.draw(st.integers(0, 1)), inline=data.draw(st.sampled_from((0, 6))))
        recipe = Recipe(naming, data.draw(st.booleans()), data.draw(st.booleans()), "size-3", 3)
        expected = bytearray(content("edit", data.draw(st.integers(0, 90))))
        blocks = Blocks()
        root = build(recipe, bytes(expected), blocks)
        for step in range(data.draw(st.integers(1, 4))):
            new = content(f"new {step}", data.draw(st.integers(0, 20)))
            kind = data.draw(st.sampled_from(("over", "cut", "more")))
            if kind == "more":
                root = filled(run(editing.reopen(root.cid, recipe), blocks.get_block), new, blocks)
                expected += new
                continue
            place = data.draw(st.integers(0, len(expected)))
            if kind == "cut":
                done = run(editing.truncate(root.cid, place, naming), blocks.get_block)
                del expected[place:]
            else:
                new = new[: len(expected) - place]
                done = run(editing.overwrite(root.cid, place, new, naming), blocks.get_block)
                expected[place : place + len(new)] = new
            blocks.put(done.blocks)
            root = done.root
        self.assertEqual(read(root.cid, blocks), expected)
        self.assertEqual(root.filesize, len(expected))
        self.assertEqual(root.size, self.total(root.cid, blocks))

    def total(self, cid: Cid, blocks: Blocks) -> int:
        """Bytes of a block and all below it, as often as they are named."""
        data = cid.inline() if cid.is_inline else blocks.get_block(cid)
        return len(data) + sum(
            self.total(link.cid, blocks) for link in ([] if cid.codec == RAW else dagpb.decode(data).links)
        )

    @given(st.integers(0, 120), st.integers(0, 120))
    @settings(max_examples=60)
    def test_more_is_as_at_once(self, first: int, second: int) -> None:
        """Whole leaves that come later make the tree that they make at once."""
        whole = content("more", 2 * (first + second))
        recipe, blocks = Recipe(Naming(1), True, True, "size-2", 4), Blocks()
        begun = build(recipe, whole[: 2 * first], blocks)
        root = filled(run(editing.reopen(begun.cid, recipe), blocks.get_block), whole[2 * first :], blocks)
        self.assertEqual(root, build(recipe, whole, blocks))

    def test_shape_stays(self) -> None:
        """Bytes over others make the tree that the new bytes make at once, of either layout, and touch one way."""
        for trickle in (False, True):
            recipe, blocks = Recipe(trickle=trickle, chunker="size-4", width=5), Blocks()
            whole = bytearray(content("shape", 1000))
            root = build(recipe, bytes(whole), blocks)
            done = run(editing.overwrite(root.cid, 501, b"xy"), blocks.get_block)
            whole[501:503] = b"xy"
            self.assertEqual(done.root, build(recipe, bytes(whole), blocks))
            self.assertLess(len(done.blocks), 8)
            same = run(editing.overwrite(root.cid, 10, b""), blocks.get_block)
            self.assertEqual(same.root, root)

    def test_kinds(self) -> None:
        """A bare leaf stays bare when it changes, and stands under a root when more comes; mode and time stay."""
        blocks = Blocks()
        bare = build(Recipe(Naming(1), True), b"bytes", blocks)
        done = run(editing.overwrite(bare.cid, 1, b"x", Naming(1)), blocks.get_block)
        self.assertEqual(done.root.cid, Cid.of(b"bxtes"))
        more = filled(run(editing.reopen(bare.cid, Recipe(Naming(1), True)), blocks.get_block), b" more", blocks)
        self.assertEqual(read(more.cid, blocks), b"bytes more")
        data = dagpb.encode((), UnixFs(Kind.FILE, b"bytes", 5, mode=0o600, mtime=Mtime(5)).encode())
        blocks.put([Block(Cid.v0(data), data)])
        for root in (
            run(editing.overwrite(Cid.v0(data), 1, b"x"), blocks.get_block),
            Changed(filled(run(editing.reopen(Cid.v0(data), Recipe()), blocks.get_block), b"more", blocks)),
        ):
            blocks.put(root.blocks)
            meaning = unixfs.decode(dagpb.decode(blocks.get_block(root.root.cid)).data)
            self.assertEqual((meaning.mode, meaning.mtime), (0o600, Mtime(5)))

    def test_empty(self) -> None:
        """What is cut to nothing is the empty file, and goes on from there."""
        blocks = Blocks()
        root = build(Recipe(chunker="size-2"), b"bytes", blocks)
        done = run(editing.truncate(root.cid, 0), blocks.get_block)
        self.assertEqual(str(done.root.cid), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
        blocks.put(done.blocks)
        again = filled(run(editing.reopen(done.root.cid, Recipe()), blocks.get_block), b"x", blocks)
        self.assertEqual(again, build(Recipe(trickle=True), b"x", blocks))

    def test_refused(self) -> None:
        """Beyond the end, what is no file, parts that are not as long as was said, trees without end."""
        blocks = Blocks()
        root = build(Recipe(), b"bytes", blocks)
        for offset, data in ((-1, b""), (5, b"x"), (0, b"longer")):
            self.refused("malformed", run, editing.overwrite(root.cid, offset, data), blocks.get_block)
        for size in (-1, 6):
            self.refused("malformed", run, editing.truncate(root.cid, size), blocks.get_block)
        self.refused("unsupported", run, editing.truncate(A, 0), lambda cid: b"\x0a\x02\x08\x01")
        self.refused("unsupported", run, editing.reopen(Cid.of(b"\xa0", 0x71), Recipe()), lambda cid: b"\xa0")
        unsaid = dagpb.encode([dagpb.Link(A)], UnixFs(Kind.FILE).encode())
        self.refused("malformed", run, editing.truncate(A, 0), lambda cid: unsaid)
        endless = dagpb.encode([dagpb.Link(A)], UnixFs(Kind.FILE, blocksizes=(4,)).encode())
        self.refused("too-large", run, editing.overwrite(A, 0, b"x"), lambda cid: endless)
        self.refused("too-large", run, editing.truncate(A, 2), lambda cid: endless)
        self.refused("too-large", run, editing.reopen(A, Recipe(width=1)), lambda cid: self.chain())
        other = dagpb.encode([dagpb.Link(Cid.of(b"x"))], UnixFs(Kind.FILE, blocksizes=(4,)).encode())
        self.refused("malformed", run, editing.overwrite(A, 0, b"x"), lambda cid: other if cid == A else b"x")

    def chain(self) -> bytes:
        """A node whose last part, a tree, is that node again and has its size."""
        return dagpb.encode([dagpb.Link(A), dagpb.Link(A)], UnixFs(Kind.FILE, blocksizes=(0, 4)).encode())
