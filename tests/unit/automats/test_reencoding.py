"""Rows of reencoding."""

from bitdust.automats.reencoding import Reencoding, ReencodingPort
from tests.unit.automats.kit import RowTests


class ReencodingTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(ReencodingPort, is_unwanted=False, is_delivered=False)
        self.machine = Reencoding(self.registry, "a pack", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def make(self) -> None:
        self.drive("start", None, "MAKING", ("make",))

    def deliver(self) -> None:
        self.make()
        self.port.succeed("make")
        self.asked("DELIVERING")

    def log(self) -> None:
        self.deliver()
        self.port.is_delivered = True
        self.drive("check", None, "LOGGING", ("log_move",))

    def drop(self) -> None:
        self.deliver()
        self.port.is_unwanted = True
        self.drive("check", None, "DROPPING", ("drop",))

    def test_from_beginning_to_end(self) -> None:
        """It is made, every supplier gets its piece, and only then the log says so."""
        self.make()
        self.drive("check", None, "MAKING")
        self.port.succeed("make")
        self.asked("DELIVERING")
        self.drive("check", None, "DELIVERING")
        self.port.is_delivered = True
        self.passes(10, "LOGGING", ("log_move",))
        self.drive("check", None, "LOGGING")
        self.port.succeed("log_move")
        self.asked("DONE", ("report",))
        self.assertEqual(len(self.registry), 0)

    def test_a_node_that_was_killed(self) -> None:
        """What was made and recorded goes on being delivered; nothing is made twice."""
        self.port.is_delivered = True
        self.drive("resume", None, "LOGGING", ("log_move",))

    def test_suppliers_take_their_time(self) -> None:
        """As long as one lacks its piece nothing is logged, however often it is looked."""
        self.deliver()
        for _ in range(3):
            self.passes(10, "DELIVERING")

    def test_what_cannot_be_made(self) -> None:
        """A failure, or ten minutes without an end, is noted; others have their turn."""
        self.make()
        error = RuntimeError("too few pieces")
        self.port.fail("make", error)
        (noted, failure), reported = self.calls
        self.assertEqual((self.machine.state, noted, failure.value), ("FAILED", "note_failure", error))
        self.assertEqual(reported, ("report",))
        self.calls.clear()

    def test_what_takes_too_long(self) -> None:
        """Ten minutes without an end are a failure as well."""
        self.make()
        self.passes(600, "FAILED", ("note_failure", None), ("report",))
        self.assertEqual(self.port.cancelled["make"], 1)

    def test_what_is_of_no_use(self) -> None:
        """Where the old pack is gone, or the scheme is another one again, the new pack is dropped, delivered or not."""
        self.deliver()
        self.port.is_unwanted = self.port.is_delivered = True
        self.drive("check", None, "DROPPING", ("drop",))
        self.drive("check", None, "DROPPING")
        self.port.succeed("drop")
        self.asked("DROPPED", ("report",))

    def test_a_disk_that_refuses_the_entry(self) -> None:
        """It is tried again, after a failure and after a minute without an end."""
        self.log()
        self.port.fail("log_move")
        self.asked("DELIVERING")
        self.passes(10, "LOGGING", ("log_move",))
        self.passes(60, "DELIVERING")
        self.passes(10, "LOGGING", ("log_move",))

    def test_a_disk_that_refuses_to_forget(self) -> None:
        """So it is where the new pack is to be dropped."""
        self.drop()
        self.port.fail("drop")
        self.asked("DELIVERING")
        self.passes(10, "DROPPING", ("drop",))
        self.passes(60, "DELIVERING")

    def test_end(self) -> None:
        """Shutdown leaves everything as it is in the catalog."""
        self.make()
        self.drive("check", None, "MAKING")
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled["make"], 1)
