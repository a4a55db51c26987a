"""Shares that somebody forges, pushes upon this node, or tries to put in the place of another."""

import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import keyring
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.shares import GivenShare, not_ahead
from bitdust.identity.devices import with_revoked
from bitdust.identity.document import Device, IdentityDocument
from bitdust.shares import received
from bitdust.shares.devices import AmongDevices
from bitdust.shares.offer import MAX_OFFER, Offer, read_offer, write_offer
from bitdust.shares.received import Received
from bitdust.signal import Signal
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import FOLDER_KEYS, IDURL
from bitdust.wire.records import Family
from bitdust.wire.revisions import MOST_AHEAD
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import Neighbours, Node
from tests.unit.supplier_kit import DAY, START
from tests.vectors.keys import device, master

SCOPE = b"s" * 16


class Owner:
    """Somebody who gives keys, honest as long as nothing else is asked for."""

    def __init__(self, name: str = "alice", key: str = "master") -> None:
        self.device = device()
        self._source, self._key = (IDURL.parse(f"http://id.example/{name}.xml"),), master(key)
        self.document = self.with_devices((Device(0, 1, self.device.public),))
        self.fingerprint = self.document.fingerprint

    def with_devices(self, devices: tuple[Device, ...]) -> IdentityDocument:
        return IdentityDocument.create(self._key, self._source, 1, devices, START)

    def capability(self, holder: bytes, signer: DeviceKey | None = None, **changes) -> bytes:
        values = {"id": b"c" * 16, "owner": self.fingerprint, "holder": holder, "rights": (Right.READ,), "quota": 0}
        body = Capability(**{**values, "ends": START + DAY, "scope": SCOPE, **changes}).to_body()
        return ShownCapability.of((signer or self.device).sign_record(Capability.KIND, body)).to_bytes()

    def family(self, signer: DeviceKey | None = None, **changes) -> bytes:
        values = {"customer": self.fingerprint, "revision": 1, "k": 1, "n": 2, "time": START}
        values["suppliers"] = [b"x" * 32, None]
        return (signer or self.device).sign_record(Family.KIND, Family(**{**values, **changes}).to_body()).to_bytes()

    def share(self, holder: bytes, **changes) -> GivenShare:
        values = {"owner": self.fingerprint, "alias": "share_1", "name": "", "label": "", "given": 1}
        given = {"secrets": {1: (b"1" * 32,)}, "capabilities": (self.capability(holder),), "family": self.family()}
        return GivenShare(**{**values, **given, **changes})


class OfferTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.owner, self.me = Owner(), b"m" * 32
        self.stranger = DeviceKey.generate(os.urandom)

    def code(self, share: GivenShare, **changes) -> str:
        offer = encode(decode(write_offer(share, START), MAX_OFFER) | changes)
        with self.assertRaises(BitDustError) as caught:
            read_offer(offer, self.owner.document, self.me, START)
        return caught.exception.code

    def test_an_honest_one(self) -> None:
        """What the owner signed is taken, under the name that its document has."""
        share = self.owner.share(self.me, name="mallory@evil.example")
        found = read_offer(write_offer(share, START - DAY), self.owner.document, self.me, START)
        self.assertEqual(found, Offer(evolve(share, name="alice@id.example"), 1, START - DAY))

    def test_former_versions(self) -> None:
        """Offers of version 1 and 2 are read; they do not say since when somebody is let in."""
        value = decode(write_offer(self.owner.share(self.me), START), MAX_OFFER)
        del value["since"]
        for version in (1, 2):
            offer = read_offer(encode(value | {"version": version}), self.owner.document, self.me, START)
            self.assertEqual(offer.since, 0)
            self.assertEqual(self.code(self.owner.share(self.me), version=version), "bad-field")

    def test_capabilities_that_do_not_count(self) -> None:
        """Of or for somebody else, ended, for no key, or signed by another device: refused."""
        owner, me = self.owner, self.me
        for changes, code in (
            ({"holder": b"z" * 32}, "not-allowed"),
            ({"owner": b"z" * 32}, "not-allowed"),
            ({"ends": START}, "not-allowed"),
            ({"scope": None}, "bad-field"),
        ):
            shown = owner.capability(changes.pop("holder", me), **changes)
            self.assertEqual(self.code(owner.share(me, capabilities=(shown,))), code)
        forged = owner.capability(me, self.stranger)
        self.assertEqual(self.code(owner.share(me, capabilities=(owner.capability(me), forged))), "bad-signature")

    def test_families_that_do_not_count(self) -> None:
        """A family of somebody else, or one that another device signed, under its own id or the owner's, leads to
        nobody."""
        own, strange = (Signed.from_bytes(self.owner.family(one), Family.KIND) for one in (None, self.stranger))
        in_its_name = evolve(strange, device=own.device).to_bytes()
        changed = evolve(own, body=Signed.from_bytes(self.owner.family(revision=2), Family.KIND).body).to_bytes()
        for family in (self.owner.family(customer=b"z" * 32), strange.to_bytes(), in_its_name, changed):
            self.assertEqual(self.code(self.owner.share(self.me, family=family)), "bad-signature")

    def test_a_family_of_a_revoked_device(self) -> None:
        """A family that a device has signed which was revoked since leads to nobody, whoever has signed the rest."""
        owner, other = self.owner, device("second")
        devices = (*owner.document.devices, Device(1, 1, other.public))
        share = owner.share(self.me, family=owner.family(other))
        owner.document = owner.with_devices(devices)
        read = read_offer(write_offer(share, START), owner.document, self.me, START).share
        self.assertEqual(read.family, share.family)
        owner.document = with_revoked(owner.document, [other.id])
        self.assertEqual(self.code(share), "bad-signature")

    def test_by_proof(self) -> None:
        """What is given to one person is not held by proof, and what is offered to many is."""
        by_proof = self.owner.capability(self.me, by_proof=True)
        self.assertEqual(self.code(self.owner.share(self.me, capabilities=(by_proof,))), "not-allowed")
        folder = f"{FOLDER_KEYS}{'0' * 32}"
        self.assertEqual(self.code(self.owner.share(self.me, alias=folder)), "not-allowed")
        offered = self.owner.share(self.me, alias=folder, capabilities=(by_proof,))
        read = read_offer(write_offer(offered, START), self.owner.document, self.me, START).share
        self.assertEqual(read.alias, folder)

    def test_what_is_no_offer(self) -> None:
        """Unknown versions and fields, aliases that lead elsewhere and what is too large are refused."""
        share = self.owner.share(self.me)
        for changes in ({"version": 4}, {"since": -1}, {"active": True}, {"alias": "../../etc"}, {"alias": ""},
                        {"secrets": [{}]}, {"capabilities": []}, {"label": "x" * 10_000}):  # fmt: skip
            self.assertEqual(self.code(share, **changes), "bad-field", changes)
        self.assertEqual(self.code(share, family=b"x" * (8 * 1024)), "malformed")
        with self.assertRaises(BitDustError) as caught:
            read_offer(bytes(MAX_OFFER + 1), self.owner.document, self.me, START)
        self.assertEqual(caught.exception.code, "too-large")


