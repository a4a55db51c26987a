"""A spare brings one place of somebody's family back: its pieces are made again from those of the members."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class SpareRebuildPort(Protocol):
    """What the machine acts on; `bitdust.customers.healing.rebuild` implements it for each customer."""

    def is_certified(self) -> bool:
        """Whether the certificate still counts."""

    def prepare(self) -> "Deferred[Any]":
        """Show the certificate to members; take log, key ring, identity and family from them."""

    def rebuild(self) -> "Deferred[Any]":
        """Make every piece of the place that is missing; fires with how many could not be made."""

    def has_moved(self) -> bool:
        """Whether a piece was made since this was asked last."""

    def report_whole(self) -> None:
        """Everything that members have is here."""


class SpareRebuild(Machine):
    """PREPARING, REBUILDING, and WHOLE; PAUSED where not enough members answer, IDLE without a certificate."""

    table = """
      # state      event        guard         next        actions
      IDLE         check        is_certified  PREPARING   prepare
      IDLE         timer-1hour  is_certified  PREPARING   prepare
      PREPARING    prepared     -             REBUILDING  rebuild
      PREPARING    failed       -             PAUSED      -
      PREPARING    timer-5min   -             PAUSED      -
      REBUILDING   rebuilt      is_whole      WHOLE       report_whole
      REBUILDING   rebuilt      -             PAUSED      -
      REBUILDING   failed       -             PAUSED      -
      REBUILDING   timer-10min  has_moved     =           -
      REBUILDING   timer-10min  -             PAUSED      -
      PAUSED       timer-1min   is_certified  PREPARING   prepare
      PAUSED       timer-1min   -             IDLE        -
      WHOLE        timer-1day   -             IDLE        check
      *            shutdown     -             CLOSED      -
    """
    ignore = """
      IDLE         check timer-1hour prepared rebuilt failed
      PREPARING    check rebuilt
      REBUILDING   check prepared
      PAUSED       check prepared rebuilt failed
      WHOLE        check prepared rebuilt failed
    """
    initial = "IDLE"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: SpareRebuildPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_certified(self, payload: Any) -> bool:
        return self._port.is_certified()

    def is_whole(self, payload: Any) -> bool:
        return bool(payload == 0)

    def has_moved(self, payload: Any) -> bool:
        return self._port.has_moved()

    def prepare(self, payload: Any) -> None:
        self.watch(self._port.prepare(), "prepared", "failed")

    def rebuild(self, payload: Any) -> None:
        self.watch(self._port.rebuild(), "rebuilt", "failed")

    def report_whole(self, payload: Any) -> None:
        self._port.report_whole()

    def check(self, payload: Any) -> None:
        self.send("check")
