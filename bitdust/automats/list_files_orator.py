"""Asks suppliers which of my pieces they hold."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

ROUNDS_AFTER_NEWS = 6
LONGEST_PAUSE = 300.0


class ListFilesOratorPort(Protocol):
    """What the machine acts on; `bitdust.storage.keeping.inventory.Inventory` implements it."""

    def ask_suppliers(self) -> "Deferred[Any]":
        """Ask every supplier that can be reached, and compare with the catalog."""

    def has_answers(self) -> bool:
        """Whether a supplier has answered."""

    def shortest_pause(self) -> float:
        """Seconds to leave suppliers alone, by how long their lists are."""

    def report(self, seen: bool) -> None:
        """Report how it went."""


class ListFilesOrator(Machine):
    """One round at a time. After others have stored something suppliers are asked again with pauses that double: the
    word of it may come before its pieces do."""

    table = """
      # state       event        guard        next          actions
      NO_FILES      need         -            REMOTE_FILES  ask_suppliers
      NO_FILES      news         -            OUTDATED      note_news
      REMOTE_FILES  answered     may_change   OUTDATED      report_seen
      REMOTE_FILES  answered     has_answers  SAW_FILES     report_seen
      REMOTE_FILES  answered     -            NO_FILES      report_nothing
      REMOTE_FILES  failed       -            NO_FILES      report_nothing
      REMOTE_FILES  timer-30min  -            NO_FILES      report_nothing
      REMOTE_FILES  news         -            =             note_news
      SAW_FILES     need         -            REMOTE_FILES  ask_suppliers
      SAW_FILES     news         -            OUTDATED      note_news
      OUTDATED      timer-5sec   -            REMOTE_FILES  ask_suppliers
      OUTDATED      need         -            REMOTE_FILES  ask_suppliers
      OUTDATED      news         -            =             note_news
      *             shutdown     -            CLOSED        -
    """
    ignore = """
      NO_FILES      answered failed
      REMOTE_FILES  need
      SAW_FILES     answered failed
      OUTDATED      answered failed
    """
    initial = "NO_FILES"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: ListFilesOratorPort) -> None:
        self._port = port
        self._rounds_left = 0
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """Long lists are asked for less often."""
        seconds = super().timer_seconds(event)
        if event != "timer-5sec":
            return seconds
        done = ROUNDS_AFTER_NEWS - self._rounds_left if self._rounds_left else 0
        return max(doubled(seconds, done, LONGEST_PAUSE), self._port.shortest_pause())

    def note_news(self, payload: Any) -> None:
        self._rounds_left = ROUNDS_AFTER_NEWS

    def may_change(self, payload: Any) -> bool:
        """Whether suppliers have answered, and what others have stored lately may still be on its way to them."""
        return self._port.has_answers() and self._rounds_left > 0

    def has_answers(self, payload: Any) -> bool:
        return self._port.has_answers()

    def ask_suppliers(self, payload: Any) -> None:
        self._rounds_left = max(0, self._rounds_left - 1)
        self.watch(self._port.ask_suppliers(), "answered", "failed")

    def report_seen(self, payload: Any) -> None:
        self._port.report(True)

    def report_nothing(self, payload: Any) -> None:
        self._rounds_left = 0
        self._port.report(False)
