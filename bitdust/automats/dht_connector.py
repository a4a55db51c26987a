"""Whether this node is in the distributed hash table, alone with itself, or not there at all."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class DHTPort(Protocol):
    """What the machine acts on; `bitdust.dht.node.DHTNode` implements it."""

    def join(self) -> "Deferred[int]":
        """Find other nodes; fires with the number of contacts."""

    def leave(self) -> None:
        """Close the socket and forget who was there."""

    def knows_others(self) -> bool:
        """Whether any other node is known to live."""

    def knows_entry(self) -> bool:
        """Whether there is anybody to ask: seeds, or contacts of the last time."""

    def report(self, state: str) -> None:
        """Report the state to the rest of the program."""

    def jitter(self, seconds: float) -> float:
        """Seconds, a little more or less, so that not all nodes come at the same moment."""


class DHTConnector(Machine):
    """Joins, notices when everybody is gone, and joins again."""

    table = """
      # state    event             guard          next       actions
      OFFLINE    start             -              BOOTSTRAP  join
      BOOTSTRAP  joined            knows_others   CONNECTED  report_connected
      BOOTSTRAP  joined            -              ALONE      report_alone
      BOOTSTRAP  join-failed       -              ALONE      report_alone
      BOOTSTRAP  timer-1min        -              ALONE      report_alone
      BOOTSTRAP  stop              -              OFFLINE    leave report_offline
      ALONE      contacts-changed  knows_others   CONNECTED  report_connected
      ALONE      timer-4sec        knows_entry    BOOTSTRAP  join
      ALONE      stop              -              OFFLINE    leave report_offline
      CONNECTED  contacts-changed  !knows_others  BOOTSTRAP  join
      CONNECTED  stop              -              OFFLINE    leave report_offline
      *          shutdown          -              CLOSED     leave
    """
    ignore = """
      OFFLINE     contacts-changed joined join-failed stop
      BOOTSTRAP   contacts-changed start
      ALONE       contacts-changed timer-4sec start joined join-failed
      CONNECTED   contacts-changed start joined join-failed
    """
    initial = "OFFLINE"
    final = ("CLOSED",)
    failure = "join-failed"

    def __init__(self, registry: Registry, port: DHTPort) -> None:
        self.port = port
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """With jitter, so that a whole network does not ask its seeds in one moment."""
        return self.port.jitter(super().timer_seconds(event))

    def knows_others(self, payload: Any) -> bool:
        """Somebody answers."""
        return self.port.knows_others()

    def knows_entry(self, payload: Any) -> bool:
        """There is somebody to ask."""
        return self.port.knows_entry()

    def join(self, payload: Any) -> None:
        """Join."""
        self.watch(self.port.join(), "joined", "join-failed")

    def leave(self, payload: Any) -> None:
        """Go."""
        self.port.leave()

    def report_connected(self, payload: Any) -> None:
        """There are others."""
        self.port.report("CONNECTED")

    def report_alone(self, payload: Any) -> None:
        """There is nobody else."""
        self.port.report("ALONE")

    def report_offline(self, payload: Any) -> None:
        """The socket is closed."""
        self.port.report("OFFLINE")
