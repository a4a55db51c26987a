"""One packet on its way out, until its answer is there or there will be none."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class PacketOutPort(Protocol):
    """What the machine acts on; `bitdust.transport.outbox` implements it for each packet."""

    def find_session(self) -> "Deferred[Any]":
        """The session to the peer, dialled when there is none."""

    def transmit(self, session: Any) -> "Deferred[Any]":
        """Write header and payload; fires when the last byte is handed over."""

    def stalled(self) -> bool:
        """Whether no byte moved within the deadline."""

    def may_move(self, reason: Any) -> bool:
        """Whether the session was given up for another one with the same peer, which may carry the packet."""

    def deliver(self, payload: Any) -> None:
        """Hand the answer to who asked."""

    def give_up(self, reason: Any) -> None:
        """Report to who asked why there is no answer, and take back what was not sent."""


class PacketOut(Machine):
    """A packet waits for a session, is sent, waits for its answer; without a byte moving for its deadline it fails."""

    table = """
      # state        event            guard       next        actions
      AT_STARTUP     run              -           CACHING     find_session
      CACHING        session-found    -           SENDING     transmit
      CACHING        session-failed   -           FAILED      give_up
      CACHING        cancel           -           CANCEL      give_up
      CACHING        timer-1sec       is_stalled  FAILED      give_up_waiting
      SENDING        answer           -           SENT        deliver
      SENDING        sent             -           RESPONSE?   -
      SENDING        sending-failed   may_move    CACHING     find_session
      SENDING        sending-failed   -           FAILED      give_up
      SENDING        session-lost     may_move    CACHING     find_session
      SENDING        session-lost     -           FAILED      give_up
      SENDING        cancel           -           CANCEL      give_up
      SENDING        timer-1sec       is_stalled  FAILED      give_up_waiting
      RESPONSE?      answer           -           SENT        deliver
      RESPONSE?      session-lost     may_move    CACHING     find_session
      RESPONSE?      session-lost     -           FAILED      give_up
      RESPONSE?      cancel           -           CANCEL      give_up
      RESPONSE?      timer-1sec       is_stalled  FAILED      give_up_waiting
    """
    ignore = """
      AT_STARTUP  session-found session-failed sent sending-failed session-lost answer cancel
      CACHING     run sent sending-failed session-lost answer timer-1sec
      SENDING     run session-found session-failed timer-1sec
      RESPONSE?   run session-found session-failed sent sending-failed timer-1sec
    """
    initial = "AT_STARTUP"
    final = ("SENT", "FAILED", "CANCEL")
    failure = "session-lost"

    def __init__(self, registry: Registry, ident: str, port: PacketOutPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def may_move(self, payload: Any) -> bool:
        return self._port.may_move(payload)

    def is_stalled(self, payload: Any) -> bool:
        return self._port.stalled()

    def find_session(self, payload: Any) -> None:
        self.watch(self._port.find_session(), "session-found", "session-failed")

    def transmit(self, session: Any) -> None:
        self.watch(self._port.transmit(session), "sent", "sending-failed")

    def deliver(self, payload: Any) -> None:
        self._port.deliver(payload)

    def give_up(self, payload: Any) -> None:
        self._port.give_up(payload)

    def give_up_waiting(self, payload: Any) -> None:
        self._port.give_up(None)
