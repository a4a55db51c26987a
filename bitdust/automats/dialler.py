"""The way to one peer: the addresses that it told itself, then whoever else knows where it is."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class DiallerPort(Protocol):
    """What the machine acts on; `bitdust.transport.dialler` implements it for each peer."""

    def has_address(self) -> bool:
        """Whether an address is known that was not dialled yet."""

    def dial(self) -> "Deferred[Any]":
        """Dial the next address; fires with a session of the peer. Cancelled, it goes on and nobody waits for it."""

    def resolve(self) -> "Deferred[Any]":
        """Ask others for addresses of the peer; fires when those that are new are known."""

    def hand_over(self) -> None:
        """There is a session: give it to all who wait."""

    def nobody_answers(self) -> None:
        """No address is left: tell all who wait."""

    def give_up(self, reason: Any) -> None:
        """It cannot be found out, or is not to be: fail all who wait, with that reason."""


class Dialler(Machine):
    """Dials one address after the other, asks for more when those are used up, and ends with a session or without.

    A session that the peer opens meanwhile is as good as one that was dialled.
    """

    table = """
      # state          event           guard        next             actions
      AT_STARTUP       run             has_address  KNOWN_ADDRESSES  dial
      AT_STARTUP       run             -            RESOLVING        resolve
      KNOWN_ADDRESSES  session-up      -            CONNECTED        hand_over
      KNOWN_ADDRESSES  dial-failed     has_address  KNOWN_ADDRESSES  dial
      KNOWN_ADDRESSES  dial-failed     -            RESOLVING        resolve
      KNOWN_ADDRESSES  timer-30sec     has_address  KNOWN_ADDRESSES  dial
      KNOWN_ADDRESSES  timer-30sec     -            RESOLVING        resolve
      KNOWN_ADDRESSES  stop            -            CANCEL           give_up
      RESOLVING        session-up      -            CONNECTED        hand_over
      RESOLVING        resolved        has_address  DIALLING         dial
      RESOLVING        resolved        -            FAILED           nobody_answers
      RESOLVING        resolve-failed  -            FAILED           give_up
      RESOLVING        timer-60sec     -            FAILED           nobody_answers
      RESOLVING        stop            -            CANCEL           give_up
      DIALLING         session-up      -            CONNECTED        hand_over
      DIALLING         dial-failed     has_address  DIALLING         dial
      DIALLING         dial-failed     -            FAILED           nobody_answers
      DIALLING         timer-30sec     has_address  DIALLING         dial
      DIALLING         timer-30sec     -            FAILED           nobody_answers
      DIALLING         stop            -            CANCEL           give_up
    """
    ignore = """
      AT_STARTUP       session-up dial-failed resolved resolve-failed stop
      KNOWN_ADDRESSES  run resolved resolve-failed
      RESOLVING        run dial-failed
      DIALLING         run resolved resolve-failed
    """
    initial = "AT_STARTUP"
    final = ("CONNECTED", "FAILED", "CANCEL")
    failure = "stop"

    def __init__(self, registry: Registry, ident: str, port: DiallerPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def has_address(self, payload: Any) -> bool:
        return self._port.has_address()

    def dial(self, payload: Any) -> None:
        self.watch(self._port.dial(), "session-up", "dial-failed")

    def resolve(self, payload: Any) -> None:
        self.watch(self._port.resolve(), "resolved", "resolve-failed")

    def hand_over(self, payload: Any) -> None:
        self._port.hand_over()

    def nobody_answers(self, payload: Any) -> None:
        self._port.nobody_answers()

    def give_up(self, payload: Any) -> None:
        self._port.give_up(payload)
