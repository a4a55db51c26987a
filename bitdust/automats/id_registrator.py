"""Making a new identity: servers, a free name, keys, the document at its servers, and only then at home."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IdRegistratorPort(Protocol):
    """What the machine acts on; `bitdust.identity.creation` implements it."""

    def choose_servers(self) -> "Deferred[Any]":
        """ID servers that answer; fails when there are too few."""

    def check_name(self) -> "Deferred[Any]":
        """Fires when the name is free on all of them."""

    def make_document(self) -> "Deferred[Any]":
        """New keys and a signed document."""

    def publish(self) -> "Deferred[Any]":
        """Push the document; fails when too few servers took it."""

    def verify(self) -> "Deferred[Any]":
        """Read it back and compare."""

    def save(self) -> None:
        """Become this identity."""


class IdRegistrator(Machine):
    """Registers one name; nothing is kept here unless a server keeps it too. Without a ``reason`` time ran out."""

    table = """
      # state       event            guard  next         actions
      AT_STARTUP    start            -      ID_SERVERS?  choose_servers
      ID_SERVERS?   servers-found    -      NAME_FREE?   check_name
      ID_SERVERS?   timer-2min       -      FAILED       -
      NAME_FREE?    name-free        -      MAKE_KEYS    make_document
      NAME_FREE?    timer-2min       -      FAILED       -
      MAKE_KEYS     document-made    -      SEND_ID      publish
      SEND_ID       published        -      REQUEST_ID   verify
      SEND_ID       timer-2min       -      FAILED       -
      REQUEST_ID    verified         -      SAVE_ID      save
      REQUEST_ID    timer-2min       -      FAILED       -
      SAVE_ID       saved            -      DONE         -
      *             fail             -      FAILED       note_failure
    """
    ignore = """
      *  start servers-found name-free document-made published verified saved
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED")
    failure = "fail"
    patient = ("MAKE_KEYS",)  # it waits for this machine's own processor

    def __init__(self, registry: Registry, port: IdRegistratorPort) -> None:
        self._port = port
        self.reason: BaseException | None = None
        super().__init__(registry)

    def choose_servers(self, payload: Any) -> None:
        self.watch(self._port.choose_servers(), "servers-found", "fail")

    def check_name(self, payload: Any) -> None:
        self.watch(self._port.check_name(), "name-free", "fail")

    def make_document(self, payload: Any) -> None:
        self.watch(self._port.make_document(), "document-made", "fail")

    def publish(self, payload: Any) -> None:
        self.watch(self._port.publish(), "published", "fail")

    def verify(self, payload: Any) -> None:
        self.watch(self._port.verify(), "verified", "fail")

    def save(self, payload: Any) -> None:
        self._port.save()
        self.send("saved")

    def note_failure(self, payload: Any) -> None:
        self.reason = payload.value
