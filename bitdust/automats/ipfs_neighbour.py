"""A peer that takes part in topics of IPFS with this node: it is told my topics, and brought messages."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IpfsNeighbourPort(Protocol):
    """What the machine acts on; `bitdust.ipfs.pubsub.neighbour.Neighbour` implements it."""

    def greet(self) -> "Deferred[Any]":
        """Tell my topics; fires when those of the peer are known."""

    def is_stale(self) -> bool:
        """Whether my topics are others than those that were told."""

    def has_next(self) -> bool:
        """Whether a message waits."""

    def send(self) -> "Deferred[Any]":
        """Bring the oldest ones."""

    def is_refusal(self, failure: Any) -> bool:
        """Whether the peer wants no part in it."""

    def leave(self) -> None:
        """It is no neighbour any more."""


class IpfsNeighbour(Machine):
    """A few messages at a time go to it: who is slow delays nobody else, and what waits too long is dropped."""

    table = """
      # state     event        guard       next      actions
      AT_STARTUP  start        -           GREETING  greet
      GREETING    greeted      is_stale    GREETING  greet
      GREETING    greeted      has_next    SENDING   send_next
      GREETING    greeted      -           IDLE      -
      GREETING    failed       is_refusal  GONE      leave
      GREETING    failed       -           PAUSED    -
      GREETING    timer-30sec  -           PAUSED    -
      IDLE        changed      -           GREETING  greet
      IDLE        queued       -           SENDING   send_next
      SENDING     sent         is_stale    GREETING  greet
      SENDING     sent         has_next    SENDING   send_next
      SENDING     sent         -           IDLE      -
      SENDING     failed       is_refusal  GONE      leave
      SENDING     failed       -           PAUSED    -
      SENDING     timer-30sec  -           PAUSED    -
      PAUSED      timer-5sec   -           GREETING  greet
      *           stop         -           GONE      leave
    """
    ignore = """
      AT_STARTUP  greeted sent failed changed queued
      GREETING    start sent changed queued
      IDLE        start greeted sent failed
      SENDING     start greeted changed queued
      PAUSED      start greeted sent failed changed queued
    """
    initial = "AT_STARTUP"
    final = ("GONE",)
    failure = "failed"

    def __init__(self, registry: Registry, name: str, port: IpfsNeighbourPort) -> None:
        self._port = port
        super().__init__(registry, name)

    def is_stale(self, payload: Any) -> bool:
        return self._port.is_stale()

    def has_next(self, payload: Any) -> bool:
        return self._port.has_next()

    def is_refusal(self, payload: Any) -> bool:
        return self._port.is_refusal(payload)

    def greet(self, payload: Any) -> None:
        self.watch(self._port.greet(), "greeted", "failed")

    def send_next(self, payload: Any) -> None:
        self.watch(self._port.send(), "sent", "failed")

    def leave(self, payload: Any) -> None:
        self._port.leave()
