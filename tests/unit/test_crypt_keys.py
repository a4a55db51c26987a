"""The key ring and the key file: what a person must not lose, and what is refused."""

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import keyfile
from bitdust.crypt.keyfile import HeadHint, Hints, KeyFile, SupplierHint
from bitdust.crypt.keyring import MASTER, MAX_RING, MAX_SCOPES, KeyRing, RingKey, secret_name
from bitdust.crypt.scope import scope_of
from bitdust.crypt.shares import Grant
from bitdust.wire.capability import Right
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from tests.keys import cheap_passphrases
from tests.unit.test_crypt_shares import share
from tests.vectors.keys import master

SECRET, PACK = bytes(range(32)), b"p" * 16
URLS = (IDURL.parse("http://id.example/alice.xml"), IDURL.parse("https://b.example/alice.xml"))
HINTS = Hints(
    3,
    ("seed.example:14441",),
    (SupplierHint(b"s" * 32, ("tcp://host:7771",)), SupplierHint(b"t" * 32)),
    (HeadHint(b"d" * 8, 17, b"h" * 32, b"s" * 16),),
)


def code_of(case: SynchronousTestCase, call: Any, *args: Any) -> str:
    """The code of the `BitDustError` that a call must raise."""
    return str(case.assertRaises(BitDustError, call, *args).code)


def flipped(data: bytes, place: int) -> bytes:
    """The bytes with one bit changed."""
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


