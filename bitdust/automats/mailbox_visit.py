"""My mailbox at one node: what is in it is fetched, opened and stored, and only then deleted there."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

SHARE = 0.5
LONGEST_PAUSE = 900.0


class MailboxVisitPort(Protocol):
    """What the machine acts on; `bitdust.people.messages.visits` implements it for each mailbox."""

    def fetch(self) -> "Deferred[Any]":
        """Fetch the next of what is there; fires when it is here."""

    def found_nothing(self) -> bool:
        """Whether the mailbox had nothing more."""

    def take(self) -> "Deferred[Any]":
        """Open and store what was fetched; fires when that is on the disk."""

    def confirm(self) -> "Deferred[Any]":
        """Have the mailbox delete what was stored."""

    def has_more(self) -> bool:
        """Whether the mailbox has said that there is more, and something was taken."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""


class MailboxVisit(Machine):
    """Goes when it is called, and every quarter of an hour. What cannot be opened yet stays there.

    Whoever keeps it and has just come may not answer yet: after a failure it goes again soon.
    """

    table = """
      # state      event          guard          next        actions
      WAITING      go             -              FETCHING    fetch
      WAITING      timer-15min    -              FETCHING    fetch
      PAUSED       go             -              FETCHING    forget_failures fetch
      PAUSED       timer-20sec    -              FETCHING    fetch
      FETCHING     fetched        found_nothing  WAITING     forget_failures
      FETCHING     fetched        -              TAKING      take
      FETCHING     go             -              =           note_call
      FETCHING     not-fetched    -              PAUSED      count_failure
      FETCHING     timer-1min     -              PAUSED      count_failure
      TAKING       taken          -              CONFIRMING  confirm
      TAKING       go             -              =           note_call
      TAKING       not-taken      -              PAUSED      count_failure
      TAKING       timer-1min     -              PAUSED      count_failure
      CONFIRMING   confirmed      is_called      FETCHING    forget_call fetch
      CONFIRMING   confirmed      has_more       FETCHING    fetch
      CONFIRMING   confirmed      -              WAITING     forget_failures
      CONFIRMING   go             -              =           note_call
      CONFIRMING   not-confirmed  -              PAUSED      count_failure
      CONFIRMING   timer-1min     -              PAUSED      count_failure
      *            stop           -              CLOSED      -
    """
    ignore = """
      WAITING      fetched not-fetched taken not-taken confirmed not-confirmed
      PAUSED       fetched not-fetched taken not-taken confirmed not-confirmed
      FETCHING     taken not-taken confirmed not-confirmed
      TAKING       fetched not-fetched confirmed not-confirmed
      CONFIRMING   fetched not-fetched taken not-taken
    """
    initial = "WAITING"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: MailboxVisitPort) -> None:
        self._port = port
        self.called = False
        self.failures = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """Not all go at the same time; the pause after a failure doubles with each one."""
        seconds = super().timer_seconds(event)
        if event == "timer-20sec":
            seconds = doubled(seconds, self.failures, LONGEST_PAUSE)
        elif event != "timer-15min":
            return seconds
        return seconds * (1 - SHARE + 2 * SHARE * self._port.jitter())

    def found_nothing(self, payload: Any) -> bool:
        return self._port.found_nothing()

    def has_more(self, payload: Any) -> bool:
        return self._port.has_more()

    def is_called(self, payload: Any) -> bool:
        return self.called

    def fetch(self, payload: Any) -> None:
        self.watch(self._port.fetch(), "fetched", "not-fetched")

    def take(self, payload: Any) -> None:
        self.watch(self._port.take(), "taken", "not-taken")

    def confirm(self, payload: Any) -> None:
        self.watch(self._port.confirm(), "confirmed", "not-confirmed")

    def note_call(self, payload: Any) -> None:
        self.called = True
        self.failures = 0

    def count_failure(self, payload: Any) -> None:
        self.failures += 1

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0

    def forget_call(self, payload: Any) -> None:
        self.called = False
