"""The test vectors: each format's fixed bytes are read, verified and made again (``tests/vectors/vectors.json``)."""

import base64
import json
from itertools import combinations
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.capabilities import is_proven
from bitdust.crypt.device import certify, check_certificate, check_record, device_id, verify
from bitdust.crypt.keyfile import KeyFile
from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.merkle import root
from bitdust.crypt.scope import scope_of
from bitdust.crypt.sealing import TAG, chunk_name, index_key, open_pack, seal_pack
from bitdust.dht.ids import node_id
from bitdust.dht.records import Checker, DHTRecord, Owner, make_record
from bitdust.formats.log_entry import NOTHING_BEFORE, Entry, LogName, check_chain, hash_of
from bitdust.formats.log_packet import LogPacket
from bitdust.identity.document import IdentityDocument
from bitdust.storage.packs.erasure import Coder
from bitdust.storage.packs.pack import OpenPack
from bitdust.transport.hello import Hello
from bitdust.wire.capability import Capability, Revocation, ShownCapability
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.packet import Packet
from bitdust.wire.records import Contract, DeviceAddresses, DeviceCertificate, Family, Head, PackRecord
from bitdust.wire.signed import Signed
from tests.vectors import make
from tests.vectors.keys import device, master
from tests.vectors.make import PATH, WALL, shown


def raw(value: Any) -> bytes:
    """The bytes of a JSON value that `shown` made."""
    return bytes.fromhex(value["hex"])


class VectorCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads(PATH.read_text())}

    def row(self, name: str) -> tuple[bytes, dict[str, Any]]:
        return base64.b64decode(self.rows[name]["bytes"]), self.rows[name]

    def refused_when_changed(self, data: bytes, read: Any, places: int = 24) -> None:
        """Bytes with one bit changed somewhere are refused."""
        for place in range(0, len(data), max(1, len(data) // places)):
            bad = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
            self.assertRaises(WireError, read, bad)

    def signed(self, name: str, kind: Any) -> Any:
        """A signed record: read, verified, equal to what is told, and made again."""
        data, row = self.row(name)

        def read(given: bytes) -> Any:
            signed = Signed.from_bytes(given, kind.KIND)
            check_record(signed, raw(row["device"]))
            return kind.from_body(signed.body)

        record = read(data)
        self.assertEqual(shown(record), row["value"])
        self.assertEqual(device().sign_record(kind.KIND, record.to_body()).to_bytes(), data)
        self.refused_when_changed(data, read)
        return record


class MadeAgain(VectorCase):
    def test_the_whole_file(self) -> None:
        """The file is exactly what its maker writes: no format has changed unnoticed."""
        self.assertEqual(PATH.read_text(), make.build())

    def test_signatures_are_plain_pss(self) -> None:
        """The maker's signatures are accepted by the library and differ from each other by what is signed."""
        self.assertTrue(master().public.verify(make.pss_sign(master(), b"data"), b"data"))
        self.assertFalse(master().public.verify(make.pss_sign(master(), b"data"), b"date"))


class Identity(VectorCase):
    def test_document(self) -> None:
        """The identity document holds, says what is told, and is written to the same bytes."""
        data, row = self.row("identity document")
        document = IdentityDocument.parse(data)
        for name, value in row["value"].items():
            self.assertEqual(shown(getattr(document, name)), value, name)
        self.assertEqual((document.fingerprint, document.canonical), (raw(row["fingerprint"]), raw(row["signed"])))
        self.assertEqual(document.xml, data)
        self.refused_when_changed(document.xml.replace(b"\n", b"").replace(b"  ", b""), IdentityDocument.parse)

    def test_certificate(self) -> None:
        """The owner's word for a device holds."""
        data, row = self.row("device certificate")

        def read(given: bytes) -> DeviceCertificate:
            certificate = DeviceCertificate.from_body(given)
            check_certificate(certificate, raw(row["owner"]))
            return certificate

        self.assertEqual(shown(read(data)), row["value"])
        self.assertEqual(read(data).to_body(), data)
        self.refused_when_changed(data, read)

    def test_addresses(self) -> None:
        """The record of a device's addresses holds."""
        record = self.signed("device addresses", DeviceAddresses)
        self.assertEqual(record.device, device_id(device().public))

    def test_hello(self) -> None:
        """The first frame holds a document and addresses that hold themselves."""
        data, row = self.row("hello")
        hello = Hello.from_bytes(data)
        self.assertEqual(shown(hello), row["value"])
        self.assertEqual(hello.to_bytes(), data)
        known = IdentityDocument.parse(hello.identity).device(hello.device)
        check_record(Signed.from_bytes(hello.addresses, "addresses"), known.key)
        value = decode(data, len(data))
        for name in value:
            for odd in ([], b"", 0, None):
                if (name, odd) != ("addresses", b""):
                    self.assertRaises(WireError, Hello.from_bytes, encode(value | {name: odd}))

    def test_dht_records(self) -> None:
        """Each kind of record proves itself, lies where it is told, and is refused when a bit was changed."""
        for kind in ("identity", "addresses", "skip_validation"):
            data, row = self.row(f"dht record {kind}")
            record = Checker().check(data, WALL)
            self.assertEqual(shown(record), row["value"])
            self.assertEqual(record.to_bytes(), data)
            self.assertEqual((record.key(0), record.key(3)), (raw(row["layer 0"]), raw(row["layer 3"])))
            self.assertEqual(node_id(device().public), raw(row["node id"]))
            self.assertRaises(WireError, Checker().check, data, record.expires)
            fields = decode(data, len(data))
            for name in fields:
                self.assertRaises(WireError, Checker().check, encode({**fields, name: []}), WALL)
                rest = {key: value for key, value in fields.items() if key != name}
                self.assertRaises(WireError, Checker().check, encode(rest), WALL)
            if kind != "identity":
                self.refused_when_changed(data, lambda given: Checker().check(given, WALL))

    def test_what_a_dht_record_signs(self) -> None:
        """Weakness 16: a record's revision, expiry, subject and value cannot be changed by who stores it."""
        for kind in ("addresses", "skip_validation"):
            record = DHTRecord.from_bytes(self.row(f"dht record {kind}")[0])
            fields = decode(record.to_bytes(), 4096)
            changes = {"revision": record.revision - 1, "expires": record.expires + 1, "value": b"", "subject": "other"}
            for name, value in changes.items():
                self.assertRaises(WireError, Checker().check, encode({**fields, name: value}), WALL)

    def test_nobody_writes_for_another(self) -> None:
        """Weakness 15 and 16: a record about Alice that the device of another owner signed is refused."""
        mallory, second = master("other"), device("second")
        owner = Owner(mallory.public.spki, certify(mallory, second.public, 0))
        forged = DeviceAddresses(master().fingerprint, second.id, ["tcp://evil.example:1"], WALL * 1000)
        value = second.sign_record(forged.KIND, forged.to_body()).to_bytes()
        for whose, code in ((forged.owner, "bad-subject"), (mallory.fingerprint, "bad-subject")):
            record = make_record("addresses", whose + second.id, forged.time, WALL + 60, value, second, owner)
            error = self.assertRaises(WireError, Checker().check, record.to_bytes(), WALL)
            self.assertEqual(error.code, code)


class Wire(VectorCase):
    def test_packets(self) -> None:
        """Headers are read and made again, with and without what they may leave out."""
        for name in ("packet", "packet without answers and hash"):
            data, row = self.row(name)
            packet = Packet.from_bytes(data)
            self.assertEqual(shown(packet), row["value"])
            self.assertEqual(packet.to_bytes(), data)

    def test_family_and_contract(self) -> None:
        """Records of family and contract hold."""
        self.signed("family record", Family)
        self.assertIs(self.signed("family record without addresses", Family).addresses, None)
        self.assertEqual(self.signed("family record of several lives", Family).leavers(0)[1:], [raw(self.supplier())])
        self.signed("contract record", Contract)

    def supplier(self) -> dict[str, str]:
        """Of the first family record."""
        found: dict[str, str] = self.row("family record")[1]["value"]["suppliers"][0]
        return found

    def test_a_family_of_a_newer_node(self) -> None:
        """Whoever does not know one of its optional fields refuses all of it, and takes it where that is left out."""
        data, _ = self.row("family record of several lives")
        family = Family.from_body(Signed.from_bytes(data, Family.KIND).body)
        for field in ("also", "leaving", "roots", "wanted", "beyond", "former"):
            known = {name: schema for name, schema in Family.FIELDS.items() if name != field}
            with mock.patch.object(Family, "FIELDS", known):
                error = self.assertRaises(WireError, Family.from_body, family.to_body())
                self.assertIn(f"unknown field '{field}'", str(error))
                shorter = evolve(family, **{field: None})
                self.assertEqual(Family.from_body(shorter.to_body()), shorter)

    def test_capability(self) -> None:
        """A capability holds under its device's or its owner's signature, for the scope that its key makes."""
        tag, row = self.row("scope")
        self.assertEqual(scope_of(raw(row["secret"]), row["value"]["key id"]), tag)
        for name in ("capability", "capability by proof", "capability by the RSA key"):
            data, row = self.row(name)
            read = ShownCapability.from_bytes(data)
            grant = Capability.from_body(read.body)
            self.assertEqual((shown(grant), grant.scope, read.to_bytes()), (row["value"], tag, data))
            if read.device:
                self.assertTrue(verify(raw(row["device"]), read.signature, read.message()))
            else:
                self.assertTrue(master().public.verify(read.signature, read.message()))
            if grant.by_proof:
                self.assertTrue(is_proven(read, grant.holder, raw(row["supplier"]), raw(row["device"])))
        self.signed("revocation record", Revocation)


class Storage(VectorCase):
    def test_pack(self) -> None:
        """A pack gives its chunks, under names that the owner's secret makes."""
        data, row = self.row("pack")
        pack = OpenPack(data)
        contents = [bytes(pack.chunk(number)) for number in range(len(pack))]
        self.assertEqual(shown(contents), row["value"]["contents"])
        rows = [[chunk.name, chunk.length, chunk.stored, chunk.zstd] for chunk in pack.chunks]
        self.assertEqual(shown(rows), row["value"]["chunks"])
        key = index_key(raw(row["secret"]))
        self.assertEqual([chunk_name(key, content) for content in contents], [chunk.name for chunk in pack.chunks])

    def test_sealed_pack(self) -> None:
        """A sealed pack opens, and the plain one is sealed to the same bytes."""
        data, row = self.row("sealed pack")
        secret, pack, plain = raw(row["secret"]), raw(row["pack"]), raw(row["value"]["plain"])
        self.assertEqual(plain, self.row("pack")[0])
        self.assertEqual(open_pack(data, secret, pack), plain)
        self.assertEqual(seal_pack(plain, secret, pack), data)
        self.refused_when_changed(data, lambda given: open_pack(given, secret, pack))

    def test_pieces(self) -> None:
        """Any k pieces give the sealed pack, which gives the same pieces; each has the root that the record tells."""
        record = self.signed("pack record", PackRecord)
        sealed = self.row("sealed pack")[0]
        pieces = [self.row(f"piece {index}")[0] for index in range(record.scheme.n)]
        coder = Coder(record.scheme.k, record.scheme.n)
        self.assertEqual(coder.encode(sealed, record.scheme.segment), pieces)
        self.assertEqual([root(piece) for piece in pieces], record.roots)
        self.assertEqual({len(piece) for piece in pieces}, {record.piece_size})
        for index, row in enumerate(self.rows[f"piece {index}"] for index in range(4)):
            self.assertEqual(raw(row["value"]["root"]), record.roots[index])
        for chosen in combinations(range(4), 2):
            given = {index: pieces[index] for index in chosen}
            self.assertEqual(coder.decode(given, record.size, record.scheme.segment), sealed, chosen)

    def test_log(self) -> None:
        """Entries of three versions open, follow each other, end at the signed head, and are made again."""
        rows = [self.row(f"log entry {number}") for number in (1, 2, 3)]
        log = LogName(master().fingerprint, None, device().id)
        entries = check_chain([data for data, _ in rows], log, (0, NOTHING_BEFORE))
        for entry, (data, row) in zip(entries, rows, strict=True):
            secret = raw(row["secret"])
            self.assertEqual(shown(entry.open([bytes(32), secret])), row["value"])
            self.assertEqual(entry.to_bytes(), data)
            self.assertEqual(entry.version >= 4, len(entry.sealed) == 512 + TAG)
            self.assertEqual(hash_of(data), raw(row["hash"]))
            self.refused_when_changed(data, lambda given, secret=secret: Entry.parse(given).open([secret]), 60)
        data, row = self.row("log packet")
        packet = LogPacket.parse(data)
        self.assertEqual(shown(packet), row["value"])
        self.assertEqual((packet.entries, packet.to_bytes()), (tuple(data for data, _ in rows), data))
        head = self.signed("head", Head)
        self.assertEqual((head.sequence, head.hash), (3, hash_of(rows[2][0])))
        self.assertEqual(self.signed("head after a compaction", Head).first, 2)
        swapped = [rows[1][0], rows[0][0]]
        self.assertRaises(WireError, check_chain, swapped, log, None)
        self.assertRaises(WireError, check_chain, [rows[1][0]], log, (1, bytes(32)))


class Keys(VectorCase):
    def test_key_file(self) -> None:
        """The key file is read and made again; the encrypted one opens under its passphrase to the same key."""
        plain, row = self.row("key file")
        found = KeyFile.read(plain.decode())
        self.assertEqual(found.write().encode(), plain)
        sealed, encrypted = self.row("key file encrypted")
        first, _ = self.row("key file encrypted as in version 1")
        word = encrypted["passphrase"].encode()
        for one in (found, KeyFile.read(sealed.decode(), word), KeyFile.read(first.decode(), word)):
            value = {"idurls": one.idurls, "hints": one.hints, "fingerprint": one.master.fingerprint}
            self.assertEqual(shown(value), row["value"])
            self.assertEqual(one.damaged_hints, "")
        self.assertRaises(WireError, KeyFile.read, sealed.decode(), b"wrong")

    def test_key_ring(self) -> None:
        """The plain form of a key ring is read and made again."""
        data, row = self.row("key ring")
        ring = KeyRing.from_bytes(data)
        self.assertEqual(ring.to_bytes(), data)
        by_id = {key["key_id"]: key for key in row["value"]}
        self.assertEqual({name: shown(key.as_map()) for name, key in ring.keys.items()}, by_id)
