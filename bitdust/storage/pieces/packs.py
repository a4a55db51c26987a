"""Packs in progress, from the first chunk to the last acknowledgement; all others are rows of the catalog alone.

Counts are kept as packs move, so that what an acknowledgement costs does not depend on how many packs there are.
"""

from typing import Any

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed

from bitdust.signal import Signal
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.packs.packer import OpenPackage, Packer
from bitdust.storage.pieces.leftovers import Leftovers, find_leftovers, settle
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.pieces.pack_progress import PackProgress, PackShape, enough
from bitdust.storage.pieces.pack_store import PackStore, piece_numbers
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.ports import PieceHolders
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PieceRef, Scheme

MOST_FEW = 32
"""Packs on this disk that fewer than k suppliers have, before reading waits."""
MOST_SEALING = 1
"""Packs in memory that are still to be sealed, before reading waits."""
MOST_FAILED = 100


@frozen
class PackStanding:
    """How far a pack is: ``lacking`` acknowledgements until it is safe, and which pieces wait for suppliers."""

    is_held: bool
    lacking: int = 0
    waiting: frozenset[int] = field(default=frozenset())


COMPLETE = PackStanding(True)
UNSEALED = PackStanding(False)


class Packs:
    """I own the machines. ``held`` is emitted when versions may build on a pack, ``failed`` when they never will;
    ``acknowledged`` and ``lost`` for pieces of any pack; ``overdue`` when open packs wait for their end for long."""

    def __init__(
        self, around: Connected, packer: Packer, store: PackStore, queues: SupplierQueues, ports: PieceHolders
    ) -> None:
        self._registry = around.registry
        self._packer = packer
        self._store = store
        self._queues = queues
        self._ports = ports
        self._packages: dict[bytes, OpenPackage] = {}
        self._progress: dict[bytes, PackProgress] = {}
        self._sealing = 0
        self._few: set[bytes] = set()
        self._noting: set[bytes] = set()
        self._failures: dict[bytes, BaseException] = {}
        self._waiting_for_room: list[Deferred[None]] = []
        self.held: Signal[[bytes]] = Signal()
        self.failed: Signal[[bytes, BaseException]] = Signal()
        self.acknowledged: Signal[[PieceRef]] = Signal()
        self.lost: Signal[[PieceRef]] = Signal()
        self.overdue: Signal[[]] = Signal()

    def __len__(self) -> int:
        return len(self._progress)

    # filled packs

    def collect(self) -> None:
        """Packs that the reading thread has begun or filled."""
        for package in self._packer.take_started():
            self._packages[package.pack] = package
            self._progress[package.pack] = PackProgress(self._registry, self, package.pack)
        for package in self._packer.take_full():
            if package.pack in self._progress:
                self._sealing += 1
                self._progress[package.pack].machine.send("full")

    def has_room(self) -> bool:
        """Whether more may be read: this disk does not run far ahead of the suppliers."""
        return len(self._few) < MOST_FEW and self._sealing < MOST_SEALING

    def wait_for_room(self) -> "Deferred[None]":
        """Fires when more may be read."""
        if self.has_room():
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting_for_room.remove)
        self._waiting_for_room.append(waiting)
        return waiting

    def _check_room(self) -> None:
        if self._waiting_for_room and self.has_room():
            waiting, self._waiting_for_room = self._waiting_for_room, []
            for one in waiting:
                one.callback(None)

    # how far packs are

    def standing(self, pack: bytes) -> PackStanding:
        """How far a pack is. Raises the error of one that could not be kept."""
        progress = self._progress.get(pack)
        if progress is not None:
            if not progress.is_held or pack in self._noting:
                return UNSEALED
            return self._standing(progress.k, progress.n, len(progress.acked), progress.waiting)
        if pack in self._failures:
            raise self._failures[pack]
        return self._of_row(pack)

    def _of_row(self, pack: bytes) -> PackStanding:
        database = self._store.catalog.read
        row = database.execute("SELECT state, acked, n FROM packs WHERE pack=?", (pack,)).fetchone()
        if pack in self._noting:
            return UNSEALED
        if row is None or row[0] == PackState.NEW:
            raise BitDustError("failed", "a pack could not be kept")
        state, acked, n = row
        if acked >= n or state > PackState.HELD:
            return COMPLETE
        written, new = piece_numbers(database, pack, PieceState.WAITING), set(self._queues.unwritten(pack))
        return self._standing(Scheme.for_family(n).k, n, acked + len(written & new), written - new)

    def _standing(self, k: int, n: int, acked: int, waiting: set[int]) -> PackStanding:
        return PackStanding(True, max(0, enough(k, n) - acked), frozenset(waiting)) if waiting else COMPLETE

    def piece_acknowledged(self, piece: PieceRef, supplier: bytes) -> None:
        """A supplier has a piece on its disk."""
        progress = self._progress.get(piece.pack)
        if progress is not None:
            progress.acknowledged(piece.index)
        self.acknowledged.emit(piece)

    def piece_lost(self, piece: PieceRef) -> None:
        """This disk has lost a piece that its supplier does not have."""
        self._store.note_missing(piece)
        progress = self._progress.get(piece.pack)
        if progress is not None:
            progress.lost(piece.index)
        self.lost.emit(piece)

    # what each pack asks

    def close_open_packs(self) -> None:
        self.overdue.emit()

    def seal(self, pack: bytes) -> "Deferred[PackShape]":
        return Deferred.fromCoroutine(self._seal(self._packages[pack]))

    async def _seal(self, package: OpenPackage) -> PackShape:
        family = self._ports.family()
        if family is None:
            raise BitDustError("not-enough-suppliers", "there is no family of suppliers any more")
        shape = await self._store.seal(package, Scheme(family.k, family.n), family.customer)
        self._sealed(package)
        return shape

    def _sealed(self, package: OpenPackage) -> None:
        if self._packages.pop(package.pack, None) is not None:
            self._sealing -= 1
            self._packer.recorded(package)

    def queue_piece(self, pack: bytes, index: int, size: int) -> None:
        self._queues.add(pack, index, size)

    def sync(self, pack: bytes, indexes: list[int]) -> "Deferred[Any]":
        return self._store.sync(pack, indexes)

    def note_held(self, pack: bytes) -> None:
        # The next write may be taken by a disk that does not take this one, and would name a pack that no log knows.
        self._noting.add(pack)
        self._store.note_held(pack, self._queues.unwritten(pack)).addCallback(lambda _: self._noted(pack))

    def _noted(self, pack: bytes) -> None:
        self._noting.discard(pack)
        if pack not in self._failures:
            self.report_held(pack)

    def note_lost(self, pack: bytes) -> None:
        self._store.note_lost(pack)

    def moved(self, progress: PackProgress) -> None:
        (self._few.add if progress.has_few() else self._few.discard)(progress.pack)
        self._check_room()

    def report_held(self, pack: bytes) -> None:
        self.held.emit(pack)

    def report_failed(self, pack: bytes, reason: Any) -> None:
        error = reason if isinstance(reason, BaseException) else RuntimeError(str(reason))
        if pack in self._packages:
            self._sealed(self._packages[pack])
        self._failures[pack] = error
        if len(self._failures) > MOST_FAILED:
            del self._failures[next(iter(self._failures))]
        self.finished(pack)
        self.failed.emit(pack, error)

    def finished(self, pack: bytes) -> None:
        self._progress.pop(pack, None)
        self._few.discard(pack)
        self._check_room()

    # start and stop

    async def open(self, copies: LocalCopies) -> None:
        """Find what a crash has left: finish what is whole, give up what is not."""
        store = self._store
        store.open()
        left: Leftovers = await store.run_in_thread(find_leftovers, store.catalog.another_reader, store.spool, copies)
        await settle(store, left)
        for found in left.few[:MOST_FEW]:
            progress = self._progress[found.pack] = PackProgress(self._registry, self, found.pack)
            progress.adopt(found.k, found.n, found.acked, found.waiting, found.size)

    def stop(self) -> None:
        """Nothing more is done; what is not held is looked at again at the next start."""
        self._store.stop()
        self._noting.clear()
        progress, self._progress = self._progress, {}
        for one in progress.values():
            one.machine.send("stop")
        waiting, self._waiting_for_room = self._waiting_for_room, []
        for deferred in waiting:
            deferred.errback(CancelledError())
