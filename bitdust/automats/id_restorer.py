"""Becoming who one was: from a key file to the newest document, with a new device in it."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 60.0


class IdRestorerPort(Protocol):
    """What the machine acts on; `bitdust.identity.recovery` implements it."""

    def find_document(self) -> "Deferred[Any]":
        """The newest document of the key, of whoever has it; fails when nobody has one, or nobody could be asked."""

    def is_hopeless(self, error: Any, /) -> bool:
        """Whether everybody was asked, and nobody has it: asking again would not help."""

    def report_waiting(self) -> None:
        """Somebody who may have it does not answer; it is asked again later."""

    def add_device(self, document: Any) -> "Deferred[Any]":
        """The next revision, with a new device key."""

    def publish(self) -> "Deferred[Any]":
        """Push it wherever somebody answers; fires whatever came of it."""

    def save(self) -> None:
        """Become this identity."""


class IdRestorer(Machine):
    """Recovers an identity; a server that is gone keeps nobody from coming back.

    It goes on asking for as long as somebody who may have the document is silent, unless it is given up.
    """

    table = """
      # state       event            guard        next        actions
      AT_STARTUP    start            -            MY_ID       find_document
      MY_ID         document-found   -            VERIFY      add_device
      MY_ID         not-found        is_hopeless  FAILED      note_failure
      MY_ID         not-found        -            PAUSE       note_failure report_waiting
      MY_ID         give-up          -            FAILED      -
      MY_ID         timer-1min       -            PAUSE       report_waiting
      PAUSE         timer-2sec       -            MY_ID       find_document
      PAUSE         give-up          -            FAILED      -
      VERIFY        device-added     -            SAVE_ID     save
      SAVE_ID       saved            -            SEND_ID     publish
      SEND_ID       published        -            RESTORED!   -
      SEND_ID       give-up          -            RESTORED!   -
      SEND_ID       timer-2min       -            RESTORED!   -
      *             fail             -            FAILED      note_failure
    """
    ignore = """
      *  start document-found not-found give-up device-added saved published
    """
    initial = "AT_STARTUP"
    final = ("RESTORED!", "FAILED")
    failure = "fail"
    patient = ("VERIFY",)  # it waits for this machine's own processor

    def __init__(self, registry: Registry, port: IdRestorerPort) -> None:
        self._port = port
        self._rounds = 0
        self.reason: BaseException | None = None
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause doubles with each round, up to a minute."""
        seconds = super().timer_seconds(event)
        return doubled(seconds, self._rounds - 1, LONGEST_PAUSE) if event == "timer-2sec" else seconds

    def is_hopeless(self, payload: Any) -> bool:
        return self._port.is_hopeless(payload.value)

    def find_document(self, payload: Any) -> None:
        self._rounds += 1
        self.watch(self._port.find_document(), "document-found", "not-found")

    def add_device(self, document: Any) -> None:
        self.watch(self._port.add_device(document), "device-added", "fail")

    def save(self, payload: Any) -> None:
        self._port.save()
        self.send("saved")

    def publish(self, payload: Any) -> None:
        self.watch(self._port.publish(), "published", "published")

    def note_failure(self, payload: Any) -> None:
        self.reason = payload.value

    def report_waiting(self, payload: Any) -> None:
        self._port.report_waiting()
