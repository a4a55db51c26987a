"""One proof that a version can come back: from the packs that it needs to a verdict."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class VerificationPort(Protocol):
    """What the machine acts on; `bitdust.storage.verify.verification.Verification` implements it for each job."""

    def make_plan(self) -> "Deferred[Any]":
        """Find out which packs are needed."""

    def has_more(self) -> bool:
        """Whether there are packs that were not looked at."""

    def check_some(self) -> "Deferred[Any]":
        """Look at the next packs: ask suppliers for proofs, and bring the packs back where that is wished."""

    def verified(self) -> None:
        """All packs were looked at: report what was found."""

    def failed(self, reason: Any) -> None:
        """Report why there is no verdict; None where something took too long."""

    def aborted(self, reason: Any) -> None:
        """The user gave it up, or the node stops."""


class Verification(Machine):
    """Looks at some packs at a time."""

    table = """
      # state     event        guard     next      actions
      AT_STARTUP  start        -         PLANNING  make_plan
      PLANNING    planned      has_more  CHECKING  check_some
      PLANNING    planned      -         DONE      report_verified
      PLANNING    timer-10min  -         FAILED    report_failed
      CHECKING    checked      has_more  CHECKING  check_some
      CHECKING    checked      -         DONE      report_verified
      CHECKING    timer-30min  -         FAILED    report_failed
      *           fail         -         FAILED    report_failed
      *           stop         -         ABORTED   report_aborted
    """
    ignore = """
      AT_STARTUP  planned checked
      PLANNING    start checked
      CHECKING    start planned
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "ABORTED")
    failure = "fail"

    def __init__(self, registry: Registry, ident: str, port: VerificationPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def has_more(self, payload: Any) -> bool:
        return self._port.has_more()

    def make_plan(self, payload: Any) -> None:
        self.watch(self._port.make_plan(), "planned", "fail")

    def check_some(self, payload: Any) -> None:
        self.watch(self._port.check_some(), "checked", "fail")

    def report_verified(self, payload: Any) -> None:
        self._port.verified()

    def report_failed(self, payload: Any) -> None:
        self._port.failed(payload)

    def report_aborted(self, payload: Any) -> None:
        self._port.aborted(payload)
