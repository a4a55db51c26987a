"""Small pieces that go with the next packet of the log to the same supplier, instead of a packet each.

A small file is one pack of small pieces and one entry of the log, written at about the same time. So a small piece
waits for a moment; if no packet of the log comes by, it is sent alone.
"""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.formats.log_packet import MOST_PIECES, SMALL, SmallPiece
from bitdust.wire.errors import BitDustError

WAIT = 0.1
"""Seconds in which a packet of the log may come by."""


@define(eq=False)
class Rider:
    """One piece that waits; ``alone`` sends it by itself, and ``done`` fires as that would."""

    pack: bytes
    piece: SmallPiece
    alone: Callable[[], "Deferred[Any]"]
    done: "Deferred[Any]"
    call: IDelayedCall | None = None
    sending: "Deferred[Any] | None" = None

    @property
    def name(self) -> tuple[bytes, int]:
        """Which piece it is."""
        return (self.pack, self.piece.index)


class Riders:
    """Those of all suppliers."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[bytes, list[Rider]] = {}

    def offer(
        self, supplier: bytes, pack: bytes, piece: SmallPiece, alone: Callable[[], "Deferred[Any]"]
    ) -> "Deferred[Any]":
        """Fires when the supplier holds the piece, fails when it refused it; cancel it to take the piece back."""
        if len(piece.data) > SMALL:
            return alone()
        done: Deferred[Any] = Deferred(lambda _: self._taken_back(supplier, rider))
        rider = Rider(pack, piece, alone, done)
        rider.call = self._clock.callLater(WAIT, self._missed, supplier, rider)
        self._waiting.setdefault(supplier, []).append(rider)
        return done

    def _taken_back(self, supplier: bytes, rider: Rider) -> None:
        self._forget(supplier, rider)
        if rider.sending is not None:
            rider.sending.cancel()

    def _forget(self, supplier: bytes, rider: Rider) -> None:
        if rider.call is not None and rider.call.active():
            rider.call.cancel()
        waiting = self._waiting.get(supplier, [])
        if rider in waiting:
            waiting.remove(rider)
        if not waiting:
            self._waiting.pop(supplier, None)

    def _missed(self, supplier: bytes, rider: Rider) -> None:
        self._forget(supplier, rider)
        self._send_alone(rider)

    def _send_alone(self, rider: Rider) -> None:
        if not rider.done.called:
            rider.sending = rider.alone()
            rider.sending.addBoth(lambda result: None if rider.done.called else rider.done.callback(result))

    def dequeue(self, supplier: bytes) -> list[Rider]:
        """Those who go with a packet that leaves now; each must come back by `landed` or `left_behind`."""
        taken = self._waiting.get(supplier, [])[:MOST_PIECES]
        for rider in taken:
            self._forget(supplier, rider)
        return taken

    def landed(self, taken: Iterable[Rider], refused: Iterable[dict[str, Any]]) -> None:
        """The packet was acknowledged; ``refused`` names the pieces that the supplier did not keep."""
        codes = {(one["pack"], one["index"]): one["code"] for one in refused}
        for rider in taken:
            if rider.done.called:
                continue
            if rider.name in codes:
                code = codes[rider.name]
                rider.done.errback(BitDustError(code, f"the supplier did not keep a small piece: {code}"))
            else:
                rider.done.callback(None)

    def left_behind(self, taken: Iterable[Rider]) -> None:
        """The packet did not take them, or was not acknowledged: each is sent alone."""
        for rider in taken:
            self._send_alone(rider)

    def close(self) -> None:
        """Nobody waits for anything any more."""
        for waiting in self._waiting.values():
            for rider in waiting:
                if rider.call is not None and rider.call.active():
                    rider.call.cancel()
        self._waiting.clear()
