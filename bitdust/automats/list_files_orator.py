"""Asks suppliers which of my pieces they hold."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class ListFilesOratorPort(Protocol):
    """What the machine acts on; `bitdust.storage.keeping.inventory.Inventory` implements it."""

    def ask_suppliers(self) -> "Deferred[Any]":
        """Ask every supplier that can be reached, and compare with the catalog."""

    def has_answers(self) -> bool:
        """Whether a supplier has answered."""

    def report(self, seen: bool) -> None:
        """Report how it went."""


class ListFilesOrator(Machine):
    """One round at a time."""

    table = """
      # state       event        guard        next          actions
      NO_FILES      need         -            REMOTE_FILES  ask_suppliers
      REMOTE_FILES  answered     has_answers  SAW_FILES     report_seen
      REMOTE_FILES  answered     -            NO_FILES      report_nothing
      REMOTE_FILES  failed       -            NO_FILES      report_nothing
      REMOTE_FILES  timer-30min  -            NO_FILES      report_nothing
      SAW_FILES     need         -            REMOTE_FILES  ask_suppliers
      *             shutdown     -            CLOSED        -
    """
    ignore = """
      NO_FILES      answered failed
      REMOTE_FILES  need
      SAW_FILES     answered failed
    """
    initial = "NO_FILES"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: ListFilesOratorPort) -> None:
        self._port = port
        super().__init__(registry)

    def has_answers(self, payload: Any) -> bool:
        return self._port.has_answers()

    def ask_suppliers(self, payload: Any) -> None:
        self.watch(self._port.ask_suppliers(), "answered", "failed")

    def report_seen(self, payload: Any) -> None:
        self._port.report(True)

    def report_nothing(self, payload: Any) -> None:
        self._port.report(False)
