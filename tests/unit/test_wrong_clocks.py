"""Clocks that are ahead or behind for a while: what was written by them holds nothing up when they are right."""

from twisted.trial.unittest import TestCase

from tests.unit.storage_kit import Node, network, random_file, stop_quietly

DAY = 86_400
YEAR = 365 * DAY


class WrongClockTests(TestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def again(self) -> Node:
        """The next process over the same home, with a clock that is right."""
        self.node.stop()
        node = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, node)
        return node.start()

    def pieces(self) -> list[int]:
        return [supplier.pieces() for supplier in self.around.suppliers]

    def test_what_is_deleted_later(self) -> None:
        """Suppliers delete for a node whose former orders were dated by a clock that was a year ahead."""
        for name in ("one", "two"):
            random_file(self.base / name, 200_000)
            self.node.upload(self.base / name, name)
        self.node.ahead = YEAR
        self.node.delete("one")
        self.node.pass_time(30)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        again = self.again()
        again.delete("two")
        again.pass_time(30)
        self.assertEqual(self.pieces(), [0, 0, 0, 0])

    def test_what_is_uploaded_later(self) -> None:
        """What one device uploads is newer than what another one, whose clock was a year ahead, uploaded before."""
        folder = self.base / "folder"
        folder.mkdir()
        random_file(folder / "file", 1000)
        self.node.ahead = YEAR
        self.node.upload(folder, "folder")
        second = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, second)
        second.start()
        second.pass_time(10)
        newer = random_file(folder / "file", 1000)
        second.upload(folder, "folder")
        second.download("folder/file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), newer)

    def test_an_audit_that_was_postponed(self) -> None:
        """A round that was postponed while the clock was a year ahead is due within the hour after that."""
        audit = next(iter(self.node.storage.core.audits._audits.values()))
        self.node.ahead = YEAR
        audit.postpone()
        self.node.ahead = 0
        self.assertLess(audit.due, self.node.world.wall() + 7200)

    def second(self) -> Node:
        """Another device, of which the first one has heard."""
        second = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, second)
        second.start()
        self.node.me.replace_document(second.me.document)
        second.pass_time(10)
        return second

    def days(self, days: int) -> None:
        for _ in range(days):
            self.node.clock.advance(DAY)
            self.node.storage.sync()
            self.node.pass_time(30, 5.0)

    def thirty_days(self, off: float) -> list[int]:
        """What suppliers have a month after something was deleted while the clock was so far off, for a day."""
        random_file(self.base / "file", 200_000)
        self.node.upload(self.base / "file", "file")
        self.second().stop()
        self.node.ahead = off
        self.node.delete("file")
        self.days(1)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.node.ahead = 0
        self.days(28)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.node.ahead = off
        self.days(1)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.node.ahead = 0
        self.days(4)
        return self.pieces()

    def test_thirty_days_from_behind(self) -> None:
        """Where there is another device what was deleted by a clock that was a year behind stays for thirty days."""
        self.assertEqual(self.thirty_days(-YEAR), [0, 0, 0, 0])

    def test_thirty_days_from_ahead(self) -> None:
        """By one that was a year ahead it stays for longer, which harms nobody."""
        self.assertEqual(self.thirty_days(YEAR), [1, 1, 1, 1])

    def patience(self) -> float:
        """For how many seconds a version that nobody has all of may still be on its way from another device."""
        return self.node.world.wall() - self.node.storage.core.given_up().before

    def test_when_others_have_written(self) -> None:
        """A device that was heard while the clock was a year off was heard just now, and is silent after an hour."""
        random_file(self.base / "file", 1000)
        self.node.upload(self.base / "file", "file")
        second = self.second()
        for off in (YEAR, -YEAR):
            self.node.ahead = off
            self.node.pass_time(1)
            second.create(f"theirs {off}")
            second.pass_time(5)
            self.node.storage.core.log_replicas.pull_again()
            self.node.pass_time(5)
            self.node.ahead = 0
            self.assertEqual(round(self.patience()), DAY)
            self.node.pass_time(7200, 60)
            self.assertEqual(round(self.patience()), 3600)
