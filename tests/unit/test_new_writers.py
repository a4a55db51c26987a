"""Devices of guests that nobody has named to the owner of a share: whose documents are looked up, and how often."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.shares import Grant
from bitdust.shares.new_writers import LONGEST, NewWriters
from bitdust.wire.capability import Right

BOB, CARL, READER, SHUT_OUT = (bytes([n]) * 32 for n in range(1, 5))
WRITING = (Right.READ, Right.LIST, Right.WRITE, Right.LOG)
NEW, OTHER = b"n" * 8, b"o" * 8


class NewWritersCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.ring = Clock(), KeyRing()
        self.looked: list[bytes] = []
        self.named: list[bytes] = []
        self.documents: dict[bytes, Any] = {}
        self.in_table: dict[bytes, Any] = {}
        for alias in ("share_a", "share_b"):
            self.ring.add(RingKey(alias))
        for n, (who, rights) in enumerate(((BOB, WRITING), (READER, WRITING[:2]), (SHUT_OUT, WRITING))):
            self.ring.grant("share_a", Grant(bytes([n]) * 16, who, rights, 0, 0, 1000, revoked=who == SHUT_OUT))
        self.ring.grant("share_b", Grant(b"c" * 16, CARL, WRITING, 0, 0, 1_000_000))
        for who in (BOB, CARL):
            self.documents[who] = SimpleNamespace(revision=1, idurl=who)
        around: Any = SimpleNamespace(
            world=SimpleNamespace(clock=self.clock, wall=self.clock.seconds),
            me=SimpleNamespace(key_ring=self.ring),
            identities=SimpleNamespace(get=self.documents.get),
        )
        prover: Any = SimpleNamespace(prove=self.prove)
        self.new = NewWriters(around, prover)
        self.new.people = SimpleNamespace(resolve=self.resolve)  # type: ignore[assignment]

    async def resolve(self, who: bytes) -> list[str]:
        self.looked.append(who)
        self.documents.update({who: self.in_table[who]} if who in self.in_table else {})
        return []

    async def prove(self, who: bytes, idurl: bytes) -> None:
        self.named.append(who)


class NewWritersTests(NewWritersCase):
    def test_who_is_looked_up(self) -> None:
        """Those who may write under that key, and nobody else; by name as well where the hash table knows nothing
        newer."""
        self.new.listed("share_a", {NEW})
        self.assertEqual((self.looked, self.named), ([BOB], [BOB]))
        self.in_table[CARL] = SimpleNamespace(revision=2, idurl=CARL)
        self.new.listed("share_b", {NEW})
        self.assertEqual((self.looked, self.named), ([BOB, CARL], [BOB]))

    def test_one_that_is_never_named(self) -> None:
        """A device that nobody has is looked for less and less often, and each ten minutes for good."""
        for _ in range(24 * 60):
            self.new.listed("share_b", {NEW})
            self.clock.advance(60)
        self.assertIn(len(self.looked), range(24 * 3600 // int(LONGEST), 24 * 3600 // int(LONGEST) + 6))

    def test_new_ones_in_each_answer(self) -> None:
        """A supplier that makes devices up has that key's guests looked up once a minute, and holds up no other key."""
        for n in range(600):
            self.new.listed("share_b", {n.to_bytes(8, "big")})
            self.clock.advance(1)
        self.assertEqual(len(self.looked), 10)
        self.new.listed("share_a", {NEW})
        self.assertEqual(self.looked[10:], [BOB])

    def test_the_table_is_back(self) -> None:
        """Who could not be looked up while nobody was there is looked up without a pause of before."""
        self.assertFalse(self.new.begin_anew())
        for _ in range(60):
            self.new.listed("share_b", {NEW})
            self.clock.advance(60)
        self.looked.clear()
        self.new.listed("share_b", {NEW})
        while self.looked:
            self.looked.clear()
            self.clock.advance(60)
            self.new.listed("share_b", {NEW})
        self.assertTrue(self.new.begin_anew())
        self.clock.advance(60)
        self.new.listed("share_b", {NEW})
        self.assertEqual(self.looked, [CARL])
