"""Rows of local_tester."""

from types import SimpleNamespace

from bitdust.automats.local_tester import LocalTester, LocalTesterPort
from tests.unit.automats.kit import RowTests

TEST = ("test_next",)
WHOLE, BAD = SimpleNamespace(is_whole=True), SimpleNamespace(is_whole=False)


class LocalTesterTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(LocalTesterPort, has_next=True)
        self.machine = LocalTester(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def testing(self) -> None:
        self.passes(60, "TESTING", TEST)

    def test_one_piece_after_the_other(self) -> None:
        """A minute after the start the first piece is read, and 20 seconds after each the next."""
        self.testing()
        for found in (WHOLE, WHOLE, WHOLE):
            self.port.succeed("test_next", found)
            self.asked("PAUSED")
            self.passes(20, "TESTING", TEST)

    def test_damage_is_reported(self) -> None:
        """A piece that is not whole is reported, and the walk goes on."""
        self.testing()
        self.port.succeed("test_next", BAD)
        self.asked("PAUSED", ("report", BAD))
        self.passes(20, "TESTING", TEST)

    def test_a_test_that_fails_or_hangs_does_not_end_the_walk(self) -> None:
        """The next piece comes 20 seconds after a failure, and ten minutes after a test that does not end."""
        self.testing()
        self.port.fail("test_next")
        self.asked("PAUSED")
        self.passes(20, "TESTING", TEST)
        self.passes(600, "PAUSED")
        self.assertEqual(self.port.cancelled, {"test_next": 1})
        self.passes(20, "TESTING", TEST)

    def test_the_end_of_a_walk(self) -> None:
        """Behind the last piece it rests for two hours, then begins again with the first."""
        self.testing()
        self.port.succeed("test_next", WHOLE)
        self.asked("PAUSED")
        self.port.answers["has_next"] = False
        self.passes(20, "RESTING", ("rewind",))
        self.passes(7200, "READY")
        self.passes(60, "RESTING", ("rewind",))
        self.passes(7200, "READY")
        self.port.answers["has_next"] = True
        self.testing()

    def test_shutdown(self) -> None:
        """It ends in the middle of a test, which is cancelled."""
        self.testing()
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled, {"test_next": 1})
