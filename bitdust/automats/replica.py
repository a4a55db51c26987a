"""One record at one supplier, kept the same there as it is here: a log, a key ring, a family."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 60.0


class ReplicaPort(Protocol):
    """What the machine acts on; `bitdust.replication.RecordCopy` implements it."""

    def is_current(self) -> bool:
        """Whether the supplier holds everything that could be brought to it."""

    def is_reachable(self) -> bool:
        """Whether there is a session with it."""

    def deliver(self) -> "Deferred[Any]":
        """Bring what comes next; fires when the supplier has acknowledged it."""

    def is_contradiction(self, error: Any, /) -> bool:
        """Whether a supplier refused because it holds something else than is known here."""

    def compare(self, error: Any, /) -> "Deferred[bool]":
        """Find out what it holds; fires with whether it is known now how to go on."""

    def report_acknowledged(self) -> None:
        """The supplier holds more than before."""


class Replica(Machine):
    """Brings one thing after the other; backs off from silence, and never argues with a supplier that contradicts."""

    table = """
      # state    event      guard         next       actions
      BEHIND     changed    is_current    CURRENT    -
      BEHIND     changed    is_reachable  SENDING    deliver
      BEHIND     timer-5min -             =          check
      SENDING    delivered  is_current    CURRENT    report_acknowledged
      SENDING    delivered  is_reachable  SENDING    report_acknowledged deliver
      SENDING    delivered  -             BEHIND     report_acknowledged
      SENDING    refused    contradicts   COMPARING  compare
      SENDING    refused    -             PAUSED     -
      SENDING    timer-1min -             PAUSED     -
      COMPARING  compared   is_explained  BEHIND     check
      COMPARING  compared   -             DISAGREES  -
      COMPARING  failed     -             DISAGREES  -
      COMPARING  retry      -             BEHIND     check
      COMPARING  timer-2min -             DISAGREES  -
      PAUSED     retry      -             BEHIND     check
      PAUSED     timer-2sec -             BEHIND     check
      DISAGREES  retry      -             BEHIND     check
      DISAGREES  timer-1min -             BEHIND     check
      CURRENT    changed    !is_current   BEHIND     check
      *          shutdown   -             CLOSED     -
    """
    ignore = """
      BEHIND     changed delivered refused compared failed retry
      SENDING    changed compared failed retry
      COMPARING  changed delivered refused
      PAUSED     changed delivered refused compared failed
      DISAGREES  changed delivered refused compared failed
      CURRENT    changed delivered refused compared failed retry
    """
    initial = "BEHIND"
    final = ("CLOSED",)
    failure = "refused"

    def __init__(self, registry: Registry, port: ReplicaPort, ident: str) -> None:
        self._port = port
        self._attempts = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause after silence doubles with each attempt in a row."""
        seconds = super().timer_seconds(event)
        if event != "timer-2sec":
            return seconds
        return doubled(seconds, self._attempts - 1, LONGEST_PAUSE)

    def is_current(self, payload: Any) -> bool:
        return self._port.is_current()

    def is_reachable(self, payload: Any) -> bool:
        return self._port.is_reachable()

    def contradicts(self, payload: Any) -> bool:
        return self._port.is_contradiction(payload.value)

    def is_explained(self, payload: Any) -> bool:
        return bool(payload)

    def check(self, payload: Any) -> None:
        self.send("changed")

    def deliver(self, payload: Any) -> None:
        self._attempts += 1
        self.watch(self._port.deliver(), "delivered", "refused")

    def report_acknowledged(self, payload: Any) -> None:
        self._attempts = 0
        self._port.report_acknowledged()

    def compare(self, payload: Any) -> None:
        self.watch(self._port.compare(payload.value), "compared", "failed")
