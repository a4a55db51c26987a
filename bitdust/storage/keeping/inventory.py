"""What suppliers say that they hold, compared with what the catalog believes.

A list is a hint: a piece that is not in it counts as missing from then on, but a piece that is in it counts only when
it was acknowledged, or when the supplier has proved it. Of what a list names besides (after a recovery that is all)
some pieces are chosen at random, and leaves of them are asked for; all of it counts when all of those are proved, and
else nothing but them. A supplier speaks for the pieces of its own place, and for others where nobody is known to have
them: in another life it may have had another place, and what it has of that moves to whoever has the place now. What
waits here goes on waiting until it was acknowledged, and what this supplier gave back as something else is not there
because it lists it.
"""

import sqlite3
from functools import partial
from math import inf
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.kernel import doubled
from bitdust.automats.list_files_orator import ListFilesOrator
from bitdust.outcome import Outcome, outcome, outcomes
from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.keeping.audit import chosen_of
from bitdust.storage.keeping.prover import Prover, Sought, is_refusal
from bitdust.storage.pieces.bad_pieces import BadPieces, count_kept, is_bad
from bitdust.storage.ports import Holders
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, decode
from bitdust.wire.packet import Command
from bitdust.wire.records import MAX_SUPPLIERS, PieceRef, Scheme

SILENCE = 15.0
SOON = 20.0
"""Seconds until suppliers are asked again after one that is there gave no list; the next pauses are four times as long
each. Who has just come may answer before its services do."""
SAMPLE = 64
"""Pieces that a supplier has to prove before a list of its counts."""
PAGE = 5000
SHARE = 100
"""Of the time between lists that news ask for, one part in so many goes into listing."""
MAX_PAGE = 256 * 1024
Held = set[tuple[bytes, int]]


@define
class Comparison:
    """What changed for one supplier: pieces that it has after all, and pieces that it has lost."""

    found: int = 0
    lost: int = 0


@frozen
class Place:
    """Whose pieces a supplier keeps: those of one position of the family, which it has or leaves."""

    position: int
    leaves: bool = False


Places = tuple[Place, ...]
"""One of them at most is not left."""


@frozen
class Word:
    """Pieces that a list names and that do not count: ``refused`` were not proved, of ``unknown`` nothing was heard."""

    refused: Held = field(factory=set)
    unknown: Held = field(factory=set)


@frozen
class Listed:
    """What a supplier had acknowledged before it was asked, what it lists, and how far its word counts.

    What it acknowledged meanwhile may be missing in its answer, and is not lost.
    """

    before: Held
    held: Held
    word: Word = field(factory=Word)

    @property
    def lost(self) -> Held:
        """Acknowledged once, and not listed any more."""
        return self.before - self.held

    @property
    def found(self) -> Held:
        """Listed, not known to be there, and to be believed."""
        return self.held - self.before - self.word.refused - self.word.unknown


