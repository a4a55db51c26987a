"""Records of the DHT prove themselves: every way in which one could claim more than it proves is refused."""

import os
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, certify
from bitdust.dht import records as records_module
from bitdust.dht.messages import MAX_RECORD
from bitdust.dht.records import DAY, DEBUG, MAX_DEBUG_VALUE, MAX_TTL, SLACK, Checker, DHTRecord, Owner, make_record
from bitdust.dht.sealed_family import SealedFamily
from bitdust.identity.document import Device, IdentityDocument
from bitdust.wire.encoding import WireError
from bitdust.wire.names import IDURL
from bitdust.wire.records import DeviceAddresses, Head
from tests import keys
from tests.unit.storage_kit import master_key

NOW = 1_800_000_000
SOON = NOW + DAY
SOURCE = (IDURL.parse("http://id.example/alice.xml"),)


class RecordCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.master = master_key()
        self.device = DeviceKey.generate(os.urandom)
        self.owner = Owner(self.master.public.spki, certify(self.master, self.device.public, 0))
        self.subject = self.master.fingerprint + self.device.id
        self.checker = Checker()

    def addresses(self, device: DeviceKey | None = None, **changes: Any) -> bytes:
        record = DeviceAddresses(self.master.fingerprint, self.device.id, ["tcp://192.0.2.1:7771"], 5)
        changed = evolve(record, **changes)
        return (device or self.device).sign_record(changed.KIND, changed.to_body()).to_bytes()

    def made(self, kind: str = "addresses", subject: bytes | str | None = None, **more: Any) -> DHTRecord:
        """A record of this device, as good as the node makes it."""
        fields: dict[str, Any] = {"revision": 5, "expires": SOON, "value": self.addresses(), "owner": self.owner} | more
        return make_record(kind, self.subject if subject is None else subject, device=self.device, **fields)

    def signed(self, record: DHTRecord, device: DeviceKey | None = None) -> DHTRecord:
        """Signed again after a change, as a liar would."""
        return evolve(record, signature=(device or self.device).sign(record.message()))

    def refused(self, code: str, record: DHTRecord) -> None:
        error = self.assertRaises(WireError, self.checker.check, record.to_bytes(), NOW)
        self.assertEqual(error.code, code)


class OwnedTests(RecordCase):
    def test_good(self) -> None:
        """What the node makes is what the checker takes, and it is read back the same."""
        record = self.made()
        self.assertEqual(self.checker.check(record.to_bytes(), NOW), record)

    def test_family(self) -> None:
        """A family is one that a device wrote: no device can write over the record of another one."""
        family = SealedFamily(self.master.fingerprint, 3, b"sealed")
        value = self.device.sign_record(family.KIND, family.to_body()).to_bytes()
        good = self.made("family", self.subject, revision=3, value=value)
        self.assertEqual(self.checker.check(good.to_bytes(), NOW).revision, 3)
        for subject in (self.master.fingerprint, self.master.fingerprint + b"another!"):
            self.refused("bad-subject", self.made("family", subject, revision=3, value=value))

    def test_heads_of_all_keys(self) -> None:
        """The head of a log is that of the device which wrote it, under a key with a scope too, and of no other."""
        for scope in (None, b"s" * 16):
            head = Head(self.master.fingerprint, self.device.id, 5, bytes(32), NOW, scope=scope)
            value = self.device.sign_record(head.KIND, head.to_body()).to_bytes()
            good = self.made("head", head.subject, value=value)
            self.assertEqual(self.checker.check(good.to_bytes(), NOW), good)
            middle = scope or b""
            owner, ident = self.master.fingerprint, self.device.id
            wrong = (owner + middle + bytes(8), bytes(32) + middle + ident, owner + middle + b"x" + ident,
                     owner + b"t" * 16 + ident, "a" * 56, "a" * 40)  # fmt: skip
            for subject in wrong:
                self.refused("bad-subject", self.made("head", subject, value=value))
            self.refused("bad-subject", self.made(subject=owner + b"s" * 16 + ident))

    def test_as_long_as_a_contract(self) -> None:
        """What a recovery needs lives as long as suppliers keep what they have; addresses a month at most."""
        value = self.device.sign_record("sealed-family", SealedFamily(self.master.fingerprint, 3, b"x").to_body())
        fields = {"revision": 3, "value": value.to_bytes(), "expires": NOW + 460 * DAY}
        lasting = self.made("family", self.subject, **fields)
        self.checker.check(lasting.to_bytes(), NOW)
        self.refused("bad-expiry", evolve(lasting, expires=NOW + 462 * DAY))
        self.refused("bad-expiry", self.made(expires=NOW + 32 * DAY))

    def test_without_an_identity(self) -> None:
        """Who has no identity yet can make no record of one."""
        self.assertEqual(self.assertRaises(WireError, self.made, owner=None).code, "no-owner")

    def test_parts_that_are_missing(self) -> None:
        """Owner, certificate and signature belong together, and no other device is named."""
        record = self.made()
        for part in ("owner", "certificate", "signature"):
            self.refused("bad-field", evolve(record, **{part: None}))
        self.refused("bad-field", self.signed(evolve(record, device=self.device.public)))

    def test_about_somebody_else(self) -> None:
        """A device signs records of its owner and of itself alone."""
        self.refused("bad-subject", self.made(subject=bytes(40)))
        self.refused("bad-subject", self.made(subject=self.master.fingerprint + bytes(8)))

    def test_signed_by_somebody_else(self) -> None:
        """The certified device signs the record and the value, and the value is the record's."""
        other = DeviceKey.generate(os.urandom)
        self.refused("bad-signature", self.signed(self.made(), other))
        self.refused("bad-signature", self.made(value=self.addresses(other)))
        self.refused("bad-subject", self.made(value=self.addresses(time=6)))
        self.refused("bad-subject", self.made(value=self.addresses(owner=bytes(32))))

    def test_certificate_of_somebody_else(self) -> None:
        """A certificate counts only with the RSA key that signed it."""
        mallory = keys.search()
        foreign = Owner(mallory.public.spki, self.owner.certificate)
        self.refused("bad-signature", self.made(owner=foreign))

    def test_certificates_are_checked_once(self) -> None:
        """RSA is the dear part: a certificate that held is remembered, a bounded number of them."""
        checks: list[bytes] = []
        real = records_module.check_certificate

        def counting(certificate: Any, spki: bytes) -> None:
            checks.append(certificate.key)
            real(certificate, spki)

        self.patch(records_module, "check_certificate", counting)
        self.patch(records_module, "_CERTIFICATES_KEPT", 1)
        self.checker.check(self.made().to_bytes(), NOW)
        self.checker.check(self.made(expires=SOON + 1).to_bytes(), NOW)
        self.assertEqual(len(checks), 1)
        body = certify(self.master, DeviceKey.generate(os.urandom).public, 1).to_body()
        self.checker.certificate(self.owner.spki, body)
        self.checker.check(self.made().to_bytes(), NOW)
        self.assertEqual(len(checks), 3)

    def test_time(self) -> None:
        """A record ends, and lives no longer than a month; clocks may differ a little."""
        self.refused("expired", self.made(expires=NOW))
        self.refused("bad-expiry", self.made(expires=NOW + MAX_TTL + SLACK + 1))
        self.checker.check(self.made(expires=NOW + MAX_TTL + SLACK).to_bytes(), NOW)

    def test_size(self) -> None:
        """A record that fits no message is not made."""
        record = evolve(self.made(), value=bytes(MAX_RECORD))
        self.assertEqual(self.assertRaises(WireError, record.to_bytes).code, "too-large")


