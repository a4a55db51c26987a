"""Packs of another size that can be had from nowhere: after a month a change of the number of suppliers goes on without
them.

A pack is nowhere when all who may have pieces of it do not give it back. For how long that is so is counted in time in
which this node runs and reaches as many of the suppliers that should have it as would give it back, and each of them
has listed its pieces without it. Nothing of such a pack is let go: whoever may have a piece of it stays a supplier of
before, and is asked for it. When it can be had again it moves like any other, and its month begins anew.
"""

import sqlite3
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from attrs import field, frozen

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.keeping.reencode_rows import MONTH
from bitdust.storage.keeping.stuck import files_of
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.records import Family, Scheme

LOOK = 60.0
"""Seconds from one look to the next, at least."""
LONGEST_STEP = 3600.0
"""Seconds between two looks that count, at most: this machine may have slept in between."""
WORTH_WRITING = 3600.0
Piece = tuple[int, int, bytes | None]
"""Number, state and supplier of a piece of which anything is known."""


@frozen
class Asked:
    """A family, and those of it that are there and have listed all that they hold; ``known`` have listed it in this
    run, there or not."""

    family: Family
    there: frozenset[bytes] = frozenset()
    known: frozenset[bytes] = frozenset()
    holders: frozenset[bytes] = field(init=False)

    @holders.default
    def _all(self) -> frozenset[bytes]:
        return frozenset(self.family.holders)

    def judge(self, size: int, pieces: Iterable[Piece]) -> bool | None:
        """Of a pack for so many suppliers, whether enough of them say that they do not have it; None where it may be
        had as far as is known."""
        scheme, known = Scheme.for_family(size), {number: (state, who) for number, state, who in pieces}
        lacking = [place for place in range(size) if not self._may_be_at(place, known.get(place))]
        if size - len(lacking) >= scheme.k:
            return None
        seats = self.family.seats
        asked = [who for place in lacking if place < len(seats) and (who := seats[place]) is not None]
        leavers = {who for place in lacking for who in self.family.leavers(place)}
        said = [who for who in asked if who in self.there]
        return bool(asked) and leavers <= self.known and len(said) >= min(scheme.k, len(asked))

    def _may_be_at(self, place: int, piece: tuple[int, bytes | None] | None) -> bool:
        state, who = piece or (PieceState.KEPT, None)
        if state != PieceState.KEPT:
            return state == PieceState.WAITING
        seats = self.family.seats
        who = who or (seats[place] if place < len(seats) else None)
        return who in self.holders


class LeftOut:
    """I count, look after look, and keep in ``catalog.db`` how far that has come.

    ``has_listed`` says of a supplier whether it has listed all its pieces in this run, ``hears_all`` whether nobody is
    waited for who may have pieces that are not known here. ``packs`` are nowhere, and files that need them are
    ``remote_paths``.
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
        self._said: frozenset[bytes] = frozenset()
        self._written: dict[bytes, int] = {}
        self.packs: dict[bytes, float] = {}
        self.remote_paths: list[str] = []

    def open(self) -> None:
        """Go on with what earlier runs have counted."""
        self._written = {bytes(pack): seconds for pack, seconds in self._catalog.read.execute("SELECT * FROM nowhere")}
        self.packs = {pack: float(seconds) for pack, seconds in self._written.items()}

    def shown(self) -> dict[str, Any]:
        """How many ``packs`` are nowhere, how many of them are ``left_out``, and some files that need them."""
        left_out = sum(seconds >= MONTH for seconds in self.packs.values())
        return {"packs": len(self.packs), "left_out": left_out, "remote_paths": list(self.remote_paths)}

    async def look(self, family: Family) -> None:
        """Count what has passed since the last look, where one is due."""
        now, last = self._clock.seconds(), self._looked_at
        if last is not None and 0 <= now - last < LOOK:
            return
        self._looked_at = now
        if not self._hears_all():
            self._said = frozenset()
            return
        known = frozenset(filter(self._has_listed, family.holders))
        asked = Asked(family, frozenset(filter(self._ports.is_online, known)), known)
        global_id = self._me.document.global_id

        def read(database: sqlite3.Connection) -> tuple[dict[bytes, bool], list[str]]:
            found = nowhere(database, asked)
            return found, files_of(database, sorted(found), global_id)

        found, self.remote_paths = await self._catalog.read_in_thread(read)
        said = frozenset(pack for pack, is_said in found.items() if is_said)
        passed = min(max(0.0, now - last), LONGEST_STEP) if last is not None else 0.0
        counted, self._said = said & self._said, said
        await self._note({pack: self.packs.get(pack, 0.0) + (passed if pack in counted else 0.0) for pack in found})

    async def _note(self, packs: dict[bytes, float]) -> None:
        self.packs, written = packs, self._written
        rows = {pack: int(seconds) for pack, seconds in packs.items()}
        is_news = rows.keys() != written.keys() or any(rows[pack] >= MONTH > written[pack] for pack in rows)
        if not is_news and all(rows[pack] - written[pack] < WORTH_WRITING for pack in rows):
            return

        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM nowhere")
            database.executemany("INSERT INTO nowhere VALUES(?, ?)", rows.items())

        await (self._catalog.change(write) if is_news else self._catalog.change_quietly(write))
        self._written = rows


def nowhere(database: sqlite3.Connection, asked: Asked) -> dict[bytes, bool]:
    """Packs of another size than the family's that can be had from nowhere, and whether enough of those who should have
    a piece say so; for a thread."""
    n = asked.family.n
    rows = database.execute(
        "SELECT p.pack, p.n, s.number, s.state, s.supplier FROM packs p LEFT JOIN pieces s ON s.pack=p.pack"
        " WHERE p.state=? AND (p.n<? OR p.n>?) AND p.logged=1 AND p.acked<(p.n+1)/2"
        " AND p.pack NOT IN (SELECT pack FROM recodings) AND p.pack NOT IN (SELECT new FROM recodings) ORDER BY p.pack",
        (PackState.HELD, n, n),
    )
    found: dict[bytes, bool] = {}
    for (pack, size), group in groupby(rows, key=lambda row: (bytes(row[0]), row[1])):
        pieces = [(number, state, bytes(who) if who else None) for _, _, number, state, who in group]
        is_said = asked.judge(size, [piece for piece in pieces if piece[0] is not None])
        if is_said is not None:
            found[pack] = is_said
    return found
