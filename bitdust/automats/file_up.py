"""One piece on its way to its supplier."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FileUpPort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.queues` implements it for each piece."""

    def send_piece(self) -> "Deferred[Any]":
        """Read the piece and send it; fires when the supplier has acknowledged it."""

    def is_lost(self, reason: Any) -> bool:
        """Whether the piece itself is gone, so that trying again makes no sense."""

    def delivered(self) -> None:
        """The supplier has it on its disk."""

    def missing(self) -> None:
        """There is nothing to send."""

    def failed(self, reason: Any) -> None:
        """This supplier does not take it now."""


class FileUp(Machine):
    """Sends one piece once; the queue decides about another try."""

    table = """
      # state    event  guard    next       actions
      IN_QUEUE   start  -        UPLOADING  send_piece
      IN_QUEUE   stop   -        STOPPED    -
      UPLOADING  ack    -        DELIVERED  report_delivered
      UPLOADING  fail   is_lost  NO_FILE    report_missing
      UPLOADING  fail   -        FAILED     report_failed
      UPLOADING  stop   -        STOPPED    -
    """
    ignore = """
      IN_QUEUE   ack fail
      UPLOADING  start
    """
    initial = "IN_QUEUE"
    final = ("DELIVERED", "NO_FILE", "FAILED", "STOPPED")
    failure = "fail"

    def __init__(self, registry: Registry, ident: str, port: FileUpPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_lost(self, payload: Any) -> bool:
        return self._port.is_lost(payload)

    def send_piece(self, payload: Any) -> None:
        self.watch(self._port.send_piece(), "ack", "fail")

    def report_delivered(self, payload: Any) -> None:
        self._port.delivered()

    def report_missing(self, payload: Any) -> None:
        self._port.missing()

    def report_failed(self, payload: Any) -> None:
        self._port.failed(payload)
