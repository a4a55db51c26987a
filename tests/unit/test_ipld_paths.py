"""Values of blocks of every codec, and paths through them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import codecs, dagjson, dagpb, directory
from bitdust.ipld.cid import CODECS, DAG_CBOR, DAG_JSON, DAG_PB, LIBP2P_KEY, LONGEST_BLOCK, RAW, Block, Cid
from bitdust.ipld.dagpb import Link, Node
from bitdust.ipld.directory import Style
from bitdust.ipld.paths import Found, follow, value_at
from bitdust.ipld.steps import run
from tests.unit.ipld_kit import Blocks, FormatCase

A, B = Cid.v0(b"\x0a\x02\x08\x01"), Cid.of(b"")


def block(codec: int, value: Any) -> Block:
    """A value as a block."""
    data = codecs.encode(codec, value)
    return Block(Cid.of(data, codec), data)


class ValueTests(FormatCase):
    def test_codecs(self) -> None:
        """Each codec gives back the value that it was given."""
        node = {"Data": b"x", "Links": [{"Hash": A, "Name": "a", "Tsize": 5}]}
        for codec, value in ((RAW, b"x"), (DAG_CBOR, {"a": [A]}), (DAG_JSON, {"a": [A]}), (DAG_PB, node)):
            made = block(codec, value)
            self.assertEqual(codecs.decode(made.cid, made.data), value)

    def test_refused(self) -> None:
        """Codecs without values, unknown ones, blocks beyond the limit, raw blocks that are no bytes."""
        for codec in (LIBP2P_KEY, CODECS["json"], CODECS["git-raw"]):
            self.refused("unsupported", codecs.encode, codec, b"")
            self.refused("unsupported", codecs.decode, Cid.of(b"", codec), b"")
        self.refused("malformed", codecs.encode, RAW, "x")
        self.refused("too-large", codecs.encode, RAW, bytes(LONGEST_BLOCK + 1))
        self.refused("too-large", codecs.decode, B, bytes(LONGEST_BLOCK + 1))

    @given(
        st.lists(
            st.tuples(st.sampled_from((A, B)), st.text("abé", max_size=3), st.integers(0, (1 << 64) - 1)), max_size=4
        ),
        st.none() | st.binary(),
    )
    @settings(max_examples=30)
    def test_nodes(self, links: list[tuple[Cid, str, int]], data: bytes | None) -> None:
        """A dag-pb node comes back from its map."""
        node = dagpb.decode(dagpb.encode([Link(*link) for link in links], data))
        self.assertEqual(dagpb.of_value(dagpb.to_value(node)), node)
        self.assertEqual(dagjson.decode(dagjson.encode(dagpb.to_value(node))), dagpb.to_value(node))

    def test_nodes_refused(self) -> None:
        """Maps that are no nodes; what may be left out may."""
        self.assertEqual(dagpb.of_value({"Links": [{"Hash": A}]}), Node((Link(A),)))
        self.assertEqual(dagpb.of_value({}), Node())
        for value in (None, [], {"x": 1}, {"Data": "x"}, {"Links": {}}, {"Links": [1]}, {"Links": [{}]}):
            self.refused("malformed", dagpb.of_value, value)
        for change in ({"Hash": "x"}, {"Name": 1}, {"Tsize": -1}, {"Tsize": 1 << 64}, {"Tsize": True}, {"x": 1}):
            self.refused("malformed", dagpb.of_value, {"Links": [{"Hash": A, **change}]})

    def test_names_that_are_no_text(self) -> None:
        """Bytes of a name that are no UTF-8 are replaced where a value is shown."""
        shown = dagpb.to_value(Node((Link(A, "a\udcff"),)))
        self.assertEqual(shown["Links"][0]["Name"], "a\ufffd")


class PathTests(FormatCase):
    def setUp(self) -> None:
        self.blocks = Blocks()
        leaf = block(DAG_CBOR, {"deep": [1, {"x": b"bytes"}]})
        middle = block(DAG_JSON, {"list": [leaf.cid, A], "0": 5, "": 6})
        (folder,) = directory.build(Style(), [Link(middle.cid, "value"), Link(B, "Links")])
        shards = list(
            directory.build(Style(sharded_from=0), [folder.part.link("f"), *(Link(A, f"n{one}") for one in range(300))])
        )
        self.leaf, self.middle, self.root = leaf.cid, middle.cid, shards[-1].part.cid
        self.folder = folder.part.cid
        self.blocks.put(
            [leaf, middle, folder.block, Block(B, b""), Block(A, b"\x0a\x02\x08\x01"), *(made.block for made in shards)]
        )

    def found(self, root: Cid, path: str) -> Found:
        """The end of a path."""
        return run(follow(root, [name for name in path.split("/") if name]), self.blocks.get_block)

    def test_follow(self) -> None:
        """A path leads through shards, folders, maps and lists, across links, and ends in or at a block."""
        for path, end in (
            ("", Found(self.root)),
            ("f", Found(self.folder)),
            ("f/value", Found(self.middle)),
            ("f/value/0", Found(self.middle, ("0",))),
            ("f/value/list", Found(self.middle, ("list",))),
            ("f/value/list/1", Found(A)),
            ("f/value/list/0", Found(self.leaf)),
            ("f/value/list/0/deep/1/x", Found(self.leaf, ("deep", "1", "x"))),
        ):
            self.assertEqual(self.found(self.root, path), end, path)
        self.assertEqual(run(value_at(Found(self.leaf, ("deep", "1", "x"))), self.blocks.get_block), b"bytes")
        self.assertEqual(run(value_at(Found(self.leaf, ("deep", "0"))), self.blocks.get_block), 1)

    def test_fields_of_a_node(self) -> None:
        """A name of a link comes before the field of that name; fields lead across links too."""
        self.assertEqual(self.found(self.folder, "Links"), Found(B))
        self.assertEqual(self.found(self.root, "n5/Data"), Found(A, ("Data",)))
        plain = dagpb.encode([Link(self.leaf, "a")])
        self.blocks.put([Block(Cid.v0(plain), plain)])
        self.assertEqual(self.found(Cid.v0(plain), "a/deep"), Found(self.leaf, ("deep",)))
        self.assertEqual(self.found(Cid.v0(plain), "Links/0/Hash/deep"), Found(self.leaf, ("deep",)))
        self.assertEqual(self.found(Cid.v0(plain), "Links/0/Name"), Found(Cid.v0(plain), ("Links", "0", "Name")))

    def test_absent(self) -> None:
        """Names that are missing, places beyond a list, and ways into what has no inside."""
        for path in ("x", "f/x", "f/value/list/2", "f/value/list/-1", "f/value/list/²", "f/value/0/x", "f/Links/x"):
            self.refused("absent", self.found, self.root, path)
        self.refused("absent", run, value_at(Found(self.leaf, ("x",))), self.blocks.get_block)
        self.refused("too-large", run, follow(A, ["a"] * 2000), self.blocks.get_block)
