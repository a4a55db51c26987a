"""What goes over the wire and into signatures: encoding, schema, names, packet, signed records and their bodies."""

import string
from typing import Any

import cbor2
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.wire import names
from bitdust.wire.encoding import MAX_DEPTH, WireError, decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL, BadName, KeyId, RemotePath
from bitdust.wire.packet import MAX_HEADER, MAX_PAYLOAD, Command, Packet
from bitdust.wire.records import (
    Contract,
    DeviceAddresses,
    DeviceCertificate,
    Family,
    Head,
    PackRecord,
    Scheme,
)
from bitdust.wire.schema import Bytes, Choice, Flag, Int, ListOf, Optional, Struct, Text, Variant
from bitdust.wire.schema import parse as parse_map
from bitdust.wire.signed import Signed, message

LIMIT = 1 << 16
OWNER, PEER = bytes(range(32)), bytes(range(32, 64))
PACKET = Packet(
    Command.DATA, b"i" * 16, OWNER, OWNER, PEER, 1_763_700_000_000, {"kind": "piece"}, 5, b"a" * 16, b"h" * 32
)
RECORDS: tuple[Any, ...] = (
    PackRecord(OWNER, b"p" * 16, 1_000_000, Scheme(2, 4), [bytes((number,)) * 32 for number in range(4)]),
    Contract(b"c" * 16, OWNER, PEER, 2**30, 3, 4, 1_763_700_000),
    Family(OWNER, 7, 2, 4, 1_763_700_000, [PEER, None, PEER, None], ["tcp://host:1", None, None, None]),
    Head(OWNER, b"d" * 8, 12, b"h" * 32, 1_763_700_000),
    DeviceAddresses(OWNER, b"d" * 8, ["tcp://192.0.2.1:7771"], 1_763_700_000_000),
    DeviceCertificate(OWNER, PEER, 3, b"s" * 256),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ODD = (None, True, -1, 2**70, 1.5, b"", b"\0" * 2_000, "\u00e9" * 3_000, [], {}, [None] * 200, {"x": 1})
"""What hardly any field may hold; `accepted_changes` sorts out where one may."""


def code_of(case: SynchronousTestCase, call: Any, *args: Any) -> str:
    """The code of the `WireError` that a call must raise."""
    return str(case.assertRaises(WireError, call, *args).code)


def spoiled(value: Any) -> list[tuple[str, Any]]:
    """The map with one field missing, of another type, or too much; and with an unknown one."""
    found: list[tuple[str, Any]] = [("unknown", value | {"unknown": 1})]
    for name in value:
        found.append((f"{name} missing", {key: item for key, item in value.items() if key != name}))
        found.extend((f"{name}={odd!r:.30}", value | {name: odd}) for odd in ODD)
    return found


class Encoding(SynchronousTestCase):
    """Equal values have equal bytes, and no other bytes are read."""

    @settings(deadline=None)
    @given(VALUES)
    def test_round_trip(self, value):
        """Every value of the format comes back from its bytes."""
        self.assertEqual(decode(encode(value), LIMIT), value)

    @settings(max_examples=400, deadline=None)
    @given(st.binary(max_size=80))
    def test_any_bytes(self, data):
        """Any bytes are refused with a code, or are exactly the canonical form of what they give."""
        try:
            value = decode(data, LIMIT)
        except WireError as error:
            self.assertIn(error.code, ("malformed", "not-canonical"))
        else:
            self.assertEqual(encode(value), data)

    @settings(deadline=None)
    @given(VALUES, st.data())
    def test_one_byte_changed(self, value, data):
        """A changed byte is refused or is another value: never the same value in other bytes."""
        good = encode(value)
        place = data.draw(st.integers(0, len(good) - 1))
        bad = bytearray(good)
        bad[place] ^= data.draw(st.integers(1, 255))
        try:
            self.assertNotEqual(encode(decode(bytes(bad), LIMIT)), good)
        except WireError as error:
            self.assertIn(error.code, ("malformed", "not-canonical"))

    def test_other_forms_are_refused(self):
        """Each way to write a value otherwise, and each thing the format does not use, has its code."""
        cases = {
            "18 01": "not-canonical",  # a longer head than needed
            "1900ff": "not-canonical",
            "a2 6162 01 6161 02": "not-canonical",  # keys out of order
            "a2 6161 01 6161 02": "malformed",  # a key twice
            "a1 01 02": "malformed",  # keys that are no texts
            "a1 4161 01": "malformed",
            "a1 80 01": "malformed",
            "a1 f5 01": "malformed",
            "81 a1 01 02": "malformed",
            "9f 01 ff": "malformed",  # indefinite lengths
            "5f 4161 ff": "malformed",
            "bf ff": "malformed",
            "fb 3ff0000000000000": "malformed",  # floats
            "f9 3c00": "malformed",
            "f7": "malformed",  # undefined, simple values
            "f8 ff": "malformed",
            "c0 6161": "malformed",  # tags, big numbers
            "c2 4101": "malformed",
            "1c": "malformed",  # reserved
            "61 ff": "malformed",  # not UTF-8
            "": "malformed",  # cut off, or going on
            "42 01": "malformed",
            "81": "malformed",
            "01 01": "malformed",
            "5bffffffffffffffff": "malformed",
            "9bffffffffffffffff": "malformed",
        }
        for text, code in cases.items():
            self.assertEqual(code_of(self, decode, bytes.fromhex(text), LIMIT), code, text)

    def test_limits(self):
        """Bytes, items and depth are bounded; what lies at the bound is read."""
        self.assertEqual(decode(b"\x43abc", 4), b"abc")
        self.assertEqual(code_of(self, decode, b"\x43abc", 3), "too-large")
        self.assertEqual(len(decode(encode([0] * 9), LIMIT, 10)), 9)
        self.assertEqual(code_of(self, decode, encode([0] * 10), LIMIT, 10), "malformed")
        self.assertEqual(encode(decode(b"\x81" * MAX_DEPTH + b"\x01", LIMIT)), b"\x81" * MAX_DEPTH + b"\x01")
        self.assertEqual(code_of(self, decode, b"\x81" * (MAX_DEPTH + 1) + b"\x01", LIMIT), "malformed")
        self.assertEqual(code_of(self, decode, b"\x81" * 50_000, LIMIT), "malformed")

    def test_errors(self):
        """A refusal is one kind of error, with a code for programs and a text for people."""
        error = self.assertRaises(WireError, decode, b"", LIMIT)
        self.assertIsInstance(error, BitDustError)
        self.assertTrue(error.code and str(error))


class Schemas(SynchronousTestCase):
    """One place says what a field may hold."""

    def test_bounds(self):
        """Each kind of field takes its bounds and refuses what lies beyond, or is of another type."""
        cases: tuple[tuple[Any, tuple[Any, ...], tuple[Any, ...]], ...] = (
            (Bytes(2), (b"ab",), (b"a", b"abc", "ab", None, [97, 98])),
            (Bytes(1, 3), (b"a", b"abc"), (b"", b"abcd")),
            (Text(4), ("", "abcd", "\u00e9\u00e9"), ("abcde", "\u00e9\u00e9a", b"ab", 1)),
            (Text(4, str.isdigit), ("12",), ("ab",)),
            (Int(1, 3), (1, 3), (0, 4, True, "2", 1.0)),
            (Flag(), (True, False), (0, 1, None)),
            (Choice(("a", "b")), ("a",), ("c", b"a", None, ["a"])),
            (ListOf(Int(), 2, 1), ([0], [0, 1]), ([], [0, 1, 2], [-1], (0,), {})),
            (Optional(Int()), (None, 1), (-1, "")),
            (
                Struct({"a": Int(), "b": Optional(Int())}),
                ({"a": 1}, {"a": 1, "b": 2}),
                ({}, {"b": 1}, {"a": 1, "c": 1}),
            ),
            (Variant("op", {"x": {"a": Int()}}), ({"op": "x", "a": 1},), ({"op": "x"}, {"op": "y"}, {}, [], {"op": 1})),
        )
        for schema, good, bad in cases:
            for value in good:
                schema.check(value, "it")
            for value in bad:
                self.assertEqual(code_of(self, schema.check, value, "it"), "bad-field", (schema, value))

    def test_all_that_a_schema_admits_is_let_through(self):
        """The largest value of a schema has as many items as it says, and is read; who lets fewer through cannot."""
        row = Struct({"id": Bytes(8), "key": Optional(Bytes(32)), "to": Text(9), "is": Choice(("it",)), "ok": Flag()})
        full = {"id": bytes(8), "key": bytes(32), "to": "x" * 9, "is": "it", "ok": True}
        kinds = Variant("op", {"few": {"a": Int()}, "many": {"a": ListOf(row, 3)}})
        schema = Struct({"rows": ListOf(row, 9), "more": kinds})
        data = encode({"rows": [full] * 9, "more": {"op": "many", "a": [full] * 3}})
        self.assertEqual(len(parse_map(data, schema, 4096, "it")["rows"]), 9)
        decode(data, 4096, schema.items)
        for most in (schema.items - 1, 20):
            self.assertEqual(code_of(self, decode, data, 4096, most), "malformed")
            self.assertEqual(code_of(self, parse_map, data, schema, 4096, "it", most), "malformed")

    def test_the_place_is_named(self):
        """The text of a refusal says which field it was."""
        schema = Struct({"list": ListOf(Struct({"n": Int()}), 5)})
        error = self.assertRaises(WireError, schema.check, {"list": [{"n": 1}, {"n": -1}]}, "it")
        self.assertIn("it.list[1].n", str(error))


class Names(SynchronousTestCase):
    """Names are read in one form only."""

    def test_idurl(self):
        """An IDURL is a plain http(s) URL of one document, and is written in one form."""
        url = IDURL.parse(" http://ID.example:80/alice.xml ")
        self.assertEqual((str(url), url.global_id), ("http://id.example/alice.xml", "alice@id.example"))
        url = IDURL.parse("https://id.example:8443/alice.xml")
        self.assertEqual((str(url), url.global_id), ("https://id.example:8443/alice.xml", "alice@id.example_8443"))
        self.assertEqual(str(names.idurl_of("master$alice@host_443")), "https://host/alice.xml")
        self.assertEqual(str(names.idurl_of("alice@host_8084")), "http://host:8084/alice.xml")

    def test_bad_idurls(self):
        """Credentials, queries, other schemes, folders and impossible ports are refused."""
        bad = (
            "", "alice", "ftp://h/alice.xml", "file:///alice.xml", "http:///alice.xml", "http://h/alice", "http://h/a/alice.xml",
            "http://h/../alice.xml", "http://h/al.xml", "http://h/Alice.xml", "http://h/alice.xml?x", "http://h/alice.xml#x",
            "http://u:p@h/alice.xml", "http://u@h/alice.xml", "http://h:0/alice.xml", "http://h:99999/alice.xml",
            "http://h:x/alice.xml", "http://[::1/alice.xml", "http://-h/alice.xml", "http://a..b/alice.xml",
            "http://" + "h" * 64 + "/alice.xml", "http://h./alice.xml", "http://h_x/alice.xml",
            "http://h/-alice.xml", "http://h/" + "a" * 21 + ".xml", "http://" + "h" * 300 + "/alice.xml", "http://h/%61lice.xml",
        )  # fmt: skip
        for text in bad:
            self.assertEqual(code_of(self, IDURL.parse, text), "bad-name", text)

    @settings(deadline=None)
    @given(st.text(max_size=60) | st.text("htps:/.@_$-0123456789almx", max_size=60))
    def test_parsers_refuse_with_one_code(self, text):
        """Whatever the text, a name parser gives a value that reads back the same, or ``bad-name``."""
        for parse in (IDURL.parse, KeyId.parse, RemotePath.parse, names.idurl_of, names.version_time):
            try:
                value = parse(text)
            except BadName as error:
                self.assertEqual(error.code, "bad-name")
            else:
                if not isinstance(value, float):
                    self.assertEqual(type(value).parse(str(value)), value)

    def test_what_a_shell_has_taken(self):
        """A key id of a share or group without what stood behind its $ is refused with what to do."""
        for parse in (RemotePath.parse, KeyId.parse, names.idurl_of, names.check_whole):
            for kind in ("share_", "group_"):
                short = f"{kind}{'0f' * 16}@id.example"
                text = f"{short}:photos" if parse is RemotePath.parse else short
                self.assertIn("single quotes", str(self.assertRaises(BadName, parse, text)))
        names.check_whole(f"share_{'0f' * 16}$alice@id.example")
        self.assertEqual(RemotePath.parse(f"/share_{'0f' * 16}@id.example:x").key, None)

    def test_own_path_that_looks_like_a_catalog(self):
        """A path of mine that begins like a global id keeps its slash, so it never reads back as another's catalog."""
        mine = RemotePath.parse("/alice@host:secret")
        self.assertEqual((mine.key, mine.path, str(mine)), (None, "alice@host:secret", "/alice@host:secret"))
        self.assertEqual(RemotePath.parse(str(mine)), mine)
        hers = RemotePath.parse("alice@host:secret")
        self.assertEqual((str(hers.key), hers.path), ("master$alice@host", "secret"))
        for text in ("a:b", "docs/alice@host:x", "alice@host"):
            self.assertEqual(str(RemotePath.parse(text)), text)

    def test_a_share_as_a_whole(self):
        """The key id of a share names all that is in it, with a colon behind it and without; a slash before it makes it
        a path of one's own, and the key ids of other keys are one anyway."""
        share = f"share_{'0f' * 16}$alice@host_80"
        whole = RemotePath.parse(share)
        self.assertEqual((str(whole.key), whole.path, RemotePath.parse(f"{share}:")), (share, "", whole))
        mine = RemotePath.parse(f"/{share}")
        self.assertEqual((mine.key, mine.path, str(mine)), (None, share, f"/{share}"))
        self.assertEqual(RemotePath.parse("photos$alice@host").key, None)

    @settings(deadline=None)
    @given(st.from_regex(r"/{0,2}([a-z]\$)?al?ice?@host(_80)?:?/?[a-z:@$]{0,6}/?", fullmatch=True))
    def test_paths_like_catalogs_read_back(self, text):
        """Whatever looks like a path in somebody's catalog reads back the same, or is refused."""
        try:
            value = RemotePath.parse(text)
        except BadName:
            return
        self.assertEqual(RemotePath.parse(str(value)), value)

    @settings(deadline=None)
    @given(st.text(max_size=30))
    def test_predicates_take_any_text(self, text):
        """The questions about a text have an answer for every text."""
        for ask in (names.is_global_id, names.is_path_id, names.is_version):
            self.assertIn(ask(text), (True, False))

    def test_only_ascii_digits(self):
        """Digits of other scripts name no version, no path id and no port."""
        digits = "\u0661" * 17
        self.assertFalse(names.is_version(f"F{digits}-\u0661"))
        self.assertFalse(names.is_path_id("\u0661/\u0662"))
        self.assertFalse(names.is_global_id("alice@host_\u0661"))

    def test_paths_lead_nowhere_else(self):
        """Weakness 6 and 8: no path of a catalog leads outside of it."""
        for path in ("..", "a/../b", "a/./b", "a//b", "a\0b", "../../etc/passwd", "x" * 256, "/".join("a" * 129)):
            self.assertEqual(code_of(self, RemotePath.parse, f"master$alice@host:{path}"), "bad-name", path)
        for text in ("x" * 5000, "\ud800", "bad alias$alice@host:x"):
            self.assertEqual(code_of(self, RemotePath.parse, text), "bad-name", text[:20])
        self.assertEqual(RemotePath.parse("alice@host:/docs/a.txt/").path, "docs/a.txt")
        self.assertEqual(str(RemotePath.parse("alice@host:docs")), "master$alice@host:docs")

    def test_aliases_are_plain(self):
        """Weakness 6: a key alias holds no separator."""
        self.assertEqual(KeyId.parse("master$alice@host").alias, "master")
        for text in (
            "a/b$alice@host",
            "..$alice@host",
            ".$alice@host",
            "a\\b$alice@host",
            "$alice@host",
            "a$b",
            "a" * 65,
        ):
            self.assertEqual(code_of(self, KeyId.parse, text), "bad-name", text)

    @settings(deadline=None)
    @given(st.integers(0, 2**42), st.integers(1, 10**6), st.integers(0, 65535))
    def test_versions_sort_by_time(self, start, later, device):
        """Weakness 22: versions are UTC, sort as text by time, and differ between devices."""
        first, second = (names.new_version(wall / 1000, device) for wall in (start, start + 1 + later))
        self.assertTrue(names.is_version(first))
        self.assertLess(first, second)
        self.assertLess(abs(names.version_time(first) - start / 1000), 0.002)
        self.assertNotEqual(first, names.new_version(start / 1000, device + 1))

    def test_old_versions(self):
        """Versions of the earlier form are read, impossible moments are not."""
        self.assertEqual(names.version_time("F20160313043757PM"), names.version_time("F20160313163757000-0"))
        for text in ("F20161313043757PM", "F20160313163799000-0", "F1", "20160313163757000-0", ""):
            self.assertEqual(code_of(self, names.version_time, text), "bad-name", text)
        self.assertEqual(names.split_version("0/1/F20160313163757000-0"), ("0/1", "F20160313163757000-0"))
        self.assertEqual(names.split_version("0/1"), ("0/1", None))

    def test_path_ids(self):
        """A path id is numbers, each perhaps with the device that made it."""
        for text, holds in (("0/0/1", True), ("0/0/1.2", True), ("0", True), ("", False), ("0/", False), ("/0", False), ("0/a", False), ("1.", False)):  # fmt: skip  # noqa: E501
            self.assertEqual(names.is_path_id(text), holds, text)


class Packets(SynchronousTestCase):
    """The header of a packet."""

    def test_round_trip(self):
        """A header comes back, with and without what it may leave out."""
        for packet in (PACKET, evolve(PACKET, answers=None, hash=None, fields={}, size=0)):
            self.assertEqual(Packet.from_bytes(packet.to_bytes()), packet)

    def test_every_field(self):
        """A header whose field is missing, of another type, too large or unknown is refused."""
        value = decode(PACKET.to_bytes(), LIMIT)
        for what, bad in spoiled(value):
            allowed = what in (
                "answers missing",
                "answers=None",
                "hash missing",
                "hash=None",
                "fields={}",
                "fields={'x': 1}",
            )
            if not allowed:
                refused = code_of(self, Packet.from_bytes, cbor2.dumps(bad, canonical=True))
                self.assertIn(refused, ("bad-field", "malformed", "too-large"), what)

    def test_limits(self):
        """A header has 16 KiB and a payload 64 MiB at most; commands are a fixed set; the version counts."""
        self.assertEqual(
            code_of(self, Packet.from_bytes, evolve(PACKET, fields={"x": bytes(MAX_HEADER)}).to_bytes()), "too-large"
        )
        self.assertEqual(Packet.from_bytes(evolve(PACKET, size=MAX_PAYLOAD).to_bytes()).size, MAX_PAYLOAD)
        value = decode(PACKET.to_bytes(), LIMIT)
        for change in ({"size": MAX_PAYLOAD + 1}, {"command": "Erase"}, {"version": 2}, {"version": 0}, {"time": -1}):
            self.assertEqual(code_of(self, Packet.from_bytes, encode(value | change)), "bad-field", change)
        flood = evolve(PACKET, fields={"x": [0] * 3000}).to_bytes()
        self.assertEqual(code_of(self, Packet.from_bytes, flood), "malformed")

    def test_command_fields(self):
        """The fields of a command are checked by its own schema, and the text names the command."""
        PACKET.check_fields(Struct({"kind": Choice(("piece",))}))
        error = self.assertRaises(WireError, PACKET.check_fields, Struct({}))
        self.assertEqual(error.code, "bad-field")
        self.assertIn("Data", str(error))

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes(self, data):
        """Bytes that are no header are refused."""
        self.assertRaises(WireError, Packet.from_bytes, data)

    @settings(deadline=None)
    @given(st.data())
    def test_one_byte_changed(self, data):
        """A header with a changed byte is refused, or is another header."""
        bad = bytearray(PACKET.to_bytes())
        bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            self.assertNotEqual(Packet.from_bytes(bytes(bad)), PACKET)
        except WireError as error:
            self.assertTrue(error.code)


class SignedRecords(SynchronousTestCase):
    """The wrapping of what a device signs."""

    SIGNED = Signed("head", b"body", b"d" * 8, b"s" * 64)

    def test_round_trip(self):
        """A signed record comes back, when its kind is the one that is expected."""
        self.assertEqual(Signed.from_bytes(self.SIGNED.to_bytes(), "head"), self.SIGNED)
        self.assertEqual(code_of(self, Signed.from_bytes, self.SIGNED.to_bytes(), "family"), "wrong-kind")

    def test_every_field(self):
        """Lists of another length and fields of another type or size are refused."""
        good = ["head", b"body", b"d" * 8, b"s" * 64]
        bad: list[Any] = [good[:3], [*good, 1], {"a": 1}, 1]
        for place in range(4):
            odd = [1, None, "\u00e9" * 20, []] + ([b"d" * 7] if place != 1 else [])
            bad += [[*good[:place], item, *good[place + 1 :]] for item in odd]
        for value in bad:
            self.assertIn(code_of(self, Signed.from_bytes, encode(value), "head"), ("malformed", "bad-field"), value)
        self.assertEqual(code_of(self, Signed.from_bytes, self.SIGNED.to_bytes(), "head", 50), "too-large")

    def test_kinds_are_kept_apart(self):
        """Weakness 12: what is signed holds the kind, so no signature of one purpose serves another."""
        self.assertNotEqual(message("head", b"x"), message("headx", b""))

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        """Bytes that are no signed record are refused."""
        self.assertRaises(WireError, Signed.from_bytes, data, "head")


class Records(SynchronousTestCase):
    """Bodies of signed records."""

    OPTIONAL = ("addresses missing", "addresses=None")

    def test_round_trip(self):
        """Each record comes back from its body."""
        for record in (*RECORDS, evolve(RECORDS[2], addresses=None)):
            self.assertEqual(type(record).from_body(record.to_body()), record)

    def test_every_field(self):
        """A body with a field that is missing, odd or unknown is refused; only a family's addresses may be absent."""
        for record in RECORDS:
            for what, bad in spoiled(decode(record.to_body(), LIMIT)):
                if type(record) is Family and what in self.OPTIONAL:
                    continue
                if type(record) is DeviceAddresses and what == "addresses=[]":
                    continue
                refused = code_of(self, type(record).from_body, cbor2.dumps(bad, canonical=True))
                self.assertIn(refused, ("bad-field", "malformed", "too-large"), (record.KIND, what))

    def test_fields_fit_each_other(self):
        """Numbers and lists that contradict each other are refused."""
        pack, contract, family = RECORDS[:3]
        bad = (
            evolve(pack, roots=pack.roots[:3]),
            evolve(pack, scheme=Scheme(4, 4)),
            evolve(pack, scheme=Scheme(5, 4)),
            evolve(pack, scheme=Scheme(2, 4, version=1)),
            evolve(contract, position=4),
            evolve(family, suppliers=[PEER, PEER]),
            evolve(family, addresses=["tcp://host:1"]),
            evolve(family, k=4),
            evolve(family, k=0),
        )
        for record in bad:
            self.assertEqual(code_of(self, type(record).from_body, record.to_body()), "bad-field", record)

    @settings(deadline=None)
    @given(st.binary(max_size=120))
    def test_any_bytes(self, data):
        """Bytes that are no record are refused by every record."""
        for record in RECORDS:
            self.assertRaises(WireError, type(record).from_body, data)

    @settings(deadline=None)
    @given(st.integers(0, 2), st.integers(1, 64 * 2**20), st.integers(2, 64), st.integers(2**16, 2**20))
    def test_piece_size(self, _, size, suppliers, segment):
        """A piece is as long as its fragments together, and any k pieces hold the pack."""
        scheme = evolve(Scheme.for_family(suppliers), segment=segment)
        lengths = [min(segment, size - start) for start in range(0, size, segment)]
        self.assertEqual(scheme.piece_size(size), sum(-(-length // scheme.k) for length in lengths))
        self.assertGreaterEqual(scheme.piece_size(size) * scheme.k, size)

    def test_schemes(self):
        """Half of a family, rounded up, is enough; users see the family's size."""
        for suppliers, k in ((2, 1), (3, 2), (4, 2), (7, 4), (64, 32)):
            self.assertEqual((Scheme.for_family(suppliers).k, Scheme.for_family(suppliers).n), (k, suppliers))
        self.assertEqual(Scheme(2, 4).name, RECORDS[2].ecc_map)
        self.assertFalse(RECORDS[2].complete)
        self.assertTrue(set(RECORDS[2].ecc_map) <= set(string.ascii_letters + string.digits + "/"))
