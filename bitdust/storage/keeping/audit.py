"""One supplier's audits: which pieces are asked for, and what came of a round."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Registry, doubled
from bitdust.automats.supplier_audit import SupplierAudit
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.keeping.audit_book import AuditBook
from bitdust.storage.keeping.audit_times import AuditTimes, Speed, disk_time
from bitdust.storage.keeping.prover import Asked, Prover, Sought, is_refusal, take_batch
from bitdust.wire.records import PieceRef, Scheme

LEAST_PAUSE = 20.0
LONGEST_PAUSE = 600.0
"""Seconds between two looks whether it is time: a clock may be set."""
SOON, LATER = 20.0, 300.0
"""Seconds until the next try after the supplier was busy or went away, and in the end; in between they grow fourfold.
Who has just come back may answer before its services do."""
MOST = 1024
"""Pieces of one round, where more and more of them are not proved."""
MORE = 16
AGAIN = 2
"""How often a question is asked again whose answer was not prompt: once for a disk that wakes up, once for a slow one.
"""
WINDOW = 64
"""Pieces behind a random place of which one is chosen: a supplier cannot tell which ones are chosen less often."""
_CHOOSE = (
    "SELECT s.pack, s.number, p.size, p.n FROM pieces s JOIN packs p ON p.pack=s.pack"
    " WHERE s.supplier=? AND s.state=? AND p.state<=? AND s.pack>=? ORDER BY s.pack LIMIT ?"
)
Entropy = Callable[[int], bytes]


class AuditWork(Protocol):
    """What an audit works with; `bitdust.storage.keeping.audits.Audits` is it."""

    book: AuditBook
    prover: Prover
    entropy: Entropy

    def pieces(self) -> int:
        """How many pieces a round asks for."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def is_online(self, supplier: bytes, /) -> bool:
        """Whether a supplier can be asked."""

    def sample(self, supplier: bytes, count: int, /) -> "Deferred[list[Sought]]":
        """Pieces that a supplier should have, by chance."""

    def note_failed(self, supplier: bytes, pieces: list[PieceRef], /) -> "Deferred[None]":
        """Write down what was not proved."""

    def evades(self, supplier: bytes, /) -> bool:
        """Whether a supplier lets no round come to its end for long, though others do."""

    def ended(self, supplier: bytes, found: "Round", /) -> None:
        """A round is over; ``found`` says how."""


@define
class Round:
    """One round: what is still to be asked, how many pieces were, and what each failed with."""

    waiting: list[Sought] = field(factory=list)
    asked: int = 0
    failed: dict[PieceRef, str] = field(factory=dict)
    reason: str = ""
    """Why there was no answer at all."""
    again: int = 0
    """How many answers in a row were not prompt."""
    is_late: bool = False
    pace: float | None = None
    """The slowest one of those that were prompt."""
    is_asked: bool = False
    """Whether the supplier has still to answer."""
    lateness: str = "its answers come too late"
    """What is said of a round in which none came in time, where that was once too often."""


