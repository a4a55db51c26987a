"""Keeps one signed record of mine alive in the DHT: stores each new revision, and the last one again before it ends."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 600.0


class DHTRecordPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.publication` implements it for the family."""

    def revision(self) -> int:
        """The newest revision here; 0 where there is no record yet."""

    def store(self) -> "Deferred[Any]":
        """Bring the newest revision to the DHT; fails when no other node keeps it."""


class DHTRecord(Machine):
    """STORED means that the DHT took the newest revision, PAUSED that it did not and is tried again.

    A node that has just come knows nobody for a moment: as soon as it does, the record follows.
    """

    table = """
      # state       event        guard     next      actions
      AT_STARTUP    changed      is_newer  STORING   store
      STORING       stored       is_newer  STORING   forget_failures store
      STORING       stored       -         STORED    forget_failures
      STORING       store-failed -         PAUSED    -
      STORING       timer-1min   -         PAUSED    -
      STORING       network-back -         =         forget_failures
      PAUSED        changed      is_newer  STORING   forget_failures store
      PAUSED        network-back -         STORING   forget_failures store
      PAUSED        timer-5sec   -         STORING   store
      STORED        changed      is_newer  STORING   store
      STORED        timer-6hour  -         STORING   store
      *             shutdown     -         CLOSED    -
    """
    ignore = """
      AT_STARTUP    changed stored store-failed network-back
      STORING       changed
      PAUSED        changed stored store-failed
      STORED        changed stored store-failed network-back
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: DHTRecordPort) -> None:
        self._port = port
        self._failures = 0
        self._revision = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause after a failure doubles with each one in a row, up to ten minutes."""
        seconds = super().timer_seconds(event)
        return doubled(seconds, self._failures - 1, LONGEST_PAUSE) if event == "timer-5sec" else seconds

    def is_newer(self, payload: Any) -> bool:
        return self._port.revision() > self._revision

    def store(self, payload: Any) -> None:
        self._revision = self._port.revision()
        self._failures += 1  # until it is known to be stored: the next pause is counted by it
        self.watch(self._port.store(), "stored", "store-failed")

    def forget_failures(self, payload: Any) -> None:
        self._failures = 0
