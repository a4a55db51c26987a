"""One service of this node: stopped, starting, working, or waiting for what it needs."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.kernel import Machine, Registry


class ServicePort(Protocol):
    """What the machine acts on; `bitdust.services.driver` implements it for each service."""

    def missing(self) -> str | None:
        """Why the service cannot run on this node now (no identity, say), or None."""

    def needs_off(self) -> str | None:
        """Which needed services are not ON, or None."""

    def start(self) -> "Deferred[Any]":
        """Start the service and check its health; fires when it works, fails with the reason."""

    def stop(self) -> "Deferred[Any]":
        """Stop the service."""

    def stop_dependents(self) -> "Deferred[Any]":
        """Stop everything that needs this service; fires when all of it has stopped."""

    def check(self) -> "Deferred[Any]":
        """Fires when the service is healthy, fails with the reason when it is not."""

    def retry(self, failures: int) -> "Deferred[Any]":
        """Fires when the next try after so many failures is due; backs off, with jitter."""

    def outcome(self, word: str) -> None:
        """``started``, ``stopped``, ``failed``, ``not_installed`` or ``depends_off``."""


class LocalService(Machine):
    """Carries one service through its life, dependents first when it stops, with a reason whenever it is not ON."""

    table = """
      # state    event               guard         next           actions
      *          start               is_missing    NOT_INSTALLED  report_not_installed
      *          start               lacks_needs   DEPENDS_OFF    report_depends_off
      *          start               -             STARTING       start_service
      *          stop                -             OFF            forget_reason report_stopped
      OFF        retry               -             =              start_again
      STARTING   service-started     -             ON             forget_failures report_started
      STARTING   service-failed      -             OFF            note_failure report_failed wait_for_retry
      STARTING   start               -             =              -
      STARTING   stop                -             INFLUENCE      forget_reason stop_dependents
      ON         start               -             =              report_started
      ON         stop                -             INFLUENCE      forget_reason stop_dependents
      ON         check               -             =              check_health
      ON         timer-30sec         -             =              check_health
      ON         unhealthy           -             INFLUENCE      note_failure stop_dependents
      INFLUENCE  dependents-stopped  -             STOPPING       stop_service
      INFLUENCE  start               -             =              want_start
      INFLUENCE  stop                -             =              want_stop
      STOPPING   service-stopped     is_broken     OFF            report_failed wait_for_retry
      STOPPING   service-stopped     start_wanted  OFF            report_stopped start_again
      STOPPING   service-stopped     -             OFF            report_stopped
      STOPPING   timer-2min          -             =              give_up_stopping
      STOPPING   start               -             =              want_start
      STOPPING   stop                -             =              want_stop
      *          shutdown            -             CLOSED         -
    """
    ignore = """
      *          check healthy unhealthy retry service-started service-failed service-stopped dependents-stopped
    """
    initial = "OFF"
    final = ("CLOSED",)
    # The pause before a retry ends by itself, a service sets the limit of its own start, and dependents have theirs.
    patient = ("OFF", "STARTING", "INFLUENCE")

    def __init__(self, registry: Registry, name: str, port: ServicePort) -> None:
        self._port = port
        self.failures = 0
        self._wanted = False
        self.reason = ""
        super().__init__(registry, name)

    def is_missing(self, payload: Any) -> bool:
        return self._port.missing() is not None

    def lacks_needs(self, payload: Any) -> bool:
        return self._port.needs_off() is not None

    def is_broken(self, payload: Any) -> bool:
        return self.failures > 0

    def start_wanted(self, payload: Any) -> bool:
        return self._wanted

    def start_service(self, payload: Any) -> None:
        self._wanted = False
        self.watch(self._port.start(), "service-started", "service-failed")

    def stop_dependents(self, payload: Any) -> None:
        self.watch(self._port.stop_dependents(), "dependents-stopped", "dependents-stopped")

    def stop_service(self, payload: Any) -> None:
        self.watch(self._port.stop(), "service-stopped", "service-stopped")

    def give_up_stopping(self, payload: Any) -> None:
        self.send("service-stopped")

    def start_again(self, payload: Any) -> None:
        self.send("start")

    def check_health(self, payload: Any) -> None:
        self.watch(self._port.check(), "healthy", "unhealthy")

    def wait_for_retry(self, payload: Any) -> None:
        self.watch(self._port.retry(self.failures), "retry", "retry")

    def want_start(self, payload: Any) -> None:
        self._wanted = True

    def want_stop(self, payload: Any) -> None:
        self._wanted = False
        self.failures = 0

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
        self.reason = ""

    def forget_reason(self, payload: Any) -> None:
        self.failures = 0
        self.reason = str(payload or "")

    def note_failure(self, payload: Any) -> None:
        self.failures += 1
        self.reason = reason_of(payload)

    def report_started(self, payload: Any) -> None:
        self._port.outcome("started")

    def report_stopped(self, payload: Any) -> None:
        self._port.outcome("stopped")

    def report_failed(self, payload: Any) -> None:
        self._port.outcome("failed")

    def report_not_installed(self, payload: Any) -> None:
        self.reason = self._port.missing() or ""
        self._port.outcome("not_installed")

    def report_depends_off(self, payload: Any) -> None:
        self.reason = self._port.needs_off() or ""
        self._port.outcome("depends_off")


def reason_of(payload: Any) -> str:
    """The sentence that a person reads, of a failure or a text."""
    if isinstance(payload, Failure):
        return payload.getErrorMessage() or repr(payload.value)
    return str(payload or "it gave no reason")