class Rings(SynchronousTestCase):
    """The key ring."""

    def ring(self, *keys: RingKey) -> KeyRing:
        made = KeyRing()
        for key in keys:
            made.add(key)
        return made

    def test_round_trip(self):
        """A ring comes back from its bytes, erased keys and all epochs too."""
        ring = self.ring(
            RingKey(MASTER, secrets={1: (SECRET,), 2: (PACK * 2,)}), RingKey("docs", "\u00e9", private="P", public="Q")
        )
        ring.erase("docs")
        self.assertEqual(KeyRing.from_bytes(ring.to_bytes()), ring)
        self.assertEqual(ring.current(MASTER), (2, PACK * 2))
        self.assertEqual([key.key_id for key in ring.living()], [MASTER])

    def test_every_field(self):
        """A ring with a field that is missing, odd, unknown or twice is refused."""
        ring = self.ring(RingKey(MASTER, "label", secrets={1: (SECRET,)}, private="P", public="Q"))
        value = decode(ring.to_bytes(), MAX_RING)
        key = value["keys"][0]
        bad = [
            value | {"version": 6},
            value | {"shares": [{"owner": bytes(32)}]},
            value | {"keys": [key | {"grants": [{"id": bytes(16)}]}]},
            value | {"x": 1},
            {"keys": []},
            value | {"keys": [key, key]},
            value | {"keys": {}},
        ]
        bad += [value | {"keys": [key | {name: odd}]} for name in key for odd in (1, [1], b"x", {"x": 1})]
        bad += [
            value | {"keys": [{k: v for k, v in key.items() if k != name}]}
            for name in ("key_id", "label", "active", "secrets")
        ]
        secrets = ([{"epoch": 0, "secret": SECRET}], [{"epoch": 1, "secret": b"x"}], key["secrets"] * 2, [{"epoch": 1}])
        bad += [value | {"keys": [key | {"secrets": one}]} for one in secrets]
        for one in bad:
            self.assertEqual(code_of(self, KeyRing.from_bytes, encode(one)), "bad-field", one)
        self.assertEqual(code_of(self, KeyRing.from_bytes, bytes(MAX_RING + 1)), "too-large")

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        """Bytes that are no ring are refused."""
        self.assertRaises(WireError, KeyRing.from_bytes, data)

    def test_an_existing_key_is_never_replaced(self):
        """Weakness 13: adding or merging a key of a known name leaves the known one."""
        ring = self.ring(RingKey("docs", "mine", private="MINE", secrets={1: (SECRET,)}))
        theirs = self.ring(RingKey("docs", "theirs", private="THEIRS", secrets={1: (bytes(32),), 2: (PACK * 2,)}))
        self.assertEqual(code_of(self, ring.add, RingKey("docs", private="THEIRS")), "key-exists")
        self.assertTrue(ring.merge(theirs))
        self.assertEqual(ring.get("docs").private, "MINE")
        self.assertEqual(ring.get("docs").secrets, {1: (bytes(32), SECRET), 2: (PACK * 2,)})
        self.assertFalse(ring.merge(theirs))

    def test_what_was_erased(self):
        """An erased key does not come back by a merge; its storage secrets stay readable; the master stays."""
        ring = self.ring(RingKey(MASTER), RingKey("docs", private="P", secrets={1: (SECRET,)}))
        other = KeyRing.from_bytes(ring.to_bytes())
        ring.erase("docs")
        ring.merge(other)
        self.assertNotIn("docs", ring)
        self.assertIs(ring.keys["docs"].private, None)
        self.assertEqual(code_of(self, ring.get, "docs"), "key-not-found")
        self.assertEqual(ring.secrets("docs", 1), (SECRET,))
        self.assertEqual(code_of(self, ring.secrets, "docs", 2), "key-not-found")
        self.assertEqual(code_of(self, ring.erase, MASTER), "not-allowed")

    def test_a_ring_stays_readable(self):
        """Nothing is added that could not be read back: names, sizes, and all keys together."""
        bad = (
            (RingKey("a$" + "x" * 400), "bad-field"),
            (RingKey("a", "l" * 900), "bad-field"),
            (RingKey("a", private="x" * 20_000), "bad-field"),
            (RingKey("a", secrets={1: (b"short",)}), "bad-field"),
            (RingKey("../a"), "bad-key-id"),
            (RingKey(""), "bad-key-id"),
        )
        ring = KeyRing()
        for key, code in bad:
            self.assertEqual(code_of(self, ring.add, key), code)
        for number in range(60):
            try:
                ring.add(RingKey(f"key{number}", private="x" * 10_000))
            except BitDustError as error:
                self.assertEqual(error.code, "too-many-keys")
        self.assertGreater(len(ring.keys), 15)
        self.assertEqual(KeyRing.from_bytes(ring.to_bytes()), ring)
        self.assertLess(len(master().public.seal(ring.to_bytes())), MAX_RING)

    def test_secrets(self):
        """A key gets its first storage secret once."""
        ring = self.ring(RingKey("docs"))
        self.assertEqual(code_of(self, ring.current, "docs"), "key-without-secret")
        self.assertTrue(ring.ensure_secret("docs", lambda size: b"\1" * size, 3))
        self.assertFalse(ring.ensure_secret("docs", lambda size: b"\2" * size, 4))
        self.assertEqual(ring.current("docs"), (3 << 32 | 1, b"\1" * 32))

    def test_nothing_is_ever_dropped(self):
        """Two secrets of one name are both kept, in whichever order rings meet, and one of them is for what is new."""
        mine, theirs = (self.ring(RingKey(MASTER, secrets={1: (one,)})) for one in (SECRET, bytes(32)))
        before = [KeyRing.from_bytes(ring.to_bytes()) for ring in (mine, theirs)]
        mine.merge(before[1])
        theirs.merge(before[0])
        self.assertEqual(mine, theirs)
        self.assertEqual(mine.secrets(MASTER, 1), (bytes(32), SECRET))
        self.assertEqual(mine.current(MASTER), (1, SECRET))
        self.assertEqual(KeyRing.from_bytes(mine.to_bytes()), mine)

    def test_names_of_several_devices(self):
        """A secret is named after the device that made it, and each device counts its own."""
        ring = self.ring(RingKey("docs", secrets={secret_name(2, 7): (SECRET,)}))
        self.assertFalse(ring.ensure_secret("docs", bytes, 2))
        ring.keys["docs"] = ring.get("docs").all_retired()
        self.assertTrue(ring.ensure_secret("docs", bytes, 2))
        self.assertEqual(sorted(ring.get("docs").secrets), [2 << 32 | 7, 2 << 32 | 8])
        self.assertEqual(ring.current("docs"), (2 << 32 | 8, bytes(32)))

    def test_where_no_ring_counts(self):
        """Of several rings of which none counts all grants are taken, in whatever order they come, and taken back wins;
        nothing new is sealed under what they bring."""
        kept, again = (Grant(bytes([number]) * 16, bytes(32), (Right.READ,), 0, 5, 9) for number in (1, 2))
        older = RingKey("docs", secrets={1: (SECRET,)}, grants=(again,))
        newer = RingKey("docs", secrets={1: (SECRET,)}, grants=(kept, evolve(again, revoked=True)))
        for rings in ((older, newer), (newer, older)):
            ring = self.ring()
            for key in rings:
                ring.merge(self.ring(key), counts=False, is_alone=True)
            found = [(one.id, one.revoked) for one in ring.get("docs").grants]
            self.assertEqual(found, [(kept.id, False), (again.id, True)])
            self.assertEqual(code_of(self, ring.current, "docs"), "key-without-secret")
        ring = self.ring(older)
        ring.merge(self.ring(newer), counts=False)
        self.assertEqual(ring.get("docs").grants, (again,))

    def test_what_was_done_with_a_share_where_no_ring_counts(self):
        """What the person did last with a share counts, in whatever order rings come: it was forgotten, given again
        and opened, or opened and closed."""
        opened, forgotten = share(active=True, edits=1), share(erased=True, edits=2, secrets={})
        for last in (share(given=2, active=True, edits=3), share(active=False, edits=3)):
            for some in ((opened, forgotten, last), (last, forgotten, opened)):
                ring = self.ring()
                for one in some:
                    ring.merge(KeyRing(shares={one.place: one}), counts=False, is_alone=True)
                (found,) = ring.shares.values()
                self.assertEqual((found.active, found.erased), (last.active, False))

    def test_a_ring_that_does_not_count(self):
        """What a revoked device may have written opens what it opens, and changes nothing else."""
        ring = self.ring(RingKey(MASTER, secrets={1: (SECRET,)}), RingKey("docs", private="P"))
        theirs = self.ring(RingKey(MASTER, secrets={1: (bytes(32),), 2**48 - 1: (PACK * 2,)}), RingKey("docs"),
                           RingKey("new", private="Q", secrets={1: (SECRET,)}))  # fmt: skip
        theirs.erase("docs")
        self.assertTrue(ring.merge(theirs, counts=False))
        self.assertEqual((ring.current(MASTER), ring.get(MASTER).first), ((1, SECRET), SECRET))
        self.assertEqual(ring.secrets(MASTER, 2**48 - 1), (PACK * 2,))
        self.assertEqual(ring.get("docs").private, "P")
        self.assertEqual(code_of(self, ring.current, "new"), "key-without-secret")
        self.assertEqual(KeyRing.from_bytes(ring.to_bytes()), ring)
        other = self.ring(RingKey(MASTER, secrets={2**48 - 1: (PACK * 2,)}))
        other.merge(ring)
        self.assertEqual(other.current(MASTER), (1, SECRET))

    def test_rings_that_are_too_large_together(self):
        """A merge that could not be read back changes nothing."""
        mine, theirs = (
            self.ring(*(RingKey(f"{who}{number}", private="x" * 10_000) for number in range(15))) for who in "ab"
        )
        before = mine.to_bytes()
        self.assertEqual(code_of(self, mine.merge, theirs), "too-many-keys")
        self.assertEqual(mine.to_bytes(), before)

    def test_the_former_format(self):
        """A ring of version 1 is read, and written as version 5; it has no name twice."""
        key = {"key_id": MASTER, "label": "", "active": True, "secrets": [{"epoch": 3, "secret": SECRET}]}
        ring = KeyRing.from_bytes(encode({"version": 1, "keys": [key]}))
        self.assertEqual(ring.current(MASTER), (3, SECRET))
        self.assertEqual(decode(ring.to_bytes(), MAX_RING)["version"], 5)
        twice = key | {"secrets": [*key["secrets"], {"epoch": 3, "secret": bytes(32)}]}
        self.assertEqual(code_of(self, KeyRing.from_bytes, encode({"version": 1, "keys": [twice]})), "bad-field")

    def test_scopes_of_a_former_ring(self):
        """A ring of version 2 had no scopes: each secret of the master key may have given a key the one that it has."""
        kept = [{"epoch": 1 << 32 | 1, "secret": SECRET}, {"epoch": 1, "secret": bytes(32)}]
        keys = [{"key_id": name, "label": "", "active": True, "secrets": kept} for name in (MASTER, "docs")]
        keys.append(keys[0] | {"key_id": "unused", "secrets": []})
        ring = KeyRing.from_bytes(encode({"version": 2, "keys": keys}))
        self.assertEqual(ring.get("docs").scopes, {scope_of(one, "docs") for one in (SECRET, bytes(32))})
        self.assertEqual((ring.get(MASTER).scopes, ring.get("unused").scopes), (frozenset(), frozenset()))
        self.assertEqual(KeyRing.from_bytes(ring.to_bytes()), ring)

    def test_scopes_of_version_3(self):
        """A ring that has scopes keeps exactly those, whichever secrets it has by now."""
        own = scope_of(bytes(32), "docs")
        kept = {"label": "", "active": True, "secrets": [{"epoch": 1, "secret": SECRET}]}
        keys = [kept | {"key_id": MASTER}, kept | {"key_id": "docs", "scopes": [own]}]
        ring = KeyRing.from_bytes(encode({"version": 3, "keys": keys}))
        self.assertEqual(ring.get("docs").scopes, {own})

    def test_scopes_stay(self):
        """A key has its scope with its first secret, and keeps it when a merge brings another first secret."""
        mine, theirs = (
            self.ring(RingKey(MASTER, secrets={number: (one,)}), RingKey("docs"))
            for number, one in ((2, SECRET), (1, bytes(32)))
        )
        for ring in (mine, theirs):
            self.assertEqual(ring.get("docs").scopes, frozenset())
            ring.ensure_secret("docs", bytes, 1)
        before = mine.get("docs").scopes
        self.assertEqual(before, {scope_of(SECRET, "docs")})
        mine.merge(theirs)
        self.assertEqual(mine.get("docs").scopes, before | theirs.get("docs").scopes)
        mine.erase("docs")
        mine.add(RingKey("docs", secrets={9: (PACK * 2,)}))
        self.assertEqual(mine.get("docs").scopes, before | theirs.get("docs").scopes)

    def test_a_key_without_a_master_secret(self):
        """Where the master key has no secret yet, the key's own one gives the scope."""
        ring = self.ring(RingKey("docs", secrets={1: (SECRET,)}))
        self.assertEqual(ring.get("docs").scopes, {scope_of(SECRET, "docs")})

    def test_too_many_scopes(self):
        """Those of a ring that could not be read back are not taken."""
        ring, other = self.ring(RingKey("docs", secrets={1: (SECRET,)})), KeyRing()
        other.add(RingKey("docs", secrets={1: (SECRET,)}, scopes=frozenset(bytes([n]) * 16 for n in range(MAX_SCOPES))))
        self.assertEqual(code_of(self, ring.merge, other), "too-many-keys")

    def test_both_devices_have_the_same(self):
        """Whatever two rings say of one key, both devices have the same ring after they have met."""
        pairs = (
            (RingKey("docs", "mine", private="MINE", public="P"), RingKey("docs", "theirs", private="THEIRS")),
            (RingKey("docs", "mine"), RingKey("docs", "theirs", active=False)),
            (RingKey("docs", "x", public="P"), RingKey("docs", private="THEIRS", public="Q")),
        )
        for one, two in pairs:
            mine, theirs = self.ring(one), self.ring(two)
            before = KeyRing.from_bytes(mine.to_bytes())
            mine.merge(theirs)
            theirs.merge(before)
            self.assertEqual(mine.to_bytes(), theirs.to_bytes())
            self.assertEqual(KeyRing.from_bytes(mine.to_bytes()), mine)
            kept = {(key.private, key.public) for key in (one, two)} - {(None, None)}
            key = mine.get("docs")
            found = {(key.private, key.public), *((a or None, b or None) for a, b in key.pairs)} - {(None, None)}
            self.assertEqual(found, kept)

    def test_the_newest_label(self):
        """A label that one device gave later stays, whichever device compares first."""
        mine, theirs = self.ring(RingKey("docs", "z")), self.ring(RingKey("docs", "z"))
        theirs.label("docs", "a")
        before = KeyRing.from_bytes(mine.to_bytes())
        self.assertTrue(mine.merge(theirs))
        self.assertFalse(theirs.merge(before))
        self.assertEqual((mine.get("docs").label, mine), ("a", theirs))


