"""A home that is set back to an old copy of its disk, and written to before its suppliers are heard."""

import shutil
from operator import attrgetter
from unittest import mock

from twisted.internet.defer import fail

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.storage.log.recovery import LogRecovery
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, stop_quietly
from tests.unit.test_log_replicas import LogCase


class SetBackTests(LogCase):
    def start(self, home) -> Node:
        node = Node(home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, node)
        return node

    def switch(self, mode: str, *suppliers: int) -> None:
        for number in suppliers:
            self.around.suppliers[number].mode = mode

    def go_on(self, node: Node, *suppliers: int) -> None:
        self.switch("fine", *suppliers)
        node.storage.core.log_replicas.suppliers_changed()
        node.pass_time(300)

    def old_copy(self) -> None:
        self.node.pass_time(100)
        self.node.stop()
        shutil.copytree(self.node.home, self.base / "copy")

    def set_back(self, before: int, after: int, away: tuple[int, ...] = (), first: tuple[int, ...] = ()) -> None:
        """So many items were made behind the old copy, some suppliers being away, and so many by it; some are heard
        before the others."""
        self.old_copy()
        self.switch("away", *away)
        original = self.start(self.node.home)
        for number in range(before):
            original.create(f"before-{number}")
        original.pass_time(100)
        original.kill()
        self.switch("away", *range(4))
        copy = self.start(self.base / "copy")
        for number in range(after):
            copy.create(f"after-{number}")
        copy.pass_time(10)
        for number in first:
            self.go_on(copy, number)
        self.go_on(copy, *range(4))
        copy.pass_time(300)
        replicas, names = copy.storage.core.log_replicas, [row["path"] for row in copy.rows()]
        self.assertEqual((copy.taken, replicas.synchronized, replicas.reason), (1, True, ""))
        made = [("before", before), ("after", after)]
        expected = ["one", "two", "three", *(f"{when}-{number}" for when, count in made for number in range(count))]
        self.assertEqual(sorted(names), sorted(expected))
        self.assertTrue(replicas.is_safe())

    def test_less_was_written_than_before(self) -> None:
        """What stood behind the copy is read, what was written since is said as another device: all is safe."""
        self.set_back(3, 1)

    def test_as_much_was_written(self) -> None:
        """The same."""
        self.set_back(2, 2)

    def test_more_was_written_than_before(self) -> None:
        """The same."""
        self.set_back(1, 3)

    def test_one_has_taken_it(self) -> None:
        """A supplier that was away takes what is written under the old key; that is said again as well."""
        for before, after in ((1, 1), (3, 1), (1, 3)):
            self.tearDown()
            self.setUp()
            self.set_back(before, after, (3,), (3,))
            self.doCleanups()

    def two_logs(self) -> Node:
        """One log was written to behind the old copy, and another one by it."""
        self.node.me.key_ring.add(RingKey("photos"))
        self.node.me.ensure_secret("photos")
        self.node.storage.core.key_ring_replicas.keys_changed()
        photo = f"photos${self.node.me.global_id}:photo-"
        self.node.create(f"{photo}0")
        self.old_copy()
        original = self.start(self.node.home)
        original.create("before")
        original.pass_time(100)
        original.kill()
        self.switch("away", *range(4))
        copy = self.start(self.base / "copy")
        copy.create(f"{photo}1")
        copy.pass_time(10)
        return copy

    def test_another_log_than_the_one_that_was_written_before(self) -> None:
        """Where suppliers hold more of one log the home takes another key; what waits in its other logs is said again.
        """
        copy = self.two_logs()
        with mock.patch.object(copy.storage.core.log_replicas, "place"):
            self.go_on(copy, *range(4))
        self.assertEqual(copy.taken, 1)
        copy.pass_time(600)
        names = ["before", "one", "photo-0", "photo-1", "three", "two"]
        self.assertEqual(sorted(row["path"] for row in copy.rows()), names)
        replicas, device = copy.storage.core.log_replicas, copy.me.device.id
        self.assertEqual(replicas.safe_sequence("photos", device), 1)
        for _ in range(2):
            copy.stop()
            copy = self.start(copy.home)
            copy.pass_time(600)
            self.assertEqual(copy.storage.core.catalog.end("photos", device).sequence, 1)

    def test_without_the_private_key(self) -> None:
        """Nothing takes the place of what waits before a key of its own can be taken; then nothing is gone."""
        copy = self.two_logs()
        private = copy.me.held_master
        copy.me.detach()
        self.go_on(copy, *range(4))
        copy.pass_time(1000)
        self.assertIn("photo-1", [row["path"] for row in copy.rows()])
        self.assertIn("identity attach", copy.storage.core.log_replicas.reason)
        copy.me.attach(private)
        copy.pass_time(1000)
        self.assert_all(copy)

    def assert_all(self, copy: Node) -> None:
        names = ["before", "one", "photo-0", "photo-1", "three", "two"]
        self.assertEqual(sorted(row["path"] for row in copy.rows()), names)
        self.assertTrue(copy.storage.core.log_replicas.synchronized)

    def test_a_full_disk(self) -> None:
        """What cannot be written down is tried again each minute, whichever write it is, and suppliers are not asked
        without a pause."""
        full = BitDustError("disk-full", "no room")
        for step in ("storage.core.catalog.change", "storage.core.log_replicas._fork.renewal.say_again"):
            copy = self.two_logs()
            pull = copy.storage.core.log_replicas._pull
            part = attrgetter(step.rpartition(".")[0])(copy)
            with mock.patch.object(part, step.rpartition(".")[2], side_effect=lambda *_: fail(full)), \
                    mock.patch.object(pull, "run", side_effect=pull.run) as run:  # fmt: skip
                self.go_on(copy, *range(4))
            self.assertLess(run.call_count, 30)
            self.flushLoggedErrors(BitDustError)
            copy.pass_time(600)
            self.assert_all(copy)
            self.tearDown()
            self.setUp()

    def test_a_key_that_was_taken_before_all_is_read_anew(self) -> None:
        """Where nothing waits under the former key a catalog that is to be built again is."""
        self.node.pass_time(100)
        self.node.me.renew_device(revoke=False)

        async def is_outdated(*_: object) -> bool:
            return True

        with mock.patch.object(LogRecovery, "is_outdated", is_outdated):
            self.node.pass_time(600)
        self.assertEqual(self.node.outdated, 1)

    def test_a_key_that_was_taken_for_another_log(self) -> None:
        """A home that has taken another key says again what it said under the former one and nobody heard, once, and
        nothing of it counts as safe before."""
        self.node.pass_time(100)
        self.switch("away", *range(4))
        self.node.create("late")
        self.node.me.renew_device(revoke=False)
        self.assertFalse(self.node.storage.core.is_logged(0))
        self.go_on(self.node, *range(4))
        self.node.pass_time(300)
        node, device = self.node, self.node.me.device.id
        for _ in range(2):
            self.assertEqual(sorted(row["path"] for row in node.rows()), ["late", "one", "three", "two"])
            self.assertEqual(node.storage.core.log_replicas.safe_sequence(MASTER, device), 1)
            node.stop()
            node = self.start(node.home)
            node.pass_time(600)
