"""One packet on its way in: received, worked on, answered."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class PacketInPort(Protocol):
    """What the machine acts on; `bitdust.transport.inbox` implements it for each packet."""

    def answer(self, payload: Any) -> None:
        """Send the handler's answer."""

    def refuse(self, payload: Any) -> None:
        """Send Fail."""

    def forget(self) -> None:
        """Take the packet off the list."""


class PacketIn(Machine):
    """Every packet ends in DONE or FAILED, and its sender is told which, whatever the handler does."""

    table = """
      # state        event         guard  next         actions
      AT_STARTUP     dispatch      -      INBOX?       -
      AT_STARTUP     refuse        -      FAILED       refuse forget
      AT_STARTUP     session-lost  -      FAILED       forget
      INBOX?         answered      -      ANSWERING    answer
      INBOX?         refuse        -      FAILED       refuse forget
      INBOX?         session-lost  -      FAILED       forget
      ANSWERING      answer-sent   -      DONE         forget
      ANSWERING      session-lost  -      FAILED       forget
    """
    ignore = """
      AT_STARTUP  answered answer-sent
      INBOX?      dispatch answer-sent
      ANSWERING   dispatch answered refuse
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED")
    failure = "session-lost"

    def __init__(self, registry: Registry, ident: str, port: PacketInPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def answer(self, payload: Any) -> None:
        self._port.answer(payload)

    def refuse(self, payload: Any) -> None:
        self._port.refuse(payload)

    def forget(self, payload: Any) -> None:
        self._port.forget()
