"""Who a user is: the document, the local identity in its home, and what is kept of others."""

from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.boxes import open_box
from bitdust.crypt.device import check_certificate, check_record
from bitdust.crypt.keyring import MASTER, VERSION
from bitdust.identity import me as me_module
from bitdust.identity.awaited import CATALOG, FAMILY, KEY_RING
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import MAX_SIZE, Device, IdentityDocument, compare
from bitdust.identity.me import Me
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL, idurl_of
from bitdust.wire.records import DeviceAddresses
from bitdust.world import World
from tests.unit.kit import Events
from tests.vectors.keys import device, master

START = 1_800_000_000.0
SOURCES = tuple(IDURL.parse(f"http://{host}/alice.xml") for host in ("id.example", "b.example:8084"))
DEVICES = (Device(0, 1, device().public), Device(1, 2, device("second").public, 3, 17))


def made(revision: int = 3, **changes: Any) -> IdentityDocument:
    """Alice's document."""
    fields = {"master": master(), "sources": SOURCES, "revision": revision, "devices": DEVICES, "wall": START}
    return IdentityDocument.create(**fields | changes)


GOOD = made()


def code_of(case: SynchronousTestCase, call: Any, *args: Any) -> str:
    """The code of the `BitDustError` that a call must raise."""
    return str(case.assertRaises(BitDustError, call, *args).code)


