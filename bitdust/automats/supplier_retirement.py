"""Giving up being a supplier: a notice to all customers, time to move, and the end of the service.

Nothing is erased here: what customers leave behind stays on the disk until its announced grace is over.
"""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class SupplierRetirementPort(Protocol):
    """What the machine acts on; `bitdust.customers.retirement` implements it."""

    def send_notices(self) -> None:
        """Send everybody who is connected what holds now; the others get it when they come."""

    def is_over(self) -> bool:
        """Whether nobody has anything here any more, or the time that was given is over."""

    def close(self) -> None:
        """Note that it is over and stop the service."""


class SupplierRetirement(Machine):
    """One machine a node. SERVING is what a supplier does that has given no notice."""

    table = """
      # state    event          guard    next      actions
      *          retire         is_over  OVER      send_notices close
      *          retire         -        NOTICE    send_notices
      NOTICE     customer-left  is_over  OVER      close
      NOTICE     timer-1min     is_over  OVER      close
      NOTICE     stay           -        SERVING   send_notices
      OVER       stay           -        SERVING   send_notices
      *          shutdown       -        CLOSED    -
    """
    ignore = """
      SERVING    customer-left stay
      NOTICE     customer-left timer-1min
      OVER       customer-left
    """
    initial = "SERVING"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: SupplierRetirementPort) -> None:
        self._port = port
        super().__init__(registry)

    def is_over(self, payload: Any) -> bool:
        return self._port.is_over()

    def send_notices(self, payload: Any) -> None:
        self._port.send_notices()

    def close(self, payload: Any) -> None:
        self._port.close()
