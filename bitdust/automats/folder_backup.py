"""One folder is kept at my suppliers: what they have of it is read, then new chunks go there, then its list."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 3600.0
READ_AGAIN = 3600.0
"""Seconds after which it is read again what suppliers have."""


class FolderBackupPort(Protocol):
    """What the machine acts on; `bitdust.folders.backup.copy.SupplierCopy` implements it."""

    def can_keep(self) -> bool:
        """Whether suppliers take something now, and the folder is open."""

    def read(self) -> "Deferred[Any]":
        """Take over what suppliers hold of the folder and this node does not know."""

    def gather(self) -> "Deferred[Any]":
        """Put chunks together that suppliers have not; fires with whether there were any."""

    def upload(self) -> "Deferred[Any]":
        """Bring them to the suppliers."""

    def is_untold(self) -> bool:
        """Whether suppliers have an older list of the folder."""

    def tell(self) -> "Deferred[Any]":
        """Bring the list there, and remove what nobody needs any more."""

    def is_behind(self) -> bool:
        """Whether the folder has changed since it was looked at."""

    def give_up(self, why: Any) -> None:
        """Something went wrong: what was begun is begun again later."""


class FolderBackup(Machine):
    """Chunks go before the list that names them, so that suppliers never hold a list of what they have not."""

    table = """
      # state     event        guard      next       actions
      AT_STARTUP  start        can_keep   READING    read
      AT_STARTUP  start        -          WAITING    -
      WAITING     suppliers    can_keep   READING    read
      WAITING     timer-1min   can_keep   READING    read
      READING     done         -          GATHERING  gather
      READING     timer-6hour  -          WAITING    give_up
      GATHERING   gathered     is_built   UPLOADING  upload
      GATHERING   gathered     is_untold  TELLING    tell
      GATHERING   gathered     -          KEPT       forget_failures
      GATHERING   timer-1hour  -          WAITING    give_up
      UPLOADING   done         -          GATHERING  gather
      UPLOADING   timer-6hour  -          WAITING    give_up
      TELLING     done         -          KEPT       forget_failures
      TELLING     timer-1hour  -          WAITING    give_up
      KEPT        timer-1min   is_old     READING    read
      KEPT        timer-1min   is_behind  GATHERING  gather
      *           failed       -          WAITING    give_up
      *           stop         -          STOPPED    -
    """
    ignore = """
      AT_STARTUP  done gathered suppliers
      WAITING     start done gathered suppliers timer-1min
      READING     start gathered suppliers
      GATHERING   start done suppliers
      UPLOADING   start gathered suppliers
      TELLING     start gathered suppliers
      KEPT        start done gathered suppliers timer-1min
    """
    initial = "AT_STARTUP"
    final = ("STOPPED",)
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: FolderBackupPort) -> None:
        self._port = port
        self._read_at = 0.0
        self.failures = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """Pauses after failures double up to an hour."""
        seconds = super().timer_seconds(event)
        if event == "timer-1min" and self.state == "WAITING":
            return doubled(seconds, self.failures, LONGEST_PAUSE)
        return seconds

    def can_keep(self, payload: Any) -> bool:
        return self._port.can_keep()

    def is_built(self, payload: Any) -> bool:
        return bool(payload)

    def is_untold(self, payload: Any) -> bool:
        return self._port.is_untold()

    def is_old(self, payload: Any) -> bool:
        """Whether other devices may have brought something since it was read; however often this folder changes."""
        return self._registry.clock.seconds() - self._read_at >= READ_AGAIN

    def is_behind(self, payload: Any) -> bool:
        return self._port.is_behind()

    def read(self, payload: Any) -> None:
        self._read_at = self._registry.clock.seconds()
        self.watch(self._port.read(), "done", "failed")

    def gather(self, payload: Any) -> None:
        self.watch(self._port.gather(), "gathered", "failed")

    def upload(self, payload: Any) -> None:
        self.watch(self._port.upload(), "done", "failed")

    def tell(self, payload: Any) -> None:
        self.watch(self._port.tell(), "done", "failed")

    def give_up(self, payload: Any) -> None:
        self.failures += 1
        self._port.give_up(payload or "it took too long")

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
