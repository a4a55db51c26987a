"""One folder and one device that has it as well: each proves to the other that it has a secret, then records follow."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FolderPeerPort(Protocol):
    """What the machine acts on; `bitdust.folders.peer.FolderPeer` implements it."""

    def greet(self) -> "Deferred[Any]":
        """Prove that a secret is here; fires when the peer has proved the same."""

    def pull(self) -> "Deferred[Any]":
        """Ask for the next records; fires when those that came are known here."""

    def has_more(self) -> bool:
        """Whether the peer has further records."""

    def expect(self) -> None:
        """There are further records, whatever the answer that is on its way says."""

    def pause(self) -> float:
        """Seconds until records are asked for again: ever longer after answers that were malformed."""

    def is_wary(self) -> bool:
        """Whether the last answer was malformed."""

    def met(self) -> None:
        """The peer holds a secret of this folder."""

    def together(self) -> None:
        """All of its records are known here."""

    def left(self) -> None:
        """It is no peer of this folder, or none any more."""


class FolderPeer(Machine):
    """TOGETHER: what the peer knows is known here. Its news, and now and then the clock, make this node ask again.

    WAITING is longer after answers that were malformed, and news do not end it then.
    """

    table = """
      # state     event        guard     next      actions
      AT_STARTUP  greet        -         GREETING  greet
      AT_STARTUP  admitted     -         PULLING   met pull
      GREETING    greeted      -         PULLING   met pull
      GREETING    admitted     -         PULLING   met pull
      GREETING    failed       -         REFUSED   left
      GREETING    timer-1min   -         REFUSED   left
      PULLING     pulled       has_more  PULLING   pull
      PULLING     pulled       -         TOGETHER  together
      PULLING     failed       -         WAITING   -
      PULLING     news         -         =         expect
      PULLING     timer-5min   -         WAITING   -
      WAITING     timer-5sec   -         PULLING   pull
      WAITING     news         !is_wary  PULLING   pull
      TOGETHER    news         -         PULLING   pull
      TOGETHER    timer-10min  -         PULLING   pull
      *           lost         -         GONE      left
    """
    ignore = """
      AT_STARTUP  greeted failed pulled news
      GREETING    greet pulled news
      PULLING     greet greeted admitted
      WAITING     greet greeted admitted pulled failed news
      TOGETHER    greet greeted admitted pulled failed
    """
    initial = "AT_STARTUP"
    final = ("REFUSED", "GONE")
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: FolderPeerPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        return self._port.pause() if event == "timer-5sec" else super().timer_seconds(event)

    def is_wary(self, payload: Any) -> bool:
        return self._port.is_wary()

    def has_more(self, payload: Any) -> bool:
        return self._port.has_more()

    def greet(self, payload: Any) -> None:
        self.watch(self._port.greet(), "greeted", "failed")

    def pull(self, payload: Any) -> None:
        self.watch(self._port.pull(), "pulled", "failed")

    def expect(self, payload: Any) -> None:
        self._port.expect()

    def met(self, payload: Any) -> None:
        self._port.met()

    def together(self, payload: Any) -> None:
        self._port.together()

    def left(self, payload: Any) -> None:
        self._port.left()
