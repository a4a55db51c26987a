"""Keeps the mandate of my family: whom its members may call in while I am away."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class MandateKeeperPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.mandates` implements it."""

    def needs_spares(self) -> bool:
        """Whether spares are missing, or were not asked for long whether they would still come."""

    def pause(self) -> float:
        """Seconds until it is looked again what is missing, an hour at most."""

    def search(self) -> "Deferred[Any]":
        """Ask those that are named and look for more; fires when enough are known, or nobody else is."""

    def write(self) -> None:
        """Bring what is known and what the settings say into the family record, where it says something else."""


class MandateKeeper(Machine):
    """RESTING, and now and then SEARCHING for spares: after a search in vain soon, then less and less often."""

    table = """
      # state     event        guard         next       actions
      RESTING     check        needs_spares  SEARCHING  search
      RESTING     check        -             =          write
      RESTING     timer-1hour  needs_spares  SEARCHING  search
      RESTING     timer-1hour  -             =          write
      SEARCHING   found        -             RESTING    write
      SEARCHING   failed       -             RESTING    -
      SEARCHING   timer-10min  -             RESTING    -
      *           shutdown     -             CLOSED     -
    """
    ignore = """
      RESTING     found failed
      SEARCHING   check
    """
    initial = "RESTING"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: MandateKeeperPort) -> None:
        self._port = port
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause follows what the last searches have found."""
        return self._port.pause() if event == "timer-1hour" else super().timer_seconds(event)

    def needs_spares(self, payload: Any) -> bool:
        return self._port.needs_spares()

    def search(self, payload: Any) -> None:
        self.watch(self._port.search(), "found", "failed")

    def write(self, payload: Any) -> None:
        self._port.write()
