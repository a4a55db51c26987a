"""What every test of a machine's rows needs: a clock, a registry, one list of calls, and an end that leaves nothing."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Machine, Registry
from bitdust.testing.recorder import Call, Recorder

TICK = 2**-10
"""A moment that adds up exactly."""


class RowTests(SynchronousTestCase):
    """Drive events, compare what was asked of the port. A subclass makes `machine` in its setUp."""

    machine: Machine

    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = Registry(self.clock, self.clock.seconds)
        self.calls: list[Call] = []
        self.ports: list[Recorder] = []

    def record(self, port: type, **answers: Any) -> Recorder:
        """A recorder of this port that writes into `calls`."""
        recorder = Recorder(port, self.calls)
        recorder.answers |= answers
        self.ports.append(recorder)
        return recorder

    def tearDown(self) -> None:
        """A machine that has ended leaves no timer and nothing that it waits for; others have only their own."""
        for machine in self.registry:
            machine.stop_timers()
        self.assertEqual(self.clock.getDelayedCalls(), [], "delayed calls are left")
        if not len(self.registry):
            self.assertEqual([port for port in self.ports if port.waiting()], [], "somebody still waits")

    def asked(self, state: str, *calls: Call) -> None:
        """The machine is in this state, and these are all calls since the last comparison."""
        found, self.calls[:] = list(self.calls), []
        self.assertEqual((self.machine.state, found), (state, list(calls)))

    def drive(self, event: str, payload: Any, state: str, *calls: Call) -> None:
        """The event leads to this state and asks exactly this of the ports."""
        self.machine.send(event, payload)
        self.asked(state, *calls)

    def passes(self, seconds: float, state: str, *calls: Call) -> None:
        """The machine stays as it is until just before so many seconds are over, then this happens."""
        before = self.machine.state
        self.clock.advance(seconds - TICK)
        self.asked(before)
        self.clock.advance(TICK)
        self.asked(state, *calls)

    def moved(self, *states: str) -> None:
        """These are the last states that the machine came to."""
        self.assertEqual([move.new for move in self.machine.past][-len(states) :], list(states))

    def ends(self, event: str, state: str = "CLOSED", *calls: Call) -> None:
        """The event ends the machine from wherever it is."""
        self.drive(event, None, state, *calls)
        self.assertEqual(len(self.registry), 0)
