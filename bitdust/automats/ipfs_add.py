"""What comes into the block store: files, CAR files, or a file with a name; what is above them; then one commit."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IpfsAddPort(Protocol):
    """What the machine acts on; `bitdust.ipfs.add_job.IntakeJob` implements it for what comes in."""

    def take(self) -> "Deferred[Any]":
        """Take every file as it comes. Its client has a time limit of its own."""

    def finish(self) -> "Deferred[Any]":
        """Make the directories, and have everything on the disk."""

    def done(self) -> None:
        """All of it is stored."""

    def failed(self, reason: Any) -> None:
        """Report why not; None where it took too long."""


class IpfsAdd(Machine):
    """What a client that went, or an error, left half is nobody's, and is collected."""

    table = """
      # state     event        guard  next       actions
      AT_STARTUP  start        -      RECEIVING  take
      RECEIVING   received     -      STORING    finish
      RECEIVING   failed       -      FAILED     report_failed
      RECEIVING   timer-24hour -      FAILED     report_failed
      STORING     stored       -      DONE       report_done
      STORING     failed       -      FAILED     report_failed
      STORING     timer-60min  -      FAILED     report_failed
      *           stop         -      STOPPED    report_failed
    """
    ignore = """
      AT_STARTUP  received stored failed
      RECEIVING   start stored
      STORING     start received
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "STOPPED")
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: IpfsAddPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def take(self, payload: Any) -> None:
        self.watch(self._port.take(), "received", "failed")

    def finish(self, payload: Any) -> None:
        self.watch(self._port.finish(), "stored", "failed")

    def report_done(self, payload: Any) -> None:
        self._port.done()

    def report_failed(self, payload: Any) -> None:
        self._port.failed(payload)
