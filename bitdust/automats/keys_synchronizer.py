"""Keeps my key ring the same here and at every supplier."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.kernel import Machine, Registry


class KeysSynchronizerPort(Protocol):
    """What the machine acts on; `bitdust.storage.log.keyring_replica.KeyRingReplicas` implements it."""

    def pull(self) -> "Deferred[Any]":
        """Ask suppliers for the ring that they keep, and merge it into mine.

        Fires with whether k suppliers were heard: then a ring that was called safe has been seen.
        """

    def push(self) -> None:
        """Bring my ring to suppliers that lack it, to those too that were given up on."""

    def is_safe(self) -> bool:
        """Whether enough suppliers hold my ring as it is."""

    def report_failed(self, reason: Any, /) -> None:
        """Too few suppliers were heard, for a reason that may be None."""

    def report_changed(self) -> None:
        """My ring is no longer what enough suppliers hold."""

    def report_synchronized(self) -> None:
        """Enough suppliers hold my ring."""


class KeysSynchronizer(Machine):
    """Pulls before it pushes: what another device added is merged, never overwritten."""

    table = """
      # state     event              guard         next      actions
      AT_STARTUP  start              -             RESTORE   pull
      RESTORE     merged             heard_enough  BACKUP    push check
      RESTORE     merged             -             NO_INFO   report_failed
      RESTORE     failed             -             NO_INFO   report_failed
      RESTORE     timer-2min         -             NO_INFO   report_failed
      NO_INFO     suppliers-changed  -             RESTORE   pull
      NO_INFO     keys-changed       -             RESTORE   pull
      NO_INFO     timer-15sec        -             RESTORE   pull
      BACKUP      acked              is_safe       IN_SYNC   report_synchronized
      BACKUP      keys-changed       -             RESTORE   pull
      BACKUP      suppliers-changed  -             =         push check
      BACKUP      timer-15sec        -             RESTORE   pull
      IN_SYNC     keys-changed       -             RESTORE   report_changed pull
      IN_SYNC     suppliers-changed  is_safe       =         push
      IN_SYNC     suppliers-changed  -             RESTORE   report_changed pull
      IN_SYNC     timer-1hour        -             RESTORE   pull
      *           shutdown           -             CLOSED    -
    """
    ignore = """
      AT_STARTUP  merged failed suppliers-changed keys-changed acked
      RESTORE     start suppliers-changed keys-changed acked
      NO_INFO     start merged failed acked
      BACKUP      start merged failed acked
      IN_SYNC     start merged failed acked
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: KeysSynchronizerPort) -> None:
        self._port = port
        super().__init__(registry)

    def heard_enough(self, payload: Any) -> bool:
        return bool(payload)

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def pull(self, payload: Any) -> None:
        self.watch(self._port.pull(), "merged", "failed")

    def push(self, payload: Any) -> None:
        self._port.push()

    def check(self, payload: Any) -> None:
        self.send("acked")

    def report_failed(self, payload: Any) -> None:
        self._port.report_failed(payload if isinstance(payload, Failure) else None)

    def report_changed(self, payload: Any) -> None:
        self._port.report_changed()

    def report_synchronized(self, payload: Any) -> None:
        self._port.report_synchronized()
