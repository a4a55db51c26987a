"""Rows of network_connector."""

from bitdust.automats.network_connector import NetworkConnector, NetworkConnectorPort
from tests.unit.automats.kit import RowTests

HOME, AWAY = ["192.0.2.7"], ["198.51.100.9"]
CAME, WENT = ("changed", HOME), ("changed", [])


class NetworkConnectorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(NetworkConnectorPort, addresses=HOME)
        self.machine = NetworkConnector(self.registry, self.port)

    def connect(self) -> None:
        self.drive("init", None, "CONNECTED", CAME)

    def disconnect(self) -> None:
        self.port.answers["addresses"] = []
        self.drive("init", None, "DISCONNECTED", WENT)

    def test_network_comes(self) -> None:
        """A machine without a network checks every five seconds, and reports the network when it is there."""
        self.disconnect()
        self.passes(5, "DISCONNECTED")
        self.port.answers["addresses"] = HOME
        self.passes(5, "CONNECTED", CAME)

    def test_network_goes(self) -> None:
        """A machine with a network checks twice a minute, and reports when it is gone."""
        self.connect()
        self.passes(30, "CONNECTED")
        self.port.answers["addresses"] = []
        self.passes(30, "DISCONNECTED", WENT)

    def test_address_changes(self) -> None:
        """Another address is reported once."""
        self.connect()
        self.port.answers["addresses"] = AWAY
        self.passes(30, "CONNECTED", ("changed", AWAY))
        self.passes(30, "CONNECTED")

    def test_sign_of_trouble(self) -> None:
        """Whoever sees trouble has the network checked and, where there is one, reported at once."""
        self.connect()
        self.drive("reconnect", None, "CONNECTED", CAME)
        self.port.answers["addresses"] = []
        self.drive("reconnect", None, "DISCONNECTED", WENT)
        self.drive("reconnect", None, "DISCONNECTED")
        self.port.answers["addresses"] = HOME
        self.drive("reconnect", None, "CONNECTED", CAME)

    def test_end(self) -> None:
        """Shutdown ends it, and nothing is reported."""
        self.connect()
        self.ends("shutdown")
