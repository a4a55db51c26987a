"""Rows of dht_connector."""

from bitdust.automats.dht_connector import DHTConnector, DHTPort
from tests.unit.automats.kit import RowTests

JOIN, LEAVE = ("join",), ("leave",)


def report(state: str) -> tuple[str, str]:
    return ("report", state)


class DHTConnectorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(DHTPort, jitter=lambda seconds: 2 * seconds, knows_others=True, knows_entry=True)
        self.machine = DHTConnector(self.registry, self.port)

    def join(self) -> None:
        self.drive("start", None, "BOOTSTRAP", JOIN)

    def connect(self) -> None:
        self.join()
        self.port.succeed("join", 3)
        self.asked("CONNECTED", report("CONNECTED"))

    def be_alone(self) -> None:
        self.port.answers["knows_others"] = False
        self.join()
        self.port.succeed("join", 0)
        self.asked("ALONE", report("ALONE"))

    def test_joined(self) -> None:
        """A node that finds others is connected, and leaves when it is stopped."""
        self.connect()
        self.drive("stop", None, "OFFLINE", LEAVE, report("OFFLINE"))

    def test_alone(self) -> None:
        """A node that finds nobody tries again after a pause with jitter, and leaves when it is stopped."""
        self.be_alone()
        self.passes(8, "BOOTSTRAP", JOIN)
        self.port.succeed("join", 0)
        self.asked("ALONE", report("ALONE"))
        self.drive("stop", None, "OFFLINE", LEAVE, report("OFFLINE"))

    def test_nobody_to_ask(self) -> None:
        """A node that knows nobody to ask waits until somebody comes."""
        self.port.answers["knows_entry"] = False
        self.be_alone()
        self.passes(30, "ALONE")
        self.drive("contacts-changed", None, "ALONE")
        self.port.answers["knows_others"] = True
        self.drive("contacts-changed", None, "CONNECTED", report("CONNECTED"))

    def test_joining_that_fails(self) -> None:
        """A failure leaves the node alone, and it tries again."""
        self.join()
        self.port.fail("join")
        self.asked("ALONE", report("ALONE"))
        self.passes(8, "BOOTSTRAP", JOIN)

    def test_joining_that_takes_long(self) -> None:
        """Joining is given up in time, and tried again."""
        self.join()
        self.passes(120, "ALONE", report("ALONE"))
        self.assertEqual(self.port.cancelled, {"join": 1})
        self.passes(8, "BOOTSTRAP", JOIN)

    def test_everybody_goes(self) -> None:
        """A node joins again when the last of the others is gone, and not before."""
        self.connect()
        self.drive("contacts-changed", None, "CONNECTED")
        self.port.answers["knows_others"] = False
        self.drive("contacts-changed", None, "BOOTSTRAP", JOIN)

    def test_stop_while_joining(self) -> None:
        """A node that is stopped while it joins leaves at once."""
        self.join()
        self.drive("stop", None, "OFFLINE", LEAVE, report("OFFLINE"))
        self.assertEqual(self.port.cancelled, {"join": 1})

    def test_end(self) -> None:
        """Shutdown leaves."""
        self.connect()
        self.ends("shutdown", "CLOSED", LEAVE)
