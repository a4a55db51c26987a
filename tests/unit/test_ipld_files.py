"""Chunkers, layouts and builders of files, against another implementation and against themselves."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import buzhash, chunking, rabin
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.layout import Balanced, Part, Trickle
from bitdust.ipld.multihash import named
from bitdust.ipld.naming import Naming
from tests.unit.ipld_kit import FormatCase, content, digest, pieces, vectors


def build(recipe: Recipe, data: bytes, size: int = 8192) -> tuple[list[Block], Part]:
    """A file, given in pieces: its blocks and its root."""
    builder = FileBuilder(recipe)
    blocks = [block for piece in pieces(data, size) for block in builder.feed(piece)]
    blocks += builder.finish()
    return blocks, builder.root


def cut(chunker: str, data: bytes, size: int = 8192) -> list[int]:
    """The lengths of the chunks of bytes that are given in pieces; the chunks are those bytes."""
    one = chunking.parse(chunker)
    chunks = [chunk for piece in pieces(data, size) for chunk in one.feed(piece)] + one.finish()
    if b"".join(chunks) != data:
        raise AssertionError("chunks are not the bytes that were cut")
    return [len(chunk) for chunk in chunks]


def slow_buzhash(data: bytes) -> list[int]:
    """Cuts byte by byte, as the format is described."""
    lengths, state, start = [], 0, 0
    for end in range(1, len(data) + 1):
        length = end - start
        if length >= buzhash.SHORTEST:
            state = (
                buzhash.fingerprint(data[end - 32 : end]) if length == buzhash.SHORTEST else _slide(state, data, end)
            )
            if not state & 0x1FFFF or length == buzhash.LONGEST:
                lengths.append(length)
                start = end
    return lengths + [len(data) - start] * (len(data) > start)


def _slide(state: int, data: bytes, end: int) -> int:
    """One byte in, one out: a word that is rotated 32 times is itself."""
    words = buzhash.WORDS
    return (state << 1 & 0xFFFFFFFF | state >> 31) ^ words[data[end - 33]] ^ words[data[end - 1]]


class Leaf(Part):
    """A leaf that is counted while somebody holds it."""

    alive = 0

    @classmethod
    def make(cls) -> "Leaf":
        """One more."""
        cls.alive += 1
        return cls(Cid.of(b"x"), 1, 1)

    def __del__(self) -> None:
        Leaf.alive -= 1


class ChunkerTests(FormatCase):
    def test_rabin_vectors(self) -> None:
        """Rabin cuts where the other implementation cuts, however the bytes come."""
        for case in vectors("unixfs")["chunks"]:
            text = "rabin-" + "-".join(str(number) for number in case["rabin"])
            data = content(case["seed"], case["length"])
            self.assertEqual(cut(text, data), case["lengths"])
            if len(data) < 100_000:
                for size in (1, 100, 7001, len(data)):
                    self.assertEqual(cut(text, data, size), case["lengths"])

    def test_rabin_texts(self) -> None:
        """One number is the average, none is 256 KiB, names before numbers are allowed."""
        data = content("rabin", 600_000)
        self.assertEqual(cut("rabin", data), cut("rabin-87381-262144-393216", data))
        self.assertEqual(cut("rabin-1024", data[:9000]), cut("rabin-min:341-avg:1024-max:1536", data[:9000]))

    def test_fingerprint(self) -> None:
        """The last byte of a window counts as it is, and the one before it eight places higher."""
        self.assertEqual(rabin.fingerprint(bytes(15) + b"\x07"), 7)
        self.assertEqual(rabin.fingerprint(bytes(14) + b"\x07\x01"), 0x701)

    def test_buzhash(self) -> None:
        """Buzhash cuts as a slow reading of its description does, however the bytes come; and not what is too short."""
        data = content("buzhash", 500_000)
        expected = slow_buzhash(data)
        self.assertGreater(len(set(expected)), 2)
        for size in (8192, 100_003, len(data)):
            self.assertEqual(cut("buzhash", data, size), expected)
        self.assertEqual(cut("buzhash", data[: expected[0]]), expected[:1])
        self.assertEqual(cut("buzhash", data[: buzhash.SHORTEST]), [buzhash.SHORTEST])
        odd = next(byte for byte in range(256) if buzhash.WORDS[byte].bit_count() % 2)
        self.assertEqual(cut("buzhash", bytes((odd,)) * (buzhash.LONGEST + 1)), [buzhash.LONGEST, 1])

    def test_buzhash_words(self) -> None:
        """The table is whole: each bit is set in half of the words."""
        counts = [sum(word >> bit & 1 for word in buzhash.WORDS) for bit in range(32)]
        self.assertEqual(counts, [128] * 32)

    @given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 30))
    @settings(max_examples=60)
    def test_fixed_size(self, given_pieces: list[bytes], size: int) -> None:
        """All chunks have one size save for the last, which is not empty."""
        one = chunking.parse(f"size-{size}")
        chunks = [chunk for piece in given_pieces for chunk in one.feed(piece)] + one.finish()
        data = b"".join(given_pieces)
        self.assertEqual(chunks, [data[start : start + size] for start in range(0, len(data), size)])

    def test_memory(self) -> None:
        """A chunker holds no more than one chunk and what it was given last."""
        for text in ("size-1000", "rabin-100-300-1000"):
            one = chunking.parse(text)
            held = 0
            for piece in pieces(content("memory", 50_000), 400):
                held += len(piece) - sum(len(chunk) for chunk in one.feed(piece))
                self.assertLess(held, 1400)

    def test_texts_refused(self) -> None:
        """Unknown chunkers, numbers that are none, sizes beyond 1 MiB, orders that contradict themselves."""
        for text in ("fastcdc", "size", "size-1-2", "buzhash-1", "x" * 1000):
            self.refused("unsupported", chunking.parse, text)
        for text in ("size-", "size-0", "size-x", "size-²", "rabin-47", "rabin-x", "rabin-1-2", "rabin-15-64-128"):
            self.refused("malformed", chunking.parse, text)
        for text in ("rabin-64-64-128", "rabin-16-128-128", "rabin-16-64-128-256", "rabin-max:16-64-128"):
            self.refused("malformed", chunking.parse, text)
        for text in ("size-1048577", "rabin-1048576", "rabin-16-64-1048577"):
            self.refused("too-large", chunking.parse, text)


class BuilderTests(FormatCase):
    def test_vectors(self) -> None:
        """Files around every boundary of chunk, node and layout have blocks, root and sizes as elsewhere."""
        for case in vectors("unixfs")["files"]:
            version, raw, trickle = case.get("version", 0), case.get("raw", False), case.get("trickle", False)
            recipe = Recipe(Naming(version), raw, trickle, f"size-{case['chunk']}", case.get("width", 174))
            blocks, root = build(recipe, content(case.get("seed", "file"), case["length"]))
            self.assertEqual(str(root.cid), case["cid"], case)
            self.assertEqual((root.size, root.filesize), (case["size"], case["length"]), case)
            if case["length"] or not trickle:
                self.assertEqual(digest(blocks), (case["blocks"], case["digest"]), case)
            self.assertEqual(blocks[-1].cid.multihash, root.cid.multihash)

    def test_empty(self) -> None:
        """A file without bytes is one block that many nodes know."""
        for trickle in (False, True):
            blocks, root = build(Recipe(trickle=trickle), b"")
            self.assertEqual(str(root.cid), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
            self.assertEqual((len(blocks), root.size, root.filesize), (1, 6, 0))

    def test_published(self) -> None:
        """Files that many pages about IPFS add have the CIDs that those pages show."""
        for text, cid in (
            (b"hello world\n", "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"),
            (b"hello world", "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"),
            (b"Hello Worlds!\n", "QmVr26fY1tKyspEJBniVhqxQeEjhF78XerGiqWAwraVLQH"),
            (b"Hello Mars!\n", "QmPrrHqJzto9m7SyiRzarwkqPcCSsKR2EB1AyqJfe8L8tN"),
        ):
            self.assertEqual(str(build(Recipe(), text)[1].cid), cid)

    def test_open_files_are_small(self) -> None:
        """What a builder holds grows with the depth of the tree, not with the file."""
        for make in (Balanced, Trickle):
            layout, most = make(Naming(), 4), 0
            Leaf.alive = 0
            for _ in range(3000):
                layout.add(Leaf.make())
                most = max(most, Leaf.alive)
            self.assertLess(most, 40)
            self.assertEqual(layout.finish()[1].filesize, 3000)

    def test_inline(self) -> None:
        """Small blocks stand in their CID, and are not given back to be stored."""
        blocks, root = build(Recipe(Naming(1, inline=32), raw_leaves=True), b"small")
        self.assertEqual((blocks, root.cid.inline(), root.size), ([], b"small", 5))
        blocks, root = build(Recipe(Naming(0, inline=16), chunker="size-4"), b"12345678x")
        self.assertEqual([len(block.data) for block in blocks], [len(blocks[-1].data)])
        self.assertEqual((root.cid.version, root.filesize), (0, 9))

    def test_other_functions(self) -> None:
        """Version 1 takes any hash function, version 0 has one."""
        code = named("blake2b-256").code
        blocks, root = build(Recipe(Naming(1, code)), b"x")
        self.assertEqual(str(root.cid)[:8], "bafykbza")
        self.assertTrue(blocks[0].cid.matches(blocks[0].data))
        self.refused("unsupported", Naming, 0, code)
        self.refused("unsupported", Naming, 2)
        self.refused("too-large", Naming, 1, 0x12, 129)

    def test_root_before_the_end(self) -> None:
        """A file that is not finished has no root."""
        self.refused("malformed", lambda: FileBuilder().root)
        self.refused("malformed", Balanced(Naming()).finish)
