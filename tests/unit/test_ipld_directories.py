"""Directories in one block and in shards: made, changed, searched, listed; and hostile ones."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import changes, dagpb, directory, hamt, unixfs
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.cid import DAG_PB, LONGEST_BLOCK, Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.directory import Listing, Style
from bitdust.ipld.errors import FormatError
from bitdust.ipld.layout import Part
from bitdust.ipld.murmur import murmur64
from bitdust.ipld.naming import Naming
from bitdust.ipld.steps import run
from bitdust.ipld.unixfs import Kind, UnixFs
from tests.unit.ipld_kit import Blocks, FormatCase, content, digest, vectors

A = Cid.v0(b"\x0a\x02\x08\x01")
SHARDED = Style(sharded_from=0)
NAMES = st.text("abcdefghij", min_size=1, max_size=3)
FEW = [f"{number}" for number in range(2000)]


def entry(name: str, size: int = 4) -> Link:
    """An empty folder under a name."""
    return Link(A, name, size)


def tree(case: Any, blocks: list[Block]) -> Part:
    """The directory of a case of the vectors, with its files and all folders in it."""
    paths = case.get("paths") or [(f"d/file-{one}", f"{one % 7}", 1 + one % 7) for one in range(case["many"])]
    naming = Naming(case.get("version", 0))
    style = Style(naming, case.get("threshold", directory.SHARDED_FROM))
    top: dict[str, Any] = {}
    for path, seed, length in paths:
        *folders, name = path.split("/")
        here = top
        for folder in folders:
            here = here.setdefault(folder, {})
        builder = FileBuilder(Recipe(naming, case.get("raw", False)))
        blocks += builder.feed(content(seed, length)) + builder.finish()
        here[name] = builder.root
    return made(top if case.get("wrap") else next(iter(top.values())), style, blocks)


def made(folder: dict[str, Any], style: Style, blocks: list[Block]) -> Part:
    """A folder of parts and folders."""
    links = [(made(one, style, blocks) if isinstance(one, dict) else one).link(name) for name, one in folder.items()]
    every = list(directory.build(style, links))
    blocks += [one.block for one in every]
    return every[-1].part


def store(blocks: Iterable[Block]) -> Blocks:
    """Blocks in memory."""
    found = Blocks()
    found.put(blocks)
    return found


def listed(root: Cid, blocks: Blocks) -> list[Link]:
    """All entries."""
    listing, links = Listing(root), list[Link]()
    while wanted := listing.wanted():
        links += listing.give(blocks.get_block(wanted[0]))
    return links


class MurmurTests(FormatCase):
    def test_published(self) -> None:
        """Hashes that are published of texts of every length of a tail (go: spaolacci/murmur3)."""
        for text, value in (
            ("", 0),
            ("hello", 0xCBD8A7B341BD9B02),
            ("hello, world", 0x342FAC623A5EBC8E),
            ("19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC),
            ("The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9),
        ):
            self.assertEqual(murmur64(text.encode()), value, text)


class DirectoryTests(FormatCase):
    def test_vectors(self) -> None:
        """Wrapped, nested and sharded directories have the blocks, root and size of another implementation."""
        for case in vectors("unixfs")["directories"]:
            blocks: list[Block] = []
            root = tree(case, blocks)
            self.assertEqual((str(root.cid), root.size), (case["cid"], case["size"]), case["name"])
            self.assertEqual(digest(blocks), (case["blocks"], case["digest"]), case["name"])

    def test_empty(self) -> None:
        """A directory without entries is a block that many nodes know."""
        (one,) = directory.build(Style(), [])
        self.assertEqual(str(one.part.cid), "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn")
        self.assertEqual(one.part.size, 4)

    def test_published(self) -> None:
        """The folder of planets that go-ipfs tests itself with has the CID that is written there."""
        links = []
        for name in ("mars", "venus"):
            builder = FileBuilder()
            builder.feed(f"Hello {name.capitalize()}!\n".encode())
            builder.finish()
            links.append(builder.root.link(f"{name}.txt"))
        (made,) = directory.build(Style(), links)
        self.assertEqual(str(made.part.cid), "QmWSgS32xQEcXMeqd3YPJLrNBLSdsfYCep2U7CFkyrjXwY")

    def test_search_and_list(self) -> None:
        """Every entry is found by its name and in the list, others are not."""
        for style in (Style(), SHARDED):
            links = [entry(name, int(name)) for name in FEW[:600]]
            every = list(directory.build(style, links))
            blocks, root = store(one.block for one in every), every[-1].part.cid
            self.assertEqual(sorted(listed(root, blocks)), sorted(links))
            for link in links[::50]:
                self.assertEqual(run(directory.lookup(root, link.name), blocks.get_block), link)
            for name in ("x", "", "6000"):
                self.assertIsNone(run(directory.lookup(root, name), blocks.get_block))

    def test_resolve(self) -> None:
        """A path leads through directories of both kinds; a missing name leads nowhere, a file is no directory."""
        (inner,) = directory.build(Style(), [entry("b"), Link(Cid.of(b"file"), "file")])
        outer = list(directory.build(SHARDED, [inner.part.link("a"), *(entry(name) for name in FEW[:300])]))
        blocks, root = store([inner.block, *(one.block for one in outer)]), outer[-1].part.cid
        self.assertEqual(run(directory.resolve(root, ["a", "b"]), blocks.get_block), A)
        self.assertEqual(run(directory.resolve(root, []), blocks.get_block), root)
        self.assertIsNone(run(directory.resolve(root, ["a", "c", "d"]), blocks.get_block))
        self.refused(
            "unsupported",
            run,
            directory.resolve(root, ["a", "file", "x"]),
            lambda cid: blocks[cid.multihash] if cid.codec == DAG_PB else b"file",
        )

    def test_names_refused(self) -> None:
        """Names that no path leads to, that are too long, or that stand twice."""
        for name in ("", ".", "..", "a/b"):
            self.refused("malformed", lambda name: list(directory.build(Style(), [entry(name)])), name)
            self.refused("malformed", changes.put, A, entry(name))
        self.refused("too-large", lambda: list(directory.build(Style(), [entry("x" * 5000)])))
        for style in (Style(), SHARDED):
            self.refused("malformed", lambda style: list(directory.build(style, [entry("a"), entry("a", 2)])), style)


class ChangeTests(FormatCase):
    @given(
        st.lists(st.tuples(st.booleans(), NAMES, st.integers(0, 9)), max_size=25),
        st.sampled_from((directory.FULL, 0, 150)),
    )
    @settings(max_examples=40)
    def test_any_order(self, steps: list[tuple[bool, str, int]], limit: int) -> None:
        """After any changes a directory is what is made of its entries at once; below a limit it is one block again."""
        style = Style(sharded_from=limit)
        expected: dict[str, Link] = {}
        (first,) = directory.build(Style(), [])
        blocks, root = store([first.block]), first.part
        for adding, name, size in steps:
            if adding:
                expected[name] = entry(name, size)
                done = run(changes.put(root.cid, expected[name], style), blocks.get_block)
            elif name in expected:
                del expected[name]
                done = run(changes.remove(root.cid, name, style), blocks.get_block)
            else:
                self.refused("absent", run, changes.remove(root.cid, name, style), blocks.get_block)
                continue
            blocks.put(done.blocks)
            root = done.root
        if steps and (limit or expected):
            again = list(directory.build(style, expected.values()))
            self.assertEqual(root, again[-1].part)
        self.assertEqual(sorted(listed(root.cid, blocks)), sorted(expected.values()))

    def test_deep(self) -> None:
        """Names that meet on several floors make several shards, and when one goes the others move up."""
        by_start: dict[int, str] = {}
        pair = next(
            (by_start[key], name)
            for name in (f"n{one}" for one in range(3000))
            if (key := hamt.key_of(name) >> 48) in by_start or by_start.setdefault(key, name) is None
        )
        (first,) = hamt.build(Naming(), [])
        blocks, root = store([first.block]), first.part
        for name in pair:
            done = run(changes.put(root.cid, entry(name)), blocks.get_block)
            blocks.put(done.blocks)
            root = done.root
        self.assertEqual(len(done.blocks), 3)
        self.assertEqual(root, list(hamt.build(Naming(), map(entry, pair)))[-1].part)
        self.refused("absent", run, changes.remove(root.cid, "x"), blocks.get_block)
        done = run(changes.remove(root.cid, pair[0]), blocks.get_block)
        blocks.put(done.blocks)
        self.assertEqual(done.root, list(hamt.build(Naming(), [entry(pair[1])]))[-1].part)
        self.refused("absent", run, changes.remove(done.root.cid, pair[0]), blocks.get_block)

    def test_full(self) -> None:
        """What one block has no room for is sharded, however little is asked; what fits is a block that others take."""
        many = [entry(f"{number:06}" * 40, 1 << 40) for number in range(3827)]
        self.assertTrue(Style().is_sharded(many))
        self.assertFalse(Style().is_sharded(many[1:]))
        self.assertLess(len(directory.flat(Naming(), many).block.data), LONGEST_BLOCK)
        short = [entry("x", 1 << 40)] * (directory.FULL // 35)
        self.assertLess(len(directory.flat(Naming(), short).block.data), LONGEST_BLOCK)

    def test_symlink(self) -> None:
        """A symlink is a block that gives back its path."""
        made = directory.symlink(Naming(), "../a")
        self.assertEqual(unixfs.target(unixfs.decode(dagpb.decode(made.block.data).data)), "../a")
        self.assertEqual(made.part.size, len(made.block.data))

    def test_little_is_read(self) -> None:
        """One change of a large directory reads and writes the blocks on one way."""
        every = list(hamt.build(Naming(), map(entry, FEW)))
        blocks, asked = store(one.block for one in every), list[Cid]()

        def get(cid: Cid) -> bytes:
            asked.append(cid)
            return blocks.get_block(cid)

        done = run(changes.put(every[-1].part.cid, entry("one more")), get)
        self.assertLessEqual(len(asked), 3)
        self.assertLessEqual(len(done.blocks), 4)

    def test_metadata_of_a_folder_stays(self) -> None:
        """Mode and time of a directory are not lost when an entry changes."""
        meaning = UnixFs(Kind.DIRECTORY, mode=0o700)
        one = directory.flat(Naming(), [entry("a")], meaning)
        done = run(changes.put(one.part.cid, entry("b")), store([one.block]).get_block)
        self.assertEqual(unixfs.decode(dagpb.decode(done.blocks[0].data).data), meaning)


class HostileTests(FormatCase):
    def shard(self, links: list[Link], **fields: Any) -> bytes:
        """A shard of these links, and a bitmap that fits them."""
        bitmap = sum(1 << int(link.name[:2], 16) for link in links if len(link.name) > 1)
        values = {"data": bitmap.to_bytes(32, "big").lstrip(b"\0"), "hash_type": 0x22, "fanout": 256, **fields}
        return dagpb.encode(links, UnixFs(Kind.HAMT, **values).encode())

    def test_refused(self) -> None:
        """Places that are no numbers, stand twice or are not in the bitmap, other hashes, what is no shard."""
        self.assertEqual(hamt.load(self.shard([Link(A, "0Fx")])).slots, {15: Link(A, "x")})
        for links in ([Link(A, "x")], [Link(A, "0fx")], [Link(A, "+1x")], [Link(A, "0Fx"), Link(A, "0Fy")]):
            self.refused("malformed", hamt.load, self.shard([]) if not links else self.with_any_bitmap(links))
        self.refused("malformed", hamt.load, self.shard([Link(A, "0Fx")], data=b"\x01"))
        self.refused("unsupported", hamt.load, self.shard([Link(A, "0Fx")], hash_type=0x12))
        self.refused("malformed", hamt.load, b"\x0a\x02\x08\x01")

    def with_any_bitmap(self, links: list[Link]) -> bytes:
        """A shard whose bitmap says one place."""
        return dagpb.encode(links, UnixFs(Kind.HAMT, b"\x80\x00", hash_type=0x22, fanout=256).encode())

    def test_bomb(self) -> None:
        """A few blocks that are named again and again are refused before they cost anything."""
        data = self.shard([Link(A, f"{hamt.key_of('x') >> 56:02X}x")])
        blocks = store([Block(Cid.v0(data), data)])
        for _ in range(7):
            data = self.shard([Link(Cid.v0(data), f"{place:02X}") for place in range(256)])
            blocks.put([Block(Cid.v0(data), data)])
        self.refused("malformed", listed, Cid.v0(data), blocks)

    def test_too_deep(self) -> None:
        """Shards that never end are refused where hashes have no more bits."""
        inner = self.shard([Link(A, "00")])
        listing, refused = Listing(A), 0
        for depth in range(9):
            try:
                listing.give(inner)
            except FormatError as error:
                refused = depth
                self.assertEqual(error.code, "malformed")
                break
        self.assertEqual(refused, 7)
        full = self.shard([Link(A, f"{place:02X}") for place in range(256)])
        self.refused("too-large", run, changes.put(A, entry("any")), lambda cid: full)

    def test_empty_shards(self) -> None:
        """A shard without entries stands at the root or nowhere; one in shards of another fanout nowhere."""
        self.assertEqual(Listing(A).give(self.shard([])), [])
        for inner in (self.shard([]), self.shard([Link(A, "00")], fanout=512)):
            listing = Listing(A)
            listing.give(self.shard([Link(A, "00")]))
            self.refused("malformed", listing.give, inner)

    def test_not_a_directory(self) -> None:
        """Files and symlinks have no entries; a folder is no shard."""
        for meaning in (UnixFs(Kind.FILE), unixfs.symlink("x")):
            self.refused("unsupported", Listing(A).give, dagpb.encode((), meaning.encode()))
        listing = Listing(A)
        listing.give(self.shard([Link(A, "00")]))
        self.refused("malformed", listing.give, b"\x0a\x02\x08\x01")

    @given(st.binary(max_size=40), st.lists(st.tuples(st.text("0123456789ABCDEFx", max_size=4)), max_size=4))
    @settings(max_examples=80)
    def test_any_shard(self, bitmap: bytes, names: list[tuple[str]]) -> None:
        """Any links and bitmap are a shard, which can be written again, or are refused."""
        data = dagpb.encode(
            [Link(A, name) for (name,) in names], UnixFs(Kind.HAMT, bitmap, hash_type=0x22, fanout=256).encode()
        )
        try:
            shard = hamt.load(data)
        except FormatError:
            return
        self.assertEqual(hamt.load(shard.encode()), shard)
