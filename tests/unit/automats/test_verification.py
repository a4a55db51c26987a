"""Rows of verification."""

from unittest import mock

from bitdust.automats.verification import Verification, VerificationPort
from tests.unit.automats.kit import RowTests

PLAN, CHECK = ("make_plan",), ("check_some",)


class VerificationTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(VerificationPort, has_more=True)
        self.machine = Verification(self.registry, "1", self.port)
        self.addCleanup(self.machine.send, "stop")

    def checking(self) -> None:
        self.drive("start", None, "PLANNING", PLAN)
        self.port.succeed("make_plan")
        self.asked("CHECKING", CHECK)

    def test_packs_after_packs(self) -> None:
        """Some packs at a time are looked at, until there are no more; then comes the verdict."""
        self.checking()
        self.port.succeed("check_some")
        self.asked("CHECKING", CHECK)
        self.port.answers["has_more"] = False
        self.port.succeed("check_some")
        self.asked("DONE", ("verified",))
        self.assertEqual(len(self.registry), 0)

    def test_nothing_to_look_at(self) -> None:
        """A version without bytes can come back."""
        self.port.answers["has_more"] = False
        self.drive("start", None, "PLANNING", PLAN)
        self.port.succeed("make_plan")
        self.asked("DONE", ("verified",))

    def test_a_plan_that_hangs(self) -> None:
        """After ten minutes there is no verdict."""
        self.drive("start", None, "PLANNING", PLAN)
        self.passes(600, "FAILED", ("failed", None))

    def test_packs_that_hang(self) -> None:
        """The clock begins again with each portion; after half an hour without one there is no verdict."""
        self.checking()
        self.clock.advance(1700)
        self.port.succeed("check_some")
        self.asked("CHECKING", CHECK)
        self.passes(1800, "FAILED", ("failed", None))
        self.assertEqual(self.port.cancelled, {"check_some": 1})

    def test_what_fails(self) -> None:
        """A plan that cannot be made is reported, and so are packs that cannot be looked at."""
        self.drive("start", None, "PLANNING", PLAN)
        self.port.fail("make_plan")
        self.asked("FAILED", ("failed", mock.ANY))
        self.machine = Verification(self.registry, "2", self.port)
        self.checking()
        self.port.fail("check_some")
        self.asked("FAILED", ("failed", mock.ANY))

    def test_given_up(self) -> None:
        """It ends in the middle, with the reason."""
        self.checking()
        self.drive("stop", "enough", "ABORTED", ("aborted", "enough"))
        self.assertEqual(self.port.cancelled, {"check_some": 1})
