"""Shares in the key ring: to whom a key was given, and keys of others that were given to me."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import keyring, shares
from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.shares import MAX_GRANTS, GivenShare, Grant, united_grants
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import FOLDER_KEYS
from bitdust.wire.records import Family
from tests.unit.supplier_kit import DAY, START, Person

ALICE, BOB = Person("alice"), Person("bob")
SCOPE = b"s" * 16
GRANT = Grant(b"g" * 16, BOB.fingerprint, (Right.READ,), 0, START, START + DAY)


def share(given: int = 1, **changes) -> GivenShare:
    """A key of Alice as Bob keeps it."""
    shown = ALICE.capability(BOB.fingerprint, Right.READ, scope=changes.pop("scope", SCOPE))
    values = {"owner": ALICE.fingerprint, "alias": "wedding", "name": "alice@id.example", "label": "", "given": given}
    values |= {"secrets": {1: (b"1" * 32,)}, "capabilities": (shown,), "family": ALICE.family(given).to_bytes()}
    return GivenShare(**{**values, **changes})


class RingTests(SynchronousTestCase):
    def ring(self) -> KeyRing:
        ring = KeyRing()
        ring.add(RingKey("master", secrets={1: (b"m" * 32,)}))
        ring.add(RingKey("wedding", secrets={1: (b"1" * 32,)}))
        return ring

    def refused(self, call, *arguments) -> str:
        with self.assertRaises(BitDustError) as caught:
            call(*arguments)
        return caught.exception.code

    def test_round_trip(self) -> None:
        """Grants and given keys are read as they were written."""
        ring = self.ring()
        ring.grant("wedding", GRANT)
        ring.give(share(active=True, edits=3))
        ring.give(share(alias="other", erased=True))
        self.assertEqual(KeyRing.from_bytes(ring.to_bytes()), ring)
        (found,) = (one for one in ring.shares.values() if one.active)
        self.assertEqual((found.key_id, found.rights), ("wedding$alice@id.example", {Right.READ}))
        self.assertEqual(found.ends, START + DAY)
        self.assertEqual((found.owner_family().n, ring.get("wedding").grants), (4, (GRANT,)))

    def test_no_capability_for_all(self) -> None:
        """A share with a capability that names no key is refused."""
        value = decode(self.ring().to_bytes(), keyring.MAX_RING) | {"shares": [share(scope=None).as_map()]}
        self.assertEqual(self.refused(KeyRing.from_bytes, encode(value)), "bad-field")

    def test_grants_are_united(self) -> None:
        """Taken back wins over given, and the later end over the earlier, whichever ring comes first."""
        later = evolve(GRANT, ends=GRANT.ends + DAY)
        back = evolve(GRANT, revoked=True)
        for some in ((later, back), (back, later)):
            self.assertEqual(united_grants(*((one,) for one in some)), (evolve(later, revoked=True),))
        self.assertEqual([later.counts(START), back.counts(START), GRANT.counts(GRANT.ends)], [True, False, False])
        mine, theirs = self.ring(), self.ring()
        mine.grant("wedding", GRANT)
        theirs.grant("wedding", back)
        self.assertTrue(mine.merge(theirs))
        self.assertEqual(mine.get("wedding").grants, (back,))
        self.assertFalse(mine.merge(theirs))

    def test_shares_are_united(self) -> None:
        """Of the owner's word the newer counts, of mine what was changed last, and every secret stays."""
        first = share(1, secrets={1: (b"1" * 32,)}).marked(active=True)
        second = share(2, label="Our day", secrets={2: (b"2" * 32,)})
        for one, other in ((first, second), (second, first)):
            both = one.merged(other)
            self.assertEqual((both.given, both.label, both.active, sorted(both.secrets)), (2, "Our day", True, [1, 2]))
            self.assertEqual(both.owner_family().revision, 2)
        gone = first.marked(active=False, erased=True)
        self.assertTrue(gone.merged(first).erased and not gone.merged(first).active)

    def test_a_ring_that_does_not_count(self) -> None:
        """A revoked device's ring brings keys of others closed, and takes back nothing."""
        mine, theirs = self.ring(), self.ring()
        mine.grant("wedding", GRANT)
        mine.give(share(active=True, edits=1))
        theirs.grant("wedding", evolve(GRANT, revoked=True))
        theirs.give(share(active=False, edits=9))
        theirs.give(share(alias="other", edits=9))
        mine.merge(theirs, counts=False)
        self.assertEqual(mine.get("wedding").grants, (GRANT,))
        self.assertTrue(mine.shares[ALICE.fingerprint, "wedding"].active)
        self.assertFalse(mine.shares[ALICE.fingerprint, "other"].active)

    def test_as_many_as_there_is_room_for(self) -> None:
        """A ring that could not be read back is refused before anything changes."""
        ring = self.ring()
        self.patch(shares, "MAX_SHARES", 2)
        self.patch(keyring, "MAX_GRANTS", 1)
        for alias in ("one", "two"):
            ring.give(share(alias=alias))
        self.assertEqual(self.refused(ring.give, share(alias="three")), "too-many-keys")
        ring.give(share(2, alias="two"))
        ring.grant("wedding", GRANT)
        self.assertEqual(self.refused(ring.grant, "wedding", evolve(GRANT, id=b"h" * 16)), "too-many-keys")
        other = self.ring()
        other.give(share(alias="three"))
        ring.merge(other)
        other.merge(ring)
        self.assertEqual((len(ring.shares), other.shares), (2, ring.shares))
        ring.give(share(alias="two", erased=True, edits=2))
        ring.give(share(2, alias="four"))
        self.assertNotIn((ALICE.fingerprint, "two"), ring.shares)
        self.patch(keyring, "most_bytes", lambda revoked: len(ring.to_bytes()))
        self.assertEqual(self.refused(ring.give, share(3, alias="four", label="x" * 100)), "too-many-keys")

    def test_a_folder_off_and_on(self) -> None:
        """Of a folder's key the last grants that were taken back are kept. None that began before counts, not by a ring
        that does not know yet that it was taken back either; of other keys all stay."""
        alias = f"{FOLDER_KEYS}{'0' * 32}"
        mine, theirs = self.ring(), self.ring()
        for ring in (mine, theirs):
            ring.add(RingKey(alias, secrets={1: (b"f" * 32,)}))
        for number in range(3 * MAX_GRANTS):
            grant = evolve(GRANT, id=number.to_bytes(16, "big"), since=START + number)
            mine.grant(alias, grant)
            if number == 7:
                theirs.merge(mine)
            mine.grant(alias, evolve(grant, revoked=True))
        last = evolve(GRANT, id=b"l" * 16, since=START + number + 1)
        mine.grant(alias, last)
        self.assertEqual([one.id for one in mine.get(alias).grants if not one.revoked], [last.id])
        self.assertEqual(len(mine.get(alias).grants), shares.MAX_SHUT + 1)
        self.assertTrue(any(not one.revoked for one in theirs.get(alias).grants))
        theirs.merge(mine)
        mine.merge(theirs)
        self.assertEqual(mine.get(alias).grants, theirs.get(alias).grants)
        self.assertEqual([one.id for one in theirs.get(alias).grants if not one.revoked], [last.id])
        for number in range(2 * shares.MAX_SHUT):
            mine.grant("wedding", evolve(GRANT, id=number.to_bytes(16, "big"), revoked=True))
        self.assertEqual(len(mine.get("wedding").grants), 2 * shares.MAX_SHUT)

    def test_a_new_secret_for_one_key(self) -> None:
        """What was sealed stays readable; what is new is sealed under a secret that only this ring has."""
        ring = self.ring()
        ring.renew_secret("wedding", lambda size: b"n" * size, 7)
        self.assertEqual(ring.current("wedding")[1], b"n" * 32)
        self.assertEqual(ring.current("master")[1], b"m" * 32)
        self.assertEqual(ring.secrets("wedding", 1), (b"1" * 32,))


class CapabilityTests(SynchronousTestCase):
    def test_what_it_says(self) -> None:
        """A share shows the rights and the first end of all of its capabilities."""
        longer = Capability(b"c" * 16, ALICE.fingerprint, BOB.fingerprint, (Right.LOG,), 5, START + 2 * DAY, b"t" * 16)
        signed = ShownCapability.of(ALICE.device.sign_record(Capability.KIND, longer.to_body())).to_bytes()
        both = share(capabilities=(*share().capabilities, signed))
        self.assertEqual((both.rights, both.ends), ({Right.READ, Right.LOG}, START + DAY))
        self.assertEqual(both.owner_family(), Family.from_body(ALICE.family(1).body))