class Inventory:
    """I am the port of `ListFilesOrator`."""

    log = Logger()

    def __init__(
        self, around: Connected, catalog: Catalog, ports: Holders, prover: Prover, bad_pieces: BadPieces
    ) -> None:
        self._prover = prover
        self._bad_pieces = bad_pieces
        self._entropy = around.world.entropy
        self._catalog = catalog
        self._events = around.events
        self._ports = ports
        self._clock = around.registry.clock
        self._asked_at = self._clock.seconds()
        self._news_at, self._seconds = -inf, 0.0
        self._answers: dict[bytes, Comparison] = {}
        self._complete: dict[bytes, float] = {}
        self._failures: dict[bytes, int] = {}
        self.refreshed: Signal[[]] = Signal()
        """Suppliers have listed what they have."""
        self.machine = ListFilesOrator(around.registry, self)

    def stop(self) -> None:
        """Ask nobody any more."""
        self.machine.send("shutdown")

    def refresh(self) -> "Deferred[str]":
        """Ask all suppliers now; fires when they have answered or are given up."""
        self.machine.send("need")
        return self.machine.when("SAW_FILES", "NO_FILES", "OUTDATED", "CLOSED")

    def others_wrote(self, at: float) -> None:
        """Entries of others came at a moment of the reactor's clock: what they have stored is at suppliers soon."""
        if at > self._news_at:
            self._news_at = at
            self.machine.send("news")

    def shortest_pause(self) -> float:
        return self._seconds * SHARE

    def idle_for(self) -> float:
        """Seconds since suppliers were asked last."""
        return self._clock.seconds() - self._asked_at

    def lacks_list_of(self, supplier: bytes) -> bool:
        """Whether a supplier was there when it was asked last, and gave no list."""
        return supplier in self._failures

    def pause(self, longest: float) -> float:
        """Seconds until suppliers are to be asked again: fewer while one of them is there that gave no list."""
        return min((doubled(SOON, 2 * (count - 1), longest) for count in self._failures.values()), default=longest)

    def has_listed(self, supplier: bytes, since: float) -> bool:
        """Whether a supplier was asked after a moment of the reactor's clock what it holds, and has listed all of it,
        and what the list names besides is known here as far as it counts."""
        begun = self._complete.get(supplier)
        return begun is not None and begun >= since

    def has_answers(self) -> bool:
        return bool(self._answers)

    def report(self, seen: bool) -> None:
        if seen:
            found = sum(one.found for one in self._answers.values())
            lost = sum(one.lost for one in self._answers.values())
            self._events.send(
                "my-list-files-refreshed", {"suppliers": len(self._answers), "found": found, "lost": lost}
            )
            self.refreshed.emit()

    def ask_suppliers(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._ask_all())

    async def _ask_all(self) -> None:
        self._answers = {}
        self._asked_at = self._clock.seconds()
        family = self._ports.family()
        holders = family.holders if family is not None else []
        self._complete = {who: begun for who, begun in self._complete.items() if who in holders}
        online = [supplier for supplier in holders if self._ports.is_online(supplier)]
        answers = await outcomes(Deferred.fromCoroutine(self._one(supplier)) for supplier in online)
        before, self._failures = self._failures, {}
        for supplier, answer in zip(online, answers, strict=True):
            if answer.error is None:
                self._answers[supplier] = answer.value
            else:
                self._failures[supplier] = before.get(supplier, 0) + 1
                self.log.info("supplier {s} gave no list: {e}", s=supplier.hex()[:16], e=answer.error)
        self._seconds = self._clock.seconds() - self._asked_at

    async def _one(self, supplier: bytes) -> Comparison:
        begun = self._clock.seconds()
        before: Held = await self._catalog.read_in_thread(lambda database: kept_by(database, supplier))
        held = await self._list(supplier)
        places = self._places(supplier)
        claims: list[Sought] = await self._catalog.read_in_thread(
            lambda database: claims_of(database, supplier, places, held - before)
        )
        word = await self._believed(supplier, claims)
        found, lost = await self._catalog.change(
            lambda database: compare(database, supplier, places, Listed(before, held, word))
        )
        if not word.unknown:
            self._complete[supplier] = begun
        if lost:
            self.log.warn("supplier {s} has lost {count} pieces", s=supplier.hex()[:16], count=lost)
        return Comparison(len(found), lost)

    async def _believed(self, supplier: bytes, claims: list[Sought]) -> Word:
        """How far a list counts of which these pieces were not known to be there."""
        if not claims:
            return Word()
        chosen = chosen_of(claims, SAMPLE, self._entropy)
        asking = outcome(Deferred.fromCoroutine(self._prover.prove(supplier, chosen)))
        answer: Outcome = await asking
        if answer.error is not None and not is_refusal(answer.error):
            return Word(unknown={(one.piece.pack, one.piece.index) for one in claims})
        failed = answer.value if answer.error is None else {one.piece: answer.code for one in chosen}
        if not failed:
            return Word()
        self.log.warn("supplier {s} lists pieces that it does not prove", s=supplier.hex()[:16])
        await self._bad_pieces.note_all(supplier, list(failed))
        proved = {one.piece for one in chosen} - set(failed)
        good = {(piece.pack, piece.index) for piece in proved}
        return Word(refused={(one.piece.pack, one.piece.index) for one in claims} - good)

    def _places(self, supplier: bytes) -> Places:
        family = self._ports.family()
        if family is None:
            return ()
        has = [Place(family.seats.index(supplier))] if supplier in family.seats else []
        return (*has, *(Place(position, leaves=True) for position in family.left_by(supplier)))

    async def _list(self, supplier: bytes) -> Held:
        """What it says it holds of packs that are known here: a list without end fills no memory."""
        held: Held = set()
        after, more = b"", True
        while more:
            reply = await self._ports.outbox.send(
                supplier, Command.LIST_FILES, {"after": after, "most": PAGE}, deadline=SILENCE, max_answer=MAX_PAGE
            )
            rows = _checked(decode(bytes(reply.payload), MAX_PAGE), after)
            held |= await self._catalog.read_in_thread(partial(known_of, rows=rows))
            more = bool(reply.fields.get("more")) and bool(rows)
            after = rows[-1][0] if rows else after
        return held


def claims_of(database: sqlite3.Connection, supplier: bytes, places: Places, held: Held) -> list[Sought]:
    """Those pieces of a list that would change what the catalog says."""
    return [
        Sought(PieceRef(pack, number), size)
        for pack, number in held
        if (size := claimed_size(database, pack, number, supplier, places))
    ]


def known_of(database: sqlite3.Connection, rows: list[tuple[bytes, int]]) -> Held:
    """Those rows of a list whose packs the catalog knows."""
    return {row for row in rows if is_known(database, *row)}


