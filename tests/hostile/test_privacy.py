"""What others can read of who a person's suppliers are, and of what its catalog says."""

import hashlib
import os
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, certify
from bitdust.crypt.sealing import TAG
from bitdust.dht.directory import Directory
from bitdust.dht.ids import record_key
from bitdust.dht.sealed_family import SIZES, SealedFamily, opened
from bitdust.formats.log_entry import Entry, class_of
from bitdust.identity.document import Device, IdentityDocument
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import master_key, network
from tests.unit.supplier_kit import START, log_of
from tests.unit.test_dht import DHTCase


class FamilyTests(DHTCase):
    """The DHT keeps a family for who has lost everything but a key file; nobody else can read it."""

    size = 8

    def setUp(self) -> None:
        super().setUp()
        self.node = self.grid.nodes[3]
        device, master = self.node._device, master_key()
        certificate = certify(master, device.public, 0)
        self.node.set_owner(master.public.spki, certificate)
        devices = [SimpleNamespace(id=device.id, key=device.public, revoked=None)]
        self.me: Any = SimpleNamespace(
            fingerprint=master.fingerprint,
            public=master.public,
            held_master=None,
            certificate=certificate,
            device=device,
            sign=device.sign_record,
            document=SimpleNamespace(fingerprint=master.fingerprint, devices=devices),
        )

    def family(self, revision: int, suppliers: int) -> Signed:
        names: list[bytes | None] = [hashlib.sha256(b"%d" % number).digest() for number in range(suppliers)]
        family = Family(self.me.fingerprint, revision, suppliers // 2, suppliers, int(START), names)
        signed: Signed = self.me.sign(Family.KIND, family.to_body())
        self.grid.wait(Directory(self.node, self.me, Any).put_family(family, signed))
        return signed

    def in_the_dht(self) -> list[bytes]:
        """What nodes keep of me."""
        key = record_key("family", self.me.fingerprint + self.me.device.id, 0)
        found = [node._stack.store.get(key, self.grid.wall()) for node in self.grid.nodes]
        return [data for data in found if data is not None]

    def test_nobody_reads_who_the_suppliers_are(self) -> None:
        """No node that keeps a family finds a supplier's name in it, and its length does not say how many there are."""
        lengths = set()
        for revision, suppliers in enumerate((4, 8, 16), 1):
            names = Family.from_body(self.family(revision, suppliers).body).suppliers
            kept = self.in_the_dht()
            self.assertGreater(len(kept), 4)
            self.assertFalse([name for name in names for data in kept if name in data])
            lengths |= {len(data) for data in kept}
        self.assertEqual(len(lengths), 1)

    def test_the_owner_reads_it(self) -> None:
        """Whoever has the RSA key finds the family, from any node, and so does each device; a large one too."""
        another = DeviceKey.generate(os.urandom)
        for revision, suppliers in enumerate((4, 64), 1):
            signed = self.family(revision, suppliers)
            for key, device in ((None, self.me.device), (master_key(), another)):
                reader = SimpleNamespace(**vars(self.me) | {"held_master": key, "device": device})
                found = Directory(self.grid.nodes[6], reader, Any).my_family()
                self.assertEqual(self.grid.wait(Deferred.fromCoroutine(found)), signed.to_bytes())
            reader = SimpleNamespace(**vars(self.me) | {"device": another})
            found = Directory(self.grid.nodes[6], reader, Any).my_family()
            self.assertRaises(BitDustError, self.grid.wait, Deferred.fromCoroutine(found))

    def test_devices_without_end(self) -> None:
        """Where a record has no room for a box that each device opens, the RSA key alone does."""
        more = [DeviceKey.generate(os.urandom) for _ in range(7)]
        self.me.document.devices += [SimpleNamespace(id=one.id, key=one.public, revoked=None) for one in more]
        signed = self.family(1, 64)
        reader = SimpleNamespace(**vars(self.me) | {"held_master": master_key()})
        found = Directory(self.grid.nodes[6], reader, Any).my_family()
        self.assertEqual(self.grid.wait(Deferred.fromCoroutine(found)), signed.to_bytes())

    def test_a_record_of_the_former_version(self) -> None:
        """A family that was sealed without padding is read as it is."""
        signed = self.family(1, 4)
        before = SealedFamily(self.me.fingerprint, 1, self.me.public.seal(signed.to_bytes()))
        value = self.me.sign(SealedFamily.KIND, before.to_body()).to_bytes()
        self.me.held_master = master_key()
        self.assertEqual(opened(self.me, value), signed.to_bytes())
        self.assertLess(len(signed.to_bytes()), SIZES[0])


class LogTests(SynchronousTestCase):
    def test_sizes_of_entries(self) -> None:
        """What a supplier keeps of a catalog's log has the size of a class, however long the names are."""
        _, around, node = network(self)
        for length in (1, 20, 50, 90):
            node.create("n" * length, True)
            node.pass_time(2)
        store = around.suppliers[0].shop.store
        entries = [Entry.parse(data) for data in log_of(store, node.me.fingerprint, node.me.device.id)]
        sizes = [len(entry.sealed) - TAG for entry in entries]
        self.assertGreater(len(sizes), 3)
        self.assertEqual([class_of(size) for size in sizes], sizes)
        self.assertEqual(len(set(sizes[-3:])), 1)


class IdentityTests(SynchronousTestCase):
    def test_what_an_identity_says(self) -> None:
        """A document names its owner, ID servers and device keys: no address of a device, and no supplier."""
        source = IDURL.parse("http://id.example:8084/alice.xml")
        document = IdentityDocument.create(master_key(), (source,), 1, (Device(0, 1, b"k" * 32),), START)
        parts = {part.tag for part in ElementTree.fromstring(document.xml)}
        self.assertEqual(parts, {"name", "sources", "revision", "date", "publickey", "devices", "signature"})
        self.assertNotIn(b"tcp://", document.xml)
