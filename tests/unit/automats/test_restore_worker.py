"""Rows of restore_worker."""

from bitdust.automats.restore_worker import RestoreWorker, RestoreWorkerPort
from tests.unit.automats.kit import RowTests

STEPS = (("PLAN", "make_plan"), ("REQUESTED", "fetch_packs"), ("FINISHING", "finish_folders"))


class RestoreWorkerTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(RestoreWorkerPort)
        self.machine = RestoreWorker(self.registry, "1", self.port)

    def go_to(self, state: str) -> str:
        """Let every step before this state succeed; what is waited for there."""
        self.machine.send("start")
        for reached, asked in STEPS:
            self.asked(reached, (asked,))
            if reached == state:
                return asked
            self.port.succeed(asked)
        raise AssertionError(state)

    def test_restored(self) -> None:
        """It plans, fetches, gives folders their times, and reports that everything is there."""
        self.port.succeed(self.go_to("FINISHING"))
        self.asked("DONE", ("done_safely",))

    def test_every_step_may_fail(self) -> None:
        """A step that fails is reported with its reason, as a failure that may be tried again."""
        for state, asked in STEPS:
            self.go_to(state)
            self.port.fail(asked, ValueError(state))
            (call,) = self.calls
            self.assertEqual(call[1].getErrorMessage(), state)
            self.asked("FAILED", ("failed", call[1]))
            self.machine = RestoreWorker(self.registry, "1", self.port)

    def test_stopped(self) -> None:
        """A download that its user gives up is aborted, not failed."""
        asked = self.go_to("REQUESTED")
        self.drive("stop", "enough", "ABORTED", ("aborted", "enough"))
        self.assertEqual(self.port.cancelled, {asked: 1})
