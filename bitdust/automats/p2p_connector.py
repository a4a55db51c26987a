"""Am I reachable: tells the network where I listen, and knows whether anybody has come."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class P2PConnectorPort(Protocol):
    """What the machine acts on; `bitdust.peers.reach` implements it."""

    def is_listening(self) -> bool:
        """Whether a transport accepts sessions now."""

    def has_sessions(self) -> bool:
        """Whether anybody is connected, whoever dialled."""

    def update_addresses(self) -> "Deferred[Any]":
        """Put what I listen on into my addresses record."""

    def propagate(self) -> "Deferred[Any]":
        """Store the record in the DHT and tell those who are connected."""

    def connected(self, yes: bool) -> None:
        """I am, or am no longer, connected to other peers."""


class P2PConnector(Machine):
    """INCOMMING? means that I listen and have told so, and that nobody is connected yet."""

    table = """
      # state        event              guard         next          actions
      AT_STARTUP     start              -             NETWORK?      check_network
      NETWORK?       network-up         -             MY_IDENTITY   update_addresses
      NETWORK?       network-down       -             DISCONNECTED  report_disconnected
      MY_IDENTITY    addresses-known    -             PROPAGATE     propagate
      MY_IDENTITY    addresses-failed   -             DISCONNECTED  report_disconnected
      PROPAGATE      propagated         has_sessions  CONNECTED     report_connected
      PROPAGATE      propagated         -             INCOMMING?    -
      PROPAGATE      timer-20sec        has_sessions  CONNECTED     report_connected
      PROPAGATE      timer-20sec        -             INCOMMING?    -
      INCOMMING?     session-up         -             CONNECTED     report_connected
      INCOMMING?     timer-5min         -             NETWORK?      check_network
      CONNECTED      session-down       has_sessions  =             -
      CONNECTED      session-down       -             INCOMMING?    report_disconnected
      CONNECTED      timer-1hour        -             NETWORK?      check_network
      DISCONNECTED   timer-20sec        -             NETWORK?      check_network
      NETWORK?       check-synchronize  -             =             -
      *              check-synchronize  -             NETWORK?      check_network
      *              shutdown           -             CLOSED        -
    """
    ignore = """
      AT_STARTUP     network-up network-down addresses-known addresses-failed propagated session-up session-down
      NETWORK?       start addresses-known addresses-failed propagated session-up session-down
      MY_IDENTITY    start network-up network-down propagated session-up session-down
      PROPAGATE      start network-up network-down addresses-known addresses-failed session-up session-down
      INCOMMING?     start network-up network-down addresses-known addresses-failed propagated session-down
      CONNECTED      start network-up network-down addresses-known addresses-failed propagated session-up
      DISCONNECTED   start network-up network-down addresses-known addresses-failed propagated session-up session-down
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    name = "p2p_connector"

    def __init__(self, registry: Registry, port: P2PConnectorPort) -> None:
        self._port = port
        super().__init__(registry)

    def has_sessions(self, payload: Any) -> bool:
        return self._port.has_sessions()

    def check_network(self, payload: Any) -> None:
        self.send("network-up" if self._port.is_listening() else "network-down")

    def update_addresses(self, payload: Any) -> None:
        self.watch(self._port.update_addresses(), "addresses-known", "addresses-failed")

    def propagate(self, payload: Any) -> None:
        self.watch(self._port.propagate(), "propagated", "propagated")

    def report_connected(self, payload: Any) -> None:
        self._port.connected(True)

    def report_disconnected(self, payload: Any) -> None:
        self._port.connected(False)
