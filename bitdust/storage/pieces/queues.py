"""Pieces on their way to suppliers: one queue a supplier, so that a slow or silent one delays nothing but its own.

Each supplier has as many pieces in flight as it takes to hide its answer time, bounded by bytes. A failure pauses its
queue, longer each time; coming back online ends the pause. What is not acknowledged stays in the spool.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.data_sender import DataSender
from bitdust.automats.file_up import FileUp
from bitdust.automats.kernel import Registry
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PieceState
from bitdust.storage.pieces.bad_pieces import forget_bad
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.storage.ports import Me, Ports, StorageWorld
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord, PieceRef

MOST_BYTES = 4 * 1024 * 1024
FEWEST = 2
KEEP_QUEUED = 500
SILENCE = 30.0
STALLED = 1.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
NOTE_AFTER = 0.05
DOUBTED = "bad-piece"


@define
class Queue:
    """What waits for one supplier."""

    supplier: bytes
    position: int
    waiting: deque[tuple[bytes, int]] = field(factory=deque)
    known: set[bytes] = field(factory=set)
    flying: dict[bytes, "Flight"] = field(factory=dict)
    load: int = 0
    moved: float = 0.0
    failures: int = 0
    paused_until: float = 0.0
    more: bool = False
    reason: str = ""
    doubt: bool = False

    def takes(self, size: int, now: float, most: int) -> bool:
        """Whether another piece of this size may fly, of ``most`` at once."""
        if now < self.paused_until:
            return False
        fits = self.load + size <= MOST_BYTES or len(self.flying) < FEWEST
        return fits and len(self.flying) < most

    def add(self, pack: bytes, size: int) -> None:
        """Queue a piece, unless it is there."""
        if pack not in self.known:
            self.known.add(pack)
            self.waiting.append((pack, size))


class Flight:
    """One piece in the air: the port of its `FileUp` machine."""

    def __init__(self, motion: "Motion", queue: Queue, piece: PieceRef, size: int) -> None:
        self._motion = motion
        self._queue = queue
        self.piece = piece
        self.size = size
        self.sent = 0
        self.started = motion.world.wall()
        self.machine = FileUp(motion.registry, f"{piece.pack.hex()[:8]}.{piece.index}", self)

    def send_piece(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._send())

    async def _send(self) -> None:
        motion, piece = self._motion, self.piece
        record, data = await motion.load(piece, check=self._queue.doubt)
        signed = motion.me.sign(record.KIND, record.to_body()).to_bytes()
        fields = {"kind": "piece", "index": piece.index, "record": signed}
        await motion.ports.outbox.send(
            self._queue.supplier, Command.DATA, fields, data, deadline=SILENCE, progress=self._progress
        )

    def _progress(self, sent: int, total: int) -> None:
        self.sent = sent
        self._queue.moved = self._motion.world.clock.seconds()

    def is_lost(self, reason: Any) -> bool:
        return getattr(getattr(reason, "value", reason), "code", "") == "piece-lost"

    def delivered(self) -> None:
        self._motion.landed(self._queue, self, None)

    def missing(self) -> None:
        self._motion.lost(self._queue, self)

    def failed(self, reason: Any) -> None:
        self._motion.landed(self._queue, self, getattr(reason, "value", reason))


class Motion:
    """I own the queues. ``on_piece(piece, supplier)`` is told of every acknowledgement after the disk has it."""

    log = Logger()

    def __init__(
        self, world: StorageWorld, registry: Registry, catalog: Catalog, spool: Spool, me: Me, ports: Ports,
        keep_local: Callable[[], bool] = lambda: False,
        most_at_once: Callable[[], int] = lambda: 32,
    ) -> None:  # fmt: skip
        self.world = world
        self.registry = registry
        self.catalog = catalog
        self.me = me
        self.ports = ports
        self._spool = spool
        self._keep_local = keep_local
        self._most_at_once = most_at_once
        self.queues: dict[bytes, Queue] = {}
        self.on_piece: Callable[[PieceRef, bytes], None] = lambda piece, supplier: None
        self.on_lost: Callable[[PieceRef], None] = lambda piece: None
        self.on_stall: Callable[[], None] = lambda: None
        self._kept: list[tuple[PieceRef, bytes]] = []
        self._writing: Any = None
        self.sender = DataSender(registry, self)

    def start(self) -> None:
        """Begin to send."""
        self.sender.send("init")

    def stop(self) -> None:
        """Take back what is on its way; the spool keeps it."""
        self.sender.send("shutdown")

    def restart(self) -> None:
        """Suppliers came, went or changed."""
        for queue in self.queues.values():
            if self.ports.is_online(queue.supplier):
                queue.paused_until, queue.failures = 0.0, 0
        self.sender.send("restart")

    # queues

    def add(self, pack: bytes, index: int, size: int) -> None:
        """A new piece lies in the spool."""
        queue = self._queue_at(index)
        if queue is None or queue.more:
            return
        queue.add(pack, size)
        self.sender.send("new-data")

    def _queue_at(self, position: int) -> Queue | None:
        family = self.ports.family()
        supplier = family.suppliers[position] if family is not None and position < family.n else None
        if supplier is None:
            return None
        queue = self.queues.get(supplier)
        if queue is None or queue.position != position:
            queue = self.queues[supplier] = Queue(supplier, position, moved=self.world.clock.seconds())
        return queue

    def scan(self) -> "Deferred[None]":
        """Fill the queues with the oldest pieces that wait."""
        family = self.ports.family()
        members = set(family.suppliers) if family is not None else set()
        for supplier in [known for known in self.queues if known not in members]:
            self._drop(self.queues.pop(supplier))
        for position in range(family.n if family is not None else 0):
            self._fill(position)
        return succeed(None)

    def _fill(self, position: int) -> None:
        queue = self._queue_at(position)
        if queue is None:
            return
        rows = self.catalog.read.execute(
            "SELECT pack, size FROM pieces WHERE state=? AND number=? LIMIT ?",
            (PieceState.WAITING, position, KEEP_QUEUED),
        ).fetchall()
        queue.more = len(rows) == KEEP_QUEUED
        for pack, size in rows:
            queue.add(bytes(pack), size)

    def _drop(self, queue: Queue) -> None:
        for flight in list(queue.flying.values()):
            flight.machine.send("stop")
        queue.flying.clear()

    def has_work(self) -> bool:
        return any(
            queue.flying or (queue.waiting and self.ports.is_online(queue.supplier)) for queue in self.queues.values()
        )

    def has_more(self) -> bool:
        return any(queue.more and self.ports.is_online(queue.supplier) for queue in self.queues.values())

    def pump(self) -> None:
        now = self.world.clock.seconds()
        for queue in list(self.queues.values()):
            if self.ports.is_online(queue.supplier):
                self._pump(queue, now)

    def _pump(self, queue: Queue, now: float) -> None:
        most = self._most_at_once()
        while queue.waiting and queue.takes(queue.waiting[0][1], now, most):
            pack, size = queue.waiting.popleft()
            if not queue.flying:
                queue.moved = now
            flight = Flight(self, queue, PieceRef(pack, queue.position), size)
            queue.flying[pack] = flight
            queue.load += size
            flight.machine.send("start")

    # one piece

    async def load(self, piece: PieceRef, check: bool = False) -> tuple[PackRecord, bytes]:
        """The record and the bytes of a piece that waits; ``check`` tells whether its root still fits.

        Raises `SpoolError` ``piece-lost``.
        """
        row = self.catalog.read.execute(
            "SELECT p.record, s.data FROM packs p JOIN pieces s ON s.pack=p.pack WHERE p.pack=? AND s.number=?"
            " AND s.state=?",
            (piece.pack, piece.index, PieceState.WAITING),
        ).fetchone()
        if row is None:
            raise SpoolError("piece-lost", "nothing is known of this piece any more")
        record = PackRecord.from_body(bytes(row[0]))
        if row[1] is not None:
            return record, bytes(row[1])
        expected = record.roots[piece.index] if check else None
        data: bytes = await self.world.run_in_thread(self._spool.load, piece.pack, piece.index, expected)
        return record, data

    def _land(self, queue: Queue, flight: Flight) -> None:
        if queue.flying.pop(flight.piece.pack, None) is not None:
            queue.load -= flight.size
        queue.moved = self.world.clock.seconds()

    def landed(self, queue: Queue, flight: Flight, error: Any) -> None:
        """A flight ended: with the supplier's word, or with an error."""
        self._land(queue, flight)
        if error is None:
            queue.failures, queue.paused_until, queue.reason, queue.doubt = 0, 0.0, "", False
            self._keep(flight.piece, queue.supplier)
        else:
            queue.waiting.appendleft((flight.piece.pack, flight.size))
            self._pause(queue, error)
        self.sender.send("piece-done")

    def _pause(self, queue: Queue, error: Any) -> None:
        now = self.world.clock.seconds()
        queue.reason = str(error)
        queue.doubt = getattr(error, "code", "") == DOUBTED
        if now >= queue.paused_until:
            queue.failures += 1
            queue.paused_until = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(queue.failures - 1, 10))

    def _keep(self, piece: PieceRef, supplier: bytes) -> None:
        """A crash before this is written down costs one piece that is sent again, so many share a write."""
        self._kept.append((piece, supplier))
        if self._writing is None:
            self._writing = self.world.clock.callLater(NOTE_AFTER, self.write_kept)
        self.on_piece(piece, supplier)

    def write_kept(self) -> "Deferred[None]":
        """Write down what was acknowledged since the last time, then let go of it here."""
        if self._writing is not None and self._writing.active():
            self._writing.cancel()
        self._writing = None
        kept, self._kept = self._kept, []
        noting: Deferred[None] = Deferred.fromCoroutine(self._write_kept(kept))
        return noting.addErrback(lambda failure: self.log.failure("pieces could not be noted", failure))

    async def _write_kept(self, kept: list[tuple[PieceRef, bytes]]) -> None:
        if not kept:
            return
        keep_local = self._keep_local()

        def note(database: Any) -> None:
            for piece, supplier in kept:
                mark_kept(database, piece, supplier, keep_local)

        await self.catalog.change(note)
        for piece, supplier in kept:
            if supplier in self.queues:
                self.queues[supplier].known.discard(piece.pack)
        if not keep_local:
            await self.world.run_in_thread(self._remove, [piece for piece, _ in kept])

    def _remove(self, pieces: list[PieceRef]) -> None:
        for piece in pieces:
            self._spool.remove(piece.pack, piece.index)

    def lost(self, queue: Queue, flight: Flight) -> None:
        """The spool has not got the piece any more."""
        self._land(queue, flight)
        queue.known.discard(flight.piece.pack)
        self.on_lost(flight.piece)
        self.sender.send("piece-done")

    # stalls

    def is_absent(self, supplier: bytes | None) -> bool:
        """Whether nothing is to be expected of a supplier now: away, failing, or silent for a while."""
        queue = self.queues.get(supplier) if supplier is not None else None
        if supplier is None or not self.ports.is_online(supplier):
            return True
        now = self.world.clock.seconds()
        if queue is None:
            return False
        return queue.paused_until > now or bool(queue.flying and now - queue.moved >= STALLED)

    def look_for_stalls(self) -> None:
        self.on_stall()

    def stop_all(self) -> None:
        for queue in self.queues.values():
            self._drop(queue)
        self.queues.clear()

    def outgoing(self, supplier: bytes) -> list[Flight]:
        """Pieces in the air to one supplier."""
        queue = self.queues.get(supplier)
        return list(queue.flying.values()) if queue is not None else []


def mark_kept(database: Any, piece: PieceRef, supplier: bytes, keep_data: bool) -> bool:
    """Inside a transaction: a supplier has acknowledged a piece; True when that was news."""
    data = "" if keep_data else ", data=NULL"
    news = database.execute(
        f"UPDATE pieces SET state=?, supplier=?{data} WHERE pack=? AND number=? AND state<>?",
        (PieceState.KEPT, supplier, piece.pack, piece.index, PieceState.KEPT),
    ).rowcount
    if news:
        database.execute("UPDATE packs SET acked=acked+1 WHERE pack=?", (piece.pack,))
        forget_bad(database, piece, supplier)
    return bool(news)
