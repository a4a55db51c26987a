"""Keeps my catalog's log the same here and at every supplier."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IndexSynchronizerPort(Protocol):
    """What the machine acts on; `bitdust.storage.log.replicas.LogReplicas` implements it."""

    def pull(self) -> "Deferred[Any]":
        """Ask suppliers for heads and take over entries that are not known here; fires with a `Pulled`."""

    def ask_who_came(self) -> None:
        """Find out what those hold who came while others were asked."""

    def place(self) -> None:
        """Bring the logs to the suppliers of today, to those too that were given up on."""

    def push(self) -> None:
        """Bring new entries to suppliers that lack them."""

    def start_over(self) -> "Deferred[Any]":
        """Have the catalog built again from the suppliers."""

    def is_safe(self) -> bool:
        """Whether enough suppliers hold my log to its end."""

    def report(self, synchronized: bool, reason: Any) -> None:
        """Tell that the state changed."""


class Pulled(Protocol):
    """How a comparison with the suppliers ended."""

    @property
    def heard_enough(self) -> bool:
        """Whether k suppliers were heard: then every entry that was called safe has been seen."""

    @property
    def is_outdated(self) -> bool:
        """Whether other devices have forgotten what this node has still to read."""


class IndexSynchronizer(Machine):
    """Pulls first: what another device wrote is merged before anything new is sent.

    An outdated catalog brings its own entries to safety, and is then built again.
    """

    table = """
      # state        event              guard         next           actions
      AT_STARTUP     start              -             REQUEST?       pull
      REQUEST?       merged             is_outdated   OUTDATED       place check
      REQUEST?       merged             heard_enough  SENDING        place ask_who_came check
      REQUEST?       merged             somebody_came REQUEST?       pull
      REQUEST?       merged             -             NO_INFO        report_no_info
      REQUEST?       failed             somebody_came REQUEST?       pull
      REQUEST?       failed             -             NO_INFO        report_no_info
      REQUEST?       suppliers-changed  -             =              remember
      REQUEST?       timer-15min        -             NO_INFO        report_no_info
      NO_INFO        suppliers-changed  -             REQUEST?       pull
      NO_INFO        pull               -             REQUEST?       pull
      NO_INFO        timer-1min         -             REQUEST?       pull
      SENDING        acked              is_safe       IN_SYNC!       report_in_sync
      SENDING        new-entry          -             =              push
      SENDING        suppliers-changed  -             =              place check
      SENDING        pull               -             REQUEST?       pull
      SENDING        timer-5min         -             REQUEST?       pull
      IN_SYNC!       new-entry          -             SENDING        push
      IN_SYNC!       suppliers-changed  is_safe       =              place
      IN_SYNC!       suppliers-changed  -             SENDING        place report_sending
      IN_SYNC!       pull               -             REQUEST?       pull
      IN_SYNC!       timer-5min         -             REQUEST?       pull
      OUTDATED       acked              is_safe       STARTING_OVER  start_over
      OUTDATED       new-entry          -             =              push
      OUTDATED       suppliers-changed  -             =              place check
      OUTDATED       timer-5min         -             =              place check
      STARTING_OVER  started-over       -             CLOSED         -
      STARTING_OVER  failed             -             OUTDATED       -
      STARTING_OVER  timer-5min         -             OUTDATED       -
      *              shutdown           -             CLOSED         -
    """
    ignore = """
      AT_STARTUP     merged failed suppliers-changed pull acked new-entry started-over
      REQUEST?       start pull acked new-entry started-over
      NO_INFO        start merged failed acked new-entry started-over
      SENDING        start merged failed acked started-over
      IN_SYNC!       start merged failed acked started-over
      OUTDATED       start merged failed acked pull started-over
      STARTING_OVER  start merged suppliers-changed pull acked new-entry
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: IndexSynchronizerPort) -> None:
        self._port = port
        self._somebody_came = False
        super().__init__(registry)

    def somebody_came(self, payload: Any) -> bool:
        """Whether a supplier came that was not there when the others were asked."""
        return self._somebody_came

    def remember(self, payload: Any) -> None:
        self._somebody_came = True

    def heard_enough(self, payload: Pulled) -> bool:
        return payload.heard_enough

    def is_outdated(self, payload: Pulled) -> bool:
        return payload.is_outdated

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def pull(self, payload: Any) -> None:
        self._somebody_came = False
        self.watch(self._port.pull(), "merged", "failed")

    def place(self, payload: Any) -> None:
        self._port.place()

    def ask_who_came(self, payload: Any) -> None:
        self._port.ask_who_came()

    def push(self, payload: Any) -> None:
        self._port.push()

    def check(self, payload: Any) -> None:
        self.send("acked")

    def start_over(self, payload: Any) -> None:
        self.watch(self._port.start_over(), "started-over", "failed")

    def report_no_info(self, payload: Any) -> None:
        self._port.report(False, payload)

    def report_sending(self, payload: Any) -> None:
        self._port.report(False, None)

    def report_in_sync(self, payload: Any) -> None:
        self._port.report(True, None)
