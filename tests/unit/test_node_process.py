"""Whole nodes as processes, as the demo and the tests of real processes start them."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli import processes
from bitdust.cli.client import ApiError
from bitdust.cli.processes import NodeProcess, StepFailed


class StartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = NodeProcess("alice", Path(self.mktemp()).resolve())
        self.patch(processes, "launch", self.launch)
        self.patch(self.node.client, "call", lambda method: self.asked.append(method) or {})
        self.asked: list[str] = []
        self.code = ""

    def launch(self, base: Path) -> None:
        raise ApiError(self.code, "why it is so")

    def test_a_slow_start(self) -> None:
        """A daemon that is starting on a busy machine is waited for until its API answers."""
        self.code = "slow-start"
        self.node.start()
        self.assertEqual(self.asked, ["process_health"])

    def test_no_start(self) -> None:
        """One that ends instead is a failure, with its name and what it said."""
        self.code = "not-started"
        error = self.assertRaises(StepFailed, self.node.start)
        self.assertIn("alice did not start: why it is so", str(error))
