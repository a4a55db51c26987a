"""Missing pieces are made again: k others are fetched, the pack is decoded and coded again.

No key is needed for it. Which pieces are missing: those that a supplier has lost, and those of a place that has changed
hands. The latter are copied from the supplier that leaves the place while it is there, and it keeps them meanwhile;
one that does not give what it is asked for is asked no more in this round.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from bitdust.outcome import outcome
from bitdust.signal import Signal
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.whereabouts import is_nowhere
from bitdust.storage.keeping.moving_pace import MovingPace, bytes_of
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.pieces.bad_pieces import count_kept
from bitdust.storage.pieces.fetch import TOO_FEW, Fetcher
from bitdust.storage.pieces.locations import PackSource, PackSources
from bitdust.storage.pieces.pack_store import PackStore
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.ports import Ports
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family, PackRecord

AT_A_TIME = 500
"""Packs that one look into the catalog finds."""
MOST_WAITING = 100
"""Pieces on this disk for one supplier, at most, before more are made for it."""
FEW = 0.5
"""At this share of them more are made again: finding out which is not done for each single piece."""
A_MOMENT = 1.0
Broken = tuple[bytes, list[int]]
"""A pack, and the places of the pieces that it lacks."""
PATIENCE = 60.0
"""Seconds in which suppliers take at least one piece of what was rebuilt; after that the round goes on without them."""


class Rebuilder:
    """I mend packs one after the other, those with the fewest pieces first.

    ``stuck`` names packs of which too few pieces could be had when they were tried last, ``stuck_changed`` reports that
    their number is another one, ``can_go_on`` that suppliers have taken what rebuilding had to wait for.
    """

    log = Logger()

    def __init__(
        self,
        store: PackStore,
        fetcher: Fetcher,
        queues: SupplierQueues,
        sources: PackSources,
        ports: Ports,
        pace: MovingPace,
    ) -> None:
        self._store = store
        self._catalog = store.catalog
        self._spool = store.spool
        self._fetcher = fetcher
        self._queues = queues
        self._sources = sources
        self._ports = ports
        self._pace = pace
        self._coders = Coders()
        self._left_out: set[bytes] = set()
        self._silent: set[bytes] = set()
        self._is_cut_short = False
        self._waits_for: frozenset[int] = frozenset()
        self._taken: Deferred[bool] | None = None
        self.rebuilt = 0
        self.stuck: set[bytes] = set()
        self._nowhere: set[bytes] = set()
        self.stuck_changed: Signal[[int]] = Signal()
        self.can_go_on: Signal[[]] = Signal()
        queues.taken.connect(self._note_taken)

    async def rebuild(self) -> int:
        """Mend all that can be mended now, as fast as suppliers take it; the number of packs."""
        before, stuck, self._left_out, self._silent = self.rebuilt, self.stuck, set(), set()
        self.stuck, self._is_cut_short, self._waits_for = set(), False, frozenset()
        try:
            while not self._is_cut_short and await self._some():
                pass
        finally:
            # What was not tried this time is as it was.
            self.stuck |= stuck if self._is_cut_short or self._waits_for else set()
            self._nowhere &= self.stuck
            if len(self.stuck) != len(stuck):
                self.stuck_changed.emit(len(self.stuck))
        return self.rebuilt - before

    @property
    def waits_for_suppliers(self) -> set[bytes]:
        """Those of the stuck packs that can be mended when suppliers are back; of the others too little is anywhere."""
        return self.stuck - self._nowhere

    def cut_short(self) -> None:
        """End with the pack that is being mended; what is left is mended in the next round."""
        self._is_cut_short = True
        self._note_taken()

    async def _are_taken(self, held_up: Collection[int]) -> bool:
        """Wait until there is room for many at one of these places; False when suppliers take none for a while."""
        while held_up == self._held_up(held_up, FEW) and not self._is_cut_short:
            # What a supplier has just taken waits in the catalog until the next commit.
            if not await self._next_taken(PATIENCE if self._queues.is_working else A_MOMENT):
                self._waits_for = frozenset(held_up)
                return False
        return True

    def _held_up(self, places: Iterable[int], share: float = 1.0) -> set[int]:
        """Those of these places for which enough pieces wait here already; nobody else is held up by them."""
        query = "SELECT count(*) FROM (SELECT 1 FROM pieces WHERE state<>1 AND state=? AND number=? LIMIT ?)"
        most, read = max(1, int(share * MOST_WAITING)), self._catalog.read
        counts = {place: read.execute(query, (PieceState.WAITING, place, most)).fetchone()[0] for place in places}
        return {place for place, count in counts.items() if count >= most}

    def _next_taken(self, seconds: float) -> "Deferred[bool]":
        """Fires with True when the catalog knows of a piece that was taken, with False after so many seconds."""
        self._taken = Deferred()
        return self._taken.addTimeout(seconds, self._queues.clock, lambda result, seconds: False)

    def _note_taken(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None and not taken.called:
            taken.callback(True)
        elif self._waits_for and self._waits_for != self._held_up(self._waits_for, FEW):
            self._waits_for = frozenset()
            self.can_go_on.emit()

    async def _some(self) -> bool:
        """Try some packs; whether there were any, and room for them. A pack that cannot be mended is left out."""
        family = self._ports.family()
        if family is None:
            return False
        online = [who if who is not None and self._ports.is_online(who) else None for who in family.seats]
        packs = await self._broken(family, online)
        held_up = self._held_up(place for place, who in enumerate(online) if who is not None)
        if held_up and not packs:
            return bool(await self._broken(family, online, held_up)) and await self._are_taken(held_up)
        for pack, missing in packs:
            if self._is_cut_short:
                return False
            wanted = sorted(set(missing) - self._held_up(missing))
            if not wanted:
                continue
            try:
                await self._mend(pack, wanted, family)
                self.rebuilt += 1
            except CancelledError:  # the round has ended, and another one may have begun; no pack is to blame
                raise
            except BitDustError as error:
                if error.code == "disk-full":
                    self.log.warn("nothing can be mended now: {error}", error=error)
                    return False
                self._left_out.add(pack)
                self._nowhere.discard(pack)
                if error.code == TOO_FEW:
                    self.stuck.add(pack)
                if error.code == TOO_FEW and is_nowhere(self._catalog.read, pack):
                    self._nowhere.add(pack)
                    continue  # nobody is waited for: it is tried again for the case that somebody has a piece after all
                self.log.warn("pack {pack} cannot be mended now: {error}", pack=pack.hex()[:16], error=error)
            except Exception:  # noqa: BLE001 - whatever is wrong with one pack must not stop those behind it
                self.log.failure("pack {pack} cannot be mended", pack=pack.hex()[:16])
                self._left_out.add(pack)
        return bool(packs)

    async def _broken(
        self, family: Family, online: Sequence[bytes | None], places: Collection[int] | None = None
    ) -> list[Broken]:
        """Packs that lack pieces at these places; where none are named, at those for which few wait here."""
        every = {place for place, who in enumerate(online) if who is not None}
        wanted = every - self._held_up(every) if places is None else places
        takers = [who if place in wanted else None for place, who in enumerate(online)]
        found: list[Broken] = await self._store.run_in_coding_thread(
            self._catalog.read_apart, lambda database: broken_packs(database, takers, self._left_out)
        )
        return found

    async def _mend(self, pack: bytes, missing: list[int], family: Family) -> None:
        await self._pace.turn()
        source: PackSource = await self._sources.of(pack)
        self._pace.spend(bytes_of(source.record, source.record.scheme, len(missing)))
        places = {
            index: who
            for index, who in source.places.items()
            if index not in missing or (who in family.holders and who != family.seats[index])
        }
        copied = await self._copies(source.record, {index: places.get(index) for index in missing})
        if not copied:
            pieces = await outcome(Deferred.fromCoroutine(self._fetcher.enough(source, places)))
            if pieces.error is None:
                size = await self._store.run_in_coding_thread(self._make, source.record, pieces.value, missing)
            else:  # What whoever leaves has can move all the same: the place would wait for it.
                copied = await self._copies(
                    source.record, {index: places[index] for index in missing if index in places}
                )
                missing = list(copied)
                if not copied:
                    raise pieces.error
        if copied:
            size = await self._store.run_in_coding_thread(self._copy, source.record, copied)
        await self._catalog.change(lambda database: self._note(database, source.record, missing, size))
        for index in missing:
            self._queues.add(pack, index, size)

    async def _copies(self, record: PackRecord, places: dict[int, bytes | None]) -> dict[int, bytes]:
        """Pieces of places that change hands, from who has had them until now; none where one of them gives none."""
        there = {index: who for index, who in places.items() if who is not None and self._ports.is_online(who)}
        if not there or len(there) < len(places) or self._silent.intersection(there.values()):
            return {}
        copied = await outcome(self._fetcher.fetch(record, there, len(places)))
        if not copied.value:
            self._silent |= {who for who in there.values() if self._fetcher.pace(who).suspect}
        return copied.value or {}

    def _copy(self, record: PackRecord, pieces: dict[int, bytes]) -> int:
        for index, piece in pieces.items():
            self._spool.remove(record.pack, index)
            self._spool.write_one(record.pack, index, piece)
        self._spool.sync(record.pack, list(pieces))
        return record.piece_size

    def _make(self, record: PackRecord, pieces: dict[int, bytes], missing: list[int]) -> int:
        coder = self._coders.of(record.scheme)
        sealed = coder.decode(pieces, record.size, record.scheme.segment)
        made = coder.encode(sealed, record.scheme.segment)
        for index in missing:
            self._spool.remove(record.pack, index)
            self._spool.write_one(record.pack, index, made[index])
        self._spool.sync(record.pack, missing)
        return record.piece_size

    def _note(self, database: sqlite3.Connection, record: PackRecord, missing: list[int], size: int) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO pieces VALUES(?, ?, ?, ?, NULL, NULL)",
            ((record.pack, index, size, PieceState.WAITING) for index in missing),
        )
        count_kept(database, record.pack)


def broken_packs(
    database: sqlite3.Connection,
    online: Sequence[bytes | None],
    left_out: Collection[bytes] = (),
) -> list[Broken]:
    """Living packs with pieces that are missing at suppliers which can take them now, a bounded number.

    Those of which the fewest pieces are left come first. Reads as many rows as there are packs; for a thread.
    """
    found: dict[bytes, tuple[int, list[int]]] = {}
    for position, supplier in enumerate(online):
        if supplier is None:
            continue
        rows: list[Any] = database.execute(
            "SELECT s.pack, p.acked-(p.n+1)/2 FROM pieces s JOIN packs p ON p.pack=s.pack WHERE s.number=?"
            " AND p.state=? AND p.logged=1 AND (s.state=? OR (s.state=? AND s.supplier IS NOT NULL AND s.supplier<>?))"
            " ORDER BY p.acked-(p.n+1)/2, s.pack LIMIT ?",
            (position, PackState.HELD, PieceState.MISSING, PieceState.KEPT, supplier, AT_A_TIME + len(left_out)),
        ).fetchall()
        for pack, spare in rows:
            if bytes(pack) not in left_out:
                found.setdefault(bytes(pack), (spare, []))[1].append(position)
    weakest = sorted(found.items(), key=lambda item: (item[1][0], item[0]))
    return [(pack, positions) for pack, (_, positions) in weakest[:AT_A_TIME]]
