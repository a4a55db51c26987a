"""Brings pieces that wait on my disk to their suppliers, as many at a time as each of them takes."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class DataSenderPort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.queues.Motion` implements it."""

    def scan(self) -> "Deferred[Any]":
        """Fill the queues with what the catalog says is waiting."""

    def pump(self) -> None:
        """Start as many pieces as the suppliers take."""

    def has_work(self) -> bool:
        """Whether a piece is on its way or could be."""

    def has_more(self) -> bool:
        """Whether the catalog knew of more than the queues took."""

    def look_for_stalls(self) -> None:
        """Notice suppliers that take nothing."""

    def stop_all(self) -> None:
        """Take back what is on its way."""


class DataSender(Machine):
    """Scans at the start, when suppliers change, and once a minute while there is nothing to do."""

    table = """
      # state      event        guard     next         actions
      AT_STARTUP   init         -         SCAN_BLOCKS  scan
      READY        new-data     -         SENDING      pump
      READY        restart      -         SCAN_BLOCKS  scan
      READY        timer-1min   -         SCAN_BLOCKS  scan
      SCAN_BLOCKS  scanned      has_work  SENDING      pump
      SCAN_BLOCKS  scanned      -         READY        -
      SCAN_BLOCKS  scan-failed  -         READY        -
      SCAN_BLOCKS  restart      -         SCAN_BLOCKS  scan
      SENDING      new-data     -         =            pump
      SENDING      piece-done   has_work  =            pump
      SENDING      piece-done   has_more  SCAN_BLOCKS  scan
      SENDING      piece-done   -         READY        -
      SENDING      timer-0.5sec has_work  =            look_for_stalls pump
      SENDING      timer-0.5sec -         SCAN_BLOCKS  scan
      SENDING      restart      -         SCAN_BLOCKS  scan
      *            shutdown     -         CLOSED       stop_all
    """
    ignore = """
      AT_STARTUP   new-data restart scanned scan-failed piece-done
      READY        init scanned scan-failed piece-done
      SCAN_BLOCKS  init new-data piece-done
      SENDING      init scanned scan-failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "restart"

    def __init__(self, registry: Registry, port: DataSenderPort) -> None:
        self._port = port
        super().__init__(registry)

    def has_work(self, payload: Any) -> bool:
        return self._port.has_work()

    def has_more(self, payload: Any) -> bool:
        return self._port.has_more()

    def scan(self, payload: Any) -> None:
        self.watch(self._port.scan(), "scanned", "scan-failed")

    def pump(self, payload: Any) -> None:
        self._port.pump()

    def look_for_stalls(self, payload: Any) -> None:
        self._port.look_for_stalls()

    def stop_all(self, payload: Any) -> None:
        self._port.stop_all()
