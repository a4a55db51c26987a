"""Reads blocks again, and asks others for those that cannot be read."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class BlockCheckPort(Protocol):
    """What the machine acts on; `bitdust.blocks.checking.Check` implements it."""

    def has_more(self) -> bool:
        """Whether there are blocks that were not read again yet."""

    def read(self) -> "Deferred[Any]":
        """Read the next blocks."""

    def has_damaged(self) -> bool:
        """Whether some could not be read, and nobody was asked for them yet."""

    def mend(self) -> "Deferred[Any]":
        """Ask for one of them and store it; fires when it is known whether that has come."""

    def ended(self, why: Any) -> None:
        """It is over; ``why`` is what went wrong, or None."""


class BlockCheck(Machine):
    """A portion after the other; what cannot be read is mended before the next one."""

    table = """
      # state     event        guard        next     actions
      AT_STARTUP  start        has_more     READING  read
      AT_STARTUP  start        -            DONE     report
      READING     read         has_damaged  MENDING  mend
      READING     read         has_more     READING  read
      READING     read         -            DONE     report
      READING     failed       -            FAILED   report
      READING     timer-10min  -            FAILED   report
      MENDING     mended       has_damaged  MENDING  mend
      MENDING     mended       has_more     READING  read
      MENDING     mended       -            DONE     report
      MENDING     failed       -            FAILED   report
      MENDING     timer-1hour  -            FAILED   report
      *           stop         -            STOPPED  report
    """
    ignore = """
      AT_STARTUP  read mended failed
      READING     start mended
      MENDING     start read
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "STOPPED")
    failure = "failed"

    def __init__(self, registry: Registry, port: BlockCheckPort) -> None:
        self._port = port
        super().__init__(registry)

    def has_more(self, payload: Any) -> bool:
        return self._port.has_more()

    def has_damaged(self, payload: Any) -> bool:
        return self._port.has_damaged()

    def read(self, payload: Any) -> None:
        self.watch(self._port.read(), "read", "failed")

    def mend(self, payload: Any) -> None:
        self.watch(self._port.mend(), "mended", "failed")

    def report(self, payload: Any) -> None:
        why = {"DONE": None, "STOPPED": "it was stopped"}
        self._port.ended(why.get(self.state, payload or "it took too long"))
