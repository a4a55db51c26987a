"""Rows of web_socket_route."""

from bitdust.automats.web_socket_route import WebSocketRoute, WebSocketRoutePort
from tests.unit.automats.kit import RowTests

END = ("end",)


class WebSocketRouteTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.machine = WebSocketRoute(self.registry, "phone", self.record(WebSocketRoutePort))
        self.addCleanup(self.machine.send, "stop")

    def test_forgotten(self) -> None:
        """Five minutes after it was asked for the last time."""
        self.clock.advance(200)
        self.drive("wanted", None, "OPEN")
        self.passes(300, "CLOSED", END)

    def test_given_back(self) -> None:
        """At once."""
        self.ends("stop", "CLOSED", END)
