"""What is written of a pack on this disk: its pieces, its row, and how safe they are."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.batching import ThreadQueue
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.pack_rows import give_up_pack, insert_pack
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.packs.pack import SealedPack, seal
from bitdust.storage.packs.packer import OpenPackage
from bitdust.storage.pieces.pack_progress import PackShape
from bitdust.storage.pieces.spool import SMALL, Spool
from bitdust.storage.pieces.waiting import mark_kept
from bitdust.wire.records import PieceRef, Scheme
from bitdust.world import World

NOTE_AGAIN = 10.0
"""Seconds until a disk that did not take what was to be noted is asked again."""
Change = Callable[[sqlite3.Connection], Any]


class PackStore:
    """I seal packs, one at a time, and keep their pieces: small ones in ``catalog.db``, others in the spool."""

    log = Logger()

    def __init__(self, world: World, catalog: Catalog, spool: Spool, coding: ThreadQueue) -> None:
        self._world = world
        self.catalog = catalog
        self.spool = spool
        self._coding = coding
        self._coders = Coders()
        self._unnoted: list[tuple[Change, Deferred[None]]] = []
        self._call: IDelayedCall | None = None
        self._is_open = True

    def open(self) -> None:
        """What the disk does not take is tried again from now on. May follow a `stop`."""
        self._is_open = True

    def stop(self) -> None:
        """Note nothing again; what is not noted is found at the next start."""
        self._is_open = False
        self._unnoted.clear()
        if self._call is not None:
            self._call.cancel()
        self._call = None

    @property
    def run_in_thread(self) -> "Callable[..., Deferred[Any]]":
        """Where blocking work belongs."""
        return self._world.run_in_thread

    def run_in_coding_thread(self, call: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
        """After all packs that wait to be sealed or opened, one call at a time."""
        return self._coding.submit(call, *arguments)

    async def seal(self, package: OpenPackage, scheme: Scheme, owner: bytes) -> PackShape:
        """Seal, code, keep and record a pack."""
        sealed: SealedPack = await self._coding.submit(self._seal, package, scheme, owner)
        size = sealed.record.piece_size
        now = int(self._world.wall())
        await self.catalog.change(lambda database: _record(database, package, sealed, size <= SMALL, now))
        return PackShape(scheme, size, size <= SMALL)

    def _seal(self, package: OpenPackage, scheme: Scheme, owner: bytes) -> SealedPack:
        key, coder = package.key, self._coders.of(scheme)
        made = seal(package.builder.plain(), owner, package.pack, key.secret, scheme, coder)
        sealed = SealedPack(evolve(made.record, scope=key.scope), made.pieces)
        package.builder.forget_data()
        self.spool.need_room(sealed.record.piece_size * scheme.n)
        if sealed.record.piece_size > SMALL:
            self.spool.write(package.pack, sealed.pieces)
            return SealedPack(sealed.record, [])
        return sealed

    def sync(self, pack: bytes, indexes: list[int]) -> "Deferred[Any]":
        """Bring pieces to the disk for good. Fails with `SpoolError`."""
        return self._world.run_in_thread(self.spool.sync, pack, indexes)

    def note_held(self, pack: bytes, acknowledged: Mapping[int, bytes]) -> "Deferred[None]":
        """The pack survives a power cut; fires when that is written down, and with it what it rests on: which suppliers
        have ``acknowledged`` their pieces. Versions are written next, and these pieces may not be on this disk."""

        def note(database: sqlite3.Connection) -> None:
            for index, supplier in acknowledged.items():
                mark_kept(database, PieceRef(pack, index), supplier, keep_data=True)
            query = "UPDATE packs SET state=? WHERE pack=? AND state=?"
            database.execute(query, (PackState.HELD, pack, PackState.NEW))

        return self._note(note)

    def note_lost(self, pack: bytes) -> None:
        """The pack is given up: its bytes get a new one."""
        self._note(lambda database: give_up_pack(database, pack))

    def note_missing(self, piece: PieceRef) -> None:
        """This disk has lost a piece that its supplier does not have: the next round makes it again."""
        self._note(lambda database: mark_missing(database, piece))

    def _note(self, change: Change) -> "Deferred[None]":
        """Fires when it is written: what the disk does not take is tried again until it does."""
        noted: Deferred[None] = Deferred()
        self._try_to_note(change, noted)
        return noted

    def _try_to_note(self, change: Change, noted: "Deferred[None]") -> None:
        noting = self.catalog.change(change)
        noting.addCallbacks(lambda _: noted.callback(None), lambda failure: self._keep(failure, change, noted))

    def _keep(self, failure: Failure, change: Change, noted: "Deferred[None]") -> None:
        self.log.warn("a pack could not be noted yet: {error}", error=failure.value)
        if self._is_open:
            self._unnoted.append((change, noted))
            self._call = self._call or self._world.clock.callLater(NOTE_AGAIN, self._note_again)

    def _note_again(self) -> None:
        unnoted, self._unnoted, self._call = self._unnoted, [], None
        for change, noted in unnoted:
            self._try_to_note(change, noted)


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


def mark_missing(database: sqlite3.Connection, piece: PieceRef) -> None:
    """Inside a transaction: a piece that waited is neither here nor there."""
    database.execute(
        "UPDATE pieces SET state=?, data=NULL WHERE pack=? AND number=? AND state=?",
        (PieceState.MISSING, piece.pack, piece.index, PieceState.WAITING),
    )


def piece_numbers(database: sqlite3.Connection, pack: bytes, state: PieceState) -> set[int]:
    """Which pieces of a pack are in a state."""
    rows: Iterable[Any] = database.execute("SELECT number FROM pieces WHERE pack=? AND state=?", (pack, state))
    return {row[0] for row in rows}
