"""One companion: nobody yet, somebody who is being let in by codes on two screens, or one who may come at any time."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry

TRIES = 3
"""Codes that may be typed for one handshake."""
HANDSHAKES = 5
"""Handshakes that may fail until the person has to start the device anew."""


class EncryptedWebSocketPort(Protocol):
    """What the machine acts on; `bitdust.companions.companion` implements it for each companion."""

    def is_authorized(self) -> bool:
        """Whether somebody was let in before."""

    def is_right(self, code: str) -> bool:
        """Whether this is the code that the companion shows."""

    def keep(self) -> "Deferred[Any]":
        """Keep the key of who is being let in; fires when it is on the disk."""

    def welcome(self) -> None:
        """Say to the companion that it is let in."""

    def drop(self) -> None:
        """End the connection of who is being let in."""

    def end(self, reason: str) -> None:
        """End every connection, and take no more of them; empty where somebody asked for it."""

    def report(self, event: str) -> None:
        """An event for who follows this node."""


class EncryptedWebSocket(Machine):
    """Both codes are typed, each at the other side, so that each side has compared them itself."""

    table = """
      # state       event        guard         next          actions
      AT_STARTUP    start        authorized    READY         -
      AT_STARTUP    start        -             CLIENT_PUB?   -
      CLIENT_PUB?   keys         -             HANDSHAKE     report_started
      CLIENT_PUB?   timer-10min  -             CLOSED        end_unused report_failed
      HANDSHAKE     codes        -             SERVER_CODE?  report_proceeding
      HANDSHAKE     failed       -             CLIENT_PUB?   report_failed
      HANDSHAKE     timer-30sec  -             CLIENT_PUB?   drop report_failed
      SERVER_CODE?  server-code  -             CLIENT_CODE?  report_proceeding
      SERVER_CODE?  failed       last_failure  CLOSED        end_guessed report_failed
      SERVER_CODE?  failed       -             CLIENT_PUB?   count_failure report_failed
      SERVER_CODE?  timer-2min   last_failure  CLOSED        end_guessed report_failed
      SERVER_CODE?  timer-2min   -             CLIENT_PUB?   count_failure drop report_failed
      CLIENT_CODE?  client-code  right         KEEPING       keep
      CLIENT_CODE?  client-code  may_retry     =             count_try
      CLIENT_CODE?  client-code  last_failure  CLOSED        end_guessed report_failed
      CLIENT_CODE?  client-code  -             CLIENT_PUB?   count_failure drop report_failed
      CLIENT_CODE?  failed       last_failure  CLOSED        end_guessed report_failed
      CLIENT_CODE?  failed       -             CLIENT_PUB?   count_failure report_failed
      CLIENT_CODE?  timer-2min   last_failure  CLOSED        end_guessed report_failed
      CLIENT_CODE?  timer-2min   -             CLIENT_PUB?   count_failure drop report_failed
      KEEPING       kept         -             READY         welcome
      KEEPING       not-kept     -             CLIENT_PUB?   drop report_failed
      KEEPING       timer-1min   -             CLIENT_PUB?   drop report_failed
      *             stop         -             CLOSED        end
    """
    ignore = """
      AT_STARTUP    keys codes server-code client-code failed kept not-kept
      CLIENT_PUB?   start codes server-code client-code failed kept not-kept
      HANDSHAKE     start keys server-code client-code kept not-kept
      SERVER_CODE?  start keys codes client-code kept not-kept
      CLIENT_CODE?  start keys codes server-code kept not-kept
      KEEPING       start keys codes server-code client-code failed
      READY         start keys codes server-code client-code failed kept not-kept
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: EncryptedWebSocketPort) -> None:
        self._port = port
        self.failures = 0
        self.tries = 0
        super().__init__(registry, ident)

    def authorized(self, payload: Any) -> bool:
        return self._port.is_authorized()

    def right(self, payload: Any) -> bool:
        return self._port.is_right(payload)

    def may_retry(self, payload: Any) -> bool:
        return self.tries + 1 < TRIES

    def last_failure(self, payload: Any) -> bool:
        return self.failures + 1 >= HANDSHAKES

    def count_try(self, payload: Any) -> None:
        self.tries += 1

    def count_failure(self, payload: Any) -> None:
        self.failures += 1
        self.tries = 0

    def keep(self, payload: Any) -> None:
        self.watch(self._port.keep(), "kept", "not-kept")

    def welcome(self, payload: Any) -> None:
        self._port.welcome()

    def drop(self, payload: Any) -> None:
        self._port.drop()

    def end(self, payload: Any) -> None:
        self._port.end("")

    def end_unused(self, payload: Any) -> None:
        self._port.end("nobody came in ten minutes")

    def end_guessed(self, payload: Any) -> None:
        self._port.end(f"{HANDSHAKES} times the codes were not confirmed")

    def report_started(self, payload: Any) -> None:
        self._port.report("web-socket-handshake-started")

    def report_proceeding(self, payload: Any) -> None:
        self._port.report("web-socket-handshake-proceeding")

    def report_failed(self, payload: Any) -> None:
        self._port.report("web-socket-handshake-failed")
