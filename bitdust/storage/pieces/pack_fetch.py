"""One pack on its way back: which of its suppliers are asked, and what has come."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from bitdust.automats import pack_fetch
from bitdust.automats.kernel import Registry
from bitdust.storage.pieces.pace import Pace
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord, PieceRef

LEAST_PATIENCE = 0.5
PAUSES = (1.0, 5.0)
AWAITED_PAUSE = 2.0
"""Seconds between two rounds, at most, while somebody who may have a piece is still on the way."""
LONGEST_WAIT = 90.0
"""Seconds from the beginning after which nobody is waited for who is not there, however often he comes and goes."""
Progress = Callable[[int, int], None]


class Suppliers(Protocol):
    """What a fetch needs of those who keep its pieces; `bitdust.storage.pieces.fetch.Fetcher` is it."""

    clock: IReactorTime
    wall: Callable[[], float]

    def pace(self, supplier: bytes, /) -> Pace:
        """What is known of a supplier's speed."""

    def rank(self, supplier: bytes, /) -> tuple[bool, int]:
        """Suppliers with a lower rank are asked first, however slow."""

    def is_online(self, supplier: bytes, /) -> bool:
        """Whether a supplier can be asked."""

    def is_coming(self, supplier: bytes, /) -> bool:
        """Whether it cannot be asked now, and perhaps in a moment."""

    def request(self, supplier: bytes, piece: PieceRef, size: int, progress: Progress, /) -> "Deferred[bytes]":
        """The bytes of a piece."""

    def check(self, data: bytes, expected: bytes, /) -> "Deferred[bool]":
        """Whether data has the Merkle root that is expected; worked out in a thread."""

    def note_bad(self, supplier: bytes, piece: PieceRef, /) -> None:
        """A supplier gave a piece that does not fit its root."""

    def note_missing(self, supplier: bytes, piece: PieceRef, /) -> None:
        """A supplier says that it has not got a piece."""

    def ended(self, fetch: "Fetch", /) -> None:
        """It is over."""


class PieceRequest:
    """One piece that one supplier was asked for."""

    state = "REQUESTED"

    def __init__(self, suppliers: Suppliers, supplier: bytes, piece: PieceRef, size: int) -> None:
        self._suppliers = suppliers
        self.supplier = supplier
        self.piece = piece
        self.size = size
        self.received = 0
        self.was_hedged = False
        self.pace = suppliers.pace(supplier)
        self._patience = max(LEAST_PATIENCE, 2 * self.pace.expected(size))
        self._queued = self.pace.asked
        self.pace.asked += size
        self.since = suppliers.wall()
        self._started = self._moved = suppliers.clock.seconds()
        self._answer: Deferred[bytes] | None = None

    def send(self) -> "Deferred[bytes]":
        """The bytes of the piece."""
        answer = self._suppliers.request(self.supplier, self.piece, self.size, self._progress)
        self._answer = answer
        return answer.addCallbacks(self._arrived, self._failed)

    def _progress(self, received: int, total: int) -> None:
        self.received = received
        self._moved = self._suppliers.clock.seconds()

    def is_stalled(self, now: float) -> bool:
        """Whether it has made no progress for longer than was to be expected."""
        return self._answer is not None and now - self._moved >= self._patience

    def _arrived(self, data: bytes) -> bytes:
        self._release()
        self.pace.learn(self._suppliers.clock.seconds() - self._started, self.size, self._queued)
        return data

    def _failed(self, failure: Failure) -> Any:
        self._release()
        self.pace.suspect = True
        return failure

    def _release(self) -> None:
        self._answer = None
        self.pace.asked = max(0, self.pace.asked - self.size)

    def stop(self) -> None:
        """Nobody waits for it any more; that says nothing about the supplier."""
        answer, suspect = self._answer, self.pace.suspect
        if answer is not None:
            answer.cancel()
            self.pace.suspect = suspect


