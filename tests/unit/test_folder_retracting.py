"""Versions that count, and that nobody has any more: their writer takes them back."""

import shutil

from bitdust.folders.listing import choose
from tests.unit.folder_kit import Replica, settle
from tests.unit.test_folder_conflicts import ReplicaCase


class NobodyHasItTests(ReplicaCase):
    """Two edits of a path, each deleted by somebody who knew it, and each known as former to the other one."""

    def crossed(self) -> tuple[Replica, Replica, Replica]:
        alice, bob, carol = (self.replica(name) for name in ("alice", "bob", "carol"))
        alice.write("a", "of alice", 1_800_000_100)
        alice.scan()
        carol.sync(alice)
        bob.write("a", "of bob", 1_800_000_200)
        bob.scan()
        carol.remove("a")
        carol.scan()
        carol.pull(bob)
        bob.remove("a")
        bob.scan()
        alice.pull(bob)
        return alice, bob, carol

    def test_deleted_again(self) -> None:
        """What its writer has deleted, and nobody has any more, is taken back by the writer, whatever was decided."""
        settle(*self.crossed())
        self.same({})

    def test_no_change(self) -> None:
        """A file that is read again while something else is due in its place, and is as it was, is no new version."""
        alice, bob, carol = self.crossed()
        alice.pull(carol)
        last = alice.store.journal.last
        self.assertEqual(alice.due(), ["a"])
        alice.scan(), alice.scan()
        self.assertEqual((alice.store.journal.last, alice.due()), (last, ["a"]))

    def test_not_wanted_for_a_while(self) -> None:
        """What its writer lets go from one disk, and wants again when nobody is here, is not taken back."""
        alice = self.replica("alice")
        alice.write("a", "of alice", 1_700_000_000)
        alice.scan()
        ident = alice.store.journal.keys.path_id(b"a")
        choose(alice.store.journal, "a", False)
        alice.apply()
        choose(alice.store.journal, "a", True)
        shutil.rmtree(alice.root / ".sync/Archive", ignore_errors=True)
        alice.apply()
        self.assertEqual({path for path, _ in alice.failures}, {"a"})
        self.assertFalse(alice.store.journal.entry(alice.store.journal.heads(ident)).deleted)

    def test_replaced_again(self) -> None:
        """What its writer has replaced, and nobody has any more, gives way to what is on the writer's disk."""
        alice, bob, carol = (self.replica(name) for name in ("alice", "bob", "carol"))
        alice.write("a", "of alice", 1_800_000_300)
        alice.scan()
        bob.pull(alice)
        carol.write("a", "of carol", 1_800_000_200)
        carol.scan()
        bob.pull(carol)
        alice.write("a", "of alice, later", 1_800_000_100)
        alice.sync(carol)
        bob.write("a", "of bob", 1_800_000_000)
        bob.scan()
        alice.pull(bob)
        self.assertIn("a", alice.due())
        self.assertEqual(alice.tree()["a"], b"of carol")
        settle(*self.replicas)
        self.same()
        self.assertEqual(alice.tree()["a"], b"of carol")
        self.assertEqual(set(self.contents(bob)), {b"of alice, later", b"of bob", b"of carol"})