class KeyFiles(SynchronousTestCase):
    """The one file that a person keeps."""

    def setUp(self):
        cheap_passphrases(self)

    def test_round_trip(self):
        """A key file comes back with its places, key and hints; with a passphrase no key is in the text."""
        for passphrase in (None, b"pass"):
            text = KeyFile(URLS, master(), HINTS).write(passphrase)
            found = KeyFile.read(text, passphrase)
            self.assertEqual((found.idurls, found.hints, found.damaged_hints), (URLS, HINTS, ""))
            self.assertEqual(found.master.fingerprint, master().fingerprint)
            self.assertEqual("BEGIN RSA PRIVATE KEY" in text, passphrase is None)
        self.assertIn("BEGIN RSA PRIVATE KEY", KeyFile(URLS, master()).write(b""))

    def test_the_key_alone_is_enough(self):
        """A file without places and hints, with other line ends or a byte order mark, is read."""
        text = KeyFile(URLS, master(), HINTS).write()
        self.assertEqual(KeyFile.read(master().to_pem()).idurls, ())
        for other in (text.replace("\n", "\r\n"), "\ufeff" + text, "\n\n" + text + "\n"):
            self.assertEqual(KeyFile.read(other).idurls, URLS)

    def test_passphrases(self):
        """A missing and a wrong passphrase have their codes."""
        text = KeyFile(URLS, master(), HINTS).write(b"pass")
        self.assertEqual(code_of(self, KeyFile.read, text), "passphrase-needed")
        self.assertEqual(code_of(self, KeyFile.read, text, b""), "passphrase-needed")
        self.assertEqual(code_of(self, KeyFile.read, text, b"other"), "wrong-passphrase")

    def test_every_byte_of_the_encrypted_block(self):
        """Whatever part of the box is changed, no other key comes out of it."""
        text = KeyFile(URLS, master()).write(b"pass")
        box = decode(keyfile._find_block(text, "BITDUST ENCRYPTED PRIVATE KEY"), 1 << 14)
        changes = ({"salt": bytes(16)}, {"nonce": bytes(12)}, {"box": flipped(box["box"], 9)}, {"box": box["box"][:-1]})
        for change in (*changes, {"version": 1}, {"version": 3}, {"box": b""}, {"x": 1}):
            bad = keyfile._block("BITDUST ENCRYPTED PRIVATE KEY", encode(box | change))
            self.assertIn(code_of(self, KeyFile.read, bad, b"pass"), ("wrong-passphrase", "bad-field"), change)

    def test_wrong_and_truncated_files(self):
        """Other files and parts of a key file are refused, whatever their end is."""
        for text in ("", "hello", "-----BEGIN CERTIFICATE-----", "http://id.example/alice.xml"):
            self.assertEqual(code_of(self, KeyFile.read, text), "not-a-key-file", text)
        self.assertEqual(code_of(self, KeyFile.read, "PRIVATE KEY-----"), "bad-key")
        self.assertEqual(code_of(self, KeyFile.read, "x" * 20_000), "too-large")
        self.assertEqual(code_of(self, KeyFile.read, "http://a/alice.xml\n" * 7 + master().to_pem()), "not-a-key-file")
        self.assertEqual(code_of(self, KeyFile.read, "what is this\n" + master().to_pem()), "bad-name")
        for passphrase in (None, b"pass"):
            text = KeyFile(URLS, master()).write(passphrase)
            end = text.index("-----END") + 20
            for cut in range(0, end, 37):
                self.assertIn(
                    code_of(self, KeyFile.read, text[:cut], passphrase), ("not-a-key-file", "bad-key", "malformed"), cut
                )

    @settings(deadline=None)
    @given(st.text(max_size=200), st.integers(0, 3000))
    def test_any_text(self, text, place):
        """Whatever is written into a key file, it is read or refused with a code."""
        good = KeyFile(URLS, master(), HINTS).write()
        for one in (text, text + "PRIVATE KEY-----", good[:place] + text + good[place:]):
            try:
                self.assertEqual(KeyFile.read(one).master.fingerprint, master().fingerprint)
            except WireError as error:
                self.assertTrue(error.code)

    def test_damaged_hints(self):
        """Damaged hints are told and never keep anybody from the key."""
        text = KeyFile(URLS, master(), HINTS).write()
        begin = text.index("-----BEGIN BITDUST")
        block = decode(HINTS.to_bytes(), 6000)
        bad = [text[: begin + 60], text[:-5], text.replace("HINTS-----\n", "HINTS-----\n!", 1)]
        bad += [text[:begin] + keyfile._block("BITDUST HINTS", encode(block | {name: "x"})) for name in block]
        for one in bad:
            found = KeyFile.read(one)
            self.assertTrue(found.damaged_hints)
            self.assertEqual((found.hints, found.master.fingerprint), (Hints(), master().fingerprint))

    def test_the_largest_file(self):
        """Hints are cut to their room, suppliers' addresses first, so that every file that is written is read."""
        address = "tcp://" + "h" * 200 + ":7771"
        full = Hints(
            5,
            tuple(f"{'s' * 200}{number}:1" for number in range(20)),
            tuple(SupplierHint(bytes((number,)) * 32, (address,) * 4) for number in range(64)),
            tuple(HeadHint(bytes((number,)) * 8, number, bytes(32), bytes(16)) for number in range(8)),
        )
        self.assertEqual(len(KeyFile.read(KeyFile(URLS, master(), full).write(b"p"), b"p").hints.heads), 8)
        some = evolve(full, seeds=full.seeds[:1])
        found = Hints.from_bytes(some.to_bytes())
        self.assertEqual([hint.fingerprint for hint in found.suppliers], [hint.fingerprint for hint in full.suppliers])
        few = evolve(some, suppliers=full.suppliers[:2])
        self.assertEqual(Hints.from_bytes(few.to_bytes()), few)
