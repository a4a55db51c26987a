"""One deletion: out of the catalog at once, told to enough suppliers, then out of every supplier's hands."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FileDeletionPort(Protocol):
    """What the machine acts on; `bitdust.storage.deletions.Deletion` implements it."""

    def write(self) -> "Deferred[Any]":
        """Write the tombstone to this disk."""

    def is_safe(self) -> bool:
        """Whether enough suppliers hold the tombstone."""

    def clean(self) -> "Deferred[Any]":
        """Have suppliers delete the pieces that nothing needs any more."""

    def report_deleted(self) -> None:
        """So many suppliers know that no recovery brings it back: whoever asked for it is answered."""

    def report_pending(self) -> None:
        """It is out of the catalog, and too few suppliers know: whoever asked is answered with that."""

    def report_failed(self, reason: Any, /) -> None:
        """Nothing was deleted, for a reason that is None where the disk did not answer in time."""

    def report_stopping(self) -> None:
        """The disk has not answered, and nobody waits for it any more: it may be out of the catalog, or not."""


class FileDeletion(Machine):
    """Suppliers delete pieces only when none of them can lose the tombstone. What is LATE goes with a later round."""

    table = """
      # state      event        guard    next         actions
      AT_STARTUP   start        -        WRITING      write
      WRITING      written      -        REPLICATING  check
      WRITING      failed       -        FAILED       report_failed
      WRITING      timer-10min  -        FAILED       report_failed
      WRITING      shutdown     -        CLOSED       report_stopping
      REPLICATING  log-safe     is_safe  CLEANING     report_deleted clean
      REPLICATING  timer-5sec   -        PENDING      report_pending
      REPLICATING  shutdown     -        CLOSED       report_pending
      PENDING      log-safe     is_safe  CLEANING     clean
      PENDING      timer-1day   -        LATE         -
      CLEANING     cleaned      -        DONE         -
      CLEANING     failed       -        LATE         -
      CLEANING     timer-1hour  -        LATE         -
      *            shutdown     -        CLOSED       -
    """
    ignore = """
      AT_STARTUP   written log-safe cleaned failed
      WRITING      start log-safe cleaned
      REPLICATING  start written log-safe cleaned failed
      PENDING      start written log-safe cleaned failed
      CLEANING     start written log-safe
    """
    initial = "AT_STARTUP"
    final = ("DONE", "LATE", "FAILED", "CLOSED")
    failure = "failed"

    def __init__(self, registry: Registry, port: FileDeletionPort, ident: str) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def write(self, payload: Any) -> None:
        self.watch(self._port.write(), "written", "failed")

    def check(self, payload: Any) -> None:
        self.send("log-safe")

    def clean(self, payload: Any) -> None:
        self.watch(self._port.clean(), "cleaned", "failed")

    def report_deleted(self, payload: Any) -> None:
        self._port.report_deleted()

    def report_pending(self, payload: Any) -> None:
        self._port.report_pending()

    def report_failed(self, payload: Any) -> None:
        self._port.report_failed(payload)

    def report_stopping(self, payload: Any) -> None:
        self._port.report_stopping()
