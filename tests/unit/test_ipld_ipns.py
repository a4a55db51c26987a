"""Keys, peer ids and IPNS records: vectors of another implementation, forgeries, properties."""

from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.ipld import dagcbor, ipns, multibase, multihash, protobuf
from bitdust.ipld.cid import LIBP2P_KEY, Cid
from bitdust.ipld.errors import FormatError
from bitdust.ipld.ipns import Record
from bitdust.ipld.keys import KeyKind, PrivateKey, PublicKey
from bitdust.ipld.peerid import PeerId
from tests.unit.ipld_kit import FormatCase, vectors

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
KEY = PrivateKey.decode(bytes.fromhex(vectors("ipld")["peers"][0]["private"]))
OTHER = PrivateKey.decode(bytes.fromhex(vectors("ipld")["peers"][1]["private"]))
RSA = PrivateKey.decode(bytes.fromhex(vectors("ipld")["peers"][2]["private"]))
NAME = PeerId.of(KEY.public)
RECORD = Record(b"/ipfs/bafkqaaa", 7, NOW + SECOND, 60 * SECOND)


class KeyTests(FormatCase):
    def test_vectors(self) -> None:
        """Keys of each kind, their signatures and their peer ids are those of the other implementation."""
        for case in vectors("ipld")["peers"]:
            private = PrivateKey.decode(bytes.fromhex(case["private"]))
            public = PublicKey.decode(bytes.fromhex(case["public"]))
            message, signature = bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])
            self.assertEqual(private.encode().hex(), case["private"])
            self.assertEqual(private.public.encode(), public.encode())
            self.assertTrue(public.verify(signature, message))
            self.assertTrue(public.verify(private.sign(message), message))
            self.assertFalse(public.verify(signature, message + b"x"))
            self.assertFalse(public.verify(b"", message))
            peer = PeerId.of(public)
            self.assertEqual((str(peer), str(peer.cid)), (case["base58"], case["cid"]))
            self.assertEqual(ipns.routing_key(peer).hex(), case["routing_key"])

    def test_ecdsa(self) -> None:
        """Keys of other curves come back, sign, and have an id that does not hold them."""
        made = ec.generate_private_key(ec.SECP256R1())
        form = (
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        key = PrivateKey.decode(protobuf.number_field(1, 3) + protobuf.bytes_field(2, made.private_bytes(*form)))
        self.assertEqual(PrivateKey.decode(key.encode()).public.encode(), key.public.encode())
        self.assertTrue(PublicKey.decode(key.public.encode()).verify(key.sign(b"x"), b"x"))
        self.assertIsNone(PeerId.of(key.public).key)

    def test_generated(self) -> None:
        """New keys are of ED25519, or of RSA if one asks; others are not made."""
        key = PrivateKey.generate()
        self.assertEqual(PrivateKey.decode(key.encode()).public.encode(), key.public.encode())
        for kind, bits in ((KeyKind.ECDSA, 2048), (KeyKind.RSA, 1024), (KeyKind.RSA, 16384)):
            self.refused("unsupported", PrivateKey.generate, kind, bits)

    def test_long_private_key(self) -> None:
        """A key of ED25519 may have its public half twice, as old ones do, but not another one's."""
        seed, public = KEY.encode()[4:36], KEY.public.data
        self.assertEqual(PrivateKey.decode(b"\x08\x01\x12\x60" + seed + public * 2).encode(), KEY.encode())
        self.refused("malformed", PrivateKey.decode, b"\x08\x01\x12\x40" + seed + OTHER.public.data)

    def test_refused(self) -> None:
        """Keys without a kind, of a kind to come, of bytes that are none, of another kind than they say, too weak."""
        for kind in KeyKind:
            for body in (b"", b"x" * 31, b"\xff" * 33):
                for read in (PublicKey.decode, PrivateKey.decode):
                    self.refused("malformed", read, protobuf.number_field(1, kind) + protobuf.bytes_field(2, body))
        for data in (b"", b"\x08\x01", b"\x12\x00", b"\x0a\x00\x12\x00"):
            self.refused("malformed", PublicKey.decode, data)
        self.refused("unsupported", PublicKey.decode, b"\x08\x04\x12\x00")
        self.refused("too-large", PublicKey.decode, bytes(9000))
        self.refused(
            "malformed", PublicKey.decode, protobuf.number_field(1, 3) + protobuf.bytes_field(2, RSA.public.data)
        )
        self.refused("malformed", PrivateKey.decode, protobuf.number_field(1, 3) + RSA.encode()[2:])
        self.refused("unsupported", PublicKey.decode, protobuf.number_field(1, 0) + protobuf.bytes_field(2, WEAK))

    @given(st.binary(max_size=60) | st.binary(min_size=32, max_size=32).map(lambda end: b"\x08\x01\x12\x20" + end))
    @settings(max_examples=50)
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes are a key, from which nothing goes wrong, or are refused."""
        for read in (PublicKey.decode, PrivateKey.decode):
            try:
                key = read(data)
            except FormatError:
                continue
            self.assertEqual(read(key.encode()).encode(), key.encode())
            if isinstance(key, PublicKey):
                self.assertIn(key.verify(bytes(64), b"x"), (True, False))


WEAK = bytes.fromhex(
    "305c300d06092a864886f70d0101010500034b003048024100b2dd4dde1a3b8a3aadf6cd0ea7d1e9b0cbf1a8ef5f7e3f1f8d1a9e3ac8f5"
    "0b3ad5f4c8d9f1ea0f9d5d7c3f5b2a6fd1b8e4a3c2d1e0f9b8a7c6d5e4f3a2b1c0d10203010001"
)
"""A public key of RSA of 512 bits."""


class PeerIdTests(FormatCase):
    def test_texts(self) -> None:
        """A peer id is read from base 58 and from a CID in any base, and written in both."""
        for case in vectors("ipld")["peers"]:
            peer = PeerId.parse(case["base58"])
            cid = Cid.parse(case["cid"])
            for text in (case["cid"], peer.base36, cid.text("z"), cid.text("f")):
                self.assertEqual(PeerId.parse(text), peer)
            self.assertEqual(PeerId.parse(str(Cid(1, 0x70, peer.multihash))), peer)
            self.assertEqual(bytes(peer), cid.multihash)
        self.assertEqual(NAME.base36[:5], "k51qz")
        self.assertEqual(PeerId.of(RSA.public).base36[:4], "k2k4")
        self.assertTrue(str(PeerId.of(RSA.public)).startswith("Qm"))

    def test_published(self) -> None:
        """An id that the specification of peer ids shows, in both forms."""
        text = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
        self.assertEqual(str(PeerId.parse("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")), text)
        self.assertEqual(str(PeerId.parse(text).cid), "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")

    def test_key_inside(self) -> None:
        """A short key stands in the id, and only its own id matches a key."""
        self.assertEqual(NAME.key and NAME.key.encode(), KEY.public.encode())
        self.assertTrue(NAME.matches(KEY.public))
        self.assertFalse(NAME.matches(OTHER.public))
        self.assertFalse(NAME.matches(RSA.public))

    def test_refused(self) -> None:
        """Other hash functions, keys that are none, CIDs of something else, texts of no base."""
        self.refused("unsupported", PeerId.from_bytes, multihash.compute(b"x", 0x13))
        self.refused("malformed", PeerId.from_bytes, b"\x00\x01x")
        self.refused("unsupported", PeerId.parse, str(Cid.of(b"x")))
        self.refused("too-large", PeerId.parse, "1" * 10_000)
        for text in ("", "Qm", "1", "12D3", "x", "Qm0"):
            self.assertRaises(FormatError, PeerId.parse, text)
        long_key = multihash.wrap(0, RSA.public.encode()[:100])
        self.assertRaises(FormatError, PeerId.from_bytes, long_key)

    @given(st.text(max_size=60) | st.binary(max_size=45).map(multibase.BASE58.write))
    @settings(max_examples=50)
    def test_any_text(self, text: str) -> None:
        """A text is a peer id or is refused."""
        try:
            peer = PeerId.parse(text)
        except FormatError:
            return
        self.assertEqual(PeerId.parse(str(peer)), peer)


class RecordTests(FormatCase):
    def fields(self, data: bytes) -> dict[int, Any]:
        """The buffer of a record."""
        kinds = {field: protobuf.NUMBER if field in (3, 5, 6) else protobuf.BYTES for field in range(1, 10)}
        return dict(protobuf.read(data, kinds))

    def rebuilt(self, fields: dict[int, Any]) -> bytes:
        """A buffer of fields."""
        return b"".join(
            protobuf.number_field(field, value) if isinstance(value, int) else protobuf.bytes_field(field, value)
            for field, value in fields.items()
        )

    def signed(self, said: Any, **fields: Any) -> bytes:
        """A record whose map says anything, signed well."""
        data = dagcbor.encode(said)
        return self.rebuilt({8: KEY.sign(b"ipns-signature:" + data), 9: data, **fields})

    def test_vectors(self) -> None:
        """Records of another implementation, with one signature or both, are valid as it says, and say the same."""
        for case in vectors("ipld")["peers"]:
            name = PeerId.parse(case["base58"])
            for one in case["records"]:
                data = bytes.fromhex(one["bytes"])
                if not one["valid"]:
                    self.refused("expired", ipns.verify, data, name, NOW)
                    continue
                record = ipns.verify(data, name, NOW)
                moment = ipns.read_moment(one["validity"].encode())
                self.assertEqual(record, Record(one["value"].encode(), int(one["sequence"]), moment, int(one["ttl"])))

    def test_same_bytes(self) -> None:
        """A record made here of what such a record says has its bytes, save for the zeros of its moment."""
        case = vectors("ipld")["peers"][0]
        for one in case["records"]:
            theirs = bytes.fromhex(one["bytes"])
            moment = ipns.read_moment(one["validity"].encode())
            record = Record(one["value"].encode(), int(one["sequence"]), moment, int(one["ttl"]))
            mine = self.fields(ipns.make(KEY, record, with_v1=1 in self.fields(theirs)))
            their_fields = self.fields(theirs)
            self.assertEqual(list(mine), list(their_fields))
            said, theirs_said = dagcbor.decode(mine[9]), dagcbor.decode(their_fields[9])
            self.assertEqual(list(said), list(theirs_said))
            for name in ("Value", "Sequence", "TTL", "ValidityType"):
                self.assertEqual(said[name], theirs_said[name])

    def test_there_and_back(self) -> None:
        """Records of every kind of key are valid at once; the key is sent where the name does not hold it."""
        for key in (KEY, RSA):
            for with_v1 in (True, False):
                data = ipns.make(key, RECORD, with_v1)
                self.assertEqual(ipns.verify(data, PeerId.of(key.public), NOW), RECORD)
                self.assertEqual(7 in self.fields(data), key is RSA)
                self.assertEqual({1, 2, 3, 4, 5, 6} <= set(self.fields(data)), with_v1)

    def test_first_signature(self) -> None:
        """Old readers check value, moment and its kind."""
        fields = self.fields(ipns.make(KEY, RECORD))
        self.assertTrue(KEY.public.verify(fields[2], fields[1] + fields[4] + b"EOL"))

    def test_forged(self) -> None:
        """No second signature, another name, another key, other bytes: nobody has signed that."""
        fields = self.fields(ipns.make(KEY, RECORD))
        for change in ({8: b""}, {9: b""}, {8: OTHER.sign(b"x")}, {8: fields[2]}, {7: OTHER.public.encode()}):
            self.refused("bad-signature", ipns.verify, self.rebuilt({**fields, **change}), NAME, NOW)
        for left_out in (8, 9):
            less = {field: value for field, value in fields.items() if field != left_out}
            self.refused("bad-signature", ipns.verify, self.rebuilt(less), NAME, NOW)
        self.refused("bad-signature", ipns.verify, self.rebuilt(fields), PeerId.of(OTHER.public), NOW)
        without_key = {field: value for field, value in self.fields(ipns.make(RSA, RECORD)).items() if field != 7}
        self.refused("bad-signature", ipns.verify, self.rebuilt(without_key), PeerId.of(RSA.public), NOW)

    def test_two_truths(self) -> None:
        """What the buffer says besides has to be what was signed."""
        fields = self.fields(ipns.make(KEY, RECORD))
        for change in ({1: b"/ipfs/x"}, {4: b"2100-01-01T00:00:00Z"}, {5: 8}, {6: 1}, {3: 1}):
            self.refused("malformed", ipns.verify, self.rebuilt({**fields, **change}), NAME, NOW)
        less = {field: value for field, value in fields.items() if field != 5}
        self.refused("malformed", ipns.verify, self.rebuilt(less), NAME, NOW)

    def test_signed_nonsense(self) -> None:
        """What a key has signed is still checked: missing fields, other kinds, moments that are none."""
        good = dagcbor.decode(self.fields(ipns.make(KEY, RECORD))[9])
        self.assertEqual(ipns.verify(self.signed({**good, "Mine": 1}), NAME, NOW), RECORD)
        for change in (
            {"Value": "text"},
            {"Sequence": -1},
            {"TTL": True},
            {"Validity": b"x"},
            {"Validity": b"2026-13-01T00:00:00Z"},
        ):
            self.refused("malformed", ipns.verify, self.signed({**good, **change}), NAME, NOW)
        for name in good:
            self.refused(
                "malformed", ipns.verify, self.signed({key: good[key] for key in good if key != name}), NAME, NOW
            )
        self.refused("malformed", ipns.verify, self.signed([1]), NAME, NOW)
        self.refused("unsupported", ipns.verify, self.signed({**good, "ValidityType": 1}), NAME, NOW)

    def test_expired(self) -> None:
        """A record is valid until its moment, to the nanosecond."""
        data = ipns.make(KEY, RECORD)
        self.assertEqual(ipns.verify(data, NAME, RECORD.expires - 1), RECORD)
        self.refused("expired", ipns.verify, data, NAME, RECORD.expires)

    def test_rank(self) -> None:
        """The higher sequence counts; of equal ones the later moment."""
        later, newer = Record(b"x", 7, NOW + 2 * SECOND, 0), Record(b"y", 8, NOW, 0)
        self.assertEqual(max((RECORD, newer, later), key=lambda record: record.rank), newer)
        self.assertGreater(later.rank, RECORD.rank)

    def test_size(self) -> None:
        """A record has at most 10 KiB."""
        self.refused("too-large", ipns.make, KEY, Record(bytes(11_000), 0, NOW, 0))
        self.refused("too-large", ipns.verify, bytes(11_000), NAME, NOW)
        self.refused("too-large", ipns.make, KEY, Record(b"", 1 << 64, NOW, 0))

    @given(st.integers(-SECOND * 10**10, SECOND * 10**11))
    @settings(max_examples=40)
    def test_moments(self, moment: int) -> None:
        """Moments are written as RFC 3339 and come back, to the nanosecond."""
        self.assertEqual(ipns.read_moment(ipns.write_moment(moment).encode()), moment)

    def test_moments_refused(self) -> None:
        """Moments of other zones are read; what is no moment is refused."""
        self.assertEqual(ipns.read_moment(b"1970-01-01T01:00:00.5+01:00"), SECOND // 2)
        self.assertEqual(ipns.write_moment(1_500_000_000), "1970-01-01T00:00:01.5Z")
        for text in (
            b"",
            b"1970",
            b"1970-01-01T00:00:00",
            b"1970-01-01T00:00:60Z",
            b"1970-01-01T00:00:00.Z",
            b"0000-01-01T00:00:00Z",
            b"\xff",
        ):
            self.refused("malformed", ipns.read_moment, text)
        self.refused("malformed", ipns.write_moment, 10**30)

    @given(st.data())
    @settings(max_examples=40)
    def test_any_bytes(self, data: st.DataObject) -> None:
        """Bytes, and records with one byte changed, are refused with an error of this room, or are as they were."""
        blob = bytearray(ipns.make(KEY, RECORD))
        position = data.draw(st.integers(0, len(blob) - 1))
        blob[position] = data.draw(st.integers(0, 255))
        for one in (bytes(blob), data.draw(st.binary(max_size=50))):
            try:
                self.assertEqual(ipns.verify(one, NAME, NOW), RECORD)
            except FormatError:
                pass

    def test_cid_of_a_name(self) -> None:
        """A name is the CID of a key."""
        self.assertEqual(NAME.cid, Cid(1, LIBP2P_KEY, NAME.multihash))
