"""My relation with one supplier: asks for the service, holds the contract, and reconnects when the line breaks."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

FIRST_PAUSE = 1.0
SHORT_PAUSE = 4.0
"""Seconds between two tries, at most, while the supplier was there within the last hour."""
LONGEST_PAUSE = 300.0
SHARE = 1 / 1000
"""Of the time for which a supplier has been away: so long a pause adds nothing that anybody notices."""
FIRST_REFUSAL = 60.0
LONGEST_REFUSAL = 600.0


class Refused(Exception):
    """The supplier said no, as opposed to no answer; ``code`` is its Fail code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class SupplierConnectorPort(Protocol):
    """What the machine acts on; `bitdust.suppliers.connectors` implements it for each supplier."""

    def request(self) -> "Deferred[Any]":
        """Find, dial and ask the supplier; fires with the verified contract, fails with `Refused` or anything else."""

    def more(self) -> "Deferred[Any]":
        """Ask for more room; fires with the larger contract. It comes to an end by itself."""

    def cancel(self) -> "Deferred[Any]":
        """End the contract."""

    def has_session(self) -> bool:
        """Whether the line that brought the contract still stands."""

    def save(self, contract: Any) -> None:
        """Keep the contract on the disk."""

    def changed(self, state: str) -> None:
        """CONNECTED, DISCONNECTED or NO_SERVICE."""

    def absence(self) -> float:
        """Seconds since the supplier was connected, or since this node has tried."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""


class SupplierConnector(Machine):
    """Holds one contract. Every connection begins with a request, which renews the contract; so does each day of it.

    Nobody waits for the end of a pause when the supplier comes by itself, or `connect` says that it may be there.
    """

    table = """
      # state         event             guard    next          actions
      DISCONNECTED    connect           -        REQUEST       request_service
      DISCONNECTED    supplier-online   -        REQUEST       request_service
      DISCONNECTED    timer-1sec        -        REQUEST       request_service
      REQUEST         accepted          is_here  CONNECTED     save_contract report_state
      REQUEST         accepted          -        DISCONNECTED  save_contract report_state
      REQUEST         failed            refused  NO_SERVICE    note_failure report_state
      REQUEST         failed            -        DISCONNECTED  note_failure report_state
      REQUEST         timer-30sec       -        DISCONNECTED  note_silence report_state
      CONNECTED       supplier-offline  -        DISCONNECTED  report_state
      CONNECTED       connect           -        REQUEST       request_service
      CONNECTED       raise             -        =             ask_for_more
      CONNECTED       raised            -        =             save_contract
      CONNECTED       not-raised        -        =             note_reason
      CONNECTED       timer-24hour      -        REQUEST       request_service
      NO_SERVICE      connect           -        REQUEST       request_service
      NO_SERVICE      supplier-online   -        REQUEST       request_service
      NO_SERVICE      timer-1min        -        REQUEST       request_service
      REFUSE          cancelled         -        CLOSED        -
      REFUSE          cancel-failed     -        CLOSED        -
      REFUSE          timer-10sec       -        CLOSED        -
      REFUSE          disconnect        -        =             -
      *               disconnect        -        REFUSE        cancel_service
      *               shutdown          -        CLOSED        -
    """
    ignore = """
      *               raise raised not-raised
      DISCONNECTED    supplier-offline accepted failed cancelled cancel-failed
      REQUEST         connect supplier-online supplier-offline cancelled cancel-failed
      CONNECTED       supplier-online accepted failed cancelled cancel-failed
      NO_SERVICE      supplier-offline accepted failed cancelled cancel-failed
      REFUSE          connect supplier-online supplier-offline accepted failed
    """
    initial = "DISCONNECTED"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: SupplierConnectorPort) -> None:
        self._port = port
        self.failures = 0
        self.reason = self.code = ""
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """Pauses double, half of them by chance: up to ten minutes after refusals, else to a share of the absence."""
        if event == "timer-1sec":
            longest = min(LONGEST_PAUSE, max(SHORT_PAUSE, SHARE * self._port.absence()))
            return doubled(FIRST_PAUSE, self.failures, longest) * (0.5 + self._port.jitter())
        if event == "timer-1min":
            return doubled(FIRST_REFUSAL, self.failures, LONGEST_REFUSAL) * (0.5 + self._port.jitter())
        return super().timer_seconds(event)

    def refused(self, payload: Any) -> bool:
        return isinstance(payload.value, Refused)

    def is_here(self, payload: Any) -> bool:
        return self._port.has_session()

    def request_service(self, payload: Any) -> None:
        self.watch(self._port.request(), "accepted", "failed")

    def ask_for_more(self, payload: Any) -> None:
        self.watch(self._port.more(), "raised", "not-raised")

    def cancel_service(self, payload: Any) -> None:
        self.watch(self._port.cancel(), "cancelled", "cancel-failed")

    def save_contract(self, payload: Any) -> None:
        self._port.save(payload)
        self.failures = 0
        self.reason = self.code = ""

    def note_reason(self, payload: Any) -> None:
        self.reason, self.code = payload.getErrorMessage(), str(getattr(payload.value, "code", ""))

    def note_failure(self, payload: Any) -> None:
        self.failures += 1
        self.note_reason(payload)

    def note_silence(self, payload: Any) -> None:
        self.failures += 1
        self.reason, self.code = "the supplier does not answer", ""

    def report_state(self, payload: Any) -> None:
        self._port.changed(self.state)
