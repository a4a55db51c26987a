"""One supplier that has to show again and again that it still has my pieces."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class SupplierAuditPort(Protocol):
    """What the machine acts on; `bitdust.storage.keeping.audit.Audit` implements it for each supplier."""

    def pause(self) -> float:
        """Seconds until the supplier is looked at again."""

    def is_due(self) -> bool:
        """Whether it is time, and the supplier is there."""

    def is_online(self) -> bool:
        """Whether the supplier is there."""

    def choose(self) -> "Deferred[Any]":
        """Choose pieces at random."""

    def has_more(self) -> bool:
        """Whether there are pieces to ask for."""

    def measure(self) -> "Deferred[Any]":
        """Ask for a sign of life, and note how long it takes."""

    def is_near(self, way: Any) -> bool:
        """Whether the sign of life came soon enough for an answer to come in time."""

    def ask(self) -> "Deferred[Any]":
        """Ask for proofs of some of the pieces."""

    def check(self, answer: Any) -> "Deferred[Any]":
        """Check an answer, and note what was not proved."""

    def is_refusal(self, reason: Any) -> bool:
        """Whether the supplier was there, and gave no proof."""

    def finish(self) -> None:
        """The round is over: note what came of it."""

    def refused(self, reason: Any) -> None:
        """The round is over: the supplier refused."""

    def late(self) -> None:
        """The round is over: the answer did not come in time."""

    def postpone(self) -> None:
        """Nothing was found out: try again soon."""


class SupplierAudit(Machine):
    """Chooses pieces at random, measures the way, asks for proofs some pieces at a time, and rests.

    Who is away, busy or farther than usual is asked later, and has not failed. Who refuses, or proves something else,
    has, and so has who answers too late again and again.
    """

    table = """
      # state    event            guard       next       actions
      RESTING    timer-10min      is_due      CHOOSING   choose
      RESTING    supplier-online  is_due      CHOOSING   choose
      RESTING    audit            is_online   CHOOSING   choose
      CHOOSING   chosen           has_more    MEASURING  measure
      CHOOSING   chosen           -           RESTING    finish
      CHOOSING   failed           -           RESTING    postpone
      CHOOSING   timer-1min       -           RESTING    postpone
      MEASURING  measured         is_near     ASKING     ask
      MEASURING  measured         -           RESTING    postpone
      MEASURING  failed           is_refusal  RESTING    note_refusal
      MEASURING  failed           -           RESTING    postpone
      MEASURING  timer-30sec      -           RESTING    postpone
      ASKING     answered         -           CHECKING   check
      ASKING     failed           is_refusal  RESTING    note_refusal
      ASKING     failed           -           RESTING    postpone
      ASKING     timer-2min       -           RESTING    note_late
      CHECKING   checked          has_more    ASKING     ask
      CHECKING   checked          -           RESTING    finish
      CHECKING   failed           -           RESTING    postpone
      CHECKING   timer-1min       -           RESTING    postpone
      *          shutdown         -           CLOSED     -
    """
    ignore = """
      RESTING    timer-10min supplier-online audit chosen measured answered checked failed
      CHOOSING   supplier-online audit measured answered checked
      MEASURING  supplier-online audit chosen answered checked
      ASKING     supplier-online audit chosen measured checked
      CHECKING   supplier-online audit chosen measured answered
    """
    initial = "RESTING"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: SupplierAuditPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The port says when it is time again, or when to look once more."""
        return self._port.pause() if event == "timer-10min" else super().timer_seconds(event)

    def is_online(self, payload: Any) -> bool:
        return self._port.is_online()

    def is_due(self, payload: Any) -> bool:
        return self._port.is_due()

    def has_more(self, payload: Any) -> bool:
        return self._port.has_more()

    def is_near(self, payload: Any) -> bool:
        return self._port.is_near(payload)

    def is_refusal(self, payload: Any) -> bool:
        return self._port.is_refusal(payload)

    def choose(self, payload: Any) -> None:
        self.watch(self._port.choose(), "chosen", "failed")

    def measure(self, payload: Any) -> None:
        self.watch(self._port.measure(), "measured", "failed")

    def ask(self, payload: Any) -> None:
        self.watch(self._port.ask(), "answered", "failed")

    def check(self, payload: Any) -> None:
        self.watch(self._port.check(payload), "checked", "failed")

    def finish(self, payload: Any) -> None:
        self._port.finish()

    def note_refusal(self, payload: Any) -> None:
        self._port.refused(payload)

    def note_late(self, payload: Any) -> None:
        self._port.late()

    def postpone(self, payload: Any) -> None:
        self._port.postpone()
