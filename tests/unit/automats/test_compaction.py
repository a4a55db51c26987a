"""Rows of compaction."""

from bitdust.automats.compaction import Compaction, CompactionPort
from tests.unit.automats.kit import RowTests


class CompactionTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(CompactionPort, is_pending=False, is_synchronized=True, is_worth_it=True, is_safe=True)
        self.machine = Compaction(self.registry, self.port, "master")
        self.addCleanup(self.machine.send, "shutdown")

    def begin_writing(self) -> None:
        self.drive("start", None, "IDLE")
        self.drive("log-safe", None, "WRITING", ("write",))

    def wait_for_suppliers(self) -> None:
        self.port.is_pending, self.port.is_safe = True, False
        self.drive("start", None, "PENDING")

    def test_from_a_long_log_to_a_short_one(self) -> None:
        """A snapshot is written; when it is safe the log begins with it; then there is a minute of rest."""
        self.begin_writing()
        self.port.succeed("write")
        self.asked("PENDING")
        self.drive("log-safe", None, "BEGINNING", ("begin",))
        self.port.succeed("begin")
        self.asked("RESTING")
        self.drive("log-safe", None, "RESTING")
        self.passes(60, "IDLE")

    def test_what_is_pending_goes_on(self) -> None:
        """After a crash behind the snapshot nothing is written again; it waits for suppliers, and looks by itself."""
        self.wait_for_suppliers()
        self.drive("log-safe", None, "PENDING")
        self.passes(600, "PENDING")
        self.port.is_safe = True
        self.passes(600, "BEGINNING", ("begin",))

    def test_nothing_is_done_about_a_log_that_is_not_safe(self) -> None:
        """While suppliers lack entries, a log is neither measured nor shortened."""
        self.port.is_synchronized = False
        self.drive("start", None, "IDLE")
        self.drive("log-safe", None, "IDLE")
        self.assertNotIn(("is_worth_it",), self.port.questions)

    def test_a_short_log_is_left_alone(self) -> None:
        """It is measured once a minute at most."""
        self.port.is_worth_it = False
        self.drive("start", None, "IDLE")
        self.drive("log-safe", None, "RESTING")
        self.passes(60, "IDLE")

    def test_a_snapshot_that_cannot_be_written(self) -> None:
        """A failure is followed by a minute of rest, and so is a write that takes an hour."""
        self.begin_writing()
        self.port.fail("write")
        self.asked("RESTING")
        self.passes(60, "IDLE")
        self.drive("log-safe", None, "WRITING", ("write",))
        self.passes(3600, "RESTING")
        self.assertEqual(self.port.cancelled["write"], 1)

    def test_a_beginning_that_cannot_be_written(self) -> None:
        """The snapshot stays pending, and is tried again."""
        self.wait_for_suppliers()
        self.port.is_safe = True
        self.drive("log-safe", None, "BEGINNING", ("begin",))
        self.port.fail("begin")
        self.asked("PENDING")
        self.drive("log-safe", None, "BEGINNING", ("begin",))
        self.port.is_safe = False
        self.passes(3600, "PENDING")
        self.assertEqual(self.port.cancelled["begin"], 1)

    def test_the_end(self) -> None:
        """Nothing goes on after a shutdown."""
        self.begin_writing()
        self.ends("shutdown")
