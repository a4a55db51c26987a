"""Keeps my catalog's log the same here and at every supplier."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IndexSynchronizerPort(Protocol):
    """What the machine acts on; `bitdust.storage.log.replica.Index` implements it."""

    def pull(self) -> "Deferred[Any]":
        """Ask suppliers for heads and take over entries that are not known here."""

    def heard_enough(self) -> bool:
        """Whether k suppliers were heard: then every entry that was called safe has been seen."""

    def push(self) -> None:
        """Bring entries to suppliers that lack them."""

    def is_safe(self) -> bool:
        """Whether enough suppliers hold my log to its end."""

    def report(self, synchronized: bool, reason: Any) -> None:
        """Tell that the state changed."""


class IndexSynchronizer(Machine):
    """Pulls first: what another device wrote is merged before anything new is sent."""

    table = """
      # state     event              guard         next      actions
      AT_STARTUP  start              -             REQUEST?  pull
      REQUEST?    merged             heard_enough  SENDING   push check
      REQUEST?    merged             -             NO_INFO   report_no_info
      REQUEST?    failed             -             NO_INFO   report_no_info
      NO_INFO     suppliers-changed  -             REQUEST?  pull
      NO_INFO     pull               -             REQUEST?  pull
      NO_INFO     timer-1min         -             REQUEST?  pull
      SENDING     acked              is_safe       IN_SYNC!  report_in_sync
      SENDING     acked              -             =         -
      SENDING     new-entry          -             =         push
      SENDING     suppliers-changed  -             =         push check
      SENDING     pull               -             REQUEST?  pull
      SENDING     timer-15sec        -             =         push
      IN_SYNC!    new-entry          -             SENDING   push
      IN_SYNC!    suppliers-changed  is_safe       =         push
      IN_SYNC!    suppliers-changed  -             SENDING   push report_sending
      IN_SYNC!    pull               -             REQUEST?  pull
      IN_SYNC!    timer-5min         -             REQUEST?  pull
      *           shutdown           -             CLOSED    -
    """
    ignore = """
      AT_STARTUP  merged failed suppliers-changed pull acked new-entry
      REQUEST?    start suppliers-changed pull acked new-entry
      NO_INFO     start merged failed acked new-entry
      SENDING     start merged failed
      IN_SYNC!    start merged failed acked
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: IndexSynchronizerPort) -> None:
        self._port = port
        super().__init__(registry)

    def heard_enough(self, payload: Any) -> bool:
        return self._port.heard_enough()

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def pull(self, payload: Any) -> None:
        self.watch(self._port.pull(), "merged", "failed")

    def push(self, payload: Any) -> None:
        self._port.push()

    def check(self, payload: Any) -> None:
        self.send("acked")

    def report_no_info(self, payload: Any) -> None:
        self._port.report(False, payload)

    def report_sending(self, payload: Any) -> None:
        self._port.report(False, None)

    def report_in_sync(self, payload: Any) -> None:
        self._port.report(True, None)
