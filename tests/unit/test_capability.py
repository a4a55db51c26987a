"""Capabilities and revocations as records: what they carry, and what is refused when they are read."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.capabilities import is_proven, proven
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.scope import scope_of
from bitdust.wire.capability import DAY, MOST_DAYS, Capability, Revocation, Right, ShownCapability, shown_end
from bitdust.wire.encoding import WireError, decode, encode

GRANT = Capability(b"i" * 16, b"o" * 32, b"h" * 32, (Right.READ, Right.LIST), 1000, 2000, b"s" * 16)
BODY = decode(GRANT.to_body(), 1024)


class CapabilityTests(SynchronousTestCase):
    def test_a_capability_comes_back_as_it_was(self) -> None:
        """Every field survives, with a scope and without one."""
        by_proof = evolve(GRANT, by_proof=True)
        self.assertNotEqual(by_proof.to_body(), GRANT.to_body())
        for grant in (GRANT, Capability(b"i" * 16, b"o" * 32, b"h" * 32, (Right.WRITE,), 0, 1), by_proof):
            self.assertEqual(Capability.from_body(grant.to_body()), grant)

    def test_an_end_that_is_accepted(self) -> None:
        """An end beyond what is accepted is brought forward, to the same for a day; any other one stays."""
        now, last = 20_000 * DAY + 5, MOST_DAYS * DAY
        for ends in (now + 1, now + last):
            self.assertEqual(shown_end(ends, now), ends)
        for later in (0, 7 * 3600):
            self.assertEqual(shown_end(now + later + last + 1, now + later), 20_000 * DAY + last - DAY)

    def test_fields_that_are_refused(self) -> None:
        """Lengths, rights, numbers and unknown fields are checked where a capability is read."""
        for changes in (
            {"version": 0},
            {"version": 3},
            {"id": b"short"},
            {"owner": bytes(31)},
            {"holder": bytes(33)},
            {"holder": [b"h" * 32]},
            {"scope": b""},
            {"scope": {"scope": b"s" * 16}},
            {"rights": []},
            {"rights": ["erase"]},
            {"rights": ["read", "read"]},
            {"rights": ["read"] * 5},
            {"rights": "read"},
            {"quota": -1},
            {"quota": 2**60 + 1},
            {"ends": 2**63},
            {"ends": None},
            {"more": 1},
        ):
            with self.assertRaises(WireError, msg=str(changes)):
                Capability.from_body(encode(BODY | changes))

    def test_a_body_is_small(self) -> None:
        """A body of more than 1 KiB is not read at all."""
        error = self.assertRaises(WireError, Capability.from_body, encode(BODY | {"pad": bytes(1024)}))
        self.assertEqual(error.code, "too-large")

    def test_the_signed_form_comes_back(self) -> None:
        """Body, device and signature survive; a device of no bytes stands for the RSA key."""
        for device, signature in ((b"d" * 8, bytes(64)), (b"", bytes(256))):
            shown = ShownCapability(GRANT.to_body(), device, signature)
            self.assertEqual(ShownCapability.from_bytes(shown.to_bytes()), shown)

    def test_a_proof(self) -> None:
        """The proof of a holder's key comes back, and counts for that supplier, device and capability alone."""
        holder, asks, other = (DeviceKey(letter * 32) for letter in (b"h", b"a", b"o"))
        shown = ShownCapability(GRANT.to_body(), b"d" * 8, bytes(64))
        proof = proven(shown.to_bytes(), holder, b"s" * 32, asks.public)
        read = ShownCapability.from_bytes(proof)
        self.assertEqual((read.to_bytes(), read.body, len(read.proof)), (proof, shown.body, 64))
        self.assertTrue(is_proven(read, holder.public, b"s" * 32, asks.public))
        changed = evolve(read, body=evolve(GRANT, ends=2001).to_body())
        for one, key, supplier, device in (
            (shown, holder.public, b"s" * 32, asks.public),
            (read, other.public, b"s" * 32, asks.public),
            (read, holder.public, b"t" * 32, asks.public),
            (read, holder.public, b"s" * 32, other.public),
            (changed, holder.public, b"s" * 32, asks.public),
        ):
            self.assertFalse(is_proven(one, key, supplier, device))

    def test_signed_forms_that_are_refused(self) -> None:
        """Other kinds, other shapes, deep nesting and oversized parts are no signed capability."""
        body = GRANT.to_body()
        nested: object = body
        for _ in range(20):
            nested = [nested]
        for value in (
            [],
            ["capability", body, b"d" * 8],
            ["delete", body, b"d" * 8, bytes(64)],
            ["capability", body, b"d" * 7, bytes(64)],
            ["capability", body, b"d" * 8, bytes(63)],
            ["capability", body, b"d" * 8, bytes(1025)],
            ["capability", b"", b"d" * 8, bytes(64)],
            ["capability", bytes(1025), b"d" * 8, bytes(64)],
            ["capability", body, b"d" * 8, [bytes(64)]],
            {"capability": body},
            nested,
            bytes(5000),
        ):
            with self.assertRaises(WireError, msg=repr(value)[:80]):
                ShownCapability.from_bytes(encode(value))

    def test_a_revocation_comes_back(self) -> None:
        """Owner and capability survive; an id of another length is refused."""
        revocation = Revocation(b"o" * 32, b"i" * 16)
        self.assertEqual(Revocation.from_body(revocation.to_body()), revocation)
        self.assertRaises(WireError, Revocation.from_body, Revocation(b"o" * 32, b"i" * 15).to_body())


class ScopeTests(SynchronousTestCase):
    def test_a_tag_shows_no_name(self) -> None:
        """Two keys of one secret, and one name under two secrets, have different tags of 16 bytes."""
        tags = {scope_of(secret * 32, name) for secret in (b"1", b"2") for name in ("share_1", "share_2")}
        self.assertEqual((len(tags), {len(tag) for tag in tags}), (4, {16}))
        self.assertEqual(scope_of(b"1" * 32, "share_1"), scope_of(b"1" * 32, "share_1"))
