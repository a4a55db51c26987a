"""Searching for the family of a recovered node: at everybody who may know it, again and again, until it is sure.

The first record that is proven opens reading. Nothing is written before the newest one is known.
"""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled


class FamilySearchPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.finding` implements it, and `bitdust.suppliers.former`."""

    def ask(self) -> "Deferred[Any]":
        """Ask everybody side by side; each answer counts when it comes. Fires when all have answered or failed."""

    def is_known(self) -> bool:
        """Whether no newer record can be anywhere, or the person says that it does not matter."""

    def longest_pause(self) -> float:
        """Seconds between two rounds, at most."""

    def report_waiting(self) -> None:
        """Nobody knows it for certain yet."""

    def report_known(self) -> None:
        """The record that is here is the newest one."""


class FamilySearch(Machine):
    """One machine while the family is searched for; pauses grow, and it never gives up by itself."""

    table = """
      # state     event       guard     next    actions
      AT_STARTUP  start       -         ASKING  ask
      ASKING      heard       is_known  KNOWN!  report_known
      ASKING      asked       is_known  KNOWN!  report_known
      ASKING      asked       -         PAUSE   report_waiting
      ASKING      timer-1min  -         PAUSE   report_waiting
      PAUSE       heard       is_known  KNOWN!  report_known
      PAUSE       hurry       -         ASKING  forget_failures ask
      PAUSE       timer-2sec  -         ASKING  ask
      *           shutdown    -         CLOSED  -
    """
    ignore = """
      AT_STARTUP  heard hurry asked
      ASKING      start heard hurry
      PAUSE       start heard asked
    """
    initial = "AT_STARTUP"
    final = ("KNOWN!", "CLOSED")
    failure = "asked"

    def __init__(self, registry: Registry, port: FamilySearchPort) -> None:
        self._port = port
        self._failures = 0
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause before the next round doubles with each one, up to the longest."""
        seconds = super().timer_seconds(event)
        if event != "timer-2sec":
            return seconds
        return doubled(seconds, self._failures - 1, self._port.longest_pause())

    def is_known(self, payload: Any) -> bool:
        return self._port.is_known()

    def ask(self, payload: Any) -> None:
        self._failures += 1
        self.watch(self._port.ask(), "asked", "asked")

    def forget_failures(self, payload: Any) -> None:
        self._failures = 0

    def report_waiting(self, payload: Any) -> None:
        self._port.report_waiting()

    def report_known(self, payload: Any) -> None:
        self._port.report_known()
