"""Giving up being a supplier: a notice to all customers, time to move, and the end of the service.

Nothing is erased here: what customers leave behind stays on the disk until its announced grace is over.
"""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class SupplierRetirementPort(Protocol):
    """What the machine acts on; `bitdust.customers.retirement` implements it."""

    def tell_customers(self) -> None:
        """Say to everybody who is connected what holds now; the others hear it when they come."""

    def is_over(self) -> bool:
        """True when nobody has anything here any more, or the time that was given is over."""

    def close(self) -> None:
        """Note that it is over and stop the service."""


class SupplierRetirement(Machine):
    """One machine a node. SERVING is what a supplier does that has given no notice."""

    table = """
      # state    event       guard    next      actions
      SERVING    retire      -        NOTICE    tell look
      NOTICE     retire      -        =         tell look
      NOTICE     look        is_over  OVER      close
      NOTICE     look        -        =         -
      NOTICE     timer-1min  is_over  OVER      close
      NOTICE     timer-1min  -        =         -
      NOTICE     stay        -        SERVING   tell
      OVER       retire      -        NOTICE    tell look
      OVER       stay        -        SERVING   tell
      *          shutdown    -        CLOSED    -
    """
    ignore = """
      SERVING    look stay
      OVER       look
    """
    initial = "SERVING"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: SupplierRetirementPort) -> None:
        self._port = port
        super().__init__(registry)

    def is_over(self, payload: Any) -> bool:
        return self._port.is_over()

    def tell(self, payload: Any) -> None:
        self._port.tell_customers()

    def look(self, payload: Any) -> None:
        self.send("look")

    def close(self, payload: Any) -> None:
        self._port.close()
