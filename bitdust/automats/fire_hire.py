"""Keeps my family of suppliers complete: hires for every empty place at once, dismisses whom no place needs.

It is pull-based: whatever changes, ``decide`` compares the family with what is wanted and finds the next thing to do.
It never destroys: with data placed, another number of suppliers is refused with the reason, and nobody is dismissed
before everything of its place lies at a successor.
"""

from enum import StrEnum
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
IDLE_PAUSE = 60.0
CHANGING_PAUSE = 10.0


class Next(StrEnum):
    """What is to be done now."""

    FIRE = "fire"
    HIRE = "hire"
    COMPLETE = "complete"


class FireHirePort(Protocol):
    """What the machine acts on; `bitdust.suppliers.hiring` implements it."""

    def connect(self) -> "Deferred[Any]":
        """Connect the suppliers of the family; fires when each has answered or failed."""

    def decide(self) -> Next:
        """Compare the family with what is wanted."""

    def refusal(self) -> str:
        """Why what the settings want is not done, or an empty text."""

    def fire(self) -> "Deferred[Any]":
        """Take those out of the family whom no place needs, and end their contracts."""

    def hire(self) -> "Deferred[Any]":
        """Search for all empty places at once; fires with the number of places that are still empty."""

    def publish(self) -> None:
        """Tell the DHT and every supplier of the family record, which is saved already."""

    def hired(self, complete: bool) -> None:
        """The round is over."""

    def is_changing(self) -> bool:
        """True while pieces of a place move to its new supplier."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""


class FireHire(Machine):
    """One machine a node. READY means that nothing can be done now, not that the family is complete."""

    table = """
      # state       event            guard     next        actions
      AT_STARTUP    start            -         SUPPLIERS?  connect_suppliers
      SUPPLIERS?    suppliers-ready  -         DECISION?   decide
      SUPPLIERS?    timer-25sec      -         DECISION?   decide
      SUPPLIERS?    restart          -         =           -
      DECISION?     fire             -         FIRE_MANY   fire_suppliers
      DECISION?     hire             -         HIRE_ONE    hire_suppliers
      DECISION?     complete         -         READY       report_complete
      DECISION?     restart          -         =           -
      FIRE_MANY     fired            -         DECISION?   decide
      FIRE_MANY     timer-25sec      -         DECISION?   decide
      FIRE_MANY     restart          -         =           -
      HIRE_ONE      hired            is_full   DECISION?   forget_failures publish decide
      HIRE_ONE      hired            -         READY       publish report_incomplete
      HIRE_ONE      hire-failed      -         READY       publish report_incomplete
      HIRE_ONE      restart          -         =           -
      READY         restart          -         DECISION?   decide
      READY         timer-1sec       -         DECISION?   decide
      READY         broken           -         =           -
      *             broken           -         READY       report_incomplete
      *             shutdown         -         CLOSED      -
    """
    ignore = """
      AT_STARTUP    suppliers-ready restart fire hire complete fired hired hire-failed
      SUPPLIERS?    start fire hire complete fired hired hire-failed
      DECISION?     start suppliers-ready fired hired hire-failed
      FIRE_MANY     start suppliers-ready fire hire complete hired hire-failed
      HIRE_ONE      start suppliers-ready fire hire complete fired
      READY         start suppliers-ready fire hire complete fired hired hire-failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "broken"

    def __init__(self, registry: Registry, port: FireHirePort) -> None:
        self._port = port
        self.failures = 0
        self.reason = ""
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause before the next try doubles with each failed round, half of it by chance; idle it is a minute.

        While a place changes hands it is ten seconds; where another place finds nobody meanwhile, about a minute.
        """
        if event != "timer-1sec":
            return super().timer_seconds(event)
        if not self.failures:
            return CHANGING_PAUSE if self._port.is_changing() else IDLE_PAUSE
        longest = IDLE_PAUSE if self._port.is_changing() else LONGEST_PAUSE
        pause = min(longest, FIRST_PAUSE * 2.0 ** min(self.failures - 1, 10))
        return pause * (0.5 + self._port.jitter())

    def is_full(self, payload: Any) -> bool:
        return not payload

    def connect_suppliers(self, payload: Any) -> None:
        self.watch(self._port.connect(), "suppliers-ready", "suppliers-ready")

    def decide(self, payload: Any) -> None:
        self.send(self._port.decide())
        self.reason = self._port.refusal()

    def fire_suppliers(self, payload: Any) -> None:
        self.watch(self._port.fire(), "fired", "fired")

    def hire_suppliers(self, payload: Any) -> None:
        self.failures += 1  # until the round is known to have filled every place: the next pause is counted by it
        self.watch(self._port.hire(), "hired", "hire-failed")

    def publish(self, payload: Any) -> None:
        self._port.publish()

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0

    def report_complete(self, payload: Any) -> None:
        self._port.hired(True)

    def report_incomplete(self, payload: Any) -> None:
        self._port.hired(False)
