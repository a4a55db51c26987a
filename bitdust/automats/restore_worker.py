"""One download: from a moment of the catalog to files under a local folder."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class RestoreWorkerPort(Protocol):
    """What the machine acts on; `bitdust.storage.restore.restore.Restore` implements it for each download."""

    def make_plan(self) -> "Deferred[Any]":
        """Find out what is to come back, what is there already, and what is in the way."""

    def fetch_packs(self) -> "Deferred[Any]":
        """Fetch packs and write their bytes into growing files; fires when every file has its name."""

    def finish_folders(self) -> "Deferred[Any]":
        """Make links, and give folders their modes and times."""

    def done_safely(self) -> None:
        """Everything that could come back is on the disk."""

    def failed(self, reason: Any) -> None:
        """Report why not; what has grown stays for another try."""

    def aborted(self, reason: Any) -> None:
        """The user gave it up: growing files go."""


class RestoreWorker(Machine):
    """Plans, fetches, finishes."""

    table = """
      # state     event     guard  next       actions
      AT_STARTUP  start     -      PLAN       make_plan
      PLAN        planned   -      REQUESTED  fetch_packs
      REQUESTED   restored  -      FINISHING  finish_folders
      FINISHING   finished  -      DONE       report_done
      *           fail      -      FAILED     report_failed
      *           stop      -      ABORTED    report_aborted
    """
    ignore = """
      AT_STARTUP  planned restored finished
      PLAN        start restored finished
      REQUESTED   start planned finished
      FINISHING   start planned restored
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "ABORTED")
    failure = "fail"
    # Files may be many and suppliers slow; each fetch has limits of its own, and its user may stop the whole.
    patient = ("PLAN", "REQUESTED", "FINISHING")

    def __init__(self, registry: Registry, ident: str, port: RestoreWorkerPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def make_plan(self, payload: Any) -> None:
        self.watch(self._port.make_plan(), "planned", "fail")

    def fetch_packs(self, payload: Any) -> None:
        self.watch(self._port.fetch_packs(), "restored", "fail")

    def finish_folders(self, payload: Any) -> None:
        self.watch(self._port.finish_folders(), "finished", "fail")

    def report_done(self, payload: Any) -> None:
        self._port.done_safely()

    def report_failed(self, payload: Any) -> None:
        self._port.failed(payload)

    def report_aborted(self, payload: Any) -> None:
        self._port.aborted(payload)
