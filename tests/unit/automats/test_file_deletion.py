"""Rows of file_deletion."""

from bitdust.automats.file_deletion import FileDeletion, FileDeletionPort
from tests.unit.automats.kit import RowTests


class FileDeletionTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(FileDeletionPort, is_safe=False)
        self.machine = FileDeletion(self.registry, self.port, "0/1")
        self.addCleanup(self.machine.send, "shutdown")

    def begin(self) -> None:
        self.drive("start", None, "WRITING", ("write",))

    def come_to_replicating(self) -> None:
        self.begin()
        self.port.succeed("write")
        self.asked("REPLICATING")

    def come_to_pending(self) -> None:
        self.come_to_replicating()
        self.passes(5, "PENDING", ("report_pending",))

    def come_to_cleaning(self) -> None:
        self.port.is_safe = True
        self.begin()
        self.port.succeed("write")
        self.asked("CLEANING", ("report_deleted",), ("clean",))

    def test_from_the_catalog_to_the_suppliers(self) -> None:
        """It is answered when enough suppliers hold the tombstone; then pieces go."""
        self.come_to_replicating()
        self.drive("log-safe", None, "REPLICATING")
        self.port.is_safe = True
        self.drive("log-safe", None, "CLEANING", ("report_deleted",), ("clean",))
        self.port.succeed("clean")
        self.asked("DONE")
        self.assertEqual(len(self.registry), 0)

    def test_what_cannot_be_written_is_not_deleted(self) -> None:
        """The reason of the disk is the answer, and no supplier is asked for anything."""
        self.begin()
        self.port.fail("write", OSError("the disk is full"))
        ((name, reason),) = self.calls
        self.assertEqual((self.machine.state, name, str(reason.value)), ("FAILED", "report_failed", "the disk is full"))
        self.calls.clear()

    def test_a_disk_that_does_not_answer(self) -> None:
        """After ten minutes whoever asked is answered."""
        self.begin()
        self.passes(600, "FAILED", ("report_failed", None))

    def test_suppliers_that_are_away_for_long(self) -> None:
        """A deletion is not followed for longer than a day: the log brings it to them whenever they come."""
        self.come_to_pending()
        self.drive("log-safe", None, "PENDING")
        self.passes(86_400, "LATE")

    def test_suppliers_that_come_later(self) -> None:
        """Whoever asked was answered after five seconds; the deletion goes on when suppliers know of it."""
        self.come_to_pending()
        self.port.is_safe = True
        self.drive("log-safe", None, "CLEANING", ("clean",))

    def test_a_shutdown_answers(self) -> None:
        """Nobody waits for suppliers of a node that stops."""
        self.come_to_replicating()
        self.ends("shutdown", "CLOSED", ("report_pending",))

    def test_a_cleaning_that_fails(self) -> None:
        """What suppliers were not asked now they are asked in a later round."""
        self.come_to_cleaning()
        self.port.fail("clean")
        self.asked("LATE")

    def test_a_cleaning_that_takes_long(self) -> None:
        """It is not waited for longer than an hour."""
        self.come_to_cleaning()
        self.passes(3600, "LATE")

    def test_a_shutdown_before_the_disk_has_answered(self) -> None:
        """Whoever asked is answered all the same."""
        self.begin()
        self.ends("shutdown", "CLOSED", ("report_stopping",))

    def test_the_end(self) -> None:
        """Nothing is followed after a shutdown."""
        self.come_to_pending()
        self.ends("shutdown")
