"""Watches promises and terms of my customers. It erases nobody before an announced grace has passed in full."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class CustomersRejectorPort(Protocol):
    """What the machine acts on; `bitdust.customers.patrol` implements it."""

    def capacity(self) -> "Deferred[Any]":
        """Fires with the bytes that are promised beyond what is donated, 0 when all fit."""

    def warn(self, over: Any) -> None:
        """Say that more is promised than donated; nobody is rejected for it."""

    def idle(self) -> "Deferred[Any]":
        """Stop setting room aside for those not heard for longer than the setting says."""

    def contracts(self) -> "Deferred[Any]":
        """Announce the grace of those whose term is over; fires with those whose grace is over."""

    def reject(self, customers: Any) -> "Deferred[Any]":
        """Forget customers whose grace is over, and their pieces."""


class CustomersRejector(Machine):
    """One walk over all customers an hour, and whenever it is asked."""

    table = """
      # state      event            guard   next        actions
      READY        restart          -       CAPACITY?   check_capacity
      READY        timer-1hour      -       CAPACITY?   check_capacity
      CAPACITY?    capacity-known   over    IDLE?       warn check_idle
      CAPACITY?    capacity-known   -       IDLE?       check_idle
      CAPACITY?    check-failed     -       READY       -
      CAPACITY?    restart          -       =           -
      IDLE?        idle-known       -       CONTRACTS?  check_contracts
      IDLE?        check-failed     -       READY       -
      IDLE?        restart          -       =           -
      CONTRACTS?   contracts-known  ended   REJECT!     reject_customers
      CONTRACTS?   contracts-known  -       READY       -
      CONTRACTS?   check-failed     -       READY       -
      CONTRACTS?   restart          -       =           -
      REJECT!      rejected         -       READY       -
      REJECT!      check-failed     -       READY       -
      REJECT!      restart          -       =           -
      *            shutdown         -       CLOSED      -
    """
    ignore = """
      READY        capacity-known idle-known contracts-known rejected check-failed
      CAPACITY?    idle-known contracts-known rejected
      IDLE?        capacity-known contracts-known rejected
      CONTRACTS?   capacity-known idle-known rejected
      REJECT!      capacity-known idle-known contracts-known
    """
    initial = "READY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: CustomersRejectorPort) -> None:
        self._port = port
        super().__init__(registry)

    def over(self, payload: Any) -> bool:
        return bool(payload)

    def ended(self, payload: Any) -> bool:
        return bool(payload)

    def check_capacity(self, payload: Any) -> None:
        self.watch(self._port.capacity(), "capacity-known", "check-failed")

    def warn(self, payload: Any) -> None:
        self._port.warn(payload)

    def check_idle(self, payload: Any) -> None:
        self.watch(self._port.idle(), "idle-known", "check-failed")

    def check_contracts(self, payload: Any) -> None:
        self.watch(self._port.contracts(), "contracts-known", "check-failed")

    def reject_customers(self, payload: Any) -> None:
        self.watch(self._port.reject(payload), "rejected", "check-failed")
