"""One connection of a companion: who it is, and whether it may speak to the API."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class CompanionSessionPort(Protocol):
    """What the machine acts on; `bitdust.companions.line` implements it for each connection."""

    def may_pair(self) -> bool:
        """Whether somebody may be let in now, and nobody else is being let in."""

    def is_known(self) -> bool:
        """Whether the key that it has shown is the one that was let in."""

    def answer(self) -> None:
        """Send this node's part of the handshake."""

    def commit(self) -> None:
        """Commit this node to its random number."""

    def reveal(self) -> None:
        """Show that number, and the codes."""

    def open(self) -> None:
        """Let it speak to the API."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with a code and a sentence."""

    def report_end(self) -> None:
        """It has ended."""


BAD, REFUSED, TOO_LATE, DONE = 4001, 4003, 4002, 1000


class CompanionSession(Machine):
    """Until it is open, nothing that it says reaches the API."""

    table = """
      # state   event        guard     next    actions
      HELLO?    pairing      may_pair  KEYS?   answer
      HELLO?    pairing      -         CLOSED  refuse_pairing report_end
      HELLO?    resuming     is_known  PROOF?  answer
      HELLO?    resuming     -         CLOSED  refuse_key report_end
      HELLO?    timer-10sec  -         CLOSED  hang_up report_end
      KEYS?     keys         -         NONCE?  commit
      KEYS?     timer-10sec  -         CLOSED  hang_up report_end
      NONCE?    nonce        -         CODES?  reveal
      NONCE?    timer-10sec  -         CLOSED  hang_up report_end
      CODES?    authorized   -         CLOSED  say_done report_end
      CODES?    timer-10min  -         CLOSED  hang_up report_end
      PROOF?    proof        -         OPEN    open
      PROOF?    timer-10sec  -         CLOSED  hang_up report_end
      *         broken       -         CLOSED  complain report_end
      *         end          -         CLOSED  say_why report_end
      *         lost         -         CLOSED  report_end
    """
    ignore = """
      HELLO?    keys nonce authorized proof
      KEYS?     pairing resuming nonce authorized proof
      NONCE?    pairing resuming keys authorized proof
      CODES?    pairing resuming keys nonce proof
      PROOF?    pairing resuming keys nonce authorized
      OPEN      pairing resuming keys nonce authorized proof
    """
    initial = "HELLO?"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: CompanionSessionPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def may_pair(self, payload: Any) -> bool:
        return self._port.may_pair()

    def is_known(self, payload: Any) -> bool:
        return self._port.is_known()

    def answer(self, payload: Any) -> None:
        self._port.answer()

    def commit(self, payload: Any) -> None:
        self._port.commit()

    def reveal(self, payload: Any) -> None:
        self._port.reveal()

    def open(self, payload: Any) -> None:
        self._port.open()

    def refuse_pairing(self, payload: Any) -> None:
        self._port.close(REFUSED, "nobody is let in now; start the device anew on the node")

    def refuse_key(self, payload: Any) -> None:
        self._port.close(REFUSED, "this key is not let in here")

    def hang_up(self, payload: Any) -> None:
        self._port.close(TOO_LATE, "this took too long")

    def say_done(self, payload: Any) -> None:
        self._port.close(DONE, "you are let in; connect again with your key")

    def complain(self, payload: Any) -> None:
        self._port.close(BAD, str(payload))

    def say_why(self, payload: Any) -> None:
        self._port.close(*payload)

    def report_end(self, payload: Any) -> None:
        self._port.report_end()
