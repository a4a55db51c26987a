"""Reads what is stored for customers again, slowly, and reports what the disk lost or changed."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class LocalTesterPort(Protocol):
    """What the machine acts on; `bitdust.customers.patrol` implements it."""

    def test_next(self) -> "Deferred[Any]":
        """Read the next piece again; fires with what was found, None at the end of the walk."""

    def report(self, tested: Any) -> None:
        """Tell of a piece that is damaged or gone."""

    def pause(self) -> float:
        """Seconds until the next piece or, at the end of a walk, until the next walk."""


class LocalTester(Machine):
    """One piece at a time; READY is the pause between two."""

    table = """
      # state   event         guard    next     actions
      READY     timer-1min    -        TESTING  test_piece
      READY     restart       -        TESTING  test_piece
      TESTING   tested        at_end   READY    -
      TESTING   tested        whole    READY    -
      TESTING   tested        -        READY    report
      TESTING   test-failed   -        READY    -
      TESTING   restart       -        =        -
      *         shutdown      -        CLOSED   -
    """
    ignore = """
      READY     tested test-failed
    """
    initial = "READY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: LocalTesterPort) -> None:
        self._port = port
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """As the port says: a piece after the other, then a long rest."""
        return self._port.pause()

    def at_end(self, payload: Any) -> bool:
        return payload is None

    def whole(self, payload: Any) -> bool:
        return bool(payload.whole)

    def test_piece(self, payload: Any) -> None:
        self.watch(self._port.test_next(), "tested", "test-failed")

    def report(self, payload: Any) -> None:
        self._port.report(payload)
