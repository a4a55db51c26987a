"""Moving my identity to another ID server: the name there, a new document, and only then the change at home."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IdRotatorPort(Protocol):
    """What the machine acts on; `bitdust.identity.rotation` implements it for each move."""

    def check_sources(self) -> "Deferred[Any]":
        """Find out which of my ID servers still have my document."""

    def choose(self) -> "Deferred[Any]":
        """Other ID servers, that answer and have my name free; fails where there are none."""

    def make_document(self) -> "Deferred[Any]":
        """The next revision of my document, which names them first."""

    def publish(self) -> "Deferred[Any]":
        """Store it there; fails when one of them does not take it."""

    def take(self) -> "Deferred[Any]":
        """Read it back from there, and take it for mine."""

    def report(self, reason: Any) -> None:
        """It is over: done where ``reason`` is None, else not, and why."""


class IdRotator(Machine):
    """FAILED leaves everything at home as it was; what an ID server has got by then is good for the next try."""

    table = """
      # state        event           guard  next          actions
      AT_STARTUP     start           -      ID_SERVERS?   check_sources
      ID_SERVERS?    checked         -      NEW_SOURCE!   choose
      ID_SERVERS?    check-failed    -      FAILED        report_failure
      ID_SERVERS?    timer-1min      -      FAILED        report_silence
      NEW_SOURCE!    chosen          -      MY_ID_ROTATE  make_document
      NEW_SOURCE!    none-there      -      FAILED        report_failure
      NEW_SOURCE!    timer-2min      -      FAILED        report_silence
      MY_ID_ROTATE   made            -      SEND_ID       publish
      MY_ID_ROTATE   not-made        -      FAILED        report_failure
      MY_ID_ROTATE   timer-1min      -      FAILED        report_silence
      SEND_ID        published       -      REQUEST_ID    take
      SEND_ID        publish-failed  -      FAILED        report_failure
      SEND_ID        timer-2min      -      FAILED        report_silence
      REQUEST_ID     taken           -      DONE          report_done
      REQUEST_ID     not-taken       -      FAILED        report_failure
      REQUEST_ID     timer-1min      -      FAILED        report_silence
      *              stop            -      FAILED        report_silence
    """
    ignore = """
      AT_STARTUP     checked check-failed chosen none-there made not-made published publish-failed taken not-taken
      ID_SERVERS?    start chosen none-there made not-made published publish-failed taken not-taken
      NEW_SOURCE!    start checked check-failed made not-made published publish-failed taken not-taken
      MY_ID_ROTATE   start checked check-failed chosen none-there published publish-failed taken not-taken
      SEND_ID        start checked check-failed chosen none-there made not-made taken not-taken
      REQUEST_ID     start checked check-failed chosen none-there made not-made published publish-failed
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED")

    def __init__(self, registry: Registry, port: IdRotatorPort) -> None:
        self._port = port
        super().__init__(registry)

    def check_sources(self, payload: Any) -> None:
        self.watch(self._port.check_sources(), "checked", "check-failed")

    def choose(self, payload: Any) -> None:
        self.watch(self._port.choose(), "chosen", "none-there")

    def make_document(self, payload: Any) -> None:
        self.watch(self._port.make_document(), "made", "not-made")

    def publish(self, payload: Any) -> None:
        self.watch(self._port.publish(), "published", "publish-failed")

    def take(self, payload: Any) -> None:
        self.watch(self._port.take(), "taken", "not-taken")

    def report_done(self, payload: Any) -> None:
        self._port.report(None)

    def report_failure(self, payload: Any) -> None:
        self._port.report(payload)

    def report_silence(self, payload: Any) -> None:
        self._port.report(TimeoutError())