def is_known(database: sqlite3.Connection, pack: bytes, number: int) -> bool:
    """Whether a pack, living or dead, is in the catalog, and may have a piece of this number."""
    query = "SELECT 1 FROM packs WHERE pack=:pack UNION ALL SELECT 1 FROM pieces WHERE pack=:pack LIMIT 1"
    return 0 <= number < MAX_SUPPLIERS and database.execute(query, {"pack": pack}).fetchone() is not None


def _checked(rows: Any, after: bytes) -> list[tuple[bytes, int]]:
    if type(rows) is not list:
        raise WireError("malformed", "a list of pieces is no list")
    for row in rows:
        if type(row) is not list or [type(part) for part in row] != [bytes, int, int] or row[0] <= after:
            raise WireError("malformed", "a row of a list of pieces is pack, number, size, in order of packs")
    return [(pack, number) for pack, number, _ in rows]


def kept_by(database: sqlite3.Connection, supplier: bytes) -> Held:
    """Pieces that a supplier has acknowledged."""
    rows = database.execute("SELECT pack, number FROM pieces WHERE supplier=? AND state=?", (supplier, PieceState.KEPT))
    return {(bytes(pack), number) for pack, number in rows}


def compare(
    database: sqlite3.Connection, supplier: bytes, places: Places, listed: Listed
) -> tuple[list[PieceRef], int]:
    """Inside a transaction: note what a supplier holds; pieces that it has after all, and how many it has lost."""
    lost = listed.lost
    database.executemany(
        "UPDATE pieces SET state=?, supplier=NULL WHERE pack=? AND number=? AND supplier=?",
        ((PieceState.MISSING, pack, number, supplier) for pack, number in lost),
    )
    found: list[PieceRef] = []
    for pack, number in listed.found:
        if _note_held(database, pack, number, supplier, places):
            found.append(PieceRef(pack, number))
    for pack in {pack for pack, _ in lost} | {piece.pack for piece in found}:
        count_kept(database, pack)
    for place in places if not listed.word.unknown else ():
        if not place.leaves:
            _note_absent(database, place.position)
    return found, len(lost)


def _note_absent(database: sqlite3.Connection, position: int) -> None:
    """Packs of another device, or of the time before a recovery, whose piece should be there and is not."""
    database.execute(
        "INSERT OR IGNORE INTO pieces SELECT p.pack, ?, 0, ?, NULL, NULL FROM packs p WHERE p.state=? AND p.logged=1"
        " AND p.n>? AND NOT EXISTS (SELECT 1 FROM pieces s WHERE s.pack=p.pack AND s.number=?)",
        (position, PieceState.MISSING, PackState.HELD, position, position),
    )


def claimed_size(database: sqlite3.Connection, pack: bytes, number: int, supplier: bytes, places: Places) -> int:
    """Bytes of a piece of a living pack that a supplier lists and that was not known to be there; else 0."""
    row = database.execute("SELECT n, state, size FROM packs WHERE pack=?", (pack,)).fetchone()
    if row is None or row[1] > PackState.HELD or not 0 <= number < row[0]:
        return 0
    known = database.execute("SELECT state, supplier FROM pieces WHERE pack=? AND number=?", (pack, number)).fetchone()
    has = any(one.position == number and not one.leaves for one in places)
    if not places or known is not None and (known[0] == PieceState.WAITING or known[0] == PieceState.KEPT and not has):
        return 0
    if known is not None and known[0] == PieceState.KEPT and known[1] in (None, supplier):
        return 0  # kept elsewhere, it counts here: a spare has made it while its place was another's
    return 0 if is_bad(database, pack, number, supplier) else Scheme.for_family(row[0]).piece_size(row[2])


def _note_held(database: sqlite3.Connection, pack: bytes, number: int, supplier: bytes, places: Places) -> bool:
    """True when the piece is one of a living pack and was not known to be there; of a dead one, it is to go."""
    claimed = claimed_size(database, pack, number, supplier, places)
    row = database.execute("SELECT n, state FROM packs WHERE pack=?", (pack,)).fetchone()
    known = database.execute("SELECT state FROM pieces WHERE pack=? AND number=?", (pack, number)).fetchone()
    is_dead = row is not None and row[1] > PackState.HELD and 0 <= number < row[0]
    if not claimed and (not is_dead or (known is not None and known[0] in (PieceState.KEPT, PieceState.WAITING))):
        return False
    size = "coalesce((SELECT size FROM pieces WHERE pack=? AND number=?), 0)"
    database.execute(
        f"INSERT OR REPLACE INTO pieces VALUES(?, ?, {size}, ?, ?, NULL)",
        (pack, number, pack, number, PieceState.KEPT, supplier),
    )
    return bool(claimed)
