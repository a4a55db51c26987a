"""One question whether somebody has a key, and the proof of it, within a time limit."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class KeyAuditPort(Protocol):
    """What the machine acts on; `bitdust.people.keys.audits` implements it for each question."""

    def challenge(self) -> "Deferred[Any]":
        """Ask for a proof over a fresh random number; fires with what comes."""

    def is_proof(self, answer: Any) -> bool:
        """Whether the answer proves that the key is there."""

    def is_denial(self, reason: Any) -> bool:
        """Whether the person's node says that it has no such key."""

    def report(self, has_key: bool) -> None:
        """The question is answered."""

    def give_up(self, reason: Any) -> None:
        """It is not: nobody is there, or nothing is told."""


class KeyAudit(Machine):
    """PROVEN or DISPROVEN is an answer; FAILED is none."""

    table = """
      # state     event        guard      next       actions
      AT_STARTUP  start        -          PROOF?     challenge
      PROOF?      answered     is_proof   PROVEN     report_proof
      PROOF?      answered     -          DISPROVEN  report_none
      PROOF?      failed       is_denial  DISPROVEN  report_none
      PROOF?      failed       -          FAILED     give_up
      PROOF?      timer-30sec  -          FAILED     give_up
      *           stop         -          FAILED     give_up
    """
    ignore = """
      AT_STARTUP  answered failed
      PROOF?      start
    """
    initial = "AT_STARTUP"
    final = ("PROVEN", "DISPROVEN", "FAILED")

    def __init__(self, registry: Registry, ident: str, port: KeyAuditPort, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """As long as who asks is ready to wait."""
        return self._seconds

    def challenge(self, payload: Any) -> None:
        self.watch(self._port.challenge(), "answered", "failed")

    def is_proof(self, payload: Any) -> bool:
        return self._port.is_proof(payload)

    def is_denial(self, payload: Any) -> bool:
        return self._port.is_denial(payload)

    def report_proof(self, payload: Any) -> None:
        self._port.report(True)

    def report_none(self, payload: Any) -> None:
        self._port.report(False)

    def give_up(self, payload: Any) -> None:
        self._port.give_up(payload)
