"""Packs of another size that can be had from nowhere: after a month a change of the number of suppliers goes on without
them.

A pack is nowhere while those who are there, and this disk, do not have enough of it. So is one that nobody can open: a
guest may have sealed it under anything. For how long that is so is counted in time in which this node runs, and enough
of the suppliers that should have the pack are there and have listed what they hold. Nothing of such a pack is let go:
whoever may have a piece of it stays a supplier of before, away or not, and is asked for it. When it can be had again it
moves like any other; if that is before the month is over, another loss begins a month of its own.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable
from itertools import chain, groupby
from typing import Any

from attrs import field, frozen

from bitdust.observed import time_between
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.keeping.reencode_rows import MONTH
from bitdust.storage.keeping.stuck import files_of
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.records import Family, Scheme

LOOK = 60.0
"""Seconds from one look to the next, while nobody comes, goes or lists."""
SHARE = 50.0
"""A look at many packs takes a while: until the next one it is so many times as long, at least."""
LONGEST_STEP = 3600.0
"""Seconds between two looks that count, at most: this machine may have slept in between."""
A_WHILE = 3600.0
"""Seconds for which suppliers may be away before a pack that they have is called nowhere; more is worth writing."""
Piece = tuple[int, int, bytes | None]
"""Number, state and supplier of a piece of which anything is known."""


@frozen
class Judged:
    """Whether a pack can be had now; whether it ``counts`` where it cannot; whether the absent would not do either."""

    is_there: bool
    counts: bool
    is_hopeless: bool


@frozen
class Asked:
    """A family, and those of its holders that are ``there``; the ``known`` have listed what they hold in this run."""

    family: Family
    there: frozenset[bytes] = frozenset()
    known: frozenset[bytes] = frozenset()
    holders: frozenset[bytes] = field(init=False)

    @holders.default
    def _all(self) -> frozenset[bytes]:
        return frozenset(self.family.holders)

    def judge(self, size: int, pieces: Iterable[Piece]) -> Judged:
        """A pack for so many suppliers."""
        scheme, known = Scheme.for_family(size), {number: (state, who) for number, state, who in pieces}
        who_has = [self._who_may_have(place, known.get(place)) for place in range(size)]
        is_there = sum(who is None or who in self.there for who, is_one in who_has if is_one) >= scheme.k
        lacking = [place for place, (who, is_one) in enumerate(who_has) if not is_one]
        leavers = {who for place in lacking for who in self.family.leavers(place)}
        is_hopeless = size - len(lacking) < scheme.k and leavers <= self.known
        seats = [who for who in self.family.seats[:size] if who is not None]
        reached = sum(who in self.there and who in self.known for who in seats)
        return Judged(is_there, reached >= max(1, min(scheme.k, self.family.k, len(seats))), is_hopeless)

    def _who_may_have(self, place: int, piece: tuple[int, bytes | None] | None) -> tuple[bytes | None, bool]:
        """Who may have a piece, None for this disk; and whether anybody may."""
        state, who = piece or (PieceState.KEPT, None)
        if state != PieceState.KEPT:
            return None, state == PieceState.WAITING
        seats = self.family.seats
        who = who or (seats[place] if place < len(seats) else None)
        return who, who in self.holders


class LeftOut:
    """I count, look after look, and keep in ``catalog.db`` how far that has come.

    ``has_listed`` says of a supplier whether it has listed all its pieces in this run, ``hears_all`` whether nobody is
    waited for who may have pieces that are not known here. ``packs`` are nowhere; one of which enough may be at
    suppliers that are away is so after a while. What was had in this run and could not be opened is ``unopened``; of
    those that are left out ``again`` names those that can be had now.
    """

    def __init__(
        self,
        around: Connected,
        catalog: Catalog,
        ports: Ports,
        has_listed: Callable[[bytes], bool],
        hears_all: Callable[[], bool],
    ) -> None:
        self._clock = around.world.clock
        self._me = around.me
        self._catalog = catalog
        self._ports = ports
        self._has_listed = has_listed
        self._hears_all = hears_all
        self._looked_at: float | None = None
        self._took = 0.0
        self._is_news = False
        self._there: frozenset[bytes] = frozenset()
        self._counted: dict[bytes, float] = {}
        self._said: frozenset[bytes] = frozenset()
        self._written: dict[bytes, int] = {}
        self._remote_paths: list[str] = []
        self.packs: dict[bytes, float] = {}
        self.unopened: set[bytes] = set()
        self.again: list[bytes] = []

    def open(self) -> None:
        """Go on with what earlier runs have counted."""
        self._written = {bytes(pack): seconds for pack, seconds in self._catalog.read.execute("SELECT * FROM nowhere")}
        self.packs = {pack: float(seconds) for pack, seconds in self._written.items()}
        self._counted = dict(self.packs)

    def shown(self) -> dict[str, Any]:
        """How many ``packs`` are nowhere, how many of them are ``left_out``, and some files that need them."""
        left_out = sum(seconds >= MONTH for seconds in self.packs.values())
        return {"packs": len(self.packs), "left_out": left_out, "remote_paths": list(self._remote_paths)}

    def suppliers_listed(self) -> None:
        """They may have what was nowhere."""
        self._is_news = bool(self.packs)

    async def look(self, family: Family) -> None:
        """Count what has passed since the last look, where one is due."""
        now, last = self._clock.seconds(), self._looked_at
        there = frozenset(filter(self._ports.is_online, family.holders))
        pause = 0.0 if self._is_news or there != self._there else LOOK
        if last is not None and 0 <= now - last < max(SHARE * self._took, pause):
            return
        self._looked_at, self._there, self._is_news = now, there, False
        asked = Asked(family, there, frozenset(filter(self._has_listed, family.holders)))
        hears_all = self._hears_all()
        if asked.there.isdisjoint(asked.known) or not (hears_all or self._counted):
            self._said = frozenset()
            return
        left_out = {pack for pack, seconds in self._counted.items() if seconds >= MONTH}
        also = left_out | self.unopened
        found = await self._catalog.read_in_thread(lambda database: judged_packs(database, asked, also))
        self._took = time_between(now, self._clock.seconds(), LOOK)
        self.again = [pack for pack in left_out - self.unopened if pack in found and found[pack].is_there]
        said = frozenset(pack for pack, one in found.items() if hears_all and self._is_said(pack, one))
        self._count(found, said, time_between(last, now, LONGEST_STEP))
        await self._note(
            {
                pack: seconds
                for pack, seconds in self._counted.items()
                if seconds >= A_WHILE or pack in self._written or pack in self.unopened or found[pack].is_hopeless
            }
        )

    def _is_said(self, pack: bytes, judged: Judged) -> bool:
        return judged.counts and (pack in self.unopened or not judged.is_there)

    def _count(self, found: Collection[bytes], said: frozenset[bytes], passed: float) -> None:
        counted, self._said = said & self._said, said
        self._counted = {
            pack: self._counted.get(pack, 0.0) + (passed if pack in counted else 0.0)
            for pack in found
            if pack in said or pack in self._counted
        }

    async def _note(self, packs: dict[bytes, float]) -> None:
        is_other, self.packs, written = packs.keys() != self.packs.keys(), packs, self._written
        if is_other or (packs and not self._remote_paths):
            global_id = self._me.document.global_id
            reading = self._catalog.read_in_thread(lambda database: files_of(database, sorted(packs), global_id))
            self._remote_paths = await reading
        rows = {pack: int(seconds) for pack, seconds in packs.items()}
        is_news = rows.keys() != written.keys() or any(rows[pack] >= MONTH > written[pack] for pack in rows)
        if not is_news and all(rows[pack] - written[pack] < A_WHILE for pack in rows):
            return

        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM nowhere")
            database.executemany("INSERT INTO nowhere VALUES(?, ?)", rows.items())

        await (self._catalog.change(write) if is_news else self._catalog.change_quietly(write))
        self._written = rows


def judged_packs(database: sqlite3.Connection, asked: Asked, also: Collection[bytes] = ()) -> dict[bytes, Judged]:
    """Packs of another size than the family's that cannot be had now, and ``also`` these; for a thread."""
    n, there = asked.family.n, [*asked.there]
    other = (
        "SELECT p.pack, p.n, s.number, s.state, s.supplier FROM packs p LEFT JOIN pieces s ON s.pack=p.pack"
        " WHERE p.state=? AND (p.n<? OR p.n>?) AND p.logged=1"
        " AND p.pack NOT IN (SELECT pack FROM recodings) AND p.pack NOT IN (SELECT new FROM recodings)"
    )
    is_few = (
        "(SELECT count(*) FROM pieces h WHERE h.pack=p.pack AND (h.state=? OR (h.state=? AND h.supplier IN"
        f" ({', '.join('?' * len(there))}))))<(p.n+1)/2"
    )
    values = (PackState.HELD, n, n)
    few = database.execute(
        f"{other} AND {is_few} ORDER BY p.pack", (*values, PieceState.WAITING, PieceState.KEPT, *there)
    )
    named = (row for pack in also for row in database.execute(f"{other} AND p.pack=?", (*values, pack)).fetchall())
    found: dict[bytes, Judged] = {}
    for (pack, size), group in groupby(chain(few, named), key=lambda row: (bytes(row[0]), row[1])):
        pieces = [(number, state, bytes(who) if who else None) for _, _, number, state, who in group]
        judged = asked.judge(size, [piece for piece in pieces if piece[0] is not None])
        if not judged.is_there or pack in also:
            found[pack] = judged
    return found
