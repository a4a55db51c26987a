"""Becoming who one was: from a key file to the newest document, with a new device in it."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IdRestorerPort(Protocol):
    """What the machine acts on; `bitdust.identity.recovery` implements it."""

    def find_document(self) -> "Deferred[Any]":
        """The newest document of the key, from ID servers, the DHT and hinted suppliers; fails when nobody has one."""

    def add_device(self, document: Any) -> "Deferred[Any]":
        """The next revision, with a new device key."""

    def publish(self) -> "Deferred[Any]":
        """Push it wherever somebody answers; fires whatever came of it."""

    def save(self) -> None:
        """Become this identity."""


class IdRestorer(Machine):
    """Recovers an identity; a server that is gone keeps nobody from coming back. Without a ``reason`` time ran out."""

    table = """
      # state       event            guard  next        actions
      AT_STARTUP    start            -      MY_ID       find_document
      MY_ID         document-found   -      VERIFY      add_device
      MY_ID         timer-2min       -      FAILED      -
      VERIFY        device-added     -      SAVE_ID     save
      SAVE_ID       saved            -      SEND_ID     publish
      SEND_ID       published        -      RESTORED!   -
      SEND_ID       timer-2min       -      RESTORED!   -
      *             fail             -      FAILED      note_failure
    """
    ignore = """
      *  start document-found device-added saved published
    """
    initial = "AT_STARTUP"
    final = ("RESTORED!", "FAILED")
    failure = "fail"
    patient = ("VERIFY",)  # it waits for this machine's own processor

    def __init__(self, registry: Registry, port: IdRestorerPort) -> None:
        self._port = port
        self.reason: BaseException | None = None
        super().__init__(registry)

    def find_document(self, payload: Any) -> None:
        self.watch(self._port.find_document(), "document-found", "fail")

    def add_device(self, document: Any) -> None:
        self.watch(self._port.add_device(document), "device-added", "fail")

    def save(self, payload: Any) -> None:
        self._port.save()
        self.send("saved")

    def publish(self, payload: Any) -> None:
        self.watch(self._port.publish(), "published", "published")

    def note_failure(self, payload: Any) -> None:
        self.reason = payload.value
