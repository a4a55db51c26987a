"""One person to whom something is to be brought: which devices does the newest document name?"""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 3600.0


class MessageAddresseePort(Protocol):
    """What the machine acts on; `bitdust.people.messages.addressees` implements it for each person."""

    def look(self) -> "Deferred[Any]":
        """Look for the person's newest document; fires when one is known."""

    def is_known(self) -> bool:
        """Whether a document of the person is known, the newest or not."""

    def assign(self) -> None:
        """Have what waits brought to the devices that count now, and to no other."""


class MessageAddressee(Machine):
    """Looks once a day while something waits, and whenever there is none that is known.

    Where nobody was found because there was no network, it looks as soon as there is one.
    """

    table = """
      # state    event         guard     next     actions
      UNKNOWN    document      -         KNOWN    assign
      UNKNOWN    look          is_known  KNOWN    assign
      UNKNOWN    look          -         LOOKING  look
      UNKNOWN    network-back  -         LOOKING  forget_failures look
      UNKNOWN    timer-15sec   -         LOOKING  look
      LOOKING    network-back  -         =        forget_failures
      LOOKING    found         -         KNOWN    assign forget_failures
      LOOKING    document      -         KNOWN    assign forget_failures
      LOOKING    not-found     is_known  KNOWN    assign
      LOOKING    not-found     -         UNKNOWN  count_failure
      LOOKING    timer-60sec   is_known  KNOWN    assign
      LOOKING    timer-60sec   -         UNKNOWN  count_failure
      KNOWN      document      -         =        assign
      KNOWN      timer-24hour  -         LOOKING  look
      *          stop          -         CLOSED   -
    """
    ignore = """
      UNKNOWN    found not-found
      LOOKING    look
      KNOWN      look found not-found network-back
    """
    initial = "UNKNOWN"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: MessageAddresseePort) -> None:
        self._port = port
        self.failures = 0
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """Pauses between two looks for somebody unknown double up to an hour."""
        seconds = super().timer_seconds(event)
        return doubled(seconds, self.failures, LONGEST_PAUSE) if event == "timer-15sec" else seconds

    def is_known(self, payload: Any) -> bool:
        return self._port.is_known()

    def look(self, payload: Any) -> None:
        self.watch(self._port.look(), "found", "not-found")

    def assign(self, payload: Any) -> None:
        self._port.assign()

    def count_failure(self, payload: Any) -> None:
        self.failures += 1

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