class Audit:
    """I am the port of one `supplier_audit` machine."""

    def __init__(self, registry: Registry, work: AuditWork, supplier: bytes) -> None:
        self._work = work
        self.supplier = supplier
        self._round = Round()
        self._seen: set[PieceRef] = set()
        self._not_before = 0.0
        self._postponed = 0
        self._chance = self._roll()
        self.machine = SupplierAudit(registry, supplier.hex()[:8], self)

    @property
    def _times(self) -> AuditTimes:
        return self._work.book.times

    def _roll(self) -> float:
        return int.from_bytes(self._work.entropy(4), "big") / 2**32

    @property
    def due(self) -> float:
        """When the next round is due, in seconds since the epoch."""
        due = self._work.book.due(self.supplier, self._chance)
        # What was postponed by a clock that was ahead is due when that is right.
        return max(due, self._not_before) if self._not_before - self._work.wall() <= 2 * LATER else due

    # the machine's port

    def pause(self) -> float:
        least = LEAST_PAUSE * (1.0 + self._chance)
        # Not to the very moment: a clock that rounds may come before it, and then a whole pause is lost.
        return min(max(least, self.due - self._work.wall()) + 0.01, LONGEST_PAUSE)

    def is_due(self) -> bool:
        return self.is_online() and self.due <= self._work.wall()

    def is_online(self) -> bool:
        return bool(self._work.book.period) and self._work.is_online(self.supplier)

    def choose(self) -> "Deferred[None]":
        self._round, self._seen = Round(), set()
        return self._work.sample(self.supplier, self._work.pieces()).addCallback(self._chosen)

    def _chosen(self, found: list[Sought]) -> None:
        new = [one for one in found if one.piece not in self._seen]
        self._seen.update(one.piece for one in new)
        self._round.waiting += new

    def has_more(self) -> bool:
        return bool(self._round.waiting) and not self._round.is_late

    def measure(self) -> "Deferred[float]":
        self._round.is_asked = True
        return self._work.prover.measure(self.supplier).addCallback(self._measured)

    def _measured(self, way: float) -> float:
        self._times.note_way(self.supplier, way)
        return way

    def is_near(self, way: Any) -> bool:
        return self._times.is_near(self.supplier, way)

    def ask(self) -> "Deferred[Asked]":
        self._round.is_asked = True
        return self._work.prover.ask(self.supplier, take_batch(self._round.waiting))

    def check(self, answer: Asked) -> "Deferred[None]":
        self._round.is_asked = False
        return Deferred.fromCoroutine(self._check(answer))

    async def _check(self, answer: Asked) -> None:
        found = self._round
        failed = await self._work.prover.check(answer)
        found.asked += 0 if found.again else len(answer.pieces)
        if not failed:
            await self._time(answer)
            return
        found.again = 0  # who fails does so at any pace
        found.failed |= failed
        await self._work.note_failed(self.supplier, list(failed))
        if len(self._seen) < MOST:  # who lost some may have lost more
            self._chosen(await self._work.sample(self.supplier, MORE))

    async def _time(self, answer: Asked) -> None:
        """Not prompt is no failure: a disk may be slow, or have been asleep. What it has read just now is in memory,
        and if it took longer than any reading would, other pieces are asked for: these may have been fetched."""
        found, sought = self._round, answer.sought
        speed = self._times.limits(self.supplier, sought).speed(answer.took)
        if answer.took is not None:
            self._times.note_way(self.supplier, answer.took)
        if speed is Speed.PROMPT and answer.took is not None:
            pace = max(0.0, answer.took - self._times.way(self.supplier)) / disk_time(sought)
            found.again, found.pace = 0, max(found.pace or 0.0, pace)
        elif found.again == AGAIN:
            found.is_late = True
        else:
            found.again += 1
            if speed is Speed.LATE:
                sought = await self._work.sample(self.supplier, len(sought)) or sought
            found.waiting = [*sought, *found.waiting]

    def is_refusal(self, reason: Any) -> bool:
        return is_refusal(reason.value)

    def finish(self) -> None:
        found, book = self._round, self._work.book
        if not found.failed and found.is_late and book.late(self.supplier):
            found.reason = found.lateness
        if found.failed or found.reason:
            book.failed(self.supplier)
        elif not found.is_late:
            book.passed(self.supplier)
            if found.pace is not None:
                self._times.note_pace(self.supplier, found.pace)
        self._end()

    def refused(self, reason: Any) -> None:
        self._round.reason = str(reason.value)
        self.finish()

    def late(self) -> None:
        self._round.is_late = True
        self.finish()

    def postpone(self) -> None:
        found = self._round
        if found.is_asked and self._work.evades(self.supplier):
            found.is_late, found.lateness = True, "it is there, and has proved nothing for long"
        if found.failed or found.is_late:  # going away in time does not save who has failed already
            self.finish()
            return
        pause = doubled(SOON, 2 * self._postponed, LATER)
        self._postponed += 1
        self._not_before = self._work.wall() + pause * (1.0 + self._chance)

    def _end(self) -> None:
        self._postponed = 0
        self._chance = self._roll()
        self._work.ended(self.supplier, self._round)


def sample(database: sqlite3.Connection, supplier: bytes, count: int, entropy: Entropy) -> list[Sought]:
    """So many different pieces that a supplier should have, at random; all of them where there are not more."""
    found: dict[PieceRef, Sought] = {}
    most = max(count, WINDOW)  # of so few each draw would read all again
    if len(few := _rows(database, supplier, b"", most + 1)) <= most:
        return chosen_of([_sought(*row) for row in few], count, entropy)
    for _ in range(4 * count):
        rows = _rows(database, supplier, entropy(16), WINDOW)
        rows += _rows(database, supplier, b"", WINDOW - len(rows)) if len(rows) < WINDOW else []
        one = _sought(*rows[int.from_bytes(entropy(4), "big") % len(rows)])
        found[one.piece] = one
        if len(found) == count:
            break
    return list(found.values())


def has_pieces(database: sqlite3.Connection, supplier: bytes) -> bool:
    """Whether a supplier has acknowledged pieces, so that a round asks it for something."""
    query = "SELECT 1 FROM pieces WHERE supplier=? AND state=? LIMIT 1"
    return database.execute(query, (supplier, PieceState.KEPT)).fetchone() is not None


def chosen_of(pieces: list[Sought], count: int, entropy: Entropy) -> list[Sought]:
    """So many of them at random."""
    return sorted(pieces, key=lambda one: entropy(8))[:count]


def _rows(database: sqlite3.Connection, supplier: bytes, place: bytes, most: int) -> list[tuple[bytes, int, int, int]]:
    """Pack id, number of the piece, the pack's size, and into how many pieces it is cut."""
    values = (supplier, PieceState.KEPT, PackState.HELD, place, most)
    return database.execute(_CHOOSE, values).fetchall()


def _sought(pack: bytes, number: int, size: int, n: int) -> Sought:
    return Sought(PieceRef(bytes(pack), number), Scheme.for_family(n).piece_size(size))
