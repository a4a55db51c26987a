"""Says in the hash table, again and again, which blocks this node has for others."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 3600.0


class IpfsProviderPort(Protocol):
    """What the machine acts on; `bitdust.ipfs.providing.Providing` implements it."""

    def is_wanted(self) -> bool:
        """Whether anything is to be said."""

    def gather(self) -> "Deferred[Any]":
        """Find out of which blocks it is to be said now."""

    def has_next(self) -> bool:
        """Whether there are more of them."""

    def provide(self) -> "Deferred[Any]":
        """Say it of the next one."""

    def report(self, why: str) -> None:
        """All was said, or why not."""


class IpfsProvider(Machine):
    """RESTING means that all was said; what is new is said at once, everything again after half a day."""

    table = """
      # state     event         guard      next       actions
      OFF         changed       is_wanted  GATHERING  gather
      GATHERING   gathered      has_next   PROVIDING  provide
      GATHERING   gathered      -          RESTING    report_done
      GATHERING   failed        -          PAUSED     report_failure
      GATHERING   timer-10min   -          PAUSED     report_failure
      GATHERING   changed       is_wanted  GATHERING  gather
      GATHERING   changed       -          OFF        -
      PROVIDING   provided      has_next   PROVIDING  provide
      PROVIDING   provided      -          RESTING    report_done
      PROVIDING   failed        -          PAUSED     report_failure
      PROVIDING   timer-2min    -          PAUSED     report_failure
      PROVIDING   changed       is_wanted  GATHERING  gather
      PROVIDING   changed       -          OFF        -
      RESTING     changed       is_wanted  GATHERING  gather
      RESTING     changed       -          OFF        -
      RESTING     timer-12hour  -          GATHERING  gather
      PAUSED      changed       is_wanted  GATHERING  gather
      PAUSED      changed       -          OFF        -
      PAUSED      timer-30sec   -          GATHERING  gather
      *           stop          -          CLOSED     -
    """
    ignore = """
      OFF         changed gathered provided failed
      GATHERING   provided
      PROVIDING   gathered
      RESTING     gathered provided failed
      PAUSED      gathered provided failed
    """
    initial = "OFF"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: IpfsProviderPort) -> None:
        self._port = port
        self._failures = 0
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The pause after a failure doubles with each one in a row, up to an hour."""
        seconds = super().timer_seconds(event)
        return doubled(seconds, self._failures, LONGEST_PAUSE) if event == "timer-30sec" else seconds

    def is_wanted(self, payload: Any) -> bool:
        return self._port.is_wanted()

    def has_next(self, payload: Any) -> bool:
        return self._port.has_next()

    def gather(self, payload: Any) -> None:
        self.watch(self._port.gather(), "gathered", "failed")

    def provide(self, payload: Any) -> None:
        self.watch(self._port.provide(), "provided", "failed")

    def report_done(self, payload: Any) -> None:
        self._failures = 0
        self._port.report("")

    def report_failure(self, payload: Any) -> None:
        self._failures += 1
        self._port.report(payload.getErrorMessage() if payload is not None else "the hash table does not answer")
