"""Whether this node is reachable: publishes where it listens, and knows whether anybody is connected."""

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
        """Store the record in the DHT and send it to those who are connected."""

    def is_findable(self) -> bool:
        """Whether others keep the record that was stored last."""

    def is_stale(self) -> bool:
        """Whether it was stored long ago, by a clock that goes on while this machine sleeps, and the timers do not."""


SOON = 30.0
"""Seconds until a record that nobody has taken is stored again: others may be there by then, or a clock be right."""


class P2PConnector(Machine):
    """DISCONNECTED: I do not listen. INCOMMING?: I listen and have published where, and nobody is connected yet."""

    table = """
      # state        event              guard          next          actions
      AT_STARTUP     start              is_listening   MY_IDENTITY   update_addresses
      AT_STARTUP     start              -              DISCONNECTED  -
      MY_IDENTITY    addresses-known    -              PROPAGATE     propagate
      MY_IDENTITY    addresses-failed   -              DISCONNECTED  -
      MY_IDENTITY    timer-20sec        -              DISCONNECTED  -
      PROPAGATE      propagated         has_sessions   CONNECTED     -
      PROPAGATE      propagated         -              INCOMMING?    -
      PROPAGATE      timer-20sec        has_sessions   CONNECTED     -
      PROPAGATE      timer-20sec        -              INCOMMING?    -
      INCOMMING?     session-up         is_stale       MY_IDENTITY   update_addresses
      INCOMMING?     session-up         -              CONNECTED     -
      INCOMMING?     timer-5min         is_listening   MY_IDENTITY   update_addresses
      INCOMMING?     timer-5min         -              DISCONNECTED  -
      CONNECTED      session-up         is_stale       MY_IDENTITY   update_addresses
      CONNECTED      session-down       !has_sessions  INCOMMING?    -
      CONNECTED      timer-1hour        is_listening   MY_IDENTITY   update_addresses
      CONNECTED      timer-1hour        -              DISCONNECTED  -
      DISCONNECTED   timer-20sec        is_listening   MY_IDENTITY   update_addresses
      *              check-synchronize  is_listening   MY_IDENTITY   update_addresses
      *              check-synchronize  -              DISCONNECTED  -
      *              shutdown           -              CLOSED        -
    """
    ignore = """
      AT_STARTUP     addresses-known addresses-failed propagated session-up session-down
      MY_IDENTITY    start propagated session-up session-down
      PROPAGATE      start addresses-known addresses-failed session-up session-down
      INCOMMING?     start addresses-known addresses-failed propagated session-down
      CONNECTED      start addresses-known addresses-failed propagated session-up session-down
      DISCONNECTED   start addresses-known addresses-failed propagated session-up session-down timer-20sec
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "addresses-failed"
    name = "p2p_connector"

    def __init__(self, registry: Registry, port: P2PConnectorPort) -> None:
        self._port = port
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """Whom nobody finds does not wait for an hour."""
        seconds = super().timer_seconds(event)
        is_late = event in ("timer-1hour", "timer-5min") and not self._port.is_findable()
        return SOON if is_late else seconds

    def is_stale(self, payload: Any) -> bool:
        return self._port.is_stale()

    def is_listening(self, payload: Any) -> bool:
        return self._port.is_listening()

    def has_sessions(self, payload: Any) -> bool:
        return self._port.has_sessions()

    def update_addresses(self, payload: Any) -> None:
        self.watch(self._port.update_addresses(), "addresses-known", "addresses-failed")

    def propagate(self, payload: Any) -> None:
        self.watch(self._port.propagate(), "propagated", "propagated")
