"""Finds one new supplier: takes candidates one after the other until one accepts or all attempts are spent."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry

ATTEMPTS = 5


class SupplierFinderPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.hiring` implements it for each search."""

    def candidate(self) -> "Deferred[Any]":
        """Fires with somebody whom nobody else is asking, or None when nobody is known."""

    def ping(self, candidate: Any) -> "Deferred[Any]":
        """Open a session with the candidate, which proves its key and its protocol version."""

    def request(self, candidate: Any) -> "Deferred[Any]":
        """Ask it for the service; fires with its verified contract."""

    def hired(self, candidate: Any, contract: Any) -> None:
        """The search is over."""

    def failed(self, reason: str) -> None:
        """The search is over without success."""


class SupplierFinder(Machine):
    """One search for one place in my family."""

    table = """
      # state       event          guard    next          actions
      AT_STARTUP    start          -        RANDOM_USER   look_up
      RANDOM_USER   found          nobody   FAILED        note_nobody report_failed
      RANDOM_USER   found          -        ACK?          ping_candidate
      RANDOM_USER   lookup-failed  -        FAILED        note_failure report_failed
      RANDOM_USER   timer-30sec    -        FAILED        note_silence report_failed
      ACK?          ping-ok        -        SERVICE?      request_service
      ACK?          ping-failed    spent    FAILED        note_failure report_failed
      ACK?          ping-failed    -        RANDOM_USER   note_failure look_up
      ACK?          timer-10sec    spent    FAILED        note_silence report_failed
      ACK?          timer-10sec    -        RANDOM_USER   note_silence look_up
      SERVICE?      accepted       -        DONE          report_hired
      SERVICE?      refused        spent    FAILED        note_failure report_failed
      SERVICE?      refused        -        RANDOM_USER   note_failure look_up
      SERVICE?      timer-30sec    spent    FAILED        note_silence report_failed
      SERVICE?      timer-30sec    -        RANDOM_USER   note_silence look_up
      *             shutdown       -        FAILED        -
    """
    ignore = """
      AT_STARTUP    found lookup-failed ping-ok ping-failed accepted refused
      RANDOM_USER   start ping-ok ping-failed accepted refused
      ACK?          start found lookup-failed accepted refused
      SERVICE?      start found lookup-failed ping-ok ping-failed
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED")

    def __init__(self, registry: Registry, ident: str, port: SupplierFinderPort) -> None:
        self._port = port
        self._candidate: Any = None
        self.attempts = 0
        self.reason = ""
        super().__init__(registry, ident)

    def nobody(self, payload: Any) -> bool:
        return payload is None

    def spent(self, payload: Any) -> bool:
        return self.attempts >= ATTEMPTS

    def look_up(self, payload: Any) -> None:
        self.attempts += 1
        self.watch(self._port.candidate(), "found", "lookup-failed")

    def ping_candidate(self, payload: Any) -> None:
        self._candidate = payload
        self.watch(self._port.ping(payload), "ping-ok", "ping-failed")

    def request_service(self, payload: Any) -> None:
        self.watch(self._port.request(self._candidate), "accepted", "refused")

    def note_nobody(self, payload: Any) -> None:
        self.reason = self.reason or "no candidate is known; is this node connected to the DHT?"

    def note_failure(self, payload: Any) -> None:
        self.reason = payload.getErrorMessage()

    def note_silence(self, payload: Any) -> None:
        self.reason = "a candidate did not answer in time"

    def report_hired(self, payload: Any) -> None:
        self._port.hired(self._candidate, payload)

    def report_failed(self, payload: Any) -> None:
        self._port.failed(self.reason)