class Documents(SynchronousTestCase):
    """The signed document."""

    def refused(self, xml: bytes | str, code: str = "malformed") -> None:
        data = xml.encode() if isinstance(xml, str) else xml
        self.assertEqual(code_of(self, IdentityDocument.parse, data), code, data[:400])

    def test_round_trip(self):
        """A document comes back from its XML, byte for byte."""
        found = IdentityDocument.parse(GOOD.xml)
        self.assertEqual(found, GOOD)
        self.assertEqual(found.xml, GOOD.xml)
        self.assertEqual((found.fingerprint, found.global_id), (master().fingerprint, "alice@id.example"))

    def test_every_field_is_signed(self):
        """Weakness 9: a document with any field changed after the signature is refused."""
        bob = tuple(evolve(source, name="bob") for source in SOURCES)
        changes: tuple[dict[str, Any], ...] = (
            {"name": "bob", "sources": bob},
            {"sources": SOURCES[:1]},
            {"sources": SOURCES[::-1]},
            {"sources": (SOURCES[0], evolve(SOURCES[1], scheme="https"))},
            {"revision": 4},
            {"revision": 0},
            {"date": "2026-01-01T00:00:00Z"},
            {"key": master("other").public.spki},
            {"devices": DEVICES[:1]},
            {"devices": DEVICES[::-1]},
            {"devices": (evolve(DEVICES[0], number=5), DEVICES[1])},
            {"devices": (evolve(DEVICES[0], since=2), DEVICES[1])},
            {"devices": (evolve(DEVICES[0], key=bytes(32)), DEVICES[1])},
            {"devices": (DEVICES[0], evolve(DEVICES[1], revoked=4))},
            {"devices": (DEVICES[0], evolve(DEVICES[1], sequence=18))},
            {"devices": (DEVICES[0], evolve(DEVICES[1], revoked=None, sequence=None))},
            {"signature": master().sign(b"other")},
            {"signature": b""},
        )
        for change in changes:
            self.refused(evolve(GOOD, **change).xml, "bad-signature")

    def test_no_other_xml(self):
        """DTD, entities, comments, CDATA, instructions, namespaces, strays and unknown parts are refused."""
        text = GOOD.xml.decode()
        body = text.split("\n", 1)[1]
        doctype = '<!DOCTYPE identity [<!ATTLIST identity version CDATA "1">]>'
        bad = [
            text.replace("<identity ", "<!-- x --><identity ", 1),
            text.replace("<name>alice", "<name><![CDATA[alice]]>", 1),
            text.replace("<name>alice", "<name>&#97;lice", 1),
            text.replace("<name>alice", "<name>&e;", 1),
            text.replace("<identity ", '<?xml-stylesheet href="x"?><identity ', 1),
            text.replace("<identity ", '<!DOCTYPE identity SYSTEM "http://evil/x"><identity ', 1),
            text.replace("<identity ", '<identity xmlns="http://x" ', 1),
            text.replace("<identity ", '<identity xmlns:x = "http://x" ', 1),
            text.replace('<identity version="1"', '<identity version="1" x="y"', 1),
            text.replace('<identity version="1"', '<identity version="2"', 1),
            text.replace('<identity version="1"', "<identity", 1),
            text.replace("<name>", "stray<name>", 1),
            text.replace("</name>", "</name>stray", 1),
            text.replace("<source>", "stray<source>", 1),
            text.replace("<name>alice</name>", "", 1),
            text.replace("<name>alice</name>", "<name>alice</name>" * 2, 1),
            text.replace("<name>alice</name>", '<name x="y">alice</name>', 1),
            text.replace("<name>alice</name>", "<name><b>alice</b></name>", 1),
            text.replace("</identity>", "<extra>1</extra></identity>", 1),
            text.replace("</identity>", "", 1),
            text + "<identity/>",
            text.replace('number="0"', 'number="0" x="y"', 1),
            text.replace('since="1" ', "", 1),
            text.replace('sequence="17" ', "", 1),
            (doctype + body).encode("utf-16-le"),
            (doctype + body).encode("utf-16-be"),
            body.encode("utf-16"),
            text.replace("alice", "al\0ce").encode(),
            text.encode().replace(b"alice", b"al\xffce", 1),
        ]
        for xml in bad:
            self.refused(xml)

    def test_no_other_values(self):
        """Numbers, dates, base64 and names are read in one form only."""
        text = GOOD.xml.decode()
        changes = (
            ("<revision>3", ("03", "+3", "-1", " 3 4", "3.0", "\u0663", "2147483649", "9" * 4000, "", "x")),
            ('number="0"', ('number="-1"', 'number="65536"', 'number="00"', 'number="1"')),
            ('revoked="3"', ('revoked="x"', 'revoked=""')),
            ("<date>", ("x", "1", "\u0661")),
            ("<publickey>", ("A", "!", "AAAA")),
            ('key="', ('key="A', 'key="AAAA')),
            ("<name>alice", ("<name>Alice", "<name>al", "<name>-alice", "<name>bobby")),
            (
                "http://id.example/alice.xml",
                ("ftp://id.example/alice.xml", "http://id.example/bob.xml", str(SOURCES[1])),
            ),
        )
        for old, news in changes:
            for new in news:
                text_of = (
                    f"<revision>{new}"
                    if old == "<revision>3"
                    else old + new
                    if old in ("<date>", "<publickey>")
                    else new
                )
                xml = text.replace(old, text_of, 1).encode()
                self.assertIn(code_of(self, IdentityDocument.parse, xml), ("malformed", "bad-key"), xml[:300])

    def test_limits(self):
        """Sizes and counts are bounded, when reading and when writing."""
        self.refused(b"x" * (MAX_SIZE + 1), "too-large")
        self.refused(b"<identity/>")
        many = tuple(IDURL.parse(f"http://h{number}/alice.xml") for number in range(7))
        nine = tuple(Device(number, 1, bytes((number,)) * 32) for number in range(9))
        self.assertEqual(len(IdentityDocument.parse(made(sources=many[:6], devices=nine[:8]).xml).devices), 8)
        bad: tuple[dict[str, Any], ...] = (
            {"sources": many},
            {"sources": ()},
            {"sources": SOURCES[:1] * 2},
            {"devices": nine},
            {"devices": ()},
            {"devices": DEVICES[:1] * 2},
            {"devices": (DEVICES[0], evolve(DEVICES[1], number=0))},
            {"revision": 2**31 + 1},
            {"revision": -1},
        )
        for change in bad:
            self.assertEqual(code_of(self, lambda change=change: made(**change)), "malformed", change)

    @settings(deadline=None)
    @given(st.binary(max_size=600))
    def test_any_bytes(self, data):
        """Bytes that are no document are refused."""
        self.assertRaises(WireError, IdentityDocument.parse, data)

    @settings(deadline=None)
    @given(st.data())
    def test_one_byte_changed(self, data):
        """A document with a changed byte is refused, or says exactly what was signed."""
        bad = bytearray(GOOD.xml)
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
        try:
            self.assertEqual(IdentityDocument.parse(bytes(bad)).canonical, GOOD.canonical)
        except WireError as error:
            self.assertIn(error.code, ("malformed", "bad-signature", "bad-key"))

    def test_which_counts(self):
        """A higher revision is newer; the same one again a refresh; the same with other bytes an alarm."""
        self.assertEqual(compare(made(4), GOOD), "newer")
        self.assertEqual(compare(made(2), GOOD), "stale")
        self.assertEqual(compare(made(3), GOOD), "refresh")
        self.assertEqual(compare(made(3, wall=START + 1), GOOD), "conflict")

    def test_devices(self):
        """A revoked device is known, and opens no session."""
        self.assertTrue(GOOD.valid_device(device().public))
        self.assertFalse(GOOD.valid_device(device("second").public))
        self.assertEqual(GOOD.device(device("second").id), DEVICES[1])
        self.assertIs(GOOD.device(b"x" * 8), None)

    def test_what_users_see(self):
        """The shown fields are plain values, and the XML only when it is asked for."""
        shown = GOOD.as_json(["tcp://host:1"], True)
        self.assertEqual(shown["xml"].encode(), GOOD.xml)
        self.assertNotIn("xml", GOOD.as_json())
        self.assertEqual((shown["idurl"], shown["revision"]), ("http://id.example/alice.xml", 3))


class HomeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).resolve()
        self.home.mkdir()
        self.events = Events()
        seeds = iter(bytes((number,)) * 32 for number in range(1, 100))
        self.world = World(
            Clock(), None, self.home, lambda: START, lambda size: next(seeds)[:size], run_in_thread=maybeDeferred
        )


class Mine(HomeCase):
    """The local identity."""

    def setUp(self) -> None:
        super().setUp()
        self.me = Me(self.world, self.events)
        self.folder = self.home / "metadata"

    def adopt(self) -> None:
        self.me.adopt(GOOD, master(), device())

    def again(self) -> Me:
        me = Me(self.world, self.events)
        me.load()
        return me

    def test_nobody(self):
        """Without an identity every question has the same answer."""
        self.me.load()
        self.assertFalse(self.me.present)
        for ask in ("document", "master", "device", "certificate", "fingerprint", "global_id"):
            self.assertEqual(code_of(self, getattr, self.me, ask), "no-identity")
        self.assertEqual(repr(self.me), "<Me nobody>")

    def test_adopt_and_load(self):
        """An identity that was taken is there after a restart, with its keys and its key ring."""
        self.adopt()
        for me in (self.me, self.again()):
            self.assertEqual((me.document, me.device.seed, me.device_number), (GOOD, device().seed, 0))
            self.assertEqual(me.key_ring.current(MASTER)[0], 1)
            check_certificate(me.certificate, master().public.spki)
        self.assertEqual(self.events.names()[0], "local-identity-set")

    def test_files_are_private(self):
        """Weakness 19: every file of the identity is 0600 in a folder of 0700, and the ring is sealed."""
        self.adopt()
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        names = {path.name for path in self.folder.iterdir()}
        self.assertEqual(names, {"mykeyfile", "devicekey", "username", "keyring", "localidentity"})
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path.name)
        secret = self.me.key_ring.current(MASTER)[1]
        self.assertNotIn(secret, (self.folder / "keyring").read_bytes())

    def test_damaged_homes(self):
        """A damaged or missing file is named, and nothing of the home is changed."""
        self.adopt()
        for name in ("mykeyfile", "devicekey", "keyring", "localidentity"):
            path = self.folder / name
            whole = path.read_bytes()
            for damage in (b"", whole[: len(whole) // 2], b"\xff" * 40):
                path.write_bytes(damage)
                error = self.assertRaises(BitDustError, self.again)
                self.assertEqual(error.code, "broken-identity")
                self.assertIn(name, str(error))
                self.assertEqual(path.read_bytes(), damage)
            path.write_bytes(whole)
        (self.folder / "devicekey").write_text(device("second").seed[::-1].hex())
        self.assertEqual(code_of(self, self.again), "broken-identity")

    def test_keys_of_somebody_else(self):
        """A document that does not belong to the keys is not taken, and nothing is written."""
        for keys in ((master("other"), device()), (master(), type(device()).from_seed(bytes(32)))):
            self.assertEqual(code_of(self, self.me.adopt, GOOD, *keys), "wrong-key")
        self.assertFalse(self.folder.exists())

    def test_newer_documents(self):
        """Weakness 9: my document is replaced by a newer one of my key alone."""
        self.adopt()
        for bad in (made(2), made(3), made(3, wall=START + 9), made(9, master=master("other"))):
            self.assertEqual(code_of(self, self.me.replace_document, bad), "stale")
        changes = []
        remove = self.me.changed.connect(lambda: changes.append(1))
        self.me.replace_document(made(4))
        remove()
        self.assertEqual(changes, [1])
        self.assertEqual(self.again().document.revision, 4)

    def test_renewed_device(self):
        """A renewed device has a new key and number, the old one is revoked, and the home is whole."""
        self.adopt()
        document = self.me.renew_device()
        me = self.again()
        self.assertEqual(me.document, document)
        self.assertNotEqual(me.device.public, device().public)
        self.assertFalse(document.valid_device(device().public))
        self.assertTrue(document.valid_device(me.device.public))
        self.assertEqual((me.device_number, document.revision), (2, 4))
        check_certificate(me.certificate, master().public.spki)

    def test_a_crash_while_a_device_is_renewed(self):
        """Weakness 21: whichever write fails, the home is whole, and its key is one that its document names."""
        self.adopt()
        real, steps = me_module.write_safely, ("devicekey.next", "localidentity", "devicekey")
        for fails in steps:

            def write(path: Path, data: bytes, fails: str = fails) -> None:
                if path.name == fails:
                    raise OSError("disk")
                real(path, data)

            self.patch(me_module, "write_safely", write)
            before = self.again().document.revision
            self.assertRaises(OSError, self.again().renew_device)
            self.patch(me_module, "write_safely", real)
            me = self.again()
            self.assertTrue(me.document.valid_device(me.device.public), fails)
            self.assertEqual(me.document.revision, before + (fails == "devicekey"))
            self.assertFalse((self.folder / "devicekey.next").exists())
            self.assertEqual(self.again().device.seed, me.device.seed)

    def test_addresses(self):
        """Weakness 15: where I listen is told in a record that my device signed."""
        self.adopt()
        self.me.set_addresses(["tcp://192.0.2.1:7771"])
        signed = self.me.addresses_record()
        check_record(signed, device().public)
        record = DeviceAddresses.from_body(signed.body)
        self.assertEqual(record, DeviceAddresses(GOOD.fingerprint, device().id, self.me.addresses, int(START * 1000)))

    def test_recovered_ring(self):
        """A recovered identity makes no secret of its own, not after a restart either, until the person says so."""
        self.me.adopt(GOOD, master(), device(), fresh=False)
        self.assertNotIn(MASTER, self.me.key_ring)
        self.assertFalse((self.folder / "keyring").exists())
        for me in (self.me, self.again()):
            self.assertTrue(me.is_recovering)
            self.assertFalse(me.ensure_master_secret())
        self.me.start_over()
        me = self.again()
        self.assertFalse(me.is_recovering)
        self.assertTrue(me.ensure_master_secret())
        self.assertFalse(me.ensure_master_secret())

    def test_what_a_recovered_identity_waits_for(self):
        """Family and key ring come back one after the other; a mark that cannot be read stands for both."""
        self.me.adopt(GOOD, master(), device(), fresh=False)
        self.me.came_back(FAMILY)
        me = self.again()
        self.assertEqual((me.awaits(FAMILY), me.awaits(KEY_RING)), (False, True))
        me.came_back(KEY_RING)
        me.came_back(CATALOG)
        self.assertFalse(self.again().is_recovering)
        for damage in (b"", b"\xff", b"nonsense"):
            (self.folder / "recovering").write_bytes(damage)
            me = self.again()
            self.assertTrue(me.awaits(FAMILY) and me.awaits(KEY_RING))

    def test_a_key_ring_of_the_former_format(self):
        """A home whose key ring is of version 1 is read as it is, and its ring is written in the present format."""
        self.adopt()
        name, secret = self.me.key_ring.current(MASTER)
        key = {"key_id": MASTER, "label": "", "active": True, "secrets": [{"epoch": name, "secret": secret}]}
        path = self.folder / "keyring"
        path.write_bytes(master().public.seal(encode({"version": 1, "keys": [key]})))
        me = self.again()
        self.assertEqual(me.key_ring.current(MASTER), (name, secret))
        me.save_key_ring()
        self.assertEqual(decode(open_box(path.read_bytes(), self.me.device, None), 10_000)["version"], VERSION)
        self.assertEqual(self.again().key_ring.current(MASTER), (name, secret))


class Others(HomeCase):
    """Documents of others."""

    def setUp(self) -> None:
        super().setUp()
        self.cache = IdentityCache(self.world, self.events)
        self.cache.load()

    def test_words(self):
        """Weakness 9: only a newer document of the same key changes what is kept; a fork is an alarm."""
        newer, fork = made(4), made(4, wall=START + 1)
        words = [self.cache.accept(one) for one in (GOOD, made(3), made(2), newer, GOOD, fork, made(0))]
        self.assertEqual(words, ["new", "refresh", "stale", "newer", "stale", "conflict", "stale"])
        self.assertEqual(self.cache.get(GOOD.fingerprint), newer)
        self.assertEqual(self.events.names(), ["identity-conflict"])

    def test_a_restart(self):
        """What was kept is there after a restart; files that are damaged or lie under another name are not."""
        self.cache.keep(GOOD)
        folder = self.home / "identitycache"
        good = folder / f"{GOOD.fingerprint.hex()}.xml"
        (folder / ("0" * 64 + ".xml")).write_bytes(GOOD.xml)
        (folder / ("1" * 64 + ".xml")).write_bytes(GOOD.xml[:-40])
        again = IdentityCache(self.world, self.events)
        again.load()
        self.assertEqual(again.all(), [GOOD])
        self.assertEqual(good.stat().st_mode & 0o777, 0o600)
        self.assertEqual(len(list(folder.iterdir())), 3)

    def test_a_full_disk_keeps_nobody_out(self):
        """A document and a name that cannot be written are known all the same, until the next start."""
        (self.home / "identitycache").rmdir()
        (self.home / "identitycache").write_bytes(b"in the way")
        self.assertEqual(self.cache.accept(GOOD, SOURCES[0]), "new")
        self.assertEqual((self.cache.get(GOOD.fingerprint), self.cache.by_idurl(SOURCES[0])), (GOOD, GOOD))

    def test_names_do_not_own_keys(self):
        """Weakness 9: who claims the same IDURL, first or later, gets an entry of his own and never the name."""
        thief = made(2**31, master=master("other"), wall=START + 10**9)
        self.cache.accept(thief)
        self.assertIs(self.cache.by_idurl(SOURCES[0]), None)
        self.cache.accept(GOOD, SOURCES[0])
        self.cache.accept(evolve(thief))
        self.assertEqual(self.cache.by_idurl(SOURCES[0]), GOOD)
        self.assertIs(self.cache.by_idurl(SOURCES[1]), None)
        self.assertEqual([self.cache.get(one.fingerprint) for one in (GOOD, thief)], [GOOD, thief])

    def test_names_are_proven_by_their_place(self):
        """A name means the key whose document was fetched there, after a restart too, while that is its source."""
        elsewhere = IDURL.parse("http://evil.example/alice.xml")
        self.cache.accept(GOOD, elsewhere)
        self.cache.accept(GOOD, SOURCES[1])
        again = IdentityCache(self.world, self.events)
        again.load()
        self.assertEqual([again.by_idurl(url) for url in (elsewhere, *SOURCES)], [None, None, GOOD])
        again.accept(made(4, sources=SOURCES[:1]))
        self.assertIs(again.by_idurl(SOURCES[1]), None)
        (self.home / "identitycache" / "names").write_text("damaged")
        again = IdentityCache(self.world, self.events)
        again.load()
        self.assertIs(again.by_idurl(SOURCES[1]), None)
        self.assertEqual(again.get(GOOD.fingerprint).revision, 4)

    def test_finding(self):
        """A document is found by each of its proven sources, whatever way a user writes them."""
        for source in SOURCES:
            self.cache.accept(GOOD, source)
        for user in ("alice@id.example", "alice@b.example_8084", "master$alice@id.example", str(SOURCES[1])):
            self.assertEqual(self.cache.by_idurl(idurl_of(user)), GOOD, user)
        self.assertIs(self.cache.by_idurl(idurl_of("bob@id.example")), None)
        self.assertEqual(code_of(self, idurl_of, "nobody"), "bad-name")

    def test_a_move_is_told(self):
        """A newer document at another first place is announced."""
        self.cache.accept(GOOD)
        self.cache.accept(made(4, sources=SOURCES[::-1]))
        sent = dict(self.events.sent)
        moved, rotated = sent["identity-url-changed"], sent["identity-rotated"]
        self.assertEqual((moved["old_idurl"], moved["new_idurl"]), (str(SOURCES[0]), str(SOURCES[1])))
        self.assertEqual(rotated["new_idurls"], [str(source) for source in SOURCES[::-1]])
