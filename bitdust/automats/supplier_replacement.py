"""One place of my family that changes hands: a successor is found, everything moves to it, and then the former goes.

The state follows from the family record and from what is stored alone: a node that was killed goes on where it was.
"""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class SupplierReplacementPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.replacement` implements it for each place."""

    def is_wanted(self) -> bool:
        """Whether the supplier that has the place now is to be replaced."""

    def has_former(self) -> bool:
        """Whether somebody who had the place before stands beside its supplier."""

    def has_moved(self) -> bool:
        """Whether the supplier that has the place now holds everything that belongs there and can be had."""

    def is_needed(self) -> bool:
        """Whether who had the place before has what its supplier has not."""

    def is_known(self) -> bool:
        """Whether the record that names it would be found again if this node were lost, and it knows it itself."""

    def search(self, everybody: bool) -> None:
        """Ask for a successor; everybody, or whoever has not refused a short while ago."""

    def publish(self) -> None:
        """Bring the record to whoever does not have it."""

    def dismiss_former(self) -> None:
        """Take the former supplier out of the record; what is stored there may be erased."""


class SupplierReplacement(Machine):
    """SEARCHING for a successor, MOVING to it, CONFIRMING that others know it; CANCELLED when the supplier stays.

    KEPT: all has moved that can, and the former supplier stays beside the new one with what only it has. When that
    comes within reach it moves too.
    """

    table = """
      # state       event        guard                    next        actions
      AT_STARTUP    replace      -                        SEARCHING   ask_everybody
      AT_STARTUP    check        is_wanted                SEARCHING   ask_everybody
      AT_STARTUP    check        has_former               MOVING      check
      AT_STARTUP    check        -                        CANCELLED   -
      SEARCHING     replace      -                        =           ask_everybody
      SEARCHING     check        is_wanted                =           -
      SEARCHING     check        has_former               MOVING      check
      SEARCHING     check        -                        CANCELLED   -
      SEARCHING     timer-1min   -                        =           ask_others
      MOVING        check        is_wanted                SEARCHING   ask_everybody
      MOVING        check        !has_former              CANCELLED   -
      MOVING        check        has_moved                CONFIRMING  publish check
      MOVING        timer-10sec  -                        =           check
      CONFIRMING    check        is_wanted                SEARCHING   ask_everybody
      CONFIRMING    check        !has_former              CANCELLED   -
      CONFIRMING    check        !has_moved               MOVING      -
      CONFIRMING    check        is_needed                KEPT        -
      CONFIRMING    check        is_known                 DONE        dismiss_former
      CONFIRMING    timer-10sec  -                        =           publish check
      KEPT          check        is_wanted                SEARCHING   ask_everybody
      KEPT          check        !has_former              CANCELLED   -
      KEPT          check        !has_moved               MOVING      -
      KEPT          check        !is_needed               CONFIRMING  publish check
      KEPT          timer-1min   -                        =           check
      *             shutdown     -                        CLOSED      -
    """
    ignore = """
      MOVING        replace check
      CONFIRMING    replace check
      KEPT          replace check
    """
    initial = "AT_STARTUP"
    final = ("DONE", "CANCELLED", "CLOSED")

    def __init__(self, registry: Registry, ident: str, port: SupplierReplacementPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_wanted(self, payload: Any) -> bool:
        return self._port.is_wanted()

    def has_former(self, payload: Any) -> bool:
        return self._port.has_former()

    def has_moved(self, payload: Any) -> bool:
        return self._port.has_moved()

    def is_needed(self, payload: Any) -> bool:
        return self._port.is_needed()

    def is_known(self, payload: Any) -> bool:
        return self._port.is_known()

    def check(self, payload: Any) -> None:
        self.send("check")

    def ask_everybody(self, payload: Any) -> None:
        self._port.search(True)

    def ask_others(self, payload: Any) -> None:
        self._port.search(False)

    def publish(self, payload: Any) -> None:
        self._port.publish()

    def dismiss_former(self, payload: Any) -> None:
        self._port.dismiss_former()