class Fetch:
    """I am the port of a `pack_fetch` machine. ``done`` fires with good pieces by index; cancelling it ends the fetch.

    A request counts as running until its piece was checked.
    """

    def __init__(
        self, registry: Registry, suppliers: Suppliers, record: PackRecord, places: dict[int, bytes], most: int
    ) -> None:
        self._suppliers = suppliers
        self._record = record
        self._places = dict(places)
        self._most = most
        self._good: dict[int, bytes] = {}
        self._running: dict[int, PieceRequest] = {}
        self._round = 0
        self._began = suppliers.clock.seconds()
        self._asked_in: dict[int, int] = {}
        self._errors: list[str] = []
        self.done: Deferred[dict[int, bytes]] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = pack_fetch.PackFetch(registry, record.pack.hex()[:8], self)

    def start(self) -> None:
        """Begin."""
        self.machine.send("start")

    def requests(self) -> list[PieceRequest]:
        """What is asked for now."""
        return list(self._running.values())

    # the machine's questions

    def is_whole(self) -> bool:
        return len(self._good) >= self._most

    def is_asking(self) -> bool:
        return bool(self._running) and self._is_possible()

    def can_ask(self) -> bool:
        return bool(self._candidates()) and self._is_possible()

    def is_stalled(self) -> bool:
        return bool(self._stalled())

    def has_rounds(self) -> bool:
        return self._is_possible() and (self._round < len(PAUSES) or self._is_awaited())

    def _is_awaited(self) -> bool:
        """Whether somebody who may have a piece that is lacking is on the way, as all are when a node has begun."""
        suppliers, running = self._suppliers, (*self._good, *self._running)
        return suppliers.clock.seconds() - self._began < LONGEST_WAIT and any(
            suppliers.is_coming(who) for index, who in self._places.items() if index not in running
        )

    def _is_possible(self) -> bool:
        """Whether enough pieces would be here if everybody gave theirs who may have it: else nothing is waited for."""
        return len(self._places) >= self._most

    def pause(self) -> float:
        pause = PAUSES[min(self._round, len(PAUSES) - 1)]
        return min(pause, AWAITED_PAUSE) if self._is_awaited() else pause

    def _candidates(self) -> list[int]:
        """Pieces whose suppliers were not asked in this round, and can be."""
        return [
            index
            for index, supplier in self._places.items()
            if self._asked_in.get(index, -1) < self._round
            and index not in self._good
            and index not in self._running
            and self._suppliers.is_online(supplier)
        ]

    def _stalled(self) -> list[PieceRequest]:
        now = self._suppliers.clock.seconds()
        return [one for one in self._running.values() if not one.was_hedged and one.is_stalled(now)]

    # the machine's actions

    def ask(self) -> None:
        while len(self._good) + len(self._running) < self._most and self._ask_best():
            continue

    def ask_beside(self) -> None:
        for request in self._stalled():
            request.was_hedged = request.pace.suspect = True
            self._ask_best()

    def _ask_best(self) -> bool:
        """Ask the supplier that should be first."""
        suppliers, places, size = self._suppliers, self._places, self._record.piece_size
        candidates = self._candidates()
        if not candidates:
            return False
        best = min(
            candidates,
            key=lambda index: (suppliers.rank(places[index]), suppliers.pace(places[index]).expected(size), index),
        )
        self._asked_in[best] = self._round
        request = PieceRequest(suppliers, places[best], PieceRef(self._record.pack, best), size)
        self._running[best] = request
        fetching: Deferred[None] = Deferred.fromCoroutine(self._fetch(request))
        fetching.addErrback(self._failed, request)
        return True

    async def _fetch(self, request: PieceRequest) -> None:
        data = await request.send()
        index = request.piece.index
        if len(data) != request.size or not await self._suppliers.check(data, self._record.roots[index]):
            self._places.pop(index, None)
            self._suppliers.note_bad(request.supplier, request.piece)
            raise BitDustError("bad-piece", "a supplier gave a piece that is not what was stored")
        if self._running.pop(index, None) is not None:
            self._good[index] = data
            self.machine.send("ended")

    def _failed(self, failure: Failure, request: PieceRequest) -> None:
        if self._running.pop(request.piece.index, None) is not None:
            if getattr(failure.value, "code", "") == "not-found":
                self._places.pop(request.piece.index, None)
                self._suppliers.note_missing(request.supplier, request.piece)
            self._errors.append(str(failure.value))
            self.machine.send("ended")

    def end_round(self) -> None:
        self._round += 1

    def deliver(self) -> None:
        self.stop_requests()
        self.done.callback(self._good)

    def give_up(self) -> None:
        self.stop_requests()
        reasons = "; ".join(dict.fromkeys(self._errors[-4:])) or "no supplier that has a piece is connected"
        text = f"only {len(self._good)} of {self._most} pieces of a pack could be had: {reasons}"
        self.done.errback(BitDustError("not-enough-pieces", text))

    def stop_requests(self) -> None:
        running, self._running = self._running, {}
        for request in running.values():
            request.stop()
        self._suppliers.ended(self)
