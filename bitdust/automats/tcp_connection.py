"""One connection to a peer: from the handshake of its link over Hello to its end."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class ConnectionPort(Protocol):
    """What the machine acts on; `bitdust.transport.session.Session` implements it."""

    def send_hello(self) -> None:
        """Show who we are."""

    def announce(self) -> None:
        """The peer is proven: streams may run."""

    def send_ping(self) -> None:
        """Ask for a sign of life."""

    def silence(self) -> float:
        """Seconds since the last byte of the peer."""

    def takes_nothing(self) -> bool:
        """Whether the peer has not taken for too long what was written."""

    def said_nothing(self) -> bool:
        """Whether nothing was sent since this was asked last: the peer counts our silence, as we do its."""

    def say_goodbye(self, code: str, text: str) -> None:
        """Say why, then end the connection once that is written."""

    def abort(self) -> None:
        """Drop the connection now."""

    def release(self) -> None:
        """Fail what still runs."""


class TCPConnection(Machine):
    """Proves who is at the other end within ten seconds, keeps the connection alive, and says why when it ends it."""

    table = """
      # state        event             guard    next         actions
      AT_STARTUP     dialled           -        CLIENT?      send_hello
      AT_STARTUP     accepted          -        SERVER?      send_hello
      AT_STARTUP     close             -        CLOSED       abort release
      AT_STARTUP     connection-lost   -        CLOSED       release
      AT_STARTUP     timer-10sec       -        CLOSED       abort release
      CLIENT?        hello-valid       -        CONNECTED    announce
      CLIENT?        close             -        DISCONNECT   say_goodbye
      CLIENT?        connection-lost   -        CLOSED       release
      CLIENT?        timer-10sec       -        CLOSED       abort release
      SERVER?        hello-valid       -        CONNECTED    announce
      SERVER?        close             -        DISCONNECT   say_goodbye
      SERVER?        connection-lost   -        CLOSED       release
      SERVER?        timer-10sec       -        CLOSED       abort release
      CONNECTED      timer-20sec       is_dead  CLOSED       abort release
      CONNECTED      timer-20sec       is_stuck CLOSED       abort release
      CONNECTED      timer-20sec       is_mute  =            send_ping
      CONNECTED      close             -        DISCONNECT   say_goodbye
      CONNECTED      connection-lost   -        CLOSED       release
      DISCONNECT     connection-lost   -        CLOSED       release
      DISCONNECT     timer-5sec        -        CLOSED       abort release
    """
    ignore = """
      AT_STARTUP   hello-valid
      CLIENT?      dialled accepted
      SERVER?      dialled accepted
      CONNECTED    dialled accepted hello-valid timer-20sec
      DISCONNECT   dialled accepted hello-valid close
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "close"
    name = "tcp_connection"

    def __init__(self, registry: Registry, ident: str, port: ConnectionPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_dead(self, payload: Any) -> bool:
        return self._port.silence() > 45

    def is_stuck(self, payload: Any) -> bool:
        return self._port.takes_nothing()

    def is_mute(self, payload: Any) -> bool:
        return self._port.silence() > 15 or self._port.said_nothing()

    def send_hello(self, payload: Any) -> None:
        self._port.send_hello()

    def announce(self, payload: Any) -> None:
        self._port.announce()

    def send_ping(self, payload: Any) -> None:
        self._port.send_ping()

    def say_goodbye(self, payload: Any) -> None:
        code, text = payload if isinstance(payload, tuple) else ("internal", "something unexpected happened here")
        self._port.say_goodbye(code, text)

    def abort(self, payload: Any) -> None:
        self._port.abort()

    def release(self, payload: Any) -> None:
        self._port.release()
