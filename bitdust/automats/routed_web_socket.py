"""The way of a companion through one router: found, asked for, and asked for again while it is wanted."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 600.0
PATIENCE = 3
"""Failures in a row after which another router is searched."""


class RoutedWebSocketPort(Protocol):
    """What the machine acts on; `bitdust.companions.routes` implements it for each way."""

    def find(self) -> "Deferred[Any]":
        """Find a router, the one of before where there was one; fails where there is none."""

    def ask(self) -> "Deferred[Any]":
        """Ask it for the way; fires with where companions connect."""

    def take(self, url: Any) -> None:
        """The way is open."""

    def lose(self) -> None:
        """It is not open any more."""

    def forget_router(self) -> None:
        """Take another one the next time."""

    def give_back(self) -> None:
        """Say to the router that nobody wants it any more."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""


class RoutedWebSocket(Machine):
    """A router forgets a way that is not asked for again within five minutes."""

    table = """
      # state      event         guard      next        actions
      AT_STARTUP   start         -          ROUTERS?    find
      ROUTERS?     found         -          WEB_SOCKET? ask
      ROUTERS?     not-found     -          PAUSE       count_failure
      ROUTERS?     timer-30sec   -          PAUSE       count_failure
      WEB_SOCKET?  accepted      -          READY       forget_failures take
      WEB_SOCKET?  refused       is_lasting PAUSE       lose forget_router forget_failures
      WEB_SOCKET?  refused       -          PAUSE       lose count_failure
      WEB_SOCKET?  timer-30sec   is_lasting PAUSE       lose forget_router forget_failures
      WEB_SOCKET?  timer-30sec   -          PAUSE       lose count_failure
      READY        timer-1min    -          WEB_SOCKET? ask
      READY        line-failed   -          WEB_SOCKET? ask
      PAUSE        timer-5sec    -          ROUTERS?    find
      PAUSE        network-back  -          ROUTERS?    forget_failures find
      *            stop          -          CLOSED      give_back
    """
    ignore = """
      AT_STARTUP   found not-found accepted refused line-failed network-back
      ROUTERS?     start accepted refused line-failed network-back
      WEB_SOCKET?  start found not-found line-failed network-back
      READY        start found not-found accepted refused network-back
      PAUSE        start found not-found accepted refused line-failed
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: RoutedWebSocketPort) -> None:
        self._port = port
        self.failures = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """Pauses after failures double up to ten minutes, and not all ask at the same time."""
        seconds = super().timer_seconds(event)
        if event == "timer-5sec":
            seconds = doubled(seconds, self.failures, LONGEST_PAUSE)
        return seconds if event == "timer-30sec" else seconds * (0.75 + 0.5 * self._port.jitter())

    def is_lasting(self, payload: Any) -> bool:
        return self.failures + 1 >= PATIENCE

    def find(self, payload: Any) -> None:
        self.watch(self._port.find(), "found", "not-found")

    def ask(self, payload: Any) -> None:
        self.watch(self._port.ask(), "accepted", "refused")

    def take(self, payload: Any) -> None:
        self._port.take(payload)

    def lose(self, payload: Any) -> None:
        self._port.lose()

    def forget_router(self, payload: Any) -> None:
        self._port.forget_router()

    def give_back(self, payload: Any) -> None:
        self._port.give_back()

    def count_failure(self, payload: Any) -> None:
        self.failures += 1

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
