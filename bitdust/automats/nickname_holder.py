"""Keeps my nickname in the hash table, at the first position that nobody else has."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled
from bitdust.wire.nicknames import POSITIONS

FREE, MINE, OTHERS = "free", "mine", "others"
"""What a position is found to be."""
LONGEST_PAUSE = 600.0


class NicknameHolderPort(Protocol):
    """What the machine acts on; `bitdust.people.names.holder` implements it."""

    def is_wanted(self) -> bool:
        """Whether a nickname is to be kept."""

    def is_same(self) -> bool:
        """Whether the nickname that is wanted is the one that was read last."""

    def read(self, position: int) -> "Deferred[str]":
        """What the position of the wanted nickname is: free, mine or others."""

    def write(self, position: int) -> "Deferred[bool]":
        """Bring my record there; fires with whether more nodes keep it than have somebody else's."""

    def erase(self) -> "Deferred[Any]":
        """Say at the position that was written last, if any, that I bear that nickname no more."""

    def report(self, position: int | None, why: str) -> None:
        """The nickname is kept at this position; None: at none, and why."""


class NicknameHolder(Machine):
    """READY means that the record is kept; every hour it is looked at and written again, at the same position."""

    table = """
      # state     event         guard      next       actions
      AT_STARTUP  set           is_wanted  DHT_READ   start_over read
      DHT_READ    read-ok       is_open    DHT_WRITE  write
      DHT_READ    read-ok       has_next   DHT_READ   next_position read
      DHT_READ    read-ok       -          PAUSED     report_taken start_over
      DHT_READ    read-failed   -          PAUSED     report_failure
      DHT_READ    timer-1min    -          PAUSED     report_failure
      DHT_READ    network-back  -          =          forget_failures
      DHT_READ    set           is_same    =          -
      DHT_READ    set           -          DHT_ERASE  erase
      DHT_WRITE   written       is_held    READY      report_position
      DHT_WRITE   written       has_next   DHT_READ   next_position read
      DHT_WRITE   written       -          PAUSED     report_taken start_over
      DHT_WRITE   write-failed  -          PAUSED     report_failure
      DHT_WRITE   timer-1min    -          PAUSED     report_failure
      DHT_WRITE   network-back  -          =          forget_failures
      DHT_WRITE   set           is_same    =          -
      DHT_WRITE   set           -          DHT_ERASE  erase
      READY       timer-1hour   -          DHT_READ   read
      READY       set           is_same    =          -
      READY       set           -          DHT_ERASE  erase
      PAUSED      timer-5sec    -          DHT_READ   read
      PAUSED      network-back  -          DHT_READ   read
      PAUSED      set           is_same    =          -
      PAUSED      set           -          DHT_ERASE  erase
      DHT_ERASE   erased        is_wanted  DHT_READ   start_over read
      DHT_ERASE   erased        -          AT_STARTUP -
      DHT_ERASE   erase-failed  is_wanted  DHT_READ   start_over read
      DHT_ERASE   erase-failed  -          AT_STARTUP -
      DHT_ERASE   timer-1min    is_wanted  DHT_READ   start_over read
      DHT_ERASE   timer-1min    -          AT_STARTUP -
      *           shutdown      -          CLOSED     -
    """
    ignore = """
      AT_STARTUP  set network-back read-ok read-failed written write-failed erased erase-failed
      DHT_READ    written write-failed erased erase-failed
      DHT_WRITE   read-ok read-failed erased erase-failed
      READY       network-back read-ok read-failed written write-failed erased erase-failed
      PAUSED      read-ok read-failed written write-failed erased erase-failed
      DHT_ERASE   set network-back read-ok read-failed written write-failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: NicknameHolderPort) -> None:
        self._port = port
        self._position = 0
        self._failures = 0
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause after a failure doubles with each one in a row, up to ten minutes."""
        seconds = super().timer_seconds(event)
        return doubled(seconds, self._failures, LONGEST_PAUSE) if event == "timer-5sec" else seconds

    def is_wanted(self, payload: Any) -> bool:
        return self._port.is_wanted()

    def is_same(self, payload: Any) -> bool:
        return self._port.is_same()

    def is_open(self, payload: Any) -> bool:
        return payload in (FREE, MINE)

    def is_held(self, payload: Any) -> bool:
        return bool(payload)

    def has_next(self, payload: Any) -> bool:
        return self._position + 1 < POSITIONS

    def start_over(self, payload: Any) -> None:
        self._position = 0

    def next_position(self, payload: Any) -> None:
        self._position += 1

    def read(self, payload: Any) -> None:
        self.watch(self._port.read(self._position), "read-ok", "read-failed")

    def write(self, payload: Any) -> None:
        self.watch(self._port.write(self._position), "written", "write-failed")

    def erase(self, payload: Any) -> None:
        self.watch(self._port.erase(), "erased", "erase-failed")

    def forget_failures(self, payload: Any) -> None:
        self._failures = 0

    def report_position(self, payload: Any) -> None:
        self._failures = 0
        self._port.report(self._position, "")

    def report_taken(self, payload: Any) -> None:
        self._failures += 1
        self._port.report(None, f"all {POSITIONS} positions of this nickname belong to others")

    def report_failure(self, payload: Any) -> None:
        self._failures += 1
        self._port.report(None, payload.getErrorMessage() if payload is not None else "the DHT does not answer")
