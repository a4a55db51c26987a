"""Watches pieces that come in: while there are any, it looks several times a second whether one of them stalls."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class DataReceiverPort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.fetch.Fetcher` implements it."""

    def is_receiving(self) -> bool:
        """Whether a piece is asked for."""

    def ask_others(self) -> None:
        """Ask another supplier for each piece that makes no progress."""

    def stop_all(self) -> None:
        """Ask for nothing any more."""


class DataReceiver(Machine):
    """The clock runs only while something is on its way."""

    table = """
      # state    event           guard         next       actions
      READY      piece-asked     -             RECEIVING  -
      RECEIVING  timer-0.1sec    is_receiving  =          ask_others
      RECEIVING  timer-0.1sec    -             READY      -
      *          shutdown        -             CLOSED     stop_all
    """
    ignore = """
      RECEIVING  piece-asked
    """
    initial = "READY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: DataReceiverPort) -> None:
        self._port = port
        super().__init__(registry)

    def is_receiving(self, payload: Any) -> bool:
        return self._port.is_receiving()

    def ask_others(self, payload: Any) -> None:
        self._port.ask_others()

    def stop_all(self, payload: Any) -> None:
        self._port.stop_all()
