"""My prekeys: renewed every week, left where others find them, so that they may write to me while I am away."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry

LONGEST_PAUSE = 3600.0


class PrekeyKeeperPort(Protocol):
    """What the machine acts on; `bitdust.people.messages.upkeep` implements it."""

    def is_due(self) -> bool:
        """Whether there is no signed prekey to show, or it is a week old."""

    def make(self) -> "Deferred[Any]":
        """Make another signed prekey; fires when it is on the disk."""

    def leave(self) -> "Deferred[Any]":
        """Open my mailboxes and leave one-time prekeys there; fires when it is known who keeps one."""

    def publish(self) -> "Deferred[Any]":
        """Store the record in the DHT: the signed prekey, and where the mailboxes are."""


class PrekeyKeeper(Machine):
    """Nobody is named as a keeper of a mailbox before it has said that it keeps one."""

    table = """
      # state      event            guard   next        actions
      OFF          start            is_due  MAKING      make
      OFF          start            -       LEAVING     leave
      MAKING       made             -       LEAVING     leave
      MAKING       not-made         -       STALE       count_failure
      MAKING       timer-60sec      -       STALE       count_failure
      LEAVING      left             -       PUBLISHING  publish
      LEAVING      not-left         -       STALE       count_failure
      LEAVING      timer-60sec      -       STALE       count_failure
      PUBLISHING   published        -       FRESH       forget_failures
      PUBLISHING   not-published    -       STALE       count_failure
      PUBLISHING   timer-60sec      -       STALE       count_failure
      FRESH        keepers-changed  -       LEAVING     leave
      FRESH        timer-1hour      is_due  MAKING      make
      FRESH        timer-24hour     -       LEAVING     leave
      STALE        keepers-changed  is_due  MAKING      make
      STALE        keepers-changed  -       LEAVING     leave
      STALE        timer-1min       is_due  MAKING      make
      STALE        timer-1min       -       LEAVING     leave
      *            stop             -       CLOSED      -
    """
    ignore = """
      OFF          made not-made left not-left published not-published keepers-changed
      MAKING       start left not-left published not-published keepers-changed
      LEAVING      start made not-made published not-published keepers-changed
      PUBLISHING   start made not-made left not-left keepers-changed
      FRESH        start made not-made left not-left published not-published timer-1hour
      STALE        start made not-made left not-left published not-published
    """
    initial = "OFF"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: PrekeyKeeperPort) -> None:
        self._port = port
        self.failures = 0
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """Pauses after failures double up to an hour."""
        seconds = super().timer_seconds(event)
        return min(LONGEST_PAUSE, seconds * 2.0 ** min(self.failures, 10)) if event == "timer-1min" else seconds

    def is_due(self, payload: Any) -> bool:
        return self._port.is_due()

    def make(self, payload: Any) -> None:
        self.watch(self._port.make(), "made", "not-made")

    def leave(self, payload: Any) -> None:
        self.watch(self._port.leave(), "left", "not-left")

    def publish(self, payload: Any) -> None:
        self.watch(self._port.publish(), "published", "not-published")

    def count_failure(self, payload: Any) -> None:
        self.failures += 1

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
