"""Rows of routed_web_socket."""

from bitdust.automats.routed_web_socket import PATIENCE, RoutedWebSocket, RoutedWebSocketPort
from tests.unit.automats.kit import RowTests

FIND, ASK, LOSE, FORGET = ("find",), ("ask",), ("lose",), ("forget_router",)


class RoutedWebSocketTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(RoutedWebSocketPort, jitter=0.5)
        self.machine = RoutedWebSocket(self.registry, "phone 0", self.port)
        self.addCleanup(self.machine.send, "stop")

    def found(self) -> None:
        self.port.succeed("find")
        self.asked("WEB_SOCKET?", ASK)

    def ready(self) -> None:
        self.drive("start", None, "ROUTERS?", FIND)
        self.found()
        self.port.succeed("ask", "ws://there")
        self.asked("READY", ("take", "ws://there"))

    def test_asked_for_again(self) -> None:
        """A way that is open is asked for every minute, and at once when something did not arrive."""
        self.ready()
        self.passes(60, "WEB_SOCKET?", ASK)
        self.port.succeed("ask", "ws://there")
        self.asked("READY", ("take", "ws://there"))
        self.drive("line-failed", None, "WEB_SOCKET?", ASK)

    def test_nobody_is_found(self) -> None:
        """It searches again, after pauses that double, and at once when the network is back."""
        self.drive("start", None, "ROUTERS?", FIND)
        self.port.fail("find")
        self.asked("PAUSE")
        self.passes(5, "ROUTERS?", FIND)
        self.passes(30, "PAUSE")
        self.assertEqual(self.machine.failures, 2)
        self.passes(10, "ROUTERS?", FIND)
        self.port.fail("find")
        self.asked("PAUSE")
        self.drive("network-back", None, "ROUTERS?", FIND)
        self.assertEqual(self.machine.failures, 0)
        self.machine.failures = 30
        self.assertEqual(self.machine.timer_seconds("timer-5sec"), 600)

    def test_times_differ(self) -> None:
        """By chance a quarter sooner or later; answers have their thirty seconds."""
        for jitter, seconds in ((0.0, 45), (1.0, 75)):
            self.port.answers["jitter"] = jitter
            self.assertEqual(self.machine.timer_seconds("timer-1min"), seconds)
            self.assertEqual(self.machine.timer_seconds("timer-30sec"), 30)

    def refused(self, *calls: tuple[str, ...]) -> None:
        self.port.fail("ask")
        self.asked("PAUSE", *calls)

    def test_another_router(self) -> None:
        """The same router is asked three times, then another one is searched."""
        self.drive("start", None, "ROUTERS?", FIND)
        self.found()
        for number in range(PATIENCE - 1):
            self.refused(LOSE)
            self.passes(5 * 2**number, "ROUTERS?", FIND)
            self.found()
        self.refused(LOSE, FORGET)
        self.assertEqual(self.machine.failures, 0)

    def test_a_silent_router(self) -> None:
        """The same where it does not answer."""
        self.drive("start", None, "ROUTERS?", FIND)
        self.found()
        for number in range(PATIENCE - 1):
            self.passes(30, "PAUSE", LOSE)
            self.passes(5 * 2**number, "ROUTERS?", FIND)
            self.found()
        self.passes(30, "PAUSE", LOSE, FORGET)
        self.assertEqual(self.machine.failures, 0)

    def test_success_forgets_failures(self) -> None:
        """Failures count in a row."""
        self.machine.failures = 2
        self.ready()
        self.assertEqual(self.machine.failures, 0)

    def test_end(self) -> None:
        """A way that nobody wants is given back."""
        self.ready()
        self.ends("stop", "CLOSED", ("give_back",))
