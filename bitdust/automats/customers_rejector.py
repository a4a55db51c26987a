"""Watches contracts and terms of my customers. It erases nobody before an announced grace has passed in full."""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class CustomersRejectorPort(Protocol):
    """What the machine acts on; `bitdust.customers.patrol` implements it."""

    def is_overcommitted(self) -> bool:
        """Whether more is promised than donated."""

    def warn(self) -> None:
        """Report that more is promised than donated; nobody is rejected for it."""

    def suspend_idle(self) -> "Deferred[int]":
        """Stop setting room aside for those who were not in touch for as long as a setting."""

    def announce_graces(self) -> "Deferred[Sequence[bytes]]":
        """Begin the grace of those whose term is over; fires with those whose grace is over."""

    def reject(self, customers: Sequence[bytes]) -> "Deferred[int]":
        """Forget customers whose grace is over, and their pieces."""


class CustomersRejector(Machine):
    """One walk over all customers an hour, and one at the start. A step that fails or hangs does not end the walk."""

    table = """
      # state      event            guard          next        actions
      READY        restart          overcommitted  IDLE?       warn suspend_idle
      READY        restart          -              IDLE?       suspend_idle
      READY        timer-1hour      overcommitted  IDLE?       warn suspend_idle
      READY        timer-1hour      -              IDLE?       suspend_idle
      IDLE?        idle-known       -              CONTRACTS?  announce_graces
      IDLE?        check-failed     -              CONTRACTS?  announce_graces
      IDLE?        timer-5min       -              CONTRACTS?  announce_graces
      CONTRACTS?   contracts-known  ended          REJECT!     reject_customers
      CONTRACTS?   contracts-known  -              READY       -
      CONTRACTS?   check-failed     -              READY       -
      CONTRACTS?   timer-5min       -              READY       -
      REJECT!      rejected         -              READY       -
      REJECT!      check-failed     -              READY       -
      REJECT!      timer-1hour      -              READY       -
      *            shutdown         -              CLOSED      -
    """
    ignore = """
      READY        idle-known contracts-known rejected check-failed
      IDLE?        restart contracts-known rejected
      CONTRACTS?   restart idle-known rejected
      REJECT!      restart idle-known contracts-known
    """
    initial = "READY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: CustomersRejectorPort) -> None:
        self._port = port
        super().__init__(registry)

    def overcommitted(self, payload: Any) -> bool:
        return self._port.is_overcommitted()

    def ended(self, payload: Any) -> bool:
        return bool(payload)

    def warn(self, payload: Any) -> None:
        self._port.warn()

    def suspend_idle(self, payload: Any) -> None:
        self.watch(self._port.suspend_idle(), "idle-known", "check-failed")

    def announce_graces(self, payload: Any) -> None:
        self.watch(self._port.announce_graces(), "contracts-known", "check-failed")

    def reject_customers(self, payload: Any) -> None:
        self.watch(self._port.reject(payload), "rejected", "check-failed")