class PushedTests(SynchronousTestCase):
    def setUp(self) -> None:
        base = Path(self.mktemp())
        around = Neighbours(base, 2)
        self.addCleanup(around.close)
        self.node = Node(base / "home", around)
        self.node.connected.identities.keep = lambda document: None
        self.friends: set[bytes] = set()
        self.received = Received(self.node.connected, self.friends.__contains__)
        self.owner = Owner()

    def push(self, share: GivenShare, since: int = 0) -> str:
        payload = SimpleNamespace(read_all=lambda limit: self.bytes(write_offer(share, since)))
        peer = SimpleNamespace(document=self.owner.document, fingerprint=self.owner.fingerprint)
        request = SimpleNamespace(peer=peer, payload=payload)
        answer = Deferred.fromCoroutine(self.received.row().handler(request))
        failure, self.answers = [], []
        answer.addCallbacks(self.answers.append, lambda reason: failure.append(reason.value))
        return failure[0].code if failure else ""

    async def bytes(self, data: bytes) -> bytes:
        return data

    def share(self, alias: str = "share_1", **changes) -> GivenShare:
        return self.owner.share(self.node.me.fingerprint, alias=alias, **changes)

    def test_nothing_is_opened_by_others(self) -> None:
        """A key that comes is closed; one that was opened or forgotten here stays so, until it is given anew."""
        self.assertEqual(self.push(self.share()), "")
        (kept,) = self.received.all()
        self.assertFalse(kept.active)
        self.received.mark(kept, active=True)
        self.push(self.share(given=2, label="newer"))
        (kept,) = self.received.all()
        self.assertEqual((kept.active, kept.label), (True, "newer"))
        self.received.mark(kept, active=False, erased=True)
        self.assertEqual(self.received.all(), [])
        self.assertEqual((self.push(self.share(given=3)), self.received.all()), ("", []))
        again = self.owner.capability(self.node.me.fingerprint, id=b"d" * 16)
        self.push(self.share(given=4, capabilities=(again,)))
        self.assertEqual([one.active for one in self.received.all()], [False])
        self.assertEqual(self.node.event_names().count("share-received"), 2)

    def test_given_again_under_the_same_word(self) -> None:
        """What was forgotten comes back when its owner lets its holder in again after the last offer that was kept, and
        not when the owner brings again what it had said before."""
        self.push(self.share(given=START * 1000), START)
        (kept,) = self.received.all()
        self.received.mark(kept, active=False, erased=True)
        self.push(self.share(given=START * 1000 + 5000), START)
        self.assertEqual(self.received.all(), [])
        self.push(self.share(given=START * 1000 + 9000), START + 7)
        (again,) = self.received.all()
        self.assertEqual((again.active, again.secrets), (False, {1: (b"1" * 32,)}))
        self.assertEqual(self.node.event_names().count("share-received"), 2)

    def test_a_clock_that_was_ahead(self) -> None:
        """An owner who says something else under an earlier time hears which one is kept; what is the same, or newer,
        needs no answer."""
        held = lambda: dict(self.answers[0].fields).get("given")  # noqa: E731
        for given, label, wanted in ((9000, "one", None), (9000, "one", None), (5000, "one", None), (5000, "two", 9000),
                                     (9000, "two", 9000), (9001, "two", None)):  # fmt: skip
            self.push(self.share(given=given, label=label))
            self.assertEqual(held(), wanted, (given, label))
        (kept,) = self.received.all()
        self.assertEqual((kept.label, kept.given), ("two", 9001))
        self.received.mark(kept, active=False, erased=True)
        self.push(self.share(given=9001, label="two"))
        self.assertEqual(held(), None)
        again = self.owner.capability(self.node.me.fingerprint, id=b"d" * 16)
        self.push(self.share(given=7, capabilities=(again,)))
        self.assertEqual((held(), self.received.all()), (9001, []))

    def test_a_clock_here_that_is_set_back(self) -> None:
        """What an owner says later takes the place of what was said before, also where the clock here says that all of
        it is of times to come."""
        self.push(self.share(given=START * 1000, label="one"))
        with mock.patch.object(self.received, "_world", SimpleNamespace(wall=lambda: START - 365.0 * DAY)):
            for number, label in enumerate(("two", "three"), 1):
                self.push(self.share(given=(START + number) * 1000, label=label))
                (kept,) = self.received.all()
                self.assertEqual((kept.label, kept.given), (label, START * 1000 + number))
            self.push(self.share(given=START * 1000, label="replayed"))
        self.assertEqual(self.received.all()[0].label, "three")

    def test_what_a_device_brings(self) -> None:
        """Another device of mine, stolen perhaps, brings no key of mine, nothing that is no ring, and no share that
        nobody could take back."""
        family = SimpleNamespace(current=None, changed=Signal())
        devices = AmongDevices(self.node.connected, family, self.received)

        def bring(data: bytes) -> str:
            payload = SimpleNamespace(read_all=lambda limit: self.bytes(data))
            answer = Deferred.fromCoroutine(devices.row().handler(SimpleNamespace(payload=payload)))
            failure: list[BitDustError] = []
            answer.addErrback(lambda reason: failure.append(reason.value))
            return failure[0].code if failure else ""

        before = dict(self.node.me.key_ring.keys)
        mine = KeyRing({"docs": RingKey("docs", secrets={1: (b"1" * 32,)})})
        self.assertEqual(bring(mine.to_bytes()), "bad-field")
        self.assertEqual(bring(b"\x00"), "bad-field")
        far = evolve(self.share(given=2**60), active=True, edits=2**60)
        self.assertEqual(bring(KeyRing(shares={far.place: far}).to_bytes()), "")
        (kept,) = self.received.all()
        self.assertEqual((kept.given, kept.active, kept.edits), (0, True, MOST_AHEAD))
        self.assertEqual((self.push(self.share(label="newer")), self.received.all()[0].label), ("", "newer"))
        self.assertEqual(self.node.me.key_ring.keys, before)

    def test_nothing_is_replaced_by_what_is_older(self) -> None:
        """An offer that is replayed takes back nothing, and no key of mine is touched by what comes."""
        before = dict(self.node.me.key_ring.keys)
        self.push(self.share(given=5, label="new", secrets={2: (b"2" * 32,)}))
        self.push(self.share(given=4, label="old"))
        self.push(self.share("master"))
        newest = next(one for one in self.received.all() if one.alias == "share_1")
        self.assertEqual((newest.label, sorted(newest.secrets)), ("new", [1, 2]))
        self.assertEqual(self.node.me.key_ring.keys, before)

    def test_a_flood(self) -> None:
        """Strangers may leave a few, nobody more than some dozens, and what was opened counts no more as theirs."""
        self.patch(received, "MOST_OF_STRANGERS", 3)
        self.patch(received, "MOST_OF_ONE", 5)
        self.assertEqual([self.push(self.share(f"share_{n}")) for n in range(4)], ["", "", "", "too-many-shares"])
        self.assertEqual(self.push(self.share("share_2", given=9)), "")
        self.received.mark(self.received.all()[0], active=True)
        self.assertEqual(self.push(self.share("share_3")), "")
        self.friends.add(self.owner.fingerprint)
        self.assertEqual(self.push(self.share("share_4")), "")
        self.assertEqual(self.push(self.share("share_5")), "too-many-shares")

    def secrets(self, first: int, count: int = 1000) -> dict[int, tuple[bytes, ...]]:
        return {number: (b"%032d" % number,) for number in range(first, first + count)}

    def test_the_ring_stays_readable(self) -> None:
        """Whatever an owner gives one time after the other, the newest secrets count, and no more than can be kept."""
        ring = self.node.me.key_ring
        self.friends.add(self.owner.fingerprint)
        for given in (1, 2):
            self.assertEqual(self.push(self.share(given=given, secrets=self.secrets(given * 1000, 600))), "")
        (kept,) = KeyRing.from_bytes(ring.to_bytes()).shares.values()
        self.assertEqual((len(kept.secrets), 2599 in kept.secrets), (1000, True))

    def test_the_ring_stays_its_owners(self) -> None:
        """Strangers fill a part of it, a friend another one, and what is mine finds room; it comes at a slow pace."""
        sizes = []
        for owner in (Owner("eve", "other"), self.owner):
            self.owner = owner
            codes = [self.push(self.share(f"share_{n}", secrets=self.secrets(1, 400))) for n in range(4)]
            sizes.append(codes.count(""))
        self.assertEqual(sizes, [2, 0])
        self.friends.add(self.owner.fingerprint)
        codes = {self.push(self.share(f"share_{n}", secrets=self.secrets(1, 400))) for n in range(4)}
        self.assertEqual(codes, {"", "too-many-shares"})
        ring = self.node.me.key_ring
        self.assertLess(len(ring.to_bytes()), keyring.MAX_RING // 2)
        ring.add(RingKey("mine", private="x" * 10_000))

    def test_changes_without_end(self) -> None:
        """Each change of the ring goes to all suppliers: the same again changes nothing, others wait for their turn."""
        saved = []
        self.patch(self.node.me, "save_key_ring", lambda: saved.append(1))
        self.assertEqual({self.push(self.share(given=given)) for given in range(1, 50)}, {""})
        self.assertEqual(len(saved), 1)
        codes = [self.push(self.share(given=100 + n, label=str(n))) for n in range(50)]
        self.assertEqual((codes[0], codes[-1], len(saved)), ("", "busy", 20))
        self.node.clock.advance(61)
        self.assertEqual(self.push(self.share(given=999, label="later")), "")

    def test_given_in_times_to_come(self) -> None:
        """Who stole a device of an owner cannot give what nothing newer could ever replace, nor can it in my ring."""
        self.push(self.share(given=2**62, label="stolen"))
        self.node.clock.advance(2)
        now = (self.node.connected.world.wall() + DAY) * 1000
        self.assertEqual(self.push(self.share(given=int(now), label="mine again")), "")
        self.assertEqual([one.label for one in self.received.all()], ["mine again"])
        theirs = KeyRing({}, not_ahead({self.received.all()[0].place: self.share(given=2**62, edits=2**63 - 1)}, START))
        self.node.me.key_ring.merge(theirs)
        (kept,) = self.received.all()
        self.assertEqual((kept.label, kept.edits), ("mine again", MOST_AHEAD))
        self.received.mark(kept, active=True)
