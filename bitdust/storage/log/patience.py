"""How often a supplier may take back what it said of a log, before it is brought nothing for a while.

One that was set back to an older copy of its disk says so once, and gets everything behind it again at once. One that
says now this and now that would have the same entries sent to it without end.
"""

from twisted.internet.interfaces import IReactorTime

from bitdust.scopes.reservations import Allowance

AT_ONCE = 3
EACH = 1200.0
"""Seconds in which one more is allowed."""
REST = 3600.0
"""Seconds for which it gets nothing after that."""


class Patience:
    """I count what suppliers take back."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._allowed: dict[bytes, Allowance] = {}
        self._rests: dict[bytes, float] = {}

    def took_back(self, supplier: bytes) -> bool:
        """It holds less, or something else, than it has acknowledged; whether it is brought what lacks now."""
        allowed = self._allowed.get(supplier)
        if allowed is None:
            allowed = self._allowed[supplier] = Allowance(self._clock, 1 / EACH, AT_ONCE)
        if allowed.spend() > 0:
            self._rests[supplier] = self._clock.seconds() + REST
        return not self.is_out(supplier)

    def is_out(self, supplier: bytes) -> bool:
        """Whether it is brought nothing for now."""
        if self._rests.get(supplier, 0.0) > self._clock.seconds():
            return True
        self._rests.pop(supplier, None)
        return False
