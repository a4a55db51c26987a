"""One supplier's queue: pieces that wait for it, and those that are on their way."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from bitdust.automats import supplier_queue
from bitdust.automats.kernel import Registry, doubled
from bitdust.wire.records import PieceRef

MOST_BYTES = 4 * 1024 * 1024
FEWEST = 2
MOST_QUEUED = 500
STALLED = 1.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
ABSENT = frozenset({"ABSENT", "STALLED", "PAUSED", "DOUBTED", "CLOSED"})
Progress = Callable[[int, int], None]


class Courier(Protocol):
    """What all queues share; `bitdust.storage.pieces.queues.SupplierQueues` is it."""

    clock: IReactorTime
    wall: Callable[[], float]

    def is_online(self, supplier: bytes, /) -> bool:
        """Whether there is a session with a supplier."""

    def most_at_once(self) -> int:
        """How many pieces may be on their way to one supplier."""

    def oldest(self, position: int, most: int, /) -> list[tuple[bytes, int]]:
        """Packs and sizes of pieces that wait on this disk for a position."""

    def deliver(self, supplier: bytes, piece: PieceRef, check: bool, progress: Progress, /) -> "Deferred[Any]":
        """Bring a piece to a supplier; ``check`` compares it with its root before."""

    def delivered(self, supplier: bytes, piece: PieceRef, /) -> None:
        """A supplier has acknowledged a piece."""

    def lost(self, piece: PieceRef, /) -> None:
        """There is nothing to send: this disk has lost the piece."""

    def report(self) -> None:
        """A supplier is to be waited for from now on, or no longer."""


class PieceTransfer:
    """One piece on its way to a supplier."""

    state = "UPLOADING"

    def __init__(self, piece: PieceRef, size: int, since: float, is_checked: bool) -> None:
        self.piece = piece
        self.size = size
        self.since = since
        self.is_checked = is_checked
        self.sent = 0
        self.work: Deferred[None] | None = None


class PieceQueue:
    """I am the port of a `supplier_queue` machine.

    A supplier has as many pieces on their way as it takes to hide its answer time, bounded by bytes.
    """

    def __init__(self, registry: Registry, courier: Courier, supplier: bytes, position: int) -> None:
        self._courier = courier
        self.supplier = supplier
        self.position = position
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._known: set[bytes] = set()
        self._moving: dict[bytes, PieceTransfer] = {}
        self._load = 0
        self._moved = 0.0
        self._refusals = 0
        self._has_more = self._was_refused = False
        self._refused_at = 0.0
        self.refusal: BaseException | None = None
        """Why the supplier did not take a piece, until it takes one again."""
        self.machine = supplier_queue.SupplierQueue(registry, supplier.hex()[:8], self)

    def add(self, pack: bytes, size: int) -> None:
        """A new piece waits for the supplier."""
        if not self._has_more:
            self._queue(pack, size)
            self.machine.send("new-piece")

    def _queue(self, pack: bytes, size: int) -> None:
        if pack not in self._known:
            self._known.add(pack)
            self._waiting.append((pack, size))

    def written(self, pack: bytes) -> None:
        """The acknowledgement of a piece is written down."""
        self._known.discard(pack)
        if self._has_more and not self._waiting:
            self.machine.send("new-piece")

    def try_again(self) -> None:
        """The supplier may take now what it has refused: nobody waits for the end of a pause."""
        if self.machine.state == "PAUSED" and self.is_online():
            self.machine.send("online")

    @property
    def is_absent(self) -> bool:
        """Whether nothing is to be expected of the supplier now."""
        return self.machine.state in ABSENT

    @property
    def is_working(self) -> bool:
        """Whether the supplier is taking pieces."""
        return bool(self._moving or self._waiting) and not self.is_absent

    def refusing_for(self) -> float:
        """For how many seconds the supplier has taken none of the pieces that it was offered; 0 where it takes."""
        return self._courier.clock.seconds() - self._refused_at if self.refusal is not None else 0.0

    def transfers(self) -> list[PieceTransfer]:
        """Pieces on their way."""
        return list(self._moving.values())

    # the machine's port

    def is_online(self) -> bool:
        return self._courier.is_online(self.supplier)

    def is_stalled(self) -> bool:
        return bool(self._moving) and self._courier.clock.seconds() - self._moved >= STALLED

    def is_doubt(self, error: Any) -> bool:
        return getattr(error, "code", "") == "bad-piece"

    def pause(self) -> float:
        return doubled(FIRST_PAUSE, self._refusals - 1, LONGEST_PAUSE)

    def fill(self) -> None:
        rows = self._courier.oldest(self.position, MOST_QUEUED)
        self._has_more = len(rows) == MOST_QUEUED
        for pack, size in rows:
            self._queue(pack, size)

    def send_pieces(self) -> None:
        if self._has_more and not self._waiting:
            self.fill()
        most = self._courier.most_at_once()
        self._was_refused = False
        while self._waiting and not self._was_refused and self._takes(self._waiting[0][1], most):
            self._send(*self._waiting.popleft())
        if not self._waiting and not self._moving:
            self.machine.send("drained")

    def _takes(self, size: int, most: int) -> bool:
        fits = self._load + size <= MOST_BYTES or len(self._moving) < FEWEST
        return fits and len(self._moving) < most

    def report(self) -> None:
        self._courier.report()

    def recall(self) -> None:
        moving, self._moving, self._load = self._moving, {}, 0
        for pack, transfer in moving.items():
            self._waiting.appendleft((pack, transfer.size))
            if transfer.work is not None:
                transfer.work.cancel()

    # one piece

    def _send(self, pack: bytes, size: int) -> None:
        courier = self._courier
        if not self._moving:
            self._moved = courier.clock.seconds()
        piece, is_checked = PieceRef(pack, self.position), self.machine.state == "DOUBTED"
        transfer = self._moving[pack] = PieceTransfer(piece, size, courier.wall(), is_checked)
        self._load += size

        def progress(sent: int, total: int) -> None:
            transfer.sent = sent
            self._moved = courier.clock.seconds()

        transfer.work = courier.deliver(self.supplier, piece, is_checked, progress)
        transfer.work.addCallbacks(self._delivered, self._refused, callbackArgs=(transfer,), errbackArgs=(transfer,))

    def _is_over(self, transfer: PieceTransfer) -> bool:
        """True for the end of a transfer that was not recalled before."""
        if self._moving.get(transfer.piece.pack) is not transfer:
            return False
        del self._moving[transfer.piece.pack]
        self._load -= transfer.size
        self._moved = self._courier.clock.seconds()
        return True

    def _delivered(self, _: object, transfer: PieceTransfer) -> None:
        if self._is_over(transfer):
            self._refusals, self.refusal = 0, None
            self._courier.delivered(self.supplier, transfer.piece)
            self.machine.send("landed")

    def _refused(self, failure: Failure, transfer: PieceTransfer) -> None:
        if not self._is_over(transfer):
            return
        error = failure.value
        if getattr(error, "code", "") == "piece-lost":
            self._known.discard(transfer.piece.pack)
            self._courier.lost(transfer.piece)
            self.machine.send("new-piece")
            return
        self._waiting.appendleft((transfer.piece.pack, transfer.size))
        self._was_refused = True
        if self.refusal is None:
            self._refused_at = self._courier.clock.seconds()
        self.refusal = error
        if self.machine.state in ("SENDING", "STALLED") or transfer.is_checked:
            self._refusals += 1
        self.machine.send("refused", error)
