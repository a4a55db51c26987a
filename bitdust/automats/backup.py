"""One upload: from a local path to a version that is safe with the suppliers."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class BackupPort(Protocol):
    """What the machine acts on; `bitdust.storage.upload.upload.Upload` implements it for each upload."""

    def scan_source(self) -> "Deferred[Any]":
        """Read the local path, and make items for what is new in it."""

    def read_more(self) -> "Deferred[bool]":
        """Read a window of bytes into packs; fires with whether there is more, when there is room for it."""

    def finish_packs(self) -> "Deferred[Any]":
        """Seal what is left; fires when all versions are in the log."""

    def is_safe(self) -> bool:
        """Whether enough suppliers have acknowledged pieces and log."""

    def done_safely(self) -> None:
        """The version is safe."""

    def report_waiting(self) -> None:
        """Say so where suppliers have taken nothing for long."""

    def aborted(self, reason: Any) -> None:
        """Report why there is no version; leave nothing half-made behind."""


class Backup(Machine):
    """Reads while packs are sealed and sent; ends when the version is safe."""

    table = """
      # state     event         guard     next     actions
      AT_STARTUP  start         -         SCAN     scan_source
      SCAN        scanned       -         READ     read_more
      READ        read-success  has_more  =        read_more
      READ        read-success  -         RAID     finish_packs
      READ        timer-10sec   -         =        report_waiting
      RAID        logged        is_safe   DONE     report_done
      RAID        logged        -         SENDING  -
      SENDING     progress      is_safe   DONE     report_done
      SENDING     timer-10sec   -         =        report_waiting
      *           fail          -         ABORTED  report_failure
      *           stop          -         ABORTED  report_failure
    """
    ignore = """
      AT_STARTUP  scanned read-success logged progress
      SCAN        start read-success logged progress
      READ        start scanned logged progress
      RAID        start scanned read-success progress
      SENDING     start scanned read-success logged progress
    """
    initial = "AT_STARTUP"
    final = ("DONE", "ABORTED")
    failure = "fail"
    # A tree may be large, a disk slow and suppliers absent for weeks; its user sees the progress, and may stop it.
    patient = ("SCAN", "RAID")

    def __init__(self, registry: Registry, ident: str, port: BackupPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def has_more(self, payload: Any) -> bool:
        return bool(payload)

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def scan_source(self, payload: Any) -> None:
        self.watch(self._port.scan_source(), "scanned", "fail")

    def read_more(self, payload: Any) -> None:
        self.watch(self._port.read_more(), "read-success", "fail")

    def finish_packs(self, payload: Any) -> None:
        self.watch(self._port.finish_packs(), "logged", "fail")

    def report_waiting(self, payload: Any) -> None:
        self._port.report_waiting()

    def report_done(self, payload: Any) -> None:
        self._port.done_safely()

    def report_failure(self, payload: Any) -> None:
        self._port.aborted(payload)
