"""Keeps my family of suppliers complete: hires for every vacancy at once, dismisses whom no place needs.

Whatever changes, the family is compared with what is wanted, and the next thing to do follows from that. Nothing is
ever destroyed: a recovered node searches for the family that it had and hires nobody before. With data placed, another
number of suppliers is refused with the reason, and a supplier that is to be replaced stays until its
`supplier_replacement` has come to its end.
"""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
LONGEST_PAUSE_WITH_DATA = 60.0
IDLE_PAUSE = 60.0


class FireHirePort(Protocol):
    """What the machine acts on; `bitdust.suppliers.hiring` implements it."""

    @property
    def is_recovering(self) -> bool:
        """Whether there is a family somewhere that this node does not know for certain."""

    def search_family(self) -> None:
        """Search for it; "family-known" follows."""

    def connect(self) -> "Deferred[Any]":
        """Connect the suppliers of the family; fires when each has answered or failed."""

    def compare(self) -> None:
        """Compare the family with what is wanted, and note what cannot be done."""

    def has_surplus(self) -> bool:
        """Whether somebody is to go, or the record is to get another size."""

    def has_vacancy(self) -> bool:
        """Whether a place is empty, or its supplier is to be replaced."""

    def fire(self) -> "Deferred[Any]":
        """Take those out of the family whom no place needs, and end their contracts."""

    def hire(self) -> "Deferred[Any]":
        """Search for all vacancies at once; fires with the number of those that are left."""

    def report(self) -> None:
        """The round is over."""

    def is_urgent(self) -> bool:
        """Whether a place that holds data is vacant: pauses are shorter then."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""


class FireHire(Machine):
    """One machine a node. READY means that nothing can be done now, not that the family is complete."""

    table = """
      # state       event            guard        next        actions
      AT_STARTUP    start            is_recovering  FAMILY?   search_family
      AT_STARTUP    start            -            SUPPLIERS?  connect_suppliers
      FAMILY?       family-known     -            SUPPLIERS?  connect_suppliers
      SUPPLIERS?    suppliers-ready  -            DECISION?   compare
      SUPPLIERS?    timer-25sec      -            DECISION?   compare
      DECISION?     compared         has_surplus  FIRE_MANY   fire_suppliers
      DECISION?     compared         has_vacancy  HIRE_ONE    hire_suppliers
      DECISION?     compared         -            READY       forget_failures report
      FIRE_MANY     fired            -            DECISION?   compare
      FIRE_MANY     timer-25sec      -            DECISION?   compare
      HIRE_ONE      hired            is_full      DECISION?   forget_failures compare
      HIRE_ONE      hired            -            READY       report
      HIRE_ONE      hire-failed      -            READY       report
      HIRE_ONE      timer-10min      -            READY       report
      HIRE_ONE      restart          -            =           hurry
      READY         restart          -            DECISION?   compare
      READY         timer-1sec       -            DECISION?   compare
      READY         broken           -            =           -
      *             broken           -            READY       report
      *             shutdown         -            CLOSED      -
    """
    ignore = """
      *             family-known
      AT_STARTUP    suppliers-ready restart compared fired hired hire-failed
      FAMILY?       start suppliers-ready restart compared fired hired hire-failed
      SUPPLIERS?    start restart compared fired hired hire-failed
      DECISION?     start restart suppliers-ready fired hired hire-failed
      FIRE_MANY     start restart suppliers-ready compared hired hire-failed
      HIRE_ONE      start suppliers-ready compared fired
      READY         start suppliers-ready compared fired hired hire-failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "broken"

    def __init__(self, registry: Registry, port: FireHirePort) -> None:
        self._port = port
        self.failures = 0
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause before the next try doubles with each failed round, half of it by chance; idle it is a minute."""
        if event != "timer-1sec":
            return super().timer_seconds(event)
        if not self.failures:
            return IDLE_PAUSE
        longest = LONGEST_PAUSE_WITH_DATA if self._port.is_urgent() else LONGEST_PAUSE
        pause = doubled(FIRST_PAUSE, self.failures - 1, longest)
        return pause * (0.5 + self._port.jitter())

    def is_recovering(self, payload: Any) -> bool:
        return self._port.is_recovering

    def search_family(self, payload: Any) -> None:
        self._port.search_family()

    def has_surplus(self, payload: Any) -> bool:
        return self._port.has_surplus()

    def has_vacancy(self, payload: Any) -> bool:
        return self._port.has_vacancy()

    def is_full(self, payload: Any) -> bool:
        return not payload

    def connect_suppliers(self, payload: Any) -> None:
        self.watch(self._port.connect(), "suppliers-ready", "suppliers-ready")

    def compare(self, payload: Any) -> None:
        self._port.compare()
        self.send("compared")

    def fire_suppliers(self, payload: Any) -> None:
        self.watch(self._port.fire(), "fired", "broken")

    def hire_suppliers(self, payload: Any) -> None:
        self.failures += 1  # until the round is known to have filled every place: the next pause is counted by it
        self.watch(self._port.hire(), "hired", "hire-failed")

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0

    def hurry(self, payload: Any) -> None:
        """Something changed while this round ran: the next one follows it at once."""
        self.failures = 1

    def report(self, payload: Any) -> None:
        self._port.report()
