"""What a folder forgets by and by, what its person wants of all folders, and how the machine is called."""

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.schema import default_schema
from bitdust.config.settings import Settings
from bitdust.folders.config import KNOWN, FolderConfig
from bitdust.folders.store import CLEAN_EVERY
from bitdust.folders.wishes import DEVICE_NAME, Wishes, device_name
from tests.unit.folder_kit import Replica, plain_secret, settle
from tests.unit.test_folder_conflicts import DAY, ReplicaCase


def told(one: Replica, other: Replica) -> None:
    """The other one has asked for all that is new here."""
    one.store.journal.note_told(other.name.encode().ljust(8, b"\0")[:8], one.store.journal.last)


class DeletionTests(ReplicaCase):
    def test_they_are_forgotten(self) -> None:
        """A deletion that all know who were here since is forgotten after its time, and nothing comes back by that."""
        alice, bob = self.pair(a="first", b="second")
        alice.remove("a")
        settle(alice, bob)
        told(alice, bob)
        path = alice.store.keys.path_id(b"a")
        self.assertEqual(alice.store.journal.forget_deletions(30, int(alice.world.wall())), 0)
        alice.ahead = 31 * DAY
        self.assertEqual(alice.store.journal.forget_deletions(0, 0), 0)
        self.assertEqual(alice.store.journal.forget_deletions(30, int(alice.world.wall())), 1)
        self.assertEqual(alice.store.journal.heads(path), [])
        settle_both(alice, bob)
        self.assertEqual((alice.tree(), bob.tree()), ({"b": b"second"}, {"b": b"second"}))
        alice.write("a", "a new one")
        settle_both(alice, bob)
        self.assertEqual(bob.tree()["a"], b"a new one")

    def test_who_does_not_know_yet(self) -> None:
        """While a device that was here since does not know it, a deletion stays."""
        alice, bob = self.pair(a="first")
        told(alice, bob)
        alice.remove("a")
        alice.scan()
        alice.ahead = 20 * DAY
        alice.store.journal.note_peer(b"bob".ljust(8, b"\0"), bob.store.journal.epoch, bob.store.journal.last, "bob")
        alice.ahead = 31 * DAY
        self.assertEqual(alice.store.journal.forget_deletions(30, int(alice.world.wall())), 0)
        settle(alice, bob)
        told(alice, bob)
        self.assertEqual(bob.tree(), {})
        alice.ahead = 62 * DAY
        self.assertEqual(alice.store.journal.forget_deletions(30, int(alice.world.wall())), 1)

    def test_who_was_away_for_longer(self) -> None:
        """Whoever comes back when it is forgotten keeps its file for itself: it comes back nowhere, until it is changed
        there, and then it is new."""
        alice, bob = self.pair(a="first", b="second")
        settle_both(alice, bob)
        alice.remove("a")
        alice.scan()
        alice.ahead = 40 * DAY
        self.assertEqual(alice.store.journal.forget_deletions(30, int(alice.world.wall())), 1)
        settle_both(alice, bob)
        self.assertEqual((alice.tree(), bob.tree()["a"]), ({"b": b"second"}, b"first"))
        bob.write("a", "changed there")
        settle_both(alice, bob)
        self.assertEqual((alice.tree()["a"], bob.tree()["a"]), (b"changed there", b"changed there"))


def settle_both(one: Replica, other: Replica) -> None:
    for _ in range(3):
        one.sync(other)
        other.sync(one)


class WishTests(ReplicaCase):
    def setUp(self) -> None:
        super().setUp()
        self.settings = Settings(Path(self.mktemp()), default_schema())
        self.config = FolderConfig(self.base, plain_secret().text, dict(KNOWN))

    def follow(self, one: Replica) -> None:
        one.store.follow(Wishes.of(self.config, self.settings))

    def test_trash(self) -> None:
        """Settings and preferences of the archive count as they are now, without a restart."""
        alice, bob = self.pair(a="first", b="x")
        self.settings.set("services/folder-sync/versioned-file-max", 0)
        self.follow(bob)
        alice.write("a", "second")
        settle(alice, bob)
        self.assertEqual(bob.store.archive.versions("a"), [])
        self.settings.set("services/folder-sync/versioned-file-max", 1)
        self.follow(bob)
        alice.write("a", "third")
        settle(alice, bob)
        self.assertEqual(len(bob.store.archive.versions("a")), 1)
        self.config.preferences["use_sync_trash"] = 0
        self.follow(bob)
        alice.write("a", "fourth")
        settle(alice, bob)
        self.assertEqual(len(bob.store.archive.versions("a")), 1)
        bob.ahead = 2 * DAY
        self.settings.set("services/folder-sync/trash-days", 1)
        self.follow(bob)
        self.assertEqual(bob.store.archive.versions("a"), [])

    def test_a_clock_that_was_set_wrong(self) -> None:
        """What was replaced lately stays in the archive, and what was deleted is known, while a clock is a year ahead;
        so does what was replaced while it was years behind."""
        alice, bob = self.pair(a="first", b="x")
        self.follow(bob)
        alice.write("a", "second")
        alice.remove("b")
        settle(alice, bob)
        bob.ahead = 365 * DAY
        self.follow(bob)
        self.assertEqual([len(bob.store.archive.versions(name)) for name in "ab"], [1, 1])
        self.assertEqual(len(bob.store.journal.heads(bob.store.keys.path_id(b"b"))), 1)
        bob.ahead = -3650 * DAY
        alice.write("a", "third")
        settle(alice, bob)
        bob.ahead = 0
        bob.clock.advance(DAY)
        self.follow(bob)
        self.assertEqual(len(bob.store.archive.versions("a")), 2)
        for _ in range(31):
            bob.clock.advance(DAY)
            self.follow(bob)
        self.assertEqual([len(bob.store.archive.versions(name)) for name in "ab"], [0, 0])

    def test_once_an_hour(self) -> None:
        """What is old is looked for once an hour, and again when the clock was put back."""
        alice, _ = self.pair()
        calls: list[int] = []
        alice.store.clean = calls.append  # type: ignore[method-assign]
        for ahead in (0, CLEAN_EVERY - 1, CLEAN_EVERY + 1, 0):
            alice.ahead = ahead
            self.follow(alice)
        self.assertEqual(calls, [30, 30, 30])


class NameTests(SynchronousTestCase):
    def test_one_name(self) -> None:
        """What was set, else the person's name, else that of the machine: for peers and for clients."""
        settings = Settings(Path(self.mktemp()), default_schema())

        def me(present: bool, nowhere: bool = False) -> Any:
            document = SimpleNamespace(name="alice", sources=[SimpleNamespace(is_nowhere=nowhere)])
            return SimpleNamespace(present=present, document=document)

        self.assertEqual(device_name(settings, me(True)), "alice")
        self.assertEqual(device_name(settings, me(True, nowhere=True)), socket.gethostname()[:64])
        self.assertEqual(device_name(settings, me(False)), socket.gethostname()[:64])
        settings.set(DEVICE_NAME, "laptop")
        self.assertEqual(device_name(settings, me(True)), "laptop")
