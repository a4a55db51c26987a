"""Rows of p2p_connector."""

from bitdust.automats.p2p_connector import P2PConnector, P2PConnectorPort
from tests.unit.automats.kit import RowTests

UPDATE, PROPAGATE = ("update_addresses",), ("propagate",)


class P2PConnectorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        answers = {"is_listening": True, "has_sessions": False, "is_findable": True, "is_stale": False}
        self.port = self.record(P2PConnectorPort, **answers)
        self.machine = P2PConnector(self.registry, self.port)

    def publish(self) -> None:
        """Let the machine find out where it listens, and publish that."""
        self.drive("check-synchronize", None, "MY_IDENTITY", UPDATE)
        self.port.succeed("update_addresses")
        self.asked("PROPAGATE", PROPAGATE)

    def wait_for_others(self) -> None:
        self.publish()
        self.port.succeed("propagate")
        self.asked("INCOMMING?")

    def connect(self) -> None:
        self.port.has_sessions = True
        self.publish()
        self.port.succeed("propagate")
        self.asked("CONNECTED")

    def test_start(self) -> None:
        """A node that listens puts that into its record first."""
        self.drive("start", None, "MY_IDENTITY", UPDATE)

    def test_start_without_a_transport(self) -> None:
        """A node that does not listen asks again every 20 seconds whether it does."""
        self.port.is_listening = False
        self.drive("start", None, "DISCONNECTED")
        self.passes(20, "DISCONNECTED")
        self.port.is_listening = True
        self.passes(20, "MY_IDENTITY", UPDATE)

    def test_record_that_cannot_be_written(self) -> None:
        """A record that cannot be written, or not in 20 seconds, is tried again later."""
        self.drive("start", None, "MY_IDENTITY", UPDATE)
        self.port.fail("update_addresses")
        self.asked("DISCONNECTED")
        self.passes(20, "MY_IDENTITY", UPDATE)
        self.passes(20, "DISCONNECTED")
        self.assertEqual(self.port.cancelled, {"update_addresses": 1})

    def test_awake_again(self) -> None:
        """After a long sleep of the machine the record is published again with the next session, the first one or not:
        the timer of an hour has not heard of the sleep."""
        self.wait_for_others()
        self.drive("session-up", None, "CONNECTED")
        self.drive("session-up", None, "CONNECTED")
        self.port.answers["is_stale"] = True
        self.drive("session-up", None, "MY_IDENTITY", UPDATE)
        self.port.answers["is_stale"] = False
        self.wait_for_others()
        self.port.answers["is_stale"] = True
        self.drive("session-up", None, "MY_IDENTITY", UPDATE)

    def test_published(self) -> None:
        """A published record makes the node wait for others, or finds them connected already."""
        self.wait_for_others()
        self.connect()

    def test_publishing_that_fails(self) -> None:
        """A DHT that refuses the record holds up nothing."""
        self.publish()
        self.port.fail("propagate")
        self.asked("INCOMMING?")

    def test_publishing_that_takes_long(self) -> None:
        """A DHT that does not answer is given up after 20 seconds; sessions alone decide."""
        self.publish()
        self.passes(20, "INCOMMING?")
        self.port.has_sessions = True
        self.publish()
        self.passes(20, "CONNECTED")
        self.assertEqual(self.port.cancelled, {"propagate": 2})

    def test_nobody_takes_the_record(self) -> None:
        """A node whose record nobody keeps publishes it again in half a minute, connected or not."""
        self.port.is_findable = False
        self.wait_for_others()
        self.passes(30, "MY_IDENTITY", UPDATE)
        self.connect()
        self.passes(30, "MY_IDENTITY", UPDATE)

    def test_sessions_come_and_go(self) -> None:
        """The first session connects the node, and the end of the last one disconnects it."""
        self.wait_for_others()
        self.port.has_sessions = True
        self.drive("session-up", None, "CONNECTED")
        self.drive("session-down", None, "CONNECTED")
        self.port.has_sessions = False
        self.drive("session-down", None, "INCOMMING?")

    def test_nobody_comes(self) -> None:
        """A node to which nobody comes publishes its record again after five minutes, if it listens still."""
        self.wait_for_others()
        self.passes(300, "MY_IDENTITY", UPDATE)
        self.wait_for_others()
        self.port.is_listening = False
        self.passes(300, "DISCONNECTED")

    def test_every_hour(self) -> None:
        """A connected node publishes its record every hour, if it listens still."""
        self.connect()
        self.passes(3600, "MY_IDENTITY", UPDATE)
        self.connect()
        self.port.is_listening = False
        self.passes(3600, "DISCONNECTED")

    def test_check_without_a_transport(self) -> None:
        """Whoever asks for a check finds a node that does not listen disconnected."""
        self.wait_for_others()
        self.port.is_listening = False
        self.drive("check-synchronize", None, "DISCONNECTED")

    def test_end(self) -> None:
        """Shutdown ends it in the middle of whatever it does."""
        self.publish()
        self.ends("shutdown")
