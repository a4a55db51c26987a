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
    """Recovers an identity; a server that is gone does not keep anybody from coming back."""

    table = """
      # state       event            guard  next        actions
      AT_STARTUP    start            -      MY_ID       find_document
      MY_ID         document-found   -      VERIFY      add_device
      MY_ID         fail             -      FAILED      note_failure
      VERIFY        device-added     -      SEND_ID     save_and_publish
      VERIFY        fail             -      FAILED      note_failure
      SEND_ID       published        -      RESTORED!   -
      SEND_ID       fail             -      FAILED      note_failure
    """
    ignore = """
      *  start document-found device-added published fail
    """
    initial = "AT_STARTUP"
    final = ("RESTORED!", "FAILED")
    failure = "fail"

    def __init__(self, registry: Registry, port: IdRestorerPort) -> None:
        self._port = port
        self.reason: BaseException | None = None
        super().__init__(registry)

    def find_document(self, payload: Any) -> None:
        self.watch(self._port.find_document(), "document-found", "fail")

    def add_device(self, document: Any) -> None:
        self.watch(self._port.add_device(document), "device-added", "fail")

    def save_and_publish(self, payload: Any) -> None:
        self._port.save()
        self.watch(self._port.publish(), "published", "fail")

    def note_failure(self, payload: Any) -> None:
        self.reason = payload.value
