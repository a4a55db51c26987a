"""One pack that was coded for a family of another size, on its way to the scheme of the present one."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class ReencodingPort(Protocol):
    """What the machine acts on; `bitdust.storage.keeping.pack_move.PackMove` implements it for each pack."""

    def make(self) -> "Deferred[Any]":
        """Bring the pack here, code it by the present scheme, and keep the new pieces; fires when they are durable."""

    def is_unwanted(self) -> bool:
        """Whether the new pack is of no use: the old one is gone, the scheme is another one, or it lost a piece."""

    def is_delivered(self) -> bool:
        """Whether every supplier has its new piece."""

    def log_move(self) -> "Deferred[Any]":
        """Say in the log that the new pack takes the place of the old one, whose pieces may go when that is safe."""

    def drop(self) -> "Deferred[Any]":
        """Let go of the new pack; the old one stays as it is."""

    def note_failure(self, reason: Any) -> None:
        """It could not be made now."""

    def report(self) -> None:
        """It is at its end, with one result or another."""


class Reencoding(Machine):
    """The old pieces stay until the new ones, and the log entry that names them, are safe: each state may be the last
    one before a crash, and the next start goes on with DELIVERING what was made, or makes it again."""

    table = """
      # state      event        guard         next        actions
      AT_STARTUP   start        -             MAKING      make
      AT_STARTUP   resume       -             DELIVERING  check
      MAKING       made         -             DELIVERING  -
      MAKING       failed       -             FAILED      note_failure report
      MAKING       timer-10min  -             FAILED      note_failure report
      DELIVERING   check        is_unwanted   DROPPING    drop
      DELIVERING   check        is_delivered  LOGGING     log_move
      DELIVERING   timer-10sec  -             =           check
      LOGGING      logged       -             DONE        report
      LOGGING      failed       -             DELIVERING  -
      LOGGING      timer-1min   -             DELIVERING  -
      DROPPING     dropped      -             DROPPED     report
      DROPPING     failed       -             DELIVERING  -
      DROPPING     timer-1min   -             DELIVERING  -
      *            shutdown     -             CLOSED      -
    """
    ignore = """
      AT_STARTUP   check made logged dropped failed
      MAKING       check start resume logged dropped
      DELIVERING   check start resume made logged dropped failed
      LOGGING      check start resume made dropped
      DROPPING     check start resume made logged
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "DROPPED", "CLOSED")
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: ReencodingPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_unwanted(self, payload: Any) -> bool:
        return self._port.is_unwanted()

    def is_delivered(self, payload: Any) -> bool:
        return self._port.is_delivered()

    def make(self, payload: Any) -> None:
        self.watch(self._port.make(), "made", "failed")

    def check(self, payload: Any) -> None:
        self.send("check")

    def log_move(self, payload: Any) -> None:
        self.watch(self._port.log_move(), "logged", "failed")

    def drop(self, payload: Any) -> None:
        self.watch(self._port.drop(), "dropped", "failed")

    def note_failure(self, payload: Any) -> None:
        self._port.note_failure(payload)

    def report(self, payload: Any) -> None:
        self._port.report()
