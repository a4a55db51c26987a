"""Rows of online_status."""

from bitdust.automats.online_status import OnlineStatus, OnlineStatusPort
from tests.unit.automats.kit import RowTests


class OnlineStatusTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(OnlineStatusPort, has_session=False)
        self.machine = OnlineStatus(self.registry, "alice", self.port)

    def connect(self) -> None:
        self.drive("session-up", None, "CONNECTED", ("changed", True))

    def test_session(self) -> None:
        """A session is presence, and its end is absence."""
        self.connect()
        self.drive("session-down", None, "OFFLINE", ("changed", False))

    def test_ping_that_opens_a_session(self) -> None:
        """A ping that is answered over a session finds the peer there."""
        self.drive("ping", None, "PING?", ("ping",))
        self.port.has_session = True
        self.port.succeed("ping")
        self.asked("CONNECTED", ("changed", True))

    def test_ping_whose_session_is_gone(self) -> None:
        """A peer that answers, and whose session is gone in the meantime, is absent."""
        self.connect()
        self.drive("ping", None, "PING?", ("ping",))
        self.port.succeed("ping")
        self.asked("OFFLINE", ("changed", False))

    def test_ping_that_fails(self) -> None:
        """A peer that cannot be reached is absent; a session that was opened in the meantime counts for more."""
        self.connect()
        self.drive("ping", None, "PING?", ("ping",))
        self.port.fail("ping")
        self.asked("OFFLINE", ("changed", False))
        self.drive("ping", None, "PING?", ("ping",))
        self.port.has_session = True
        self.port.fail("ping")
        self.asked("CONNECTED", ("changed", True))

    def test_ping_without_an_answer(self) -> None:
        """A ping is given up after 20 seconds, and what is known of sessions decides."""
        self.connect()
        self.drive("ping", None, "PING?", ("ping",))
        self.passes(20, "OFFLINE", ("changed", False))
        self.drive("ping", None, "PING?", ("ping",))
        self.port.has_session = True
        self.passes(20, "CONNECTED", ("changed", True))
        self.assertEqual(self.port.cancelled, {"ping": 2})

    def test_what_is_told_while_asking(self) -> None:
        """A peer that is being asked counts as what it was."""
        self.connect()
        self.machine.send("ping")
        self.assertTrue(self.machine.online)

    def test_end(self) -> None:
        """Shutdown gives up a ping, and nothing is reported."""
        self.drive("ping", None, "PING?", ("ping",))
        self.ends("shutdown")
