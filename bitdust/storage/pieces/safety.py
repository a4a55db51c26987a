"""From a filled pack to one that is safe: sealed, spooled, recorded, held, acknowledged.

* *recorded*: the catalog knows it, its pieces are queued for their suppliers;
* *held*: it survives a power cut, because its pieces are synced here or `enough` suppliers have theirs. Versions are
  written to the log only when all their packs are held;
* *complete*: every piece is acknowledged.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.batching import ThreadQueue
from bitdust.storage.catalog.apply import give_up_pack, insert_pack
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.packs.pack import SealedPack, seal
from bitdust.storage.packs.packer import OpenPackage, Packer
from bitdust.storage.pieces.queues import Motion
from bitdust.storage.pieces.spool import SMALL, Spool, SpoolError
from bitdust.storage.ports import Me, Ports, StorageWorld
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord, PieceRef, Scheme

HOLD_AFTER = 1.0
MOST_UNSAFE = 32
"""Packs on the disk that fewer than k suppliers have."""
MOST_SEALING = 1
"""Packs in memory that are still to be sealed."""


def enough(k: int, n: int) -> int:
    """Acknowledged pieces with which a pack may be called safe while the other suppliers are away.

    k pieces give the pack back; half of the spare ones, rounded up, must be there besides, but never all n, or one
    silent supplier would hold up everybody: 1 of 2 (the log needs both anyway), 2 of 3, 3 of 4, 6 of 7.
    """
    return max(k, min(n - 1, k + -(-(n - k + 1) // 2)))


@define
class Progress:
    """How far a pack is that is not complete yet."""

    pack: bytes
    k: int
    n: int
    held: bool
    since: float
    acked: set[int] = field(factory=set)
    waiting: set[int] = field(factory=set)

    @property
    def is_safe(self) -> bool:
        return len(self.acked) >= enough(self.k, self.n)


class Holding:
    """I take filled packs and tell my watchers whenever one gets further.

    ``copies`` are the pieces in the spool that stay there although suppliers have them."""

    log = Logger()

    def __init__(
        self, world: StorageWorld, catalog: Catalog, spool: Spool, coding: ThreadQueue, packer: Packer, motion: Motion,
        me: Me, ports: Ports,
    ) -> None:  # fmt: skip
        self._world = world
        self._catalog = catalog
        self._spool = spool
        self._coding = coding
        self._packer = packer
        self._motion = motion
        self._me = me
        self._ports = ports
        self._coders = Coders()
        self._watchers: list[Callable[[], None]] = []
        self._call: Any = None
        self._stopped = False
        self.sealing: set[bytes] = set()
        self.progress: dict[bytes, Progress] = {}
        self.failed: dict[bytes, BaseException] = {}
        self.copies: Callable[[], set[tuple[bytes, int]]] = set
        motion.on_piece = self.piece_kept
        motion.on_lost = self.piece_lost

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Be told when a pack gets further; gives a remover."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def tell(self) -> None:
        """Something got further, or could."""
        for watcher in list(self._watchers):
            watcher()

    # filled packs

    def take(self, packages: Iterable[OpenPackage]) -> None:
        """Seal, spool and record these."""
        for package in packages:
            self.sealing.add(package.pack)
            done = Deferred.fromCoroutine(self._take(package))
            done.addErrback(self._failed, package)

    async def _take(self, package: OpenPackage) -> None:
        family = self._ports.family()
        if family is None:
            raise BitDustError("not-enough-suppliers", "there is no family of suppliers any more")
        scheme = Scheme(family.k, family.n)
        sealed: SealedPack = await self._coding.submit(self._seal, package, scheme, self._me.fingerprint)
        small = sealed.record.piece_size <= SMALL
        now = int(self._world.wall())
        await self._catalog.change(lambda database: _record(database, package, sealed, small, now))
        self._recorded(package, sealed.record, small)

    def _seal(self, package: OpenPackage, scheme: Scheme, owner: bytes) -> SealedPack:
        sealed = seal(package.builder.plain(), owner, package.pack, package.key.secret, scheme, self._coders.of(scheme))
        package.builder.forget_data()
        self._spool.need_room(sealed.record.piece_size * scheme.n)
        if sealed.record.piece_size > SMALL:
            self._spool.write(package.pack, sealed.pieces)
            return SealedPack(sealed.record, [])
        return sealed

    def _recorded(self, package: OpenPackage, record: PackRecord, held: bool) -> None:
        scheme, pack = record.scheme, package.pack
        every = set(range(scheme.n))
        self.progress[pack] = Progress(pack, scheme.k, scheme.n, held, self._world.clock.seconds(), waiting=every)
        self.sealing.discard(pack)
        self._packer.recorded(package)
        for index in range(scheme.n):
            self._motion.add(pack, index, record.piece_size)
        if not held:
            self._sync_later()
        self.tell()

    def _failed(self, failure: Failure, package: OpenPackage) -> None:
        self.sealing.discard(package.pack)
        self._packer.recorded(package)
        self.failed[package.pack] = failure.value or RuntimeError("no reason was given")
        if not isinstance(failure.value, BitDustError):
            self.log.failure("a pack could not be kept", failure)
        self.tell()

    # getting further

    def is_ready(self, packs: Iterable[bytes]) -> bool:
        """Whether versions may build on these packs; raises the error of one that could not be kept."""
        ready = True
        for pack in packs:
            if pack in self.failed:
                raise self.failed[pack]
            known = self.progress.get(pack)
            ready = ready and pack not in self._packer.unsealed and (known is None or known.held)
        return ready

    def pending(self, packs: Iterable[bytes]) -> set[bytes]:
        """Those that are not complete yet; raises the error of one that could not be kept."""
        left = {pack for pack in packs if pack in self.progress or pack in self._packer.unsealed or pack in self.failed}
        self.is_ready(left)
        return left

    def piece_kept(self, piece: PieceRef, supplier: bytes) -> None:
        """A supplier has a piece on its disk."""
        known = self.progress.get(piece.pack)
        if known is None:
            return
        known.acked.add(piece.index)
        known.waiting.discard(piece.index)
        if not known.held and known.is_safe:
            self._hold([known])
        if not known.waiting and known.held:
            del self.progress[piece.pack]
        self.tell()

    def piece_lost(self, piece: PieceRef) -> None:
        """The spool has lost a piece that a supplier does not have: later work rebuilds it from the others."""
        known = self.progress.get(piece.pack)
        self._note(self._catalog.change(lambda database: _mark_missing(database, piece)))
        if known is not None:
            known.waiting.discard(piece.index)
            self.tell()

    def _hold(self, packs: list[Progress]) -> None:
        for known in packs:
            known.held = True
        names = [(PackState.HELD, known.pack, PackState.NEW) for known in packs]
        self._note(
            self._catalog.change(
                lambda database: database.executemany("UPDATE packs SET state=? WHERE pack=? AND state=?", names)
            )
        )

    def _note(self, deferred: "Deferred[Any]") -> None:
        deferred.addErrback(lambda failure: self.log.failure("a pack could not be noted", failure))

    def _sync_later(self) -> None:
        if self._call is None and not self._stopped:
            self._call = self._world.clock.callLater(HOLD_AFTER, self._sync)

    def _sync(self) -> None:
        self._call = None
        due = self._world.clock.seconds() - HOLD_AFTER * 0.9
        young = [known for known in self.progress.values() if not known.held]
        old = [known for known in young if known.since <= due]
        if old:
            pieces = [(known.pack, sorted(known.waiting)) for known in old]
            syncing = self._world.run_in_thread(self._sync_packs, pieces)
            syncing.addCallbacks(self._synced, self._not_synced, callbackArgs=(old,), errbackArgs=(old,))
        if young:
            self._sync_later()

    def _sync_packs(self, pieces: list[tuple[bytes, list[int]]]) -> None:
        for pack, indexes in pieces:
            self._spool.sync(pack, indexes)

    def _synced(self, _: object, packs: list[Progress]) -> None:
        self._hold([known for known in packs if not known.held])
        for known in packs:
            if not known.waiting:
                self.progress.pop(known.pack, None)
        self.tell()

    def _not_synced(self, failure: Failure, packs: list[Progress]) -> None:
        for known in packs:
            self.failed[known.pack] = failure.value or RuntimeError("no reason was given")
        self.tell()

    def has_room(self) -> bool:
        """Whether more may be read: the spool does not run far ahead of the suppliers."""
        unsafe = sum(1 for known in self.progress.values() if len(known.acked) < known.k)
        return unsafe < MOST_UNSAFE and len(self.sealing) < MOST_SEALING

    def is_safe(self, packs: Iterable[bytes], is_absent: Callable[[int], bool]) -> bool:
        """Whether every pack is complete, or `enough` pieces are there and nobody else can be waited for."""
        for pack in packs:
            known = self.progress.get(pack)
            if pack in self._packer.unsealed or (known is not None and not known.held):
                return False
            if known is not None and not (known.is_safe and all(is_absent(index) for index in known.waiting)):
                return False
        return True

    def acked(self, packs: Iterable[bytes]) -> tuple[int, int]:
        """Acknowledged pieces of packs on their way, and how many are due."""
        known = [self.progress[pack] for pack in packs if pack in self.progress]
        return sum(len(one.acked) for one in known), sum(one.n for one in known)

    # start and stop

    async def open(self) -> None:
        """Look what a crash left: finish what is whole, give up what is not."""
        names: set[tuple[bytes, int]] = await self._world.run_in_thread(self._open_spool)
        rows = self._catalog.read.execute(
            "SELECT p.pack, p.record, p.state, s.number, s.data IS NULL FROM pieces s JOIN packs p ON p.pack=s.pack"
            " WHERE s.state=? AND p.state<=?",
            (PieceState.WAITING, PackState.HELD),
        ).fetchall()
        found: dict[bytes, Progress] = {}
        records: dict[bytes, PackRecord] = {}
        missing: list[PieceRef] = []
        for name, body, state, number, in_spool in rows:
            pack = bytes(name)
            if pack not in records:
                records[pack] = record = PackRecord.from_body(bytes(body))
                held = state == PackState.HELD
                found[pack] = Progress(pack, record.scheme.k, record.scheme.n, held, 0.0, self._kept(pack))
            if in_spool and (pack, number) not in names:
                missing.append(PieceRef(pack, number))
            else:
                found[pack].waiting.add(number)
            names.discard((pack, number))
        for known in found.values():
            if not known.held:
                missing += await self._world.run_in_thread(self._damaged, known, records[known.pack])
        await self._settle(found, missing)
        await self._world.run_in_thread(self._remove, names - self.copies())

    def _open_spool(self) -> set[tuple[bytes, int]]:
        self._spool.open()
        return self._spool.names()

    def _remove(self, names: set[tuple[bytes, int]]) -> None:
        for pack, index in names:
            self._spool.remove(pack, index)

    def _kept(self, pack: bytes) -> set[int]:
        rows = self._catalog.read.execute("SELECT number FROM pieces WHERE pack=? AND state=?", (pack, PieceState.KEPT))
        return {row[0] for row in rows}

    def _damaged(self, known: Progress, record: PackRecord) -> list[PieceRef]:
        """Pieces of a pack that was not synced, and did not survive; what did is synced now."""
        damaged: list[PieceRef] = []
        for index in sorted(known.waiting):
            try:
                self._spool.load(known.pack, index, record.roots[index])
            except SpoolError:
                damaged.append(PieceRef(known.pack, index))
                known.waiting.discard(index)
        self._spool.sync(known.pack, sorted(known.waiting))
        return damaged

    async def _settle(self, found: dict[bytes, Progress], missing: list[PieceRef]) -> None:
        whole = [known for known in found.values() if len(known.acked) + len(known.waiting) >= known.k]
        lost = [known.pack for known in found.values() if len(known.acked) + len(known.waiting) < known.k]

        def settle(database: sqlite3.Connection) -> None:
            for piece in missing:
                _mark_missing(database, piece)
            for known in whole:
                database.execute("UPDATE packs SET state=? WHERE pack=?", (PackState.HELD, known.pack))
            for pack in lost:
                give_up_pack(database, pack)

        await self._catalog.change(settle)
        for known in whole:
            known.held = True
            if known.waiting:
                self.progress[known.pack] = known

    def stop(self) -> None:
        """Nothing more is synced; what is unheld is looked at again at the next start."""
        self._stopped = True
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None


def _record(database: sqlite3.Connection, package: OpenPackage, sealed: SealedPack, small: bool, now: int) -> None:
    record, chunks = sealed.record, package.builder.chunks
    insert_pack(
        database, package.pack, package.key.alias, package.key.epoch, record.to_body(),
        b"".join(chunk.name for chunk in chunks), [chunk.length for chunk in chunks], record.size, record.scheme.n,
        PackState.HELD if small else PackState.NEW, 0, now,
    )  # fmt: skip
    database.executemany(
        "INSERT INTO pieces VALUES(?, ?, ?, ?, NULL, ?)",
        (
            (package.pack, index, record.piece_size, PieceState.WAITING, sealed.pieces[index] if small else None)
            for index in range(record.scheme.n)
        ),
    )


def _mark_missing(database: sqlite3.Connection, piece: PieceRef) -> None:
    database.execute(
        "UPDATE pieces SET state=?, data=NULL WHERE pack=? AND number=? AND state=?",
        (PieceState.MISSING, piece.pack, piece.index, PieceState.WAITING),
    )
