"""A thief fills the key ring while its device counts: the owner's new secrets find room all the same."""

import os

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, KeyRing, RingKey, secret_name
from bitdust.crypt.ring_room import MAX_KEYS, STEP_KEYS, most_keys
from bitdust.wire.errors import BitDustError
from tests.unit.test_crypt_shares import GRANT

PEM = "p" * 5000


class FullRingTests(SynchronousTestCase):
    """The owner's devices 1 and 2 follow each other's ring, and that of device 0, which was stolen."""

    def setUp(self) -> None:
        self.owner = KeyRing()
        self.owner.add(RingKey(MASTER, "mine"))
        self.owner.ensure_secret(MASTER, os.urandom, 1)
        self.owner.add(RingKey("share_1"))
        self.owner.ensure_secret("share_1", os.urandom, 1)
        self.other = KeyRing.from_bytes(self.owner.to_bytes())

    def stuff(self, fill, revoked: int) -> KeyRing:
        """As full as both devices still take it, by halving what the thief adds."""
        self.owner.revoked = self.other.revoked = revoked
        least, most = 0, MAX_KEYS * 4
        while least < most:
            many = (least + most + 1) // 2
            if self.accepts(self.owner, fill(many)):
                least = many
            else:
                most = many - 1
        self.assertGreater(least, 0)
        filled = fill(least)
        for ring in (self.owner, self.other):
            ring.merge(filled)
        return filled

    def accepts(self, ring: KeyRing, brought: KeyRing) -> bool:
        try:
            evolve(ring).merge(brought)
        except BitDustError as error:
            self.assertEqual(error.code, "too-many-keys")
            return False
        return True

    def secrets(self, many: int) -> KeyRing:
        ring = KeyRing.from_bytes(self.owner.to_bytes())
        key = ring.keys[MASTER]
        made = {secret_name(0, number + len(key.secrets)): (os.urandom(32),) for number in range(1, many + 1)}
        ring.keys[MASTER] = evolve(key, secrets=key.secrets | made)
        return ring

    def keys(self, many: int) -> KeyRing:
        """Large ones, then small ones with a secret each."""
        ring = KeyRing.from_bytes(self.owner.to_bytes())
        held = len(ring.keys)
        for number in range(held, min(held + many, MAX_KEYS)):
            secret = {secret_name(0, 1): (bytes([number % 256]) * 32,)}
            ring.keys[f"a{number}"] = RingKey(f"a{number}", private=PEM if number < 20 else None, secrets=secret)
        for key in [one for name, one in ring.keys.items() if name not in self.owner.keys][: many // 5]:
            more = {secret_name(0, n): (os.urandom(32),) for n in range(2, 100)}
            ring.keys[key.key_id] = evolve(key, secrets=key.secrets | more)
        return ring

    def check_revocations(self, fill) -> None:
        """What a revocation makes is readable, is what is sealed under, and comes to the other device."""
        for revoked in range(1, 4):
            filled = self.stuff(fill, revoked - 1)
            self.owner.renew_secrets(os.urandom, 1, 1)
            again = KeyRing.from_bytes(self.owner.to_bytes())
            self.assertNotIn(again.current(MASTER)[1], [secret for _, secret in filled.keys[MASTER].named])
            self.owner.revoked = self.other.revoked = revoked
            self.other.merge(again)
            self.owner.add(RingKey(f"mine{revoked}"))
            self.owner.grant("share_1", evolve(GRANT, id=bytes([revoked]) * 16))
            self.other.merge(KeyRing.from_bytes(self.owner.to_bytes()))
            self.assertEqual(self.other.to_bytes(), self.owner.to_bytes())
            self.assertEqual(self.other.current(MASTER), self.owner.current(MASTER))
            for name in ("share_1", *list(filled.keys)[:100]):
                self.assertFalse(set(self.owner.keys[name].usable) & set(filled.keys[name].named), name)

    def test_secrets(self) -> None:
        """The master key has as many secrets as it may."""
        self.check_revocations(self.secrets)

    def test_keys(self) -> None:
        """The ring has as many bytes as it may."""
        self.check_revocations(self.keys)

    def test_places(self) -> None:
        """Who has taken all places for keys leaves some for later; a recovered home refuses none."""
        thief = KeyRing.from_bytes(self.owner.to_bytes())
        for number in range(most_keys(0) - len(self.owner.keys)):
            thief.add(RingKey(f"a{number}"))
        for ring in (self.owner, self.other):
            ring.merge(thief)
        self.assertEqual(self.assertRaises(BitDustError, self.owner.add, RingKey("mine")).code, "too-many-keys")
        thief.revoked = 4
        thief.add(RingKey("more"))
        self.assertEqual(self.assertRaises(BitDustError, self.other.merge, thief).code, "too-many-keys")
        recovered = KeyRing()
        recovered.merge(thief)
        self.assertEqual(recovered.keys, thief.keys)
        self.owner.revoked = self.other.revoked = 1
        for number in range(STEP_KEYS):
            self.owner.add(RingKey(f"mine{number}"))
        self.other.merge(self.owner)
        self.assertEqual(self.other.keys, self.owner.keys)

    def test_keys_that_nobody_erases(self) -> None:
        """A ring in which the master key is erased, or one that a program keeps for itself, erases neither."""
        for ring in (self.owner, self.other):
            ring.add(RingKey("hidden.messages"))
        thief = KeyRing.from_bytes(self.owner.to_bytes())
        for name in (MASTER, "hidden.messages", "share_1"):
            thief.keys[name] = evolve(thief.keys[name], erased=True, active=False, edits=100)
        self.owner.merge(KeyRing.from_bytes(thief.to_bytes()))
        self.assertEqual([key.key_id for key in self.owner.living()], [MASTER, "hidden.messages"])
        self.assertTrue(self.owner.get(MASTER).active)
        self.assertEqual(self.owner.current(MASTER), self.other.current(MASTER))

    def test_what_finds_no_room(self) -> None:
        """Where there is none the ring stays as it was, and readable."""
        key = self.owner.keys["share_1"]
        full = {secret_name(0, number): (os.urandom(32),) for number in range(1, 1000)}
        self.owner.keys["share_1"] = evolve(key, secrets=key.secrets | full)
        before = self.owner.to_bytes()
        failed = self.assertRaises(BitDustError, self.owner.renew_secret, "share_1", os.urandom, 1)
        self.assertEqual((failed.code, self.owner.to_bytes()), ("too-many-keys", before))
        self.owner.renew_secrets(os.urandom, 1)
        self.assertEqual(KeyRing.from_bytes(self.owner.to_bytes()).keys, self.owner.keys)