class IdentityTests(RecordCase):
    def setUp(self) -> None:
        super().setUp()
        devices = (Device(0, 1, self.device.public),)
        self.document = IdentityDocument.create(self.master, SOURCE, 1, devices, NOW)

    def record(self, **changes: Any) -> DHTRecord:
        xml = self.document.xml
        made = self.made("identity", self.document.fingerprint, revision=1, value=xml, owner=None)
        return evolve(made, **changes)

    def test_good(self) -> None:
        """A document proves itself, with nothing around it."""
        record = self.record()
        self.assertEqual((record.owner, record.signature), (None, None))
        self.checker.check(record.to_bytes(), NOW)

    def test_what_is_around_it(self) -> None:
        """Owner, certificate, device and signature of its own would prove nothing, and are refused."""
        for part, value in (("owner", b"o"), ("certificate", b"c"), ("device", bytes(32)), ("signature", bytes(64))):
            self.refused("bad-field", self.record(**{part: value}))

    def test_another_subject(self) -> None:
        """Subject and revision are the document's, and a claim of the key alone is no document."""
        self.refused("bad-subject", self.record(subject=bytes(32)))
        self.refused("bad-subject", self.record(revision=2))
        claim = IdentityDocument.create(self.master, SOURCE, 0, (Device(0, 0, self.device.public),), NOW)
        self.refused("bad-subject", self.record(revision=0, value=claim.xml))


class DebugTests(RecordCase):
    def record(self, **more: Any) -> DHTRecord:
        fields = {"revision": NOW * 1000, "expires": NOW + 3600, "value": b"value", "owner": None} | more
        return self.made(DEBUG, "a key", **fields)

    def test_good(self) -> None:
        """A debugging record is about a text, has only its writer's device, and belongs to nobody."""
        record = self.checker.check(self.record().to_bytes(), NOW)
        self.assertEqual((record.fingerprint, record.device), (None, self.device.public))

    def test_refused(self) -> None:
        """It is small, short-lived, not from the future, and about no identity."""
        self.refused("too-large", self.record(value=bytes(MAX_DEBUG_VALUE + 1)))
        self.refused("bad-expiry", self.record(expires=NOW + DAY + SLACK + 1))
        self.refused("bad-revision", self.record(revision=(NOW + SLACK + 1) * 1000))
        self.refused("bad-field", self.signed(evolve(self.record(), subject=bytes(32))))
        self.refused("bad-field", self.signed(evolve(self.record(), owner=b"o")))

    def test_signature(self) -> None:
        """Its writer's device signs it."""
        for changes in ({"device": None}, {"signature": None}, {"signature": bytes(64)}, {"value": b"other"}):
            self.refused("bad-signature", evolve(self.record(), **changes))
