"""One packet on its way in: received, worked on, answered."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class PacketInPort(Protocol):
    """What the machine acts on; `bitdust.transport.inbox` implements it for each packet."""

    def answer(self, payload: Any) -> None:
        """Send the handler's answer."""

    def refuse(self, payload: Any) -> None:
        """Send Fail."""

    def is_stalled(self) -> bool:
        """Whether no byte of the packet or its answer has moved for too long."""

    def refuse_stalled(self) -> None:
        """Send Fail: the work has come to nothing."""

    def withdraw(self) -> None:
        """Give up an answer that the peer does not take."""

    def forget(self) -> None:
        """Take the packet off the list, and cancel its work."""


class PacketIn(Machine):
    """Every packet ends in DONE or FAILED, and its sender learns which, whatever the handler does.

    What makes no progress ends, too: a payload that stops coming, a handler that hangs, an answer that is not taken.
    """

    table = """
      # state        event         guard       next         actions
      AT_STARTUP     dispatch      -           INBOX?       -
      AT_STARTUP     refuse        -           FAILED       refuse forget
      AT_STARTUP     session-lost  -           FAILED       forget
      INBOX?         answered      -           ANSWERING    answer
      INBOX?         refuse        -           FAILED       refuse forget
      INBOX?         session-lost  -           FAILED       forget
      INBOX?         timer-10sec   is_stalled  FAILED       refuse_stalled forget
      ANSWERING      answer-sent   -           DONE         forget
      ANSWERING      session-lost  -           FAILED       forget
      ANSWERING      timer-10sec   is_stalled  FAILED       withdraw forget
    """
    ignore = """
      AT_STARTUP  answered answer-sent
      INBOX?      dispatch answer-sent timer-10sec
      ANSWERING   dispatch answered refuse timer-10sec
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED")
    failure = "session-lost"

    def __init__(self, registry: Registry, ident: str, port: PacketInPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_stalled(self, payload: Any) -> bool:
        return self._port.is_stalled()

    def answer(self, payload: Any) -> None:
        self._port.answer(payload)

    def refuse_stalled(self, payload: Any) -> None:
        self._port.refuse_stalled()

    def withdraw(self, payload: Any) -> None:
        self._port.withdraw()

    def refuse(self, payload: Any) -> None:
        self._port.refuse(payload)

    def forget(self, payload: Any) -> None:
        self._port.forget()
