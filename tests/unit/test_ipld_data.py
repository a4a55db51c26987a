"""dag-cbor, dag-json and CAR: vectors of another implementation, hostile bytes, properties."""

import base64
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import car, codecs, dagcbor, dagjson, varint
from bitdust.ipld.cid import DAG_CBOR, DAG_JSON, LONGEST_BLOCK, Block, Cid
from bitdust.ipld.errors import FormatError
from bitdust.ipld.walking import Walk
from tests.unit.ipld_kit import Blocks, FormatCase, pieces, vectors

A, B = Cid.v0(b"\x0a\x02\x08\x01"), Cid.of(b"")
LINK = b"\xd8\x2a\x58\x25\x00" + bytes(B)
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NOT_CANONICAL = """
1817 190018 1a0000ffff 1b00000000ffffffff 5817 7817 9817 b817 5f4100ff 7f6161ff 9fff bfff f97e00 f93c00
fa3f800000 fb7ff8000000000000 fb7ff0000000000000 fbfff0000000000000 f7 f0 f8ff e0 c100 c11a00000000 d82b40
d9002a41 a2616201616100 a2616100616101 a262616100616200 a10000 a1410000 61ff 62c328 0000 1c 1f 3f 5c ff
d82a40 d82a4101 d82a4100 d82a60 d82a00 18 19ff 4201 81 a161 61
"""
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN
    | st.binary(max_size=30)
    | st.sampled_from((A, B)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=8,
)


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


