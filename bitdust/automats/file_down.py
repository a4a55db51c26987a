"""One piece on its way from a supplier."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FileDownPort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.fetch` implements it for each piece."""

    def request_piece(self) -> "Deferred[Any]":
        """Ask the supplier; fires with the piece."""

    def arrived(self, reply: Any) -> None:
        """The piece has come; nothing is known yet of what is in it."""

    def failed(self, reason: Any) -> None:
        """The supplier has not given it."""


class FileDown(Machine):
    """Asks one supplier for one piece, once."""

    table = """
      # state    event  guard  next       actions
      IN_QUEUE   start  -      REQUESTED  request_piece
      IN_QUEUE   stop   -      STOPPED    -
      REQUESTED  data   -      RECEIVED   report_received
      REQUESTED  fail   -      FAILED     report_failed
      REQUESTED  stop   -      STOPPED    -
    """
    ignore = """
      IN_QUEUE   data fail
      REQUESTED  start
    """
    initial = "IN_QUEUE"
    final = ("RECEIVED", "FAILED", "STOPPED")
    failure = "fail"

    def __init__(self, registry: Registry, ident: str, port: FileDownPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def request_piece(self, payload: Any) -> None:
        self.watch(self._port.request_piece(), "data", "fail")

    def report_received(self, payload: Any) -> None:
        self._port.arrived(payload)

    def report_failed(self, payload: Any) -> None:
        self._port.failed(payload)
