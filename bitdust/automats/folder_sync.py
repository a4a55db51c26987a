"""One synchronised folder: it is opened, looked through, and what peers have changed is brought to its disk."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FolderSyncPort(Protocol):
    """What the machine acts on; `bitdust.folders.folder.Folder` implements it."""

    def open(self) -> "Deferred[Any]":
        """Open the journal, and see that the folder is there; fires when both are good."""

    def is_paused(self) -> bool:
        """Whether its person wants it to rest."""

    def scan(self) -> "Deferred[Any]":
        """Compare the disk with what was seen; fires when it was compared."""

    def has_more_to_look_at(self) -> bool:
        """Whether something was changed since the scan began."""

    def has_work(self) -> bool:
        """Whether peers have changed what the disk does not show yet."""

    def meet(self) -> None:
        """Look for peers from now on, and let them in."""

    def work(self) -> None:
        """Begin as many transfers as may run."""

    def retry(self) -> None:
        """The same, with those that have failed a moment ago."""

    def rest(self) -> None:
        """All is as it is to be; who watches is told."""

    def halt(self) -> None:
        """End transfers, and leave all peers."""

    def note(self, problem: Any) -> None:
        """What keeps it from being in sync; None for nothing."""

    def rescan_seconds(self) -> float:
        """How long until the next scan where nothing is reported."""

    def retry_seconds(self) -> float:
        """How long until the next `retry`: ever longer, up to a minute, while the disk of a keeper is full."""


class FolderSync(Machine):
    """SCANNING and SYNCING take turns; transfers go on meanwhile. A folder that is gone is BROKEN until it is back.

    A keeper whose disk is full has something to do until there is room, and stays with its peers."""

    table = """
      # state     event        guard                next      actions
      AT_STARTUP  start        -                    OPENING   open
      OPENING     opened       is_paused            PAUSED    forgive
      OPENING     opened       -                    SCANNING  forgive scan
      OPENING     failed       -                    BROKEN    note
      OPENING     timer-10min  -                    BROKEN    note
      SCANNING    scanned      has_more_to_look_at  =         meet scan
      SCANNING    scanned      has_work             SYNCING   meet work
      SCANNING    scanned      -                    IN_SYNC   meet rest
      SCANNING    failed       -                    BROKEN    halt note
      SCANNING    pause        -                    PAUSED    halt
      IN_SYNC     changed      -                    SCANNING  scan
      IN_SYNC     due          -                    SYNCING   work
      IN_SYNC     timer-10min  -                    SCANNING  scan
      IN_SYNC     failed       -                    BROKEN    halt note
      IN_SYNC     pause        -                    PAUSED    halt
      SYNCING     changed      -                    SCANNING  scan
      SYNCING     due          -                    =         work
      SYNCING     settled      !has_work            IN_SYNC   rest
      SYNCING     timer-10sec  -                    =         retry
      SYNCING     timer-10min  -                    SCANNING  scan
      SYNCING     failed       -                    BROKEN    halt note
      SYNCING     pause        -                    PAUSED    halt
      PAUSED      resume       -                    OPENING   open
      BROKEN      timer-10sec  -                    OPENING   open
      BROKEN      changed      -                    OPENING   open
      BROKEN      pause        -                    PAUSED    -
      *           stop         -                    CLOSED    halt
    """
    ignore = """
      AT_STARTUP  opened failed scanned changed due settled pause resume
      OPENING     start scanned changed due settled pause resume
      SCANNING    start opened changed due settled resume
      IN_SYNC     start opened scanned settled resume
      SYNCING     start opened scanned settled resume
      PAUSED      start opened failed scanned changed due settled pause
      BROKEN      start opened failed scanned due settled resume
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "failed"
    patient = ("SCANNING",)
    """A scan takes as long as there are files, and the folder can be paused meanwhile."""

    def __init__(self, registry: Registry, ident: str, port: FolderSyncPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        if event == "timer-10min" and self.state in ("IN_SYNC", "SYNCING"):
            return self._port.rescan_seconds()
        if event == "timer-10sec" and self.state == "SYNCING":
            return self._port.retry_seconds()
        return super().timer_seconds(event)

    def is_paused(self, payload: Any) -> bool:
        return self._port.is_paused()

    def has_more_to_look_at(self, payload: Any) -> bool:
        return self._port.has_more_to_look_at()

    def has_work(self, payload: Any) -> bool:
        return self._port.has_work()

    def open(self, payload: Any) -> None:
        self.watch(self._port.open(), "opened", "failed")

    def scan(self, payload: Any) -> None:
        self.watch(self._port.scan(), "scanned", "failed")

    def meet(self, payload: Any) -> None:
        self._port.meet()

    def work(self, payload: Any) -> None:
        self._port.work()

    def retry(self, payload: Any) -> None:
        self._port.retry()

    def rest(self, payload: Any) -> None:
        self._port.rest()

    def halt(self, payload: Any) -> None:
        self._port.halt()

    def note(self, payload: Any) -> None:
        self._port.note(payload or "the disk does not answer")

    def forgive(self, payload: Any) -> None:
        self._port.note(None)