class CborTests(FormatCase):
    def test_vectors(self) -> None:
        """Values of every kind have the bytes and CIDs that the other implementation gives them."""
        for case in vectors("ipld")["data"]:
            data = bytes.fromhex(case["cbor"])
            value = dagcbor.decode(data)
            self.assertEqual(dagcbor.encode(value), data)
            self.assertEqual(str(Cid.of(data, DAG_CBOR)), case["cid"])

    @given(VALUES)
    @settings(max_examples=40)
    def test_there_and_back(self, value: Any) -> None:
        """Every value comes back."""
        data = dagcbor.encode(value)
        self.assertEqual(dagcbor.decode(data), value)
        self.assertEqual(codecs.links(Cid.of(data, DAG_CBOR), data), dagcbor.links(data))

    @given(
        st.binary(max_size=30)
        | VALUES.map(dagcbor.encode).flatmap(
            lambda data: st.tuples(st.just(data), st.integers(0, 99), st.binary(min_size=1, max_size=1)).map(
                lambda one: one[0][: one[1]] + one[2] + one[0][one[1] + 1 :]
            )
        )
    )
    @settings(max_examples=100)
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes are what their value is written as, or are refused."""
        try:
            value = dagcbor.decode(data)
        except FormatError:
            return
        self.assertEqual(dagcbor.encode(value), data)

    def test_not_canonical(self) -> None:
        """Long lengths, open lengths, short floats, keys out of order or twice, tags, simple values, tails."""
        for text in NOT_CANONICAL.split():
            self.refused("malformed", dagcbor.decode, bytes.fromhex(text))
        self.refused("malformed", dagcbor.decode, b"")
        self.refused("malformed", dagcbor.decode, LINK.replace(b"\x58\x25\x00", b"\x58\x26\x00") + b"\x00")

    def test_published_edges(self) -> None:
        """Values that the collection of fixtures refuses are refused."""
        self.refused("malformed", dagcbor.decode, bytes.fromhex("a3636261720363666f6f0163666f6f02"))
        self.refused("malformed", dagjson.decode, b'{"foo":1,"foo":2,"bar":3}')

    def test_links(self) -> None:
        """Links are found in the order of the bytes, as often as they stand there."""
        data = dagcbor.encode({"b": [A, B, A], "a": {"x": B}, "ccc": [1, "x"]})
        self.assertEqual(dagcbor.links(data), (B, A, B, A))
        text = dagjson.encode({"b": [A, B], "a": B})
        self.assertEqual(codecs.links(Cid.of(text, DAG_JSON), text), (B, A, B))

    def test_limits(self) -> None:
        """Depth, integers, items, blocks and promised lengths have ends."""
        self.assertEqual(dagcbor.decode(dagcbor.encode(nested(128))), nested(128))
        self.refused("too-large", dagcbor.encode, nested(129))
        self.refused("too-large", dagcbor.decode, b"\x81" * 10_000 + b"\x80")
        self.refused("too-large", dagcbor.encode, 1 << 64)
        self.refused("too-large", dagcbor.encode, -1 - (1 << 64))
        self.refused("too-large", dagcbor.decode, bytes(LONGEST_BLOCK + 1))
        for head in (b"\x9b", b"\xbb", b"\x5b", b"\x7b"):
            self.refused("malformed", dagcbor.decode, head + b"\xff" * 8)
        self.patch(dagcbor, "MOST_ITEMS", 100)
        self.refused("too-large", dagcbor.decode, dagcbor.encode([0] * 100))

    def test_values_refused(self) -> None:
        """What has no form: other types, keys that are no text, text that is no Unicode, what is not finite."""
        for value in (object(), {1: 2}, {"\ud800": 1}, "\udcff", float("nan"), float("inf"), {1}, 1j):
            self.refused("malformed", dagcbor.encode, value)
            self.refused("malformed", dagjson.encode, value)


class JsonTests(FormatCase):
    def test_vectors(self) -> None:
        """Values have the text that the other implementation writes."""
        for case in vectors("ipld")["data"]:
            value = dagcbor.decode(bytes.fromhex(case["cbor"]))
            self.assertEqual(dagjson.encode(value).decode(), case["json"])
            self.assertEqual(dagjson.decode(case["json"].encode(), strict=True), value)

    @given(VALUES)
    @settings(max_examples=40)
    def test_there_and_back(self, value: Any) -> None:
        """Every value comes back, unless it would be read as a link or as bytes."""
        try:
            data = dagjson.encode(value)
        except FormatError:
            return
        self.assertEqual(dagjson.decode(data, strict=True), value)

    @given(st.text('{}[]":/,.0123456789eE-+ trufalsn\\', max_size=25) | st.text(max_size=10))
    @settings(max_examples=100)
    def test_any_text(self, text: str) -> None:
        """A text is a value, which has a canonical form, or is refused."""
        try:
            value = dagjson.decode(text.encode("utf-8", "surrogatepass"))
        except FormatError:
            return
        self.assertEqual(dagjson.decode(dagjson.encode(value), strict=True), value)

    def test_floats_stay_floats(self) -> None:
        """A float that is whole is not written as an integer; exponents have no zeros in front."""
        for value, text in ((1.0, "1.0"), (-0.0, "-0.0"), (1e-7, "1e-7"), (1e22, "1e+22"), (1e-10, "1e-10")):
            self.assertEqual(dagjson.encode(value).decode(), text)
            self.assertEqual(struct.pack(">d", dagjson.decode(text.encode())), struct.pack(">d", value))

    def test_lenient(self) -> None:
        """Spaces, any order of keys and padding are taken, unless strict."""
        for text, value in (('{ "b": 1, "a": 2 }', {"a": 2, "b": 1}), ('{"/":{"bytes":"YQ=="}}', b"a"), ("1E2", 100.0)):
            self.assertEqual(dagjson.decode(text.encode()), value)
            self.refused("malformed", dagjson.decode, text.encode(), strict=True)

    def test_reserved(self) -> None:
        """A map that only has the key ``/`` is a link or bytes; one with more is a map."""
        for value in ({"/": "x"}, {"/": {"bytes": "YQ"}}):
            self.refused("malformed", dagjson.encode, value)
        for value in ({"/": 1}, {"/": "x", "a": 1}, {"/": {"bytes": 1}}, {"/": {"bytes": "YQ", "a": 1}}):
            self.assertEqual(dagjson.decode(dagjson.encode(value)), value)
        self.assertRaises(FormatError, dagjson.decode, b'{"/":"x"}')
        self.refused("malformed", dagjson.decode, b'{"/":{"bytes":"Y"}}')

    def test_refused(self) -> None:
        """No JSON, keys twice, what is not finite, what is too large or too deep, text that is no Unicode."""
        for text in (
            b"",
            b"{",
            b"nul",
            b"[1,]",
            b'{"a":1,"a":2}',
            b"NaN",
            b"-Infinity",
            b"1e999",
            b"\xff",
            b'"\\ud800"',
            b"1 2",
        ):
            self.refused("malformed", dagjson.decode, text)
        for text in (
            b"18446744073709551616",
            b"-18446744073709551617",
            b"1" * 5000,
            b"[" * 130 + b"]" * 130,
            b"[" * 100_000,
        ):
            self.refused("too-large", dagjson.decode, text)
        self.refused("too-large", dagjson.decode, b" " * (LONGEST_BLOCK + 1))


def read(data: bytes, size: int) -> tuple[car.CarReader, list[Block]]:
    """A file, given in pieces."""
    reader = car.CarReader()
    blocks = [block for piece in pieces(data, size) for block in reader.feed(piece)]
    reader.finish()
    return reader, blocks


class CarTests(FormatCase):
    def test_vectors(self) -> None:
        """Files of another implementation are read in any pieces, and written again byte for byte."""
        for case in vectors("ipld")["cars"]:
            data = base64.b64decode(case["bytes"])
            for size in (1, 61, 1000, len(data)):
                reader, blocks = read(data, size)
                self.assertEqual([str(root) for root in reader.roots or ()], case["roots"])
                self.assertEqual(len(blocks), case["blocks"])
            self.assertEqual(car.header(reader.roots) + b"".join(map(car.section, blocks)), data)

    def test_walked(self) -> None:
        """What comes from below the roots, depth first, is the file again."""
        for case in vectors("ipld")["cars"][:2]:
            data = base64.b64decode(case["bytes"])
            reader, blocks = read(data, 1000)
            store = Blocks()
            store.put(blocks)
            walk, made = Walk(list(reader.roots or ())), car.header(reader.roots)
            while visit := walk.next():
                found = store.get_block(visit.cid)
                made += car.section(Block(visit.cid, found))
                walk.give(found)
            self.assertEqual(made, data)

    @given(st.binary(max_size=80), st.sampled_from((b"", car.header([A]))), st.integers(1, 90))
    @settings(max_examples=40)
    def test_any_bytes(self, data: bytes, head: bytes, size: int) -> None:
        """Bytes are a file or are refused, wherever the pieces end."""
        outcomes = []
        for step in (size, 1000):
            try:
                outcomes.append(read(head + data, step)[1])
            except FormatError as error:
                outcomes.append(error.code)
        self.assertEqual(outcomes[0], outcomes[1])

    def test_liars(self) -> None:
        """A block that is not what its CID names is refused."""
        self.refused("mismatch", read, car.header([B]) + car.section(Block(B, b"x")), 1000)
        self.refused("unsupported", read, car.header([]) + car.section(Block(Cid(1, 0x55, b"\x7f\x01x"), b"x")), 1000)

    def test_cut(self) -> None:
        """A file that ends in the middle is refused at its end, not taken for a shorter one."""
        data = car.header([B]) + car.section(Block(Cid.of(b"x"), b"x"))
        for end in range(len(data)):
            if end != len(car.header([B])):
                self.refused("malformed", read, data[:end], 7)
        read(data[: len(car.header([B]))], 7)

    def test_refused(self) -> None:
        """Headers of other versions and shapes, sections without a block, lengths that nobody should wait for."""

        def framed(value: Any) -> bytes:
            data = dagcbor.encode(value)
            return varint.encode(len(data)) + data

        self.refused("unsupported", read, bytes.fromhex("0aa16776657273696f6e02"), 100)
        for value in (
            {"version": 1},
            {"roots": []},
            {"version": 1, "roots": [1]},
            {"version": True, "roots": []},
            [1],
            {"version": 1, "roots": [], "x": 1},
        ):
            self.refused("malformed", read, framed(value), 100)
        self.refused("malformed", read, car.header([]) + b"\x00", 100)
        self.refused("malformed", read, car.header([]) + b"\x01\x01", 100)
        self.refused("malformed", read, car.header([]) + b"\x80\x00", 1)
        self.refused("malformed", read, car.header([]) + b"\x80" * 9, 1)
        reader = car.CarReader()
        self.refused("too-large", reader.feed, varint.encode(car.LONGEST_HEADER + 1))
        reader = car.CarReader()
        reader.feed(car.header([]))
        self.refused("too-large", reader.feed, varint.encode(1 << 40))

    def test_memory(self) -> None:
        """Bytes are not joined again with each piece: a large block in small pieces costs what its bytes cost."""
        block = Block(Cid.of(bytes(1_000_000)), bytes(1_000_000))
        reader, blocks = read(car.header([block.cid]) + car.section(block), 500)
        self.assertEqual(blocks, [block])
