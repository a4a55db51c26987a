"""One collection of blocks that nobody needs: mark what is needed, sweep the rest, copy packs that are half empty."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class BlockCollectionPort(Protocol):
    """What the machine acts on; `bitdust.blocks.collecting.Collection` implements it. Everything is done in portions,
    between which others write."""

    def begin(self) -> "Deferred[Any]":
        """Find out what pins, roots and leases name."""

    def mark(self) -> "Deferred[Any]":
        """Follow some links; fires with whether all were followed."""

    def sweep(self) -> "Deferred[Any]":
        """Remove some of what was not reached; fires with a `Swept`."""

    def rewrite(self) -> "Deferred[Any]":
        """Copy some of a pack that is half empty; fires with whether that was all."""

    def ended(self, why: Any) -> None:
        """It is over; ``why`` is what went wrong, or None."""


class BlockCollection(Machine):
    """Needs nothing to be undone: what a run that was cut off has not removed is removed by the next."""

    table = """
      # state     event        guard      next       actions
      AT_STARTUP  start        -          BEGINNING  begin
      BEGINNING   begun        -          MARKING    mark
      MARKING     marked       is_all     SWEEPING   sweep
      MARKING     marked       -          MARKING    mark
      SWEEPING    swept        is_needed  MARKING    mark
      SWEEPING    swept        is_over    REWRITING  rewrite
      SWEEPING    swept        -          SWEEPING   sweep
      REWRITING   rewritten    is_all     DONE       report
      REWRITING   rewritten    -          REWRITING  rewrite
      BEGINNING   failed       -          FAILED     report
      BEGINNING   timer-10min  -          FAILED     report
      MARKING     failed       -          FAILED     report
      MARKING     timer-10min  -          FAILED     report
      SWEEPING    failed       -          FAILED     report
      SWEEPING    timer-10min  -          FAILED     report
      REWRITING   failed       -          FAILED     report
      REWRITING   timer-10min  -          FAILED     report
      *           stop         -          STOPPED    report
    """
    ignore = """
      AT_STARTUP  begun marked swept rewritten failed
      BEGINNING   start marked swept rewritten
      MARKING     start begun swept rewritten
      SWEEPING    start begun marked rewritten
      REWRITING   start begun marked swept
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "STOPPED")
    failure = "failed"

    def __init__(self, registry: Registry, port: BlockCollectionPort) -> None:
        self._port = port
        super().__init__(registry)

    def is_all(self, payload: Any) -> bool:
        return bool(payload)

    def is_needed(self, payload: Any) -> bool:
        return bool(payload.is_needed)

    def is_over(self, payload: Any) -> bool:
        return bool(payload.is_over)

    def begin(self, payload: Any) -> None:
        self.watch(self._port.begin(), "begun", "failed")

    def mark(self, payload: Any) -> None:
        self.watch(self._port.mark(), "marked", "failed")

    def sweep(self, payload: Any) -> None:
        self.watch(self._port.sweep(), "swept", "failed")

    def rewrite(self, payload: Any) -> None:
        self.watch(self._port.rewrite(), "rewritten", "failed")

    def report(self, payload: Any) -> None:
        why = {"DONE": None, "STOPPED": "it was stopped"}
        self._port.ended(why.get(self.state, payload or "it took too long"))
