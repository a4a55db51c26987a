"""Brings what waits for one device to it: over a session with it, or to the mailboxes that it has named.

One machine a device, not one a message: what a message costs does not depend on how many wait.
"""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 3600.0


class MessageCourierPort(Protocol):
    """What the machine acts on; `bitdust.people.messages.couriers` implements it for each device."""

    def call(self) -> "Deferred[Any]":
        """Find or dial the device; fires when there is a session with it."""

    def prepare(self) -> "Deferred[Any]":
        """Seal what is not sealed yet, with the device's prekeys where a new session has to begin."""

    def send(self) -> "Deferred[Any]":
        """Send the next of what is sealed; fires when the device has answered and that is noted."""

    def deposit(self) -> "Deferred[Any]":
        """Bring the next of what is sealed to the device's mailboxes; fires when they have it."""

    def is_connected(self) -> bool:
        """Whether there is a session with the device."""

    def has_unsealed(self) -> bool:
        """Whether something waits that is not sealed yet."""

    def has_unsent(self) -> bool:
        """Whether something sealed waits that was not sent over this session yet."""

    def has_undeposited(self) -> bool:
        """Whether something sealed waits that no mailbox has."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""


class MessageCourier(Machine):
    """What is acknowledged by the device itself is done; what mailboxes have is sent again when the device is there.

    Who comes may not take messages yet: whatever failed before, pauses begin anew.
    """

    table = """
      # state      event         guard            next        actions
      RESTING      work          -                CALLING     call
      CALLING      online        -                =           forget_failures
      CALLING      called        has_unsealed     PREPARING   prepare
      CALLING      called        -                SENDING     send_next
      CALLING      not-called    has_unsealed     PREPARING   prepare
      CALLING      not-called    has_undeposited  DEPOSITING  deposit
      CALLING      not-called    -                AWAY        -
      CALLING      timer-30sec   has_unsealed     PREPARING   prepare
      CALLING      timer-30sec   has_undeposited  DEPOSITING  deposit
      CALLING      timer-30sec   -                AWAY        -
      PREPARING    online        -                =           forget_failures
      PREPARING    prepared      is_connected     SENDING     send_next
      PREPARING    prepared      has_undeposited  DEPOSITING  deposit
      PREPARING    prepared      -                AWAY        -
      PREPARING    not-prepared  -                AWAY        count_failure
      PREPARING    timer-60sec   -                AWAY        count_failure
      SENDING      sent          has_unsealed     PREPARING   prepare
      SENDING      sent          has_unsent       SENDING     forget_failures send_next
      SENDING      sent          -                RESTING     forget_failures
      SENDING      not-sent      has_undeposited  DEPOSITING  deposit
      SENDING      not-sent      -                AWAY        count_failure
      SENDING      timer-60sec   has_undeposited  DEPOSITING  deposit
      SENDING      timer-60sec   -                AWAY        count_failure
      DEPOSITING   online        -                =           forget_failures
      DEPOSITING   deposited     has_unsealed     PREPARING   prepare
      DEPOSITING   deposited     has_undeposited  DEPOSITING  deposit
      DEPOSITING   deposited     -                AWAY        count_failure
      DEPOSITING   not-deposited -                AWAY        count_failure
      DEPOSITING   timer-60sec   -                AWAY        count_failure
      AWAY         online        -                CALLING     forget_failures call
      AWAY         work          has_unsealed     PREPARING   prepare
      AWAY         work          has_undeposited  DEPOSITING  deposit
      AWAY         timer-5sec    -                CALLING     call
      *            stop          -                CLOSED      -
    """
    ignore = """
      RESTING      online called not-called prepared not-prepared sent not-sent deposited not-deposited
      CALLING      work prepared not-prepared sent not-sent deposited not-deposited
      PREPARING    work called not-called sent not-sent deposited not-deposited
      SENDING      work online called not-called prepared not-prepared deposited not-deposited
      DEPOSITING   work called not-called prepared not-prepared sent not-sent
      AWAY         work called not-called prepared not-prepared sent not-sent deposited not-deposited
    """
    initial = "RESTING"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: MessageCourierPort) -> None:
        self._port = port
        self.failures = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause of `AWAY` doubles up to an hour, half of it by chance."""
        if event == "timer-5sec":
            pause = doubled(FIRST_PAUSE, self.failures, LONGEST_PAUSE)
            return pause * (0.5 + self._port.jitter())
        return super().timer_seconds(event)

    def is_connected(self, payload: Any) -> bool:
        return self._port.is_connected()

    def has_unsealed(self, payload: Any) -> bool:
        return self._port.has_unsealed()

    def has_unsent(self, payload: Any) -> bool:
        return self._port.has_unsent()

    def has_undeposited(self, payload: Any) -> bool:
        return self._port.has_undeposited()

    def call(self, payload: Any) -> None:
        self.watch(self._port.call(), "called", "not-called")

    def prepare(self, payload: Any) -> None:
        self.watch(self._port.prepare(), "prepared", "not-prepared")

    def send_next(self, payload: Any) -> None:
        self.watch(self._port.send(), "sent", "not-sent")

    def deposit(self, payload: Any) -> None:
        self.watch(self._port.deposit(), "deposited", "not-deposited")

    def count_failure(self, payload: Any) -> None:
        self.failures += 1

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
