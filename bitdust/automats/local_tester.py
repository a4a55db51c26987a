"""Reads what is stored for others again, slowly, and reports what the disk lost or changed."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry

RATE = "services/customer-patrol/scrub-rate"
"""The setting that says how many bytes are read in a second."""
STEP = 20.0
"""Seconds between two portions."""


class LocalTesterPort(Protocol):
    """What the machine acts on; `bitdust.customers.scrubber` implements it for pieces of
    customers, `bitdust.folders.rereading` for chunks of folders."""

    def has_next(self) -> bool:
        """Whether there is a piece behind the last one of this walk."""

    def test_next(self) -> "Deferred[Any]":
        """Read the next portion of pieces again; fires with what was found."""

    def report(self, tested: Any) -> None:
        """Report pieces that are damaged or gone."""

    def rewind(self) -> None:
        """Begin the next walk with the first piece."""


class LocalTester(Machine):
    """A portion of pieces every 20 seconds, and two hours of rest after a walk over all of them."""

    table = """
      # state   event         guard    next     actions
      READY     timer-1min    more     TESTING  test_piece
      READY     timer-1min    -        RESTING  rewind
      TESTING   tested        damaged  PAUSED   report
      TESTING   tested        -        PAUSED   -
      TESTING   test-failed   -        PAUSED   -
      TESTING   timer-10min   -        PAUSED   -
      PAUSED    timer-20sec   more     TESTING  test_piece
      PAUSED    timer-20sec   -        RESTING  rewind
      RESTING   timer-2hour   -        READY    -
      *         shutdown      -        CLOSED   -
    """
    ignore = """
      READY     tested test-failed
      PAUSED    tested test-failed
      RESTING   tested test-failed
    """
    initial = "READY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: LocalTesterPort, ident: str = "") -> None:
        self._port = port
        super().__init__(registry, ident)

    def more(self, payload: Any) -> bool:
        return self._port.has_next()

    def damaged(self, payload: Any) -> bool:
        return not payload.is_whole

    def test_piece(self, payload: Any) -> None:
        self.watch(self._port.test_next(), "tested", "test-failed")

    def report(self, payload: Any) -> None:
        self._port.report(payload)

    def rewind(self, payload: Any) -> None:
        self._port.rewind()
