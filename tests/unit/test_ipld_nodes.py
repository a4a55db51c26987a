"""Protocol buffers, dag-pb and UnixFS data: vectors of another implementation, hostile bytes, properties."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import codecs, dagpb, protobuf, unixfs
from bitdust.ipld.cid import CODECS, DAG_PB, LONGEST_BLOCK, RAW, Cid
from bitdust.ipld.dagpb import Link, Node
from bitdust.ipld.errors import FormatError
from bitdust.ipld.unixfs import Kind, Mtime, UnixFs
from tests.unit.ipld_kit import FormatCase, vectors

A, B = Cid.v0(b"\x0a\x02\x08\x01"), Cid.of(b"")
KINDS = {"raw": 0, "directory": 1, "file": 2, "metadata": 3, "symlink": 4, "hamt-sharded-directory": 5}
NAMES = st.text(max_size=8) | st.binary(max_size=6).map(lambda name: name.decode("utf-8", "surrogateescape"))
SAFE = NAMES.filter(
    lambda name: not any("\ud800" <= letter < "\udc80" or letter > "\udcff" and letter < "\ue000" for letter in name)
)


class ProtobufTests(FormatCase):
    @given(st.integers(-(1 << 63), (1 << 64) - 1))
    @settings(max_examples=40)
    def test_numbers(self, value: int) -> None:
        """Every number of 64 bits comes back; one below zero as its complement."""
        data = protobuf.number(value)
        self.assertEqual(protobuf.read_number(data, 0, strict=True), (value % (1 << 64), len(data)))

    def test_numbers_refused(self) -> None:
        """More than 64 bits, no end, and for strict readers, longer than is needed."""
        self.refused("malformed", protobuf.read_number, b"\xff" * 9 + b"\x02", 0)
        self.refused("malformed", protobuf.read_number, b"\xff" * 11, 0)
        self.refused("malformed", protobuf.read_number, b"\x80", 0)
        self.assertEqual(protobuf.read_number(b"\x81\x00", 0), (1, 2))
        self.refused("malformed", protobuf.read_number, b"\x81\x00", 0, True)

    def test_fields_refused(self) -> None:
        """Kinds that nobody uses any more, numbers of no field, fields that end behind their message."""
        for data in (
            b"\x0b",
            b"\x0c",
            b"\x0f",
            b"\x02\x00",
            b"\x80\x80\x80\x80\x20\x00",
            b"\x0a\x02a",
            b"\x0d\0\0\0",
            b"\x09",
        ):
            self.refused("malformed", lambda data: list(protobuf.read(data, {})), data)
        self.refused("malformed", lambda: list(protobuf.read(b"\x08\x01", {1: protobuf.BYTES})))

    def test_fixed(self) -> None:
        """Fields of four and of eight bytes are numbers, the lowest byte first."""
        found = protobuf.read(b"\x0d\1\0\0\0\x11\2\0\0\0\0\0\0\0", {1: protobuf.FIXED32, 2: protobuf.FIXED64})
        self.assertEqual(list(found), [(1, 1), (2, 2)])


class DagPbTests(FormatCase):
    def test_vectors(self) -> None:
        """Nodes have the bytes that the other implementation writes, and come back from them."""
        for case in vectors("unixfs")["dagpb"]:
            links = [Link(Cid.parse(cid), name, size) for cid, name, size in case["links"]]
            data = None if case["data"] is None else bytes.fromhex(case["data"])
            made = dagpb.encode(links, data)
            self.assertEqual(made.hex(), case["bytes"])
            ordered = tuple(sorted(links, key=lambda link: link.name.encode()))
            self.assertEqual(dagpb.decode(made, strict=True), Node(ordered, data))

    @given(
        st.lists(st.builds(Link, st.sampled_from((A, B)), SAFE, st.integers(0, (1 << 64) - 1)), max_size=5),
        st.none() | st.binary(max_size=20),
    )
    @settings(max_examples=40)
    def test_there_and_back(self, links: list[Link], data: bytes | None) -> None:
        """Any names, also such as are no text, sizes and data come back, sorted by name, equal names in their order."""
        node = dagpb.decode(dagpb.encode(links, data))
        self.assertEqual(node.links, tuple(sorted(links, key=lambda link: dagpb.name_bytes(link.name))))
        self.assertEqual(node.data, data)
        self.assertEqual(dagpb.encode(*node), dagpb.encode(links, data))

    @given(st.binary(max_size=60), st.booleans())
    @settings(max_examples=80)
    def test_any_bytes(self, data: bytes, strict: bool) -> None:
        """Bytes are a node or are refused; what is strict is read as the lenient reader does."""
        try:
            node = dagpb.decode(data, strict)
        except FormatError:
            return
        self.assertEqual(node, dagpb.decode(data))

    @given(st.integers(0, 200), st.integers(0, 255))
    @settings(max_examples=60)
    def test_changed_bytes(self, position: int, byte: int) -> None:
        """A node in which one byte was changed is read or refused, and nothing else."""
        data = bytearray(dagpb.encode([Link(A, "a", 300), Link(B, "b", 1)], b"data"))
        data[position % len(data)] = byte
        for strict in (False, True):
            try:
                dagpb.decode(bytes(data), strict)
            except FormatError:
                pass

    def test_lenient(self) -> None:
        """As go-ipfs, the lenient reader takes any order, unknown fields, two data; the strict one refuses them."""
        link, data = b"\x12" + bytes((2 + len(bytes(A)),)) + b"\x0a\x22" + bytes(A), b"\x0a\x01x"
        whole = dagpb.encode([Link(A, "n", 5)])
        size_first = b"\x12\x29\x18\x05\x12\x01n\x0a\x22" + bytes(A)
        for blob in (link + data + link, data + data, link + b"\x18\x01", b"\x0a\x81\x00x", size_first):
            dagpb.decode(blob)
            self.refused("malformed", dagpb.decode, blob, strict=True)
        self.assertEqual(dagpb.decode(size_first), dagpb.decode(whole))
        self.assertEqual(dagpb.decode(b"\x0a\x01x\x0a\x01y").data, b"y")
        for blob in (data + link, link + link + data):
            self.assertEqual(dagpb.decode(blob, strict=True), dagpb.decode(blob))
        self.refused("malformed", dagpb.decode, dagpb.encode([Link(A, "\udcff")]), strict=True)

    def test_refused(self) -> None:
        """Links to nothing, CIDs that go on, blocks of more than 2 MiB."""
        for blob in (b"\x12\x00", b"\x12\x25\x0a\x23" + bytes(A) + b"x", b"\x0a", b"\x08\x01"):
            self.refused("malformed", dagpb.decode, blob)
        self.refused("too-large", dagpb.decode, bytes(LONGEST_BLOCK + 1))

    def test_links_of_blocks(self) -> None:
        """What a block links to follows from its codec; a codec that nobody knows is refused."""
        node = dagpb.encode([Link(B, "b"), Link(A, "a"), Link(A, "c")])
        self.assertEqual(codecs.links(Cid.of(node, DAG_PB), node), (A, B, A))
        for codec in (RAW, CODECS["cbor"], CODECS["libp2p-key"]):
            self.assertEqual(codecs.links(Cid.of(node, codec), node), ())
        self.refused("unsupported", codecs.links, Cid.of(b"", CODECS["git-raw"]), b"")
        self.refused("too-large", codecs.links, Cid.of(b""), bytes(LONGEST_BLOCK + 1))

    def test_published_edges(self) -> None:
        """Nodes that the collection of fixtures refuses are refused, and one in another order is read as it says."""
        for text in (
            "1200",
            "12000a050001020304",
            "12020a00",
            "12021200",
            "120b1209736f6d65206e616d65",
            "12021800",
            "120318f207",
            "12240a221220cf92fdefcdc34cac009c8b05eb662be0618db9de55ecd42785e9ec6712f8df650a04080218061224"
            "0a221220cf92fdefcdc34cac009c8b05eb662be0618db9de55ecd42785e9ec6712f8df65",
        ):
            self.refused("malformed", dagpb.decode, bytes.fromhex(text), strict=True)
        link = (
            "12330a24015512205891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03120968656c6c6f2e7478741806"
        )
        node = dagpb.decode(bytes.fromhex("0a020801" + link), strict=True)
        canonical = dagpb.encode(*node)
        self.assertEqual(canonical.hex(), link + "0a020801")
        self.assertEqual(str(Cid.of(canonical, DAG_PB)), "bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24")

    @given(st.sampled_from((A, B, Cid.of(b"", DAG_PB), Cid.of(b"", 0x71), Cid.of(b"", RAW, 0x13))), st.data())
    @settings(max_examples=60)
    def test_quick_and_slow(self, cid: Cid, data: st.DataObject) -> None:
        """The quick way to a link and the slow one read the same, whatever was changed in it."""
        name = data.draw(st.sampled_from(("", "n", "n" * 127, "n" * 128)))
        blob = bytearray(dagpb.encode([Link(cid, name, data.draw(st.sampled_from((0, 127, 128, 1 << 40))))])[2:])
        if data.draw(st.booleans()):
            blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(
                st.sampled_from((0, 1, 0x12, 0x18, 0x22, 0x80, 0xFF))
            )
        for strict in (False, True):
            outcomes = []
            for read in (dagpb._link, dagpb._any_link):
                try:
                    outcomes.append(read(bytes(blob), strict))
                except FormatError as error:
                    outcomes.append(error.code)
            self.assertEqual(outcomes[0], outcomes[1])


class UnixFsTests(FormatCase):
    def test_vectors(self) -> None:
        """Data of every kind have the bytes that the other implementation writes, and come back from them."""
        for case in vectors("unixfs")["unixfs"]:
            blob = bytes.fromhex(case["bytes"])
            node = unixfs.decode(blob)
            self.assertEqual(node.encode(), blob)
            self.assertEqual(node.kind, KINDS[case["kind"]])
            self.assertEqual((node.data or b"").hex(), case["data"] or "")
            self.assertEqual(list(node.blocksizes), case["blocksizes"])
            self.assertEqual(node.mode, case["mode"])
            self.assertEqual(node.mtime, case["mtime"] and Mtime(*case["mtime"]))
            if node.is_file:
                self.assertEqual(node.size, node.filesize)

    def test_fast_leaf(self) -> None:
        """The short way to a leaf makes what the long way makes."""
        for kind in (Kind.RAW, Kind.FILE):
            for data in (b"", b"x", bytes(300)):
                self.assertEqual(unixfs.file_part(kind, data), UnixFs(kind, data or None, len(data)).encode())

    def test_symlinks_and_metadata(self) -> None:
        """A symlink gives back its path, metadata the MIME type."""
        for path in ("../a", "", "\u00e9/\udcff"):
            self.assertEqual(unixfs.target(unixfs.decode(unixfs.symlink(path).encode())), path)
        self.refused("too-large", unixfs.symlink, "x" * 5000)
        self.refused("too-large", unixfs.target, UnixFs(Kind.SYMLINK, bytes(5000)))
        self.assertEqual(unixfs.mime_type(unixfs.decode(unixfs.metadata("text/plain").encode())), "text/plain")
        self.assertEqual(unixfs.mime_type(UnixFs(Kind.METADATA)), "")

    def test_packed_sizes(self) -> None:
        """Sizes that stand in one field are read as those one by one."""
        self.assertEqual(unixfs.decode(b"\x08\x02\x22\x03\x01\xac\x02\x20\x05").blocksizes, (1, 300, 5))

    def test_directories(self) -> None:
        """Two kinds have names, two have bytes."""
        self.assertEqual([kind for kind in Kind if UnixFs(kind).is_directory], [Kind.DIRECTORY, Kind.HAMT])
        self.assertEqual([kind for kind in Kind if UnixFs(kind).is_file], [Kind.RAW, Kind.FILE])
        self.assertEqual(unixfs.FOLDER.encode(), b"\x08\x01")

    @given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda end: b"\x08\x02" + end))
    @settings(max_examples=80)
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes have a meaning, which can be written again, or are refused."""
        try:
            node = unixfs.decode(data)
        except FormatError:
            return
        self.assertEqual(unixfs.decode(node.encode()), node)

    def test_refused(self) -> None:
        """No type, a type to come, a fanout that no reader can use, a second of too many nanoseconds."""
        self.refused("malformed", unixfs.decode, None)
        self.refused("malformed", unixfs.decode, b"")
        self.refused("unsupported", unixfs.decode, b"\x08\x06")
        for fanout in (None, 0, 3, 4, 100, 2048):
            self.refused("malformed", unixfs.decode, UnixFs(Kind.HAMT, fanout=fanout).encode())
        self.refused("malformed", unixfs.decode, UnixFs(Kind.FILE, mtime=Mtime(1, 1_000_000_000)).encode())
