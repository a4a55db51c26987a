"""My prekeys: renewed every week, left where others find them, so that they may write to me while I am away."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 3600.0
SOON = 20.0
"""Seconds until those are asked again who might keep a mailbox, while too few do; they double up to ten minutes."""


class PrekeyKeeperPort(Protocol):
    """What the machine acts on; `bitdust.people.messages.upkeep` implements it."""

    def is_due(self) -> bool:
        """Whether there is no signed prekey to show, or it is a week old."""

    def is_short(self) -> bool:
        """Whether others might keep a mailbox, and too few do."""

    def is_shown(self) -> bool:
        """Whether the DHT has all that is to be shown, and not for long."""

    def make(self) -> "Deferred[Any]":
        """Make another signed prekey; fires when it is on the disk."""

    def leave(self) -> "Deferred[Any]":
        """Open my mailboxes and leave one-time prekeys there; fires when it is known who keeps one."""

    def publish(self) -> "Deferred[Any]":
        """Store the record in the DHT: the signed prekey, and where the mailboxes are."""


class PrekeyKeeper(Machine):
    """Nobody is named as a keeper of a mailbox before it has said that it keeps one. Whoever comes and says so while
    too few do is named at once; the others are left alone."""

    table = """
      # state      event            guard   next        actions
      OFF          start            is_due  MAKING      make
      OFF          start            -       LEAVING     leave
      MAKING       made             -       LEAVING     leave
      MAKING       not-made         -       STALE       count_failure
      MAKING       timer-60sec      -       STALE       count_failure
      LEAVING      left             shown   FRESH       forget_failures
      LEAVING      left             -       PUBLISHING  publish
      LEAVING      keepers-changed  -       =           note_change
      LEAVING      keeper-came      -       =           note_change
      LEAVING      not-left         -       STALE       count_failure
      LEAVING      timer-60sec      -       STALE       count_failure
      PUBLISHING   published        changed LEAVING     forget_change leave
      PUBLISHING   published        -       FRESH       forget_failures
      PUBLISHING   keepers-changed  -       =           note_change
      PUBLISHING   keeper-came      -       =           note_change
      PUBLISHING   not-published    changed LEAVING     forget_change leave
      PUBLISHING   not-published    -       STALE       count_failure
      PUBLISHING   timer-60sec      -       STALE       count_failure
      FRESH        keepers-changed  -       LEAVING     forget_rounds leave
      FRESH        keeper-came      -       PUBLISHING  publish
      FRESH        timer-10min      is_due  MAKING      make
      FRESH        timer-10min      short   LEAVING     count_round leave
      FRESH        timer-10min      -       =           forget_rounds
      FRESH        timer-24hour     -       LEAVING     leave
      STALE        keepers-changed  is_due  MAKING      forget_failures make
      STALE        keepers-changed  -       LEAVING     forget_failures leave
      STALE        keeper-came      is_due  MAKING      make
      STALE        keeper-came      -       PUBLISHING  publish
      STALE        timer-1min       is_due  MAKING      make
      STALE        timer-1min       -       LEAVING     leave
      *            stop             -       CLOSED      -
    """
    ignore = """
      OFF          made not-made left not-left published not-published keepers-changed keeper-came
      MAKING       start left not-left published not-published keepers-changed keeper-came
      LEAVING      start made not-made published not-published
      PUBLISHING   start made not-made left not-left
      FRESH        start made not-made left not-left published not-published
      STALE        start made not-made left not-left published not-published
    """
    initial = "OFF"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: PrekeyKeeperPort) -> None:
        self._port = port
        self.failures = 0
        self.rounds = 0
        self.has_changed = False
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """Pauses after failures double up to an hour, and those while too few keep a mailbox up to ten minutes."""
        seconds = super().timer_seconds(event)
        if event == "timer-10min" and self._port.is_short():
            return doubled(SOON, self.rounds, seconds)
        return doubled(seconds, self.failures, LONGEST_PAUSE) if event == "timer-1min" else seconds

    def is_due(self, payload: Any) -> bool:
        return self._port.is_due()

    def short(self, payload: Any) -> bool:
        return self._port.is_short()

    def shown(self, payload: Any) -> bool:
        return not self.has_changed and self._port.is_shown()

    def changed(self, payload: Any) -> bool:
        return self.has_changed

    def make(self, payload: Any) -> None:
        self.watch(self._port.make(), "made", "not-made")

    def leave(self, payload: Any) -> None:
        self.watch(self._port.leave(), "left", "not-left")

    def publish(self, payload: Any) -> None:
        self.watch(self._port.publish(), "published", "not-published")

    def note_change(self, payload: Any) -> None:
        self.has_changed = True

    def forget_change(self, payload: Any) -> None:
        self.has_changed = False

    def count_round(self, payload: Any) -> None:
        self.rounds += 1

    def forget_rounds(self, payload: Any) -> None:
        self.rounds = 0

    def count_failure(self, payload: Any) -> None:
        self.failures += 1

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
