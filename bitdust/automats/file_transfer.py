"""One file on its way to this disk: what is here is gathered, the rest is fetched, and then it takes its place."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FileTransferPort(Protocol):
    """What the machine acts on; `bitdust.folders.transfer.Transfer` implements it."""

    def gather(self) -> "Deferred[Any]":
        """Bring together what this disk has of it, fires when that is done."""

    def is_whole(self) -> bool:
        """Whether nothing is missing."""

    def fetch(self) -> "Deferred[Any]":
        """Ask peers for what is missing; fires when all of it is here."""

    def place(self) -> "Deferred[Any]":
        """Let it take its place; fires when it is there for good."""

    def ended(self, why: Any) -> None:
        """It is over; ``why`` says what kept it from its place, or else is None."""


class FileTransfer(Machine):
    """Peers may be away for long: then the transfer ends, what has come stays, and another one begins where it was."""

    table = """
      # state     event        guard     next       actions
      AT_STARTUP  start        -         GATHERING  gather
      GATHERING   gathered     is_whole  PLACING    place
      GATHERING   gathered     -         FETCHING   fetch
      GATHERING   failed       -         FAILED     report
      GATHERING   timer-1hour  -         FAILED     report
      FETCHING    fetched      -         PLACING    place
      FETCHING    failed       -         FAILED     report
      PLACING     placed       -         DONE       report
      PLACING     failed       -         FAILED     report
      PLACING     timer-1hour  -         FAILED     report
      *           stop         -         STOPPED    report
    """
    ignore = """
      AT_STARTUP  gathered fetched placed failed
      GATHERING   start fetched placed
      FETCHING    start gathered placed
      PLACING     start gathered fetched
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "STOPPED")
    failure = "failed"
    patient = ("FETCHING",)
    """A large file on a slow line takes days; each request to a peer has a limit of its own."""

    def __init__(self, registry: Registry, ident: str, port: FileTransferPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_whole(self, payload: Any) -> bool:
        return self._port.is_whole()

    def gather(self, payload: Any) -> None:
        self.watch(self._port.gather(), "gathered", "failed")

    def fetch(self, payload: Any) -> None:
        self.watch(self._port.fetch(), "fetched", "failed")

    def place(self, payload: Any) -> None:
        self.watch(self._port.place(), "placed", "failed")

    def report(self, payload: Any) -> None:
        reasons = {"DONE": None, "STOPPED": "it was given up"}
        self._port.ended(reasons.get(self.state, payload or "it took too long"))
