"""A home that is set back to an old copy of its disk, and written to before its suppliers are heard."""

import shutil

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

    def set_back(self, before: int, after: int, away: tuple[int, ...] = (), first: tuple[int, ...] = ()) -> None:
        """So many items were made behind the old copy, some suppliers being away, and so many by it; some are heard
        before the others."""
        self.node.pass_time(100)
        self.node.stop()
        shutil.copytree(self.node.home, self.base / "copy")
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
