"""Keeps my identity document known: in the DHT and at my ID servers, after every change and every few minutes."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled


class IdentityPropagatorPort(Protocol):
    """What the machine acts on; `bitdust.identity.propagation` implements it."""

    def revision(self) -> int:
        """The revision of my document now."""

    def store(self) -> "Deferred[Any]":
        """Bring my document to the DHT; fails when no node keeps it."""

    def push(self) -> "Deferred[str]":
        """Bring it to my ID servers, which may make a new revision; fires with why none has it, or an empty text."""

    def interval(self) -> float:
        """Seconds until it is published again although nothing has changed."""


class IdentityPropagator(Machine):
    """KNOWN: the DHT has the newest revision. UNSTORED: ID servers alone have it. UNKNOWN: nobody has it.

    Whoever searches by fingerprint asks the DHT alone, so a store that has reached nobody is repeated soon.
    """

    table = """
      # state      event             guard       next         actions
      AT_STARTUP   start             -           DHT?         store
      DHT?         stored            -           ID_SERVERS?  note_stored push
      DHT?         store-failed      -           ID_SERVERS?  push
      DHT?         timer-1min        -           ID_SERVERS?  push
      DHT?         document-changed  is_newer    DHT?         store
      DHT?         network-back      -           =            forget_failures
      ID_SERVERS?  network-back      !is_stored  DHT?         store
      ID_SERVERS?  pushed            is_newer    DHT?         store
      ID_SERVERS?  pushed            is_stored   KNOWN        forget_failures
      ID_SERVERS?  pushed            is_known    UNSTORED     count_failure
      ID_SERVERS?  pushed            -           UNKNOWN      note_reason count_failure
      ID_SERVERS?  push-failed       is_stored   KNOWN        forget_failures
      ID_SERVERS?  push-failed       -           UNKNOWN      note_failure count_failure
      ID_SERVERS?  timer-2min        is_stored   KNOWN        forget_failures
      ID_SERVERS?  timer-2min        -           UNKNOWN      note_silence count_failure
      KNOWN        document-changed  is_newer    DHT?         store
      KNOWN        timer-5min        -           DHT?         store
      UNSTORED     document-changed  is_newer    DHT?         store
      UNSTORED     network-back      -           DHT?         store
      UNSTORED     timer-15sec       -           DHT?         store
      UNKNOWN      document-changed  is_newer    DHT?         store
      UNKNOWN      network-back      -           DHT?         store
      UNKNOWN      timer-15sec       -           DHT?         store
      *            shutdown          -           CLOSED       -
    """
    ignore = """
      AT_STARTUP    document-changed network-back stored store-failed pushed push-failed
      DHT?          start document-changed pushed push-failed
      ID_SERVERS?   start document-changed network-back stored store-failed
      KNOWN         start document-changed network-back stored store-failed pushed push-failed
      UNSTORED      start document-changed stored store-failed pushed push-failed
      UNKNOWN       start document-changed stored store-failed pushed push-failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: IdentityPropagatorPort) -> None:
        self._port = port
        self._stored = False
        self._failures = 0
        self._revision = 0
        self.reason = "it was not published yet"
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """After a failure it is tried again soon, and less and less often until it is as often as always."""
        seconds = super().timer_seconds(event)
        if event == "timer-15sec":
            seconds = doubled(seconds, self._failures, self._port.interval())
        return self._port.interval() if event == "timer-5min" else seconds

    def is_newer(self, payload: Any) -> bool:
        return self._port.revision() > self._revision

    def is_stored(self, payload: Any) -> bool:
        return self._stored

    def is_known(self, payload: str) -> bool:
        return not payload

    def store(self, payload: Any) -> None:
        self._revision, self._stored = self._port.revision(), False
        self.watch(self._port.store(), "stored", "store-failed")

    def count_failure(self, payload: Any) -> None:
        self._failures += 1

    def forget_failures(self, payload: Any) -> None:
        self._failures = 0

    def note_stored(self, payload: Any) -> None:
        self._stored = True

    def push(self, payload: Any) -> None:
        self.watch(self._port.push(), "pushed", "push-failed")

    def note_reason(self, payload: str) -> None:
        self.reason = payload

    def note_failure(self, payload: Any) -> None:
        self.reason = payload.getErrorMessage()

    def note_silence(self, payload: Any) -> None:
        self.reason = "ID servers do not answer"
