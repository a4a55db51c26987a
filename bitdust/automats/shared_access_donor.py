"""One person to whom I gave a key: what it needs is brought to it, and again whenever that has changed."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 400.0
"""Seconds, and half as much by chance: nobody else calls a node that is back, and many are not called together."""


class SharedAccessDonorPort(Protocol):
    """What the machine acts on; `bitdust.shares.donations` implements it for each grant."""

    def deliver(self) -> "Deferred[Any]":
        """Bring secrets, capabilities and family to the holder; fires when it has kept them."""

    def is_refusal(self, reason: Any) -> bool:
        """Whether the holder was there, and does not take it."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""

    def report_delivered(self) -> None:
        """The holder has all that it needs."""

    def report_failed(self, reason: Any) -> None:
        """It has not, and why."""


class SharedAccessDonor(Machine):
    """DELIVERED when the holder has the newest; who is away is tried again in growing pauses, and when it comes.

    Who has just come may not take it yet: its pauses begin anew.
    """

    table = """
      # state     event        guard       next       actions
      AT_STARTUP  start        -           DELIVERY?  deliver
      DELIVERY?   delivered    -           DELIVERED  report_delivered
      DELIVERY?   failed       is_refusal  REFUSED    report_failed
      DELIVERY?   failed       -           WAITING    report_failed
      DELIVERY?   changed      -           DELIVERY?  deliver
      DELIVERY?   holder-came  -           =          forget_tries
      DELIVERY?   timer-1min   -           WAITING    report_failed
      WAITING     holder-came  -           DELIVERY?  forget_tries deliver
      WAITING     changed      -           DELIVERY?  deliver
      WAITING     timer-5sec   -           DELIVERY?  deliver
      DELIVERED   changed      -           DELIVERY?  deliver
      REFUSED     changed      -           DELIVERY?  deliver
      *           shutdown     -           CLOSED     -
    """
    ignore = """
      AT_STARTUP  holder-came changed delivered failed
      DELIVERY?   start
      WAITING     start delivered failed
      DELIVERED   start holder-came delivered failed
      REFUSED     start holder-came delivered failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: SharedAccessDonorPort) -> None:
        self._port = port
        self._tries = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """How long somebody who is away is waited for doubles with each try, up to ten minutes."""
        seconds = super().timer_seconds(event)
        if self.state != "WAITING":
            return seconds
        return doubled(seconds, self._tries - 1, LONGEST_PAUSE) * (1 + 0.5 * self._port.jitter())

    def deliver(self, payload: Any) -> None:
        self._tries += 1
        self.watch(self._port.deliver(), "delivered", "failed")

    def is_refusal(self, payload: Any) -> bool:
        return self._port.is_refusal(payload)

    def report_delivered(self, payload: Any) -> None:
        self._tries = 0
        self._port.report_delivered()

    def forget_tries(self, payload: Any) -> None:
        self._tries = 0

    def report_failed(self, payload: Any) -> None:
        self._port.report_failed(payload)
