"""Varints, multibase, multihash and CIDs against published texts, and by properties."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.ipld import multibase, multihash, varint
from bitdust.ipld.cid import CODECS, DAG_CBOR, DAG_PB, LIBP2P_KEY, RAW, Cid
from bitdust.ipld.errors import FormatError

EMPTY_FOLDER = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
EMPTY_RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
PUBLISHED = {
    "base2": "0000000000000000001111001011001010111001100100000011011010110000101101110011010010010000000100001",
    "base8": "700000171312714403326055632220041",
    "base10": "900573277761329450583662625",
    "base16": "f0000796573206d616e692021",
    "base16upper": "F0000796573206D616E692021",
    "base32": "baaahszltebwwc3tjeaqq",
    "base32upper": "BAAAHSZLTEBWWC3TJEAQQ",
    "base32hex": "v0007ipbj41mm2rj940gg",
    "base32hexupper": "V0007IPBJ41MM2RJ940GG",
    "base32pad": "caaahszltebwwc3tjeaqq====",
    "base32padupper": "CAAAHSZLTEBWWC3TJEAQQ====",
    "base32hexpad": "t0007ipbj41mm2rj940gg====",
    "base32hexpadupper": "T0007IPBJ41MM2RJ940GG====",
    "base32z": "hyyy813murbssn5ujryoo",
    "base36": "k002lcpzo5yikidynfl",
    "base36upper": "K002LCPZO5YIKIDYNFL",
    "base58flickr": "Z117Pznk19XTTzBtx",
    "base58btc": "z117paNL19xttacUY",
    "base64": "mAAB5ZXMgbWFuaSAh",
    "base64pad": "MAAB5ZXMgbWFuaSAh",
    "base64url": "uAAB5ZXMgbWFuaSAh",
    "base64urlpad": "UAAB5ZXMgbWFuaSAh",
}
"""Of two zero bytes and ``yes mani !`` (multiformats/multibase, tests/two_leading_zeros.csv)."""
DIGESTS = (
    ("identity", b"", "0000"),
    ("sha1", b"", "1114da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("sha2-256", b"", "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("sha2-384", b"abc", "2030cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"),
    ("sha3-512", b"", "1440a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"),
    ("blake2b-256", b"", "a0e402200e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
    ("blake2s-256", b"", "e0e4022069217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"),
    ("blake3", b"", "1e20af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
    ("dbl-sha2-256", b"", "56205df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"),
)
"""The beginning of the multihash: function, bytes, hexadecimal (RFC 7693, FIPS 180-4 and 202, multiformats)."""


def refused(case: SynchronousTestCase, code: str, call: object, *args: object) -> None:
    """The call is refused with that code."""
    case.assertEqual(case.assertRaises(FormatError, call, *args).code, code)


class VarintTests(SynchronousTestCase):
    def test_published(self) -> None:
        """The examples of the specification."""
        for value, data in ((1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16384, "808001")):
            self.assertEqual(varint.encode(value).hex(), data)
            self.assertEqual(varint.decode(bytes.fromhex(data)), (value, len(data) // 2))

    @given(st.integers(0, varint.HIGHEST), st.binary(max_size=3))
    @settings(max_examples=100)
    def test_there_and_back(self, value: int, behind: bytes) -> None:
        """Every value comes back, and what stands behind it is left alone."""
        data = varint.encode(value)
        self.assertEqual(varint.decode(b"x" + data + behind, 1), (value, 1 + len(data)))

    def test_refused(self) -> None:
        """No sign, no more than nine bytes, no useless zeros, no end that is missing."""
        for value in (-1, 1 << 63):
            refused(self, "malformed", varint.encode, value)
        for data in (b"", b"\x80", b"\x80\x00", b"\x81\x80\x00", b"\xff" * 9 + b"\x01", b"\xff" * 100):
            refused(self, "malformed", varint.decode, data)


class MultibaseTests(SynchronousTestCase):
    def test_published(self) -> None:
        """Every base of the table writes and reads what is published of it."""
        data = b"\0\0yes mani !"
        self.assertEqual(set(multibase.NAMES), set(PUBLISHED))
        for name, text in PUBLISHED.items():
            self.assertEqual(multibase.encode(data, multibase.NAMES[name].prefix), text)
            self.assertEqual(multibase.decode(text), data)

    @given(st.binary(max_size=60), st.sampled_from(sorted(multibase.BASES)))
    @settings(max_examples=150)
    def test_there_and_back(self, data: bytes, prefix: str) -> None:
        """Any bytes come back from any base."""
        self.assertEqual(multibase.decode(multibase.encode(data, prefix)), data)

    @given(st.text(max_size=20), st.sampled_from(sorted(multibase.BASES)))
    @settings(max_examples=200)
    def test_one_text(self, text: str, prefix: str) -> None:
        """A text is refused, or it is the one that its bytes are written as."""
        try:
            data = multibase.decode(prefix + text)
        except FormatError:
            return
        self.assertEqual(multibase.encode(data, prefix), prefix + text)

    def test_refused(self) -> None:
        """Unknown bases, letters of others, bits that are left over, and numbers that take too long."""
        for text in ("", "?abc"):
            refused(self, "unsupported", multibase.decode, text)
        for text in ("z0", "b1", "bab", "f0", "fz", "mA", "m=", "kA", "02", "78", "bAA", "\u00df" * 4):
            refused(self, "unsupported" if text[0] == "\u00df" else "malformed", multibase.decode, text)
        refused(self, "too-large", multibase.decode, "z" + "1" * (multibase.LONGEST_RADIX + 1))
        refused(self, "too-large", multibase.encode, bytes(multibase.LONGEST_RADIX + 1), "z")


class MultihashTests(SynchronousTestCase):
    def test_published(self) -> None:
        """Functions make what is published of them, and their multihash matches the bytes and no others."""
        for name, data, start in DIGESTS:
            made = multihash.compute(data, multihash.named(name).code)
            self.assertTrue(made.hex().startswith(start), name)
            self.assertTrue(multihash.matches(made, data))
            self.assertFalse(multihash.matches(made, data + b"x"))

    def test_every_function(self) -> None:
        """Each row of the table makes as many bytes as it says."""
        for code, row in multihash.FUNCTIONS.items():
            found, digest = multihash.split(multihash.compute(b"x", code))
            self.assertEqual((found, len(digest)), (code, 1 if row.length < 0 else row.length))

    def test_cut_down(self) -> None:
        """A digest may be cut down to twenty bytes and no further."""
        whole = multihash.split(multihash.compute(b"x"))[1]
        self.assertTrue(multihash.matches(multihash.wrap(0x12, whole[:20]), b"x"))
        self.assertFalse(multihash.matches(multihash.wrap(0x12, whole[:20]), b"y"))
        refused(self, "malformed", multihash.split, multihash.wrap(0x12, whole[:19]))

    def test_refused(self) -> None:
        """Ends that are missing, too much behind, too long, unknown."""
        refused(self, "malformed", multihash.split, b"\x12\x20" + bytes(31))
        refused(self, "malformed", multihash.split, b"\x12\x20" + bytes(33))
        refused(self, "malformed", multihash.split, b"\x12\x21" + bytes(33))
        refused(self, "too-large", multihash.split, b"\x00" + varint.encode(129) + bytes(129))
        refused(self, "too-large", multihash.compute, bytes(129), multihash.IDENTITY)
        refused(self, "unsupported", multihash.compute, b"", 0x7777)
        refused(self, "unsupported", multihash.named, "sha4")
        self.assertEqual(multihash.split(varint.encode(0x7777) + b"\x02ab"), (0x7777, b"ab"))


class CidTests(SynchronousTestCase):
    def test_published(self) -> None:
        """Texts in which many nodes know the empty folder and no bytes at all."""
        folder = Cid.parse(EMPTY_FOLDER)
        self.assertEqual((folder.version, folder.codec), (0, DAG_PB))
        self.assertEqual(folder, Cid.v0(b"\x0a\x02\x08\x01"))
        self.assertEqual(str(folder.to_v1()), "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354")
        self.assertEqual(str(folder.to_v1().to_v0()), EMPTY_FOLDER)
        self.assertEqual(str(Cid.of(b"")), EMPTY_RAW)
        self.assertEqual(Cid.of(b"").text("z"), "zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW")
        self.assertEqual(folder.text("z"), EMPTY_FOLDER)

    @given(
        st.sampled_from(sorted(CODECS.values())),
        st.sampled_from(sorted(multihash.FUNCTIONS)),
        st.binary(max_size=40),
        st.sampled_from("bzkumf0"),
    )
    @settings(max_examples=100)
    def test_there_and_back(self, codec: int, function: int, data: bytes, prefix: str) -> None:
        """Every CID comes back from its bytes and from its text, and matches its block."""
        cid = Cid.of(data, codec, function)
        self.assertEqual(Cid.from_bytes(bytes(cid)), cid)
        self.assertEqual(Cid.parse(cid.text(prefix)), cid)
        self.assertEqual(Cid.read(b"ab" + bytes(cid) + b"c", 2), (cid, 2 + len(bytes(cid))))
        self.assertTrue(cid.matches(data))

    @given(st.binary(max_size=50) | st.binary(max_size=34).map(lambda end: b"\x01\x55\x12\x20" + end))
    @settings(max_examples=200)
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes are refused, or they are what their CID is written as."""
        try:
            cid = Cid.from_bytes(data)
        except FormatError:
            return
        self.assertEqual(bytes(cid), data)

    @given(st.text(max_size=60))
    @settings(max_examples=100)
    def test_any_text(self, text: str) -> None:
        """A text is refused with an error of this room, and with no other."""
        try:
            Cid.parse(text)
        except FormatError:
            pass

    def test_refused(self) -> None:
        """Version 0 in multibase, versions to come, a tail, a cut, a text without end."""
        inner = multihash.compute(b"")
        for data in (b"", b"\x01", b"\x01\x55", inner[:-1], inner + b"x", b"\x01\x55" + inner + b"x"):
            refused(self, "malformed", Cid.from_bytes, data)
        for data in (b"\x00", b"\x02\x55" + inner):
            refused(self, "unsupported", Cid.from_bytes, data)
        refused(self, "malformed", Cid.parse, multibase.encode(inner))
        refused(self, "malformed", Cid.parse, EMPTY_FOLDER.replace("N", "0"))
        refused(self, "too-large", Cid.parse, "b" * 10_000)
        for text in ("", "b", "Qm"):
            self.assertRaises(FormatError, Cid.parse, text)

    def test_version_0_has_few_words(self) -> None:
        """Other codecs and functions have no form of version 0."""
        for cid in (Cid.of(b""), Cid.of(b"", DAG_PB, 0x13), Cid.of(b"", DAG_CBOR)):
            refused(self, "unsupported", cid.to_v0)

    def test_inline(self) -> None:
        """A block may stand in its CID."""
        cid = Cid.of(b"small", RAW, multihash.IDENTITY)
        self.assertTrue(cid.is_inline)
        self.assertEqual(cid.inline(), b"small")
        self.assertFalse(Cid.of(b"", LIBP2P_KEY).is_inline)
