"""A node that is told to stop ends in time, whatever does not."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.node import RESTART, STOP_WITHIN, Node
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world


class StoppingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        world = fake_world(MemoryNetwork(self.clock), self.clock, "10.0.0.1", Path(self.mktemp()))
        self.node = Node(world)
        for name in ("rest-http", "web-socket"):
            self.node.settings.set(f"interface/api/{name}-enabled", False)
        self.ended: list[Any] = []
        self.node.ready.connect(lambda: self.ended.append("ready"))
        self.node.stopping.connect(lambda: self.ended.append("stopping"))
        self.node.stopped.connect(lambda: self.ended.append("stopped"))
        self.node.start()
        self.run_for(1)

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    def test_in_order(self) -> None:
        """Where everything stops by itself, the end comes at once and once; nothing is left on the clock."""
        self.node.stop()
        self.node.stop()
        self.run_for(1.5)
        self.assertEqual(self.ended, ["ready", "stopping", "stopped"])
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def test_an_event_that_comes_late(self) -> None:
        """A customer that was accepted just before its store was closed is no error."""
        for name in ("new-customer-accepted", "existing-customer-accepted"):
            self.node.events.send(name, {"fingerprint": "ab" * 32})
        self.run_for(1)
        self.assertFalse(self.node.rooms.customers.store.is_open)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_service_that_does_not_stop(self) -> None:
        """A service that hangs is waited for until the deadline, not longer, and the end comes once."""
        hanging: Deferred[None] = Deferred()
        self.node.rooms.gateway.stop = lambda: hanging  # type: ignore[method-assign]
        service = self.node.driver._handles["network"].service
        service.stop = lambda: hanging  # type: ignore[method-assign, assignment, return-value]
        self.node.stop()
        self.run_for(STOP_WITHIN - 0.5)
        self.assertEqual(self.ended, ["ready", "stopping"])
        self.run_for(0.6)
        self.assertEqual(self.ended, ["ready", "stopping", "stopped"])
        hanging.callback(None)
        self.run_for(2)
        self.assertEqual(self.ended, ["ready", "stopping", "stopped"])

    def test_an_error_on_the_way(self) -> None:
        """A shutdown that fails is logged and is an end, too."""
        self.node.rooms.consumers.stop = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
        self.node.stop()
        self.run_for(1.5)
        self.assertEqual(self.ended, ["ready", "stopping", "stopped"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_restart_is_no_end(self) -> None:
        """A service manager is not told of the end of a process that goes on under the same number."""
        self.node.stop(restart=True)
        self.run_for(1.5)
        self.assertEqual((self.node.exit_code, self.ended), (RESTART, ["ready", "stopped"]))
