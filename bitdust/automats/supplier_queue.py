"""One supplier's queue: whether pieces are sent to it now, and what else is waited for."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class SupplierQueuePort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.queue.PieceQueue` implements it for each supplier."""

    def is_online(self) -> bool:
        """Whether there is a session with the supplier."""

    def is_stalled(self) -> bool:
        """Whether pieces are in the air and none of them moves."""

    def is_doubt(self, error: Any, /) -> bool:
        """Whether the supplier refused a piece because it does not fit its root."""

    def pause(self) -> float:
        """Seconds before the supplier is tried again; longer after each refusal."""

    def fill(self) -> None:
        """Queue the oldest pieces that wait on this disk."""

    def send_pieces(self) -> None:
        """Send as many pieces as the supplier takes; report ``drained`` when none is left."""

    def report(self) -> None:
        """Something else than before is to be expected of the supplier now."""

    def recall(self) -> None:
        """Take back what is in the air; it waits again."""


class SupplierQueue(Machine):
    """Sends while the supplier takes; pauses after a refusal, longer each time; goes on when it comes back.

    In DOUBTED each piece is compared with its root before it is sent, until the supplier has taken one.
    """

    table = """
      # state  event         guard        next     actions
      ABSENT   online        -            SENDING  fill send_pieces report
      ABSENT   timer-1min    is_online    SENDING  fill send_pieces report
      DRAINED  new-piece     -            SENDING  send_pieces
      DRAINED  online        -            SENDING  fill send_pieces
      DRAINED  timer-1min    -            SENDING  fill send_pieces
      DRAINED  offline       -            ABSENT   report
      SENDING  new-piece     -            =        send_pieces
      SENDING  landed        -            =        send_pieces
      SENDING  drained       -            DRAINED  -
      SENDING  refused       is_doubt     DOUBTED  report
      SENDING  refused       -            PAUSED   report
      SENDING  online        -            =        fill send_pieces
      SENDING  offline       -            ABSENT   recall report
      SENDING  timer-0.5sec  is_stalled   STALLED  report
      STALLED  landed        -            SENDING  send_pieces report
      STALLED  refused       is_doubt     DOUBTED  -
      STALLED  refused       -            PAUSED   -
      STALLED  offline       -            ABSENT   recall
      STALLED  timer-0.5sec  !is_stalled  SENDING  report
      PAUSED   landed        -            SENDING  send_pieces report
      PAUSED   online        -            SENDING  fill send_pieces report
      PAUSED   offline       -            ABSENT   recall
      PAUSED   timer-1sec    -            SENDING  send_pieces report
      DOUBTED  landed        -            SENDING  send_pieces report
      DOUBTED  refused       !is_doubt    PAUSED   -
      DOUBTED  drained       -            DRAINED  report
      DOUBTED  offline       -            ABSENT   recall
      DOUBTED  timer-1sec    -            =        send_pieces
      *        shutdown      -            CLOSED   recall
    """
    ignore = """
      ABSENT   new-piece landed refused offline drained timer-1min
      DRAINED  landed refused drained
      SENDING  timer-0.5sec
      STALLED  new-piece online drained timer-0.5sec
      PAUSED   new-piece refused drained
      DOUBTED  new-piece online refused
    """
    initial = "ABSENT"
    final = ("CLOSED",)
    failure = "refused"

    def __init__(self, registry: Registry, ident: str, port: SupplierQueuePort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause after a refusal grows."""
        return self._port.pause() if event == "timer-1sec" else super().timer_seconds(event)

    def is_online(self, payload: Any) -> bool:
        return self._port.is_online()

    def is_stalled(self, payload: Any) -> bool:
        return self._port.is_stalled()

    def is_doubt(self, payload: Any) -> bool:
        return self._port.is_doubt(payload)

    def fill(self, payload: Any) -> None:
        self._port.fill()

    def send_pieces(self, payload: Any) -> None:
        self._port.send_pieces()

    def report(self, payload: Any) -> None:
        self._port.report()

    def recall(self, payload: Any) -> None:
        self._port.recall()
