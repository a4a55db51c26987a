"""Pieces on their way to suppliers: one queue a supplier, so that a slow or silent one delays nothing but its own.

What is not acknowledged stays on this disk.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Registry
from bitdust.signal import Signal
from bitdust.storage.pieces.queue import PieceQueue, PieceTransfer, Progress
from bitdust.storage.pieces.sender import PieceSender
from bitdust.storage.pieces.waiting import Acknowledged, Acknowledgements, WaitingPieces
from bitdust.storage.ports import PieceHolders
from bitdust.wire.records import PieceRef


class SupplierQueues:
    """I own the queues, one for each place of the family that has a supplier.

    ``piece_lost`` is emitted when this disk turns out to have lost a piece; ``changed`` when a supplier is to be waited
    for from now on, or no longer, ``taken`` when the catalog knows of pieces that suppliers have taken.
    """

    def __init__(
        self, registry: Registry, ports: PieceHolders, pieces: WaitingPieces, sender: PieceSender,
        acknowledgements: Acknowledgements,
        most_at_once: Callable[[], int] = lambda: 32,
    ) -> None:  # fmt: skip
        self.clock = registry.clock
        self.wall = registry.wall
        self.most_at_once = most_at_once
        self._registry = registry
        self._sender = sender
        self._ports = ports
        self._pieces = pieces
        self._acknowledgements = acknowledgements
        self._queues: dict[bytes, PieceQueue] = {}
        self.piece_lost: Signal[[PieceRef]] = Signal()
        self.changed: Signal[[]] = Signal()
        self.taken: Signal[[]] = Signal()
        acknowledgements.written.connect(self._written)

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed."""
        family = self._ports.family()
        members: dict[bytes, int] = {}
        if family is not None:
            members = {who: index for index, who in enumerate(family.seats) if who is not None}
        for supplier, queue in list(self._queues.items()):
            if members.get(supplier) != queue.position:
                del self._queues[supplier]
                queue.machine.send("shutdown")
        for supplier, position in members.items():
            queue = self._queues.get(supplier) or self._new_queue(supplier, position)
            queue.machine.send("online" if self.is_online(supplier) else "offline")

    def _new_queue(self, supplier: bytes, position: int) -> PieceQueue:
        queue = self._queues[supplier] = PieceQueue(self._registry, self, supplier, position)
        return queue

    def add(self, pack: bytes, index: int, size: int) -> None:
        """A new piece waits on this disk."""
        family = self._ports.family()
        seats = family.seats if family is not None else ()
        supplier = seats[index] if index < len(seats) else None
        queue = self._queues.get(supplier) if supplier is not None else None
        if queue is not None and queue.position == index:
            queue.add(pack, size)

    def try_again(self, supplier: bytes) -> None:
        """A supplier may take now what it has refused."""
        queue = self._queues.get(supplier)
        if queue is not None:
            queue.try_again()

    def _written(self, acknowledged: Acknowledged) -> None:
        for piece, supplier in acknowledged:
            if supplier in self._queues:
                self._queues[supplier].written(piece.pack)
        self.taken.emit()

    def is_absent(self, supplier: bytes | None) -> bool:
        """Whether nothing is to be expected of a supplier now: away, refusing, or silent for a while."""
        if supplier is None or not self.is_online(supplier):
            return True
        queue = self._queues.get(supplier)
        return queue is not None and queue.is_absent

    def is_absent_position(self, position: int) -> bool:
        """The same of the supplier at a position of the family."""
        family = self._ports.family()
        seats = family.seats if family is not None else ()
        return self.is_absent(seats[position] if position < len(seats) else None)

    def absent_positions(self) -> list[int]:
        """Positions of suppliers of which nothing is to be expected now."""
        family = self._ports.family()
        return [place for place in range(len(family.seats) if family else 0) if self.is_absent_position(place)]

    def refusal(self, supplier: bytes) -> BaseException | None:
        """Why a supplier did not take a piece when it was offered one last; None where it does, or none waits."""
        queue = self._queues.get(supplier)
        return queue.refusal if queue is not None else None

    def refusing_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has taken none of the pieces that it was offered; 0 where it takes, and while
        it is away."""
        queue = self._queues.get(supplier)
        return queue.refusing_for() if queue is not None and self.is_online(supplier) else 0.0

    def is_silent(self, supplier: bytes) -> bool:
        """Whether pieces are on their way to a supplier, and none of them moves."""
        queue = self._queues.get(supplier)
        return queue is not None and queue.machine.state == "STALLED"

    def unwritten(self, pack: bytes) -> dict[int, bytes]:
        """Pieces of a pack that suppliers have, and of which the catalog does not say so yet, with who has each."""
        return self._acknowledgements.unwritten(pack)

    @property
    def is_working(self) -> bool:
        """Whether a supplier is taking pieces."""
        return any(queue.is_working for queue in self._queues.values())

    def outgoing(self, supplier: bytes) -> list[PieceTransfer]:
        """Pieces on their way to one supplier."""
        queue = self._queues.get(supplier)
        return queue.transfers() if queue is not None else []

    def stop(self) -> None:
        """Take back what is on its way; this disk keeps it."""
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            queue.machine.send("shutdown")

    # what each queue asks

    def is_online(self, supplier: bytes) -> bool:
        return self._ports.is_online(supplier)

    def oldest(self, position: int, most: int) -> list[tuple[bytes, int]]:
        return self._pieces.oldest(position, most)

    def deliver(self, supplier: bytes, piece: PieceRef, check: bool, progress: Progress) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._deliver(supplier, piece, check, progress))

    async def _deliver(self, supplier: bytes, piece: PieceRef, check: bool, progress: Progress) -> None:
        record, data = await self._pieces.load(piece, check)
        await self._sender.send(supplier, record, piece.index, data, progress)

    def delivered(self, supplier: bytes, piece: PieceRef) -> None:
        self._acknowledgements.add(piece, supplier)

    def lost(self, piece: PieceRef) -> None:
        self.piece_lost.emit(piece)

    def report(self) -> None:
        self.changed.emit()
