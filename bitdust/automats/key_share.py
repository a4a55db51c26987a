"""One key of mine on its way to one person, within a time limit."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class KeySharePort(Protocol):
    """What the machine acts on; `bitdust.people.keys.giving` implements it for each delivery."""

    def deliver(self) -> "Deferred[Any]":
        """Bring the key to the person; fires when it is kept there."""

    def is_refusal(self, reason: Any) -> bool:
        """Whether the person's node was there, and does not take it."""

    def report(self, reason: Any) -> None:
        """It is over: kept there where ``reason`` is None, else not, and why."""


class KeyShare(Machine):
    """DELIVERED means that the person's node keeps the key; REFUSED that it does not want to."""

    table = """
      # state     event        guard       next       actions
      AT_STARTUP  start        -           DELIVERY?  deliver
      DELIVERY?   delivered    -           DELIVERED  report_delivered
      DELIVERY?   failed       is_refusal  REFUSED    report_failed
      DELIVERY?   failed       -           FAILED     report_failed
      DELIVERY?   timer-30sec  -           FAILED     report_silence
      *           stop         -           FAILED     report_silence
    """
    ignore = """
      AT_STARTUP  delivered failed
      DELIVERY?   start
    """
    initial = "AT_STARTUP"
    final = ("DELIVERED", "REFUSED", "FAILED")

    def __init__(self, registry: Registry, ident: str, port: KeySharePort, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """As long as who asks is ready to wait."""
        return self._seconds

    def deliver(self, payload: Any) -> None:
        self.watch(self._port.deliver(), "delivered", "failed")

    def is_refusal(self, payload: Any) -> bool:
        return self._port.is_refusal(payload)

    def report_delivered(self, payload: Any) -> None:
        self._port.report(None)

    def report_failed(self, payload: Any) -> None:
        self._port.report(payload)

    def report_silence(self, payload: Any) -> None:
        self._port.report(TimeoutError())
