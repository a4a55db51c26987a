"""Makes the log of one key shorter: a snapshot behind it, then, when that is safe, the beginning there."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class CompactionPort(Protocol):
    """What the machine acts on; `bitdust.storage.log.compaction.LogCompaction` implements it."""

    def is_pending(self) -> bool:
        """Whether a snapshot was written with which the log does not begin yet."""

    def is_synchronized(self) -> bool:
        """Whether enough suppliers hold all logs to their ends."""

    def is_worth_it(self) -> bool:
        """Whether the log has grown enough since its last snapshot; reads through it."""

    def is_safe(self) -> bool:
        """Whether enough suppliers hold the pending snapshot to its end."""

    def write(self) -> "Deferred[Any]":
        """Write a snapshot behind the log."""

    def begin(self) -> "Deferred[Any]":
        """Let the log begin with the snapshot, and forget what was before it."""


class Compaction(Machine):
    """Each step may be the last one before a crash: the next start goes on with what is pending."""

    table = """
      # state     event        guard                        next       actions
      AT_STARTUP  start        is_pending                   PENDING    -
      AT_STARTUP  start        -                            IDLE       -
      IDLE        log-safe     is_synchronized&is_worth_it  WRITING    write
      IDLE        log-safe     is_synchronized              RESTING    -
      RESTING     timer-1min   -                            IDLE       -
      WRITING     written      -                            PENDING    -
      WRITING     failed       -                            RESTING    -
      WRITING     timer-1hour  -                            RESTING    -
      PENDING     log-safe     is_safe                      BEGINNING  begin
      PENDING     timer-10min  is_safe                      BEGINNING  begin
      BEGINNING   begun        -                            RESTING    -
      BEGINNING   failed       -                            PENDING    -
      BEGINNING   timer-1hour  -                            PENDING    -
      *           shutdown     -                            CLOSED     -
    """
    ignore = """
      AT_STARTUP  log-safe written begun failed
      IDLE        start log-safe written begun failed
      RESTING     start log-safe written begun failed
      WRITING     start log-safe begun
      PENDING     start log-safe written begun failed timer-10min
      BEGINNING   start log-safe written
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: CompactionPort, key: str) -> None:
        self._port = port
        super().__init__(registry, key)

    def is_pending(self, payload: Any) -> bool:
        return self._port.is_pending()

    def is_synchronized(self, payload: Any) -> bool:
        return self._port.is_synchronized()

    def is_worth_it(self, payload: Any) -> bool:
        return self._port.is_worth_it()

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def write(self, payload: Any) -> None:
        self.watch(self._port.write(), "written", "failed")

    def begin(self, payload: Any) -> None:
        self.watch(self._port.begin(), "begun", "failed")
