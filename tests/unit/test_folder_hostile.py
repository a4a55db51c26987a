"""Peers of a folder that mean no good: what they send is checked, bounded, and changes nothing that is newer."""

import zlib
from unittest import mock

from bitdust.folders.fetching import parted
from bitdust.folders.packing import MOST, pack, unpack
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, encrypted_secret, settle
from tests.unit.test_folder_conflicts import ReplicaCase


class BombTests(ReplicaCase):
    def test_records_that_grow(self) -> None:
        """A small answer that becomes very much when it is unpacked is refused before it takes memory."""
        bomb = zlib.compress(bytes(4 * MOST))
        self.assertLess(len(bomb), 100_000)
        with self.assertRaises(WireError) as caught:
            unpack(bomb)
        self.assertEqual(caught.exception.code, "too-large")

    def test_records_that_are_none(self) -> None:
        """Whatever is packed instead of records is refused, and so is one in which lengths lie."""
        alice, _ = self.pair(a="first")
        good = pack([alice.store.journal.heads(alice.store.keys.path_id(b"a"))[0].raw])
        columns = [b""] * 8
        lies = [*columns[:7], (2**32 - 1).to_bytes(4, "big") * 3]
        packed = [zlib.compress(encode(one)) for one in ([], columns[:3], lies)]
        for bad in (good[:-1], good + b"x", b"\0" * 50, *packed):
            self.assertRaises(WireError, unpack, bad)
        self.assertEqual(len(unpack(good)), 1)

    def test_chunks_that_were_not_asked_for(self) -> None:
        """More chunks than were asked for, longer ones, and other ones are not taken; the file comes from others."""
        alice, bob = self.pair()
        alice.write("a", b"what was wanted" * 5000)
        alice.scan()
        bob.pull(alice)
        for payload in (b"\0\0\0\1x" * 3, (2**31).to_bytes(4, "big"), b"\0\0"):
            self.assertRaises(BitDustError, parted, payload, 1)
        for given in (b"x" * 5_000_000, b"", b"other"):
            with mock.patch.object(alice, "give", lambda names, given=given: [given] * len(names)):
                bob.apply(alice)
            self.assertEqual(bob.tree(), {})
        self.assertGreater(bob.fetcher.bad, 0)
        settle(alice, bob)
        self.same()


class OldStateTests(ReplicaCase):
    """A keeper cannot forge what it keeps, but it can keep back what is new."""

    def one(self, name: str, kind: int = 0) -> Replica:
        secret = [encrypted_secret(), *encrypted_secret().weaker()][kind]
        found = Replica(self.base, name, secret)
        self.addCleanup(found.close)
        return found

    def test_a_keeper_that_shows_what_was(self) -> None:
        """Who knows better is not led back; who began with the old state comes to the new one by the first who has it,
        without a conflict."""
        alice, keeper = self.one("alice"), self.one("keeper", 2)
        alice.write("a", "old")
        alice.write("gone", "secret of old times")
        alice.scan()
        keeper.pull(alice)
        keeper.keep(alice)
        alice.write("a", "new")
        alice.remove("gone")
        alice.scan()
        self.assertEqual(alice.pull(keeper), 0)
        alice.apply(keeper)
        self.assertEqual(alice.tree(), {"a": b"new"})
        bob = self.one("bob")
        bob.pull(keeper)
        bob.apply(keeper)
        self.assertEqual(bob.tree(), {"a": b"old", "gone": b"secret of old times"})
        settle(alice, bob)
        self.assertEqual((alice.tree(), bob.tree()), ({"a": b"new"}, {"a": b"new"}))
        bob.pull(keeper)
        bob.apply(keeper)
        self.assertEqual(bob.tree(), {"a": b"new"})

    def test_a_keeper_that_takes_something_away(self) -> None:
        """A record that a keeper leaves out, or tells twice, or in another order, makes no difference in the end."""
        alice, keeper, bob = self.one("alice"), self.one("keeper", 2), self.one("bob")
        for number in range(5):
            alice.write(f"f{number}", str(number))
        alice.scan()
        keeper.pull(alice)
        keeper.keep(alice)
        raws = list(keeper.store.journal.since(0).records)
        public = keeper.store.journal.keys.public
        assert public is not None
        bob.store.journal.learn_public(public)
        bob.store.journal.take([*reversed(raws[1:]), *raws[1:]])
        bob.apply(keeper)
        self.assertEqual(len(bob.tree()), 4)
        settle(alice, bob)
        self.assertEqual(bob.tree(), alice.tree())
