"""One name of IPNS that this node has published: brought into the hash table, and again before it ends there."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 600.0


class IpnsPublicationPort(Protocol):
    """What the machine acts on; `bitdust.ipfs.names.publication.Publication` implements it."""

    def is_online(self) -> bool:
        """Whether other nodes are there to keep it."""

    def is_lasting(self) -> bool:
        """Whether what was published is to be found for longer than a renewal takes; else it ends as it was said to."""

    def period(self) -> float:
        """Seconds between two renewals."""

    def bring(self) -> "Deferred[Any]":
        """Sign it anew where that is due, and store it; fires when others keep it."""

    def report(self, why: str) -> None:
        """Others keep it, or ``why`` not."""


class IpnsPublication(Machine):
    """The value and its sequence are on the disk before anything of it leaves, so a new one only has to be brought."""

    table = """
      # state      event        guard       next       actions
      AT_STARTUP   publish      is_online   BRINGING   bring
      AT_STARTUP   publish      -           WAITING    report_offline
      AT_STARTUP   later        -           WAITING    -
      BRINGING     brought      -           PUBLISHED  report_brought
      BRINGING     failed       -           WAITING    report_failure
      BRINGING     timer-2min   -           WAITING    report_failure
      BRINGING     publish      -           BRINGING   bring
      BRINGING     later        -           WAITING    -
      PUBLISHED    timer-4hour  is_lasting  BRINGING   bring
      PUBLISHED    timer-4hour  -           ENDED      -
      PUBLISHED    publish      is_online   BRINGING   bring
      PUBLISHED    publish      -           WAITING    report_offline
      PUBLISHED    later        -           WAITING    -
      WAITING      timer-15sec  is_online   BRINGING   bring
      WAITING      online       -           BRINGING   bring
      WAITING      publish      is_online   BRINGING   bring
      WAITING      publish      -           =          report_offline
      *            stop         -           STOPPED    -
    """
    ignore = """
      AT_STARTUP  online brought failed
      BRINGING    online
      PUBLISHED   online brought failed
      WAITING     timer-15sec later brought failed
    """
    initial = "AT_STARTUP"
    final = ("ENDED", "STOPPED")
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: IpnsPublicationPort) -> None:
        self._port = port
        self._failures = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """Renewals come as often as a setting says; the pause after a failure doubles up to ten minutes."""
        seconds = super().timer_seconds(event)
        if event == "timer-4hour":
            return self._port.period()
        return doubled(seconds, self._failures, LONGEST_PAUSE) if event == "timer-15sec" else seconds

    def is_online(self, payload: Any) -> bool:
        return self._port.is_online()

    def is_lasting(self, payload: Any) -> bool:
        return self._port.is_lasting()

    def bring(self, payload: Any) -> None:
        self.watch(self._port.bring(), "brought", "failed")

    def report_brought(self, payload: Any) -> None:
        self._failures = 0
        self._port.report("")

    def report_failure(self, payload: Any) -> None:
        self._failures += 1
        self._port.report(payload.getErrorMessage() if payload is not None else "the DHT does not answer")

    def report_offline(self, payload: Any) -> None:
        self._port.report("no other node of the DHT is there")
