"""One pack on its way from one scheme to another: made here, given to each supplier, and then named by the log."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from bitdust.formats.operations import Op, move_op, pack_op_of_row, tombstone_op
from bitdust.storage.catalog.database import PackState
from bitdust.storage.catalog.moves import current
from bitdust.storage.catalog.pack_rows import give_up_pack
from bitdust.storage.keeping.moving_pace import MovingPace, bytes_of
from bitdust.storage.keeping.reencode_rows import is_delivered, is_unwanted, record_new
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.packs.pack import SealedPack, reseal
from bitdust.storage.pieces.fetch import Fetcher
from bitdust.storage.pieces.locations import PackSource, PackSources
from bitdust.storage.pieces.pack_store import PackStore
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.pieces.spool import SMALL
from bitdust.storage.ports import Ports
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Scheme
from bitdust.world import World


class Mover(Protocol):
    """What moving packs needs of the whole storage; `bitdust.storage.core.Core` is it."""

    @property
    def log_writer(self) -> LogWriter: ...

    @property
    def pace(self) -> MovingPace: ...

    @property
    def pack_sources(self) -> PackSources: ...

    @property
    def fetcher(self) -> Fetcher: ...

    def secrets(self, alias: str, epoch: int, /) -> tuple[bytes, ...]:
        """The storage secrets of a name."""

    def is_busy(self) -> bool:
        """Whether files go up or come down."""


@define
class Workshop:
    """What a pack is moved with."""

    world: World
    store: PackStore
    queues: SupplierQueues
    ports: Ports
    mover: Mover
    coders: Coders = field(factory=Coders)


@define(eq=False)
class PackMove:
    """The port of one `reencoding` machine: ``pack`` moves to ``new``. ``failed`` is called with a pack and the reason,
    ``ended`` with a pack, when its machine has come to an end."""

    shop: Workshop
    pack: bytes
    new: bytes
    failed: Callable[[bytes, Any], None]
    ended: Callable[[bytes], None]

    def make(self) -> "Deferred[Any]":
        """Fails with `BitDustError` ``not-enough-pieces``, ``disk-full`` and others."""
        return Deferred.fromCoroutine(self._make())

    async def _make(self) -> None:
        shop, family = self.shop, self.shop.ports.family()
        if family is None:
            raise BitDustError("not-enough-suppliers", "there is no family of suppliers any more")
        scheme = Scheme(family.k, family.n)
        source = await shop.mover.pack_sources.of(self.pack)
        if source.record.pack != self.pack:
            raise BitDustError("not-found", "the pack was moved meanwhile")
        shop.mover.pace.spend(bytes_of(source.record, scheme, scheme.n))
        pieces = await shop.mover.fetcher.enough(source)
        made: SealedPack = await shop.store.run_in_coding_thread(self._seal, source, pieces, scheme)
        small, time = made.record.piece_size <= SMALL, int(shop.world.wall())
        recorded = await shop.store.catalog.change(lambda database: record_new(database, self.pack, made, small, time))
        if not recorded:
            raise BitDustError("not-found", "the pack is wanted no more")
        for index in range(scheme.n):
            shop.queues.add(self.new, index, made.record.piece_size)

    def _seal(self, source: PackSource, pieces: dict[int, bytes], scheme: Scheme) -> SealedPack:
        record, coders = source.record, self.shop.coders
        secrets = self.shop.mover.secrets(source.key, source.epoch)
        made = reseal(pieces, record, secrets, self.new, (coders.of(record.scheme), coders.of(scheme)))
        spool = self.shop.store.spool
        spool.need_room(made.record.piece_size * scheme.n)
        if made.record.piece_size > SMALL:
            spool.write(self.new, made.pieces)
            spool.sync(self.new, range(scheme.n))
        return made

    def is_unwanted(self) -> bool:
        """Whether the new pack is of no use any more."""
        family = self.shop.ports.family()
        return family is not None and is_unwanted(self.shop.store.catalog.read, self.pack, self.new, family.n)

    def is_delivered(self) -> bool:
        """Whether every supplier has its new piece."""
        return is_delivered(self.shop.store.catalog.read, self.new)

    def log_move(self) -> "Deferred[Any]":
        """One entry: the new pack, that it takes the old one's place, and that the old one may go."""
        now = int(self.shop.world.wall() * 1000)

        def ops(database: sqlite3.Connection) -> list[Op]:
            wanted = "SELECT 1 FROM packs WHERE pack=? AND state=?"
            if database.execute(wanted, (self.pack, PackState.HELD)).fetchone() is None:
                return []
            row = database.execute(
                "SELECT record, key, epoch, names, lengths FROM packs WHERE pack=?", (self.new,)
            ).fetchone()
            return [pack_op_of_row(*row), move_op(self.pack, self.new), tombstone_op([], [self.pack], now)]

        def also(database: sqlite3.Connection) -> None:
            if current(database, self.pack) != self.new:
                give_up_pack(database, self.new)
            database.execute("DELETE FROM recodings WHERE pack=?", (self.pack,))

        return self.shop.mover.log_writer.write(ops, also)

    def drop(self) -> "Deferred[Any]":
        """Let go of the new pack; its pieces are cleaned away like those of any other that was given up."""

        def dropped(database: sqlite3.Connection) -> None:
            give_up_pack(database, self.new)
            database.execute("DELETE FROM recodings WHERE pack=? AND new=?", (self.pack, self.new))

        return self.shop.store.catalog.change(dropped)

    def note_failure(self, reason: Any) -> None:
        """It is tried again later."""
        self.failed(self.pack, reason)

    def report(self) -> None:
        """The machine has come to its end."""
        self.ended(self.pack)
