"""One place of my family in which a spare stood in while I was away: it is confirmed, or dismissed."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class SpareDecisionPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.spares` implements it for each place."""

    def may_decide(self) -> bool:
        """Whether my newest family and my catalog are known, and this node decides by itself."""

    def is_back(self) -> bool:
        """Whether the member that was gone is there."""

    def ask(self) -> "Deferred[Any]":
        """Ask the spare how far it has come."""

    def confirm(self) -> "Deferred[Any]":
        """Give it the place."""

    def lapse(self) -> None:
        """Write the family again, so that no certificate of it counts any more."""

    def dismiss(self) -> "Deferred[Any]":
        """Get its contract and release it, on which it erases everything."""


class SpareDecision(Machine):
    """FOUND, ASKING the spare, then CONFIRMED or DISMISSED; UNHEARD while a dismissed one cannot be reached."""

    table = """
      # state      event        guard               next        actions
      FOUND        timer-1min   !may_decide         =           -
      FOUND        timer-1min   is_back             DISMISSING  lapse dismiss
      FOUND        timer-1min   -                   ASKING      ask
      FOUND        confirm      -                   CONFIRMING  confirm
      FOUND        dismiss      -                   DISMISSING  lapse dismiss
      ASKING       answered     is_back             DISMISSING  lapse dismiss
      ASKING       answered     -                   CONFIRMING  confirm
      ASKING       failed       -                   FOUND       -
      ASKING       timer-1min   -                   FOUND       -
      ASKING       confirm      -                   CONFIRMING  confirm
      ASKING       dismiss      -                   DISMISSING  lapse dismiss
      CONFIRMING   confirmed    -                   CONFIRMED   -
      CONFIRMING   failed       -                   FOUND       -
      CONFIRMING   timer-1min   -                   FOUND       -
      DISMISSING   dismissed    -                   DISMISSED   -
      DISMISSING   failed       -                   UNHEARD     -
      DISMISSING   timer-1min   -                   UNHEARD     -
      UNHEARD      timer-1min   -                   DISMISSING  dismiss
      *            shutdown     -                   CLOSED      -
    """
    ignore = """
      FOUND        answered confirmed dismissed failed
      ASKING       confirmed dismissed
      CONFIRMING   answered dismissed confirm dismiss
      DISMISSING   answered confirmed confirm dismiss
      UNHEARD      answered confirmed dismissed failed confirm dismiss
    """
    initial = "FOUND"
    final = ("CONFIRMED", "DISMISSED", "CLOSED")
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: SpareDecisionPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def may_decide(self, payload: Any) -> bool:
        return self._port.may_decide()

    def is_back(self, payload: Any) -> bool:
        return self._port.is_back()

    def ask(self, payload: Any) -> None:
        self.watch(self._port.ask(), "answered", "failed")

    def confirm(self, payload: Any) -> None:
        self.watch(self._port.confirm(), "confirmed", "failed")

    def lapse(self, payload: Any) -> None:
        self._port.lapse()

    def dismiss(self, payload: Any) -> None:
        self.watch(self._port.dismiss(), "dismissed", "failed")
