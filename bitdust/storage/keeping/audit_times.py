"""How soon a supplier has to answer an audit: what it has shown lately that it can, in ``catalog.db``.

Whoever fetches each leaf from somewhere else pays a round trip for each piece of a question, and whoever has the pieces
pays for its disk. So as much is allowed as a usual disk takes, or twice what this supplier took before where that is
less. A slower disk is asked for the same pieces again at once: they are in its memory then, while who has to fetch does
not know which leaves come. ``docs/decisions.md`` says whom that finds out, and whom not.
"""

import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.keeping.prover import Sought

FLOOR = 0.25
"""Seconds for everything that is no disk: other work of both programs, and a network that is not always as quick."""
LONGEST_WAY = 0.5
"""Seconds there and back that a supplier is allowed at most: what it says of itself may be made up."""
EACH = 0.05
READING = 20e6
"""Seconds to find a piece, and bytes a second, of a slow and busy disk."""
PROMPT = 1 / 6
"""Of what a slow and busy disk takes: a usual one, or pieces that are in memory, on a small machine."""
TIMES_BEST = 2.0
WAYS_FOR = 0.25
"""Of an audit period: how long the least way counts, and at most twice as long. Who moves away is never overdue."""
PACES_FOR = 7 * 86400.0
"""Seconds for which the best pace counts, and at most twice as long."""


class Speed(StrEnum):
    """PROMPT: whoever answers so has what it proves. SLOW: as a slow disk would. LATE: too late even for one."""

    PROMPT = "prompt"
    SLOW = "slow"
    LATE = "late"


@frozen
class Least:
    """The least of what was measured lately: ``now`` since a moment (seconds since the epoch), ``before`` in the span
    that ended then."""

    now: float
    since: float
    before: float | None = None

    def value(self, time: float, span: float) -> float | None:
        """None where the last one is too long ago, or a clock was set."""
        age = time - self.since
        if not -60 <= age < 2 * span:
            return None
        return self.now if self.before is None or age >= span else min(self.now, self.before)

    def joined(self, measured: float, time: float, span: float) -> "Least":
        """With one more."""
        age = time - self.since
        if not -60 <= age < 2 * span:
            return Least(measured, time)
        if age >= span:
            return Least(measured, time, self.now)
        return evolve(self, now=min(self.now, measured))


@frozen
class Times:
    """What one supplier has shown: seconds of the way there and back, and of its disk, as a share of `disk_time`."""

    way: Least | None = None
    pace: Least | None = None


@frozen
class Limits:
    """Seconds until the first byte of an answer: the header before it commits to all leaves."""

    prompt: float
    slow: float

    def speed(self, seconds: float | None) -> Speed:
        """Of an answer that took so long; None: it never came."""
        if seconds is None or seconds > self.slow:
            return Speed.LATE
        return Speed.PROMPT if seconds <= self.prompt else Speed.SLOW


def disk_time(sought: Sequence[Sought]) -> float:
    """Seconds that a slow and busy disk takes to read these pieces."""
    return EACH * len(sought) + sum(one.size for one in sought) / READING


def limits(way: float, pace: float | None, sought: Sequence[Sought]) -> Limits:
    """For a question; ``pace`` is the best known one, None where none is known."""
    share = PROMPT if pace is None else min(PROMPT, TIMES_BEST * pace)
    rest = way + FLOOR
    return Limits(rest + share * disk_time(sought), rest + disk_time(sought))


@frozen
class AuditTimes:
    """I keep the times of all suppliers that ever had to prove something; ``period`` gives that of audits, in seconds,
    0 where there are none."""

    log = Logger()
    _catalog: Catalog
    _wall: Callable[[], float]
    _period: Callable[[], float]
    _times: dict[bytes, Times] = field(factory=dict, init=False)

    def open(self) -> None:
        """Read what earlier runs have measured."""
        for supplier, *values in self._catalog.read.execute("SELECT * FROM audit_times"):
            self._times[bytes(supplier)] = Times(_least(values[:3]), _least(values[3:]))

    # what counts now

    def way(self, supplier: bytes) -> float:
        """Seconds there and back that a supplier is allowed: the least of lately, and never more than `LONGEST_WAY`."""
        known = self._of(supplier).way
        least = known.value(self._wall(), self._span()) if known is not None else None
        return LONGEST_WAY if least is None else min(least, LONGEST_WAY)

    def is_near(self, supplier: bytes, seconds: float) -> bool:
        """Whether a sign of life that took so long came as soon as ever, so that an answer can come in time."""
        return seconds <= self.way(supplier) + FLOOR

    def limits(self, supplier: bytes, sought: Sequence[Sought]) -> Limits:
        """What a supplier is allowed for a question."""
        known = self._of(supplier).pace
        return limits(self.way(supplier), known.value(self._wall(), PACES_FOR) if known is not None else None, sought)

    # what was measured

    def note_way(self, supplier: bytes, seconds: float) -> None:
        """An answer of any kind took so long."""
        if seconds < 0:  # the clock was set back meanwhile
            return
        known, now = self._of(supplier), self._wall()
        way = known.way.joined(seconds, now, self._span()) if known.way is not None else Least(seconds, now)
        self._write(supplier, evolve(known, way=way))

    def note_pace(self, supplier: bytes, pace: float) -> None:
        """A round was passed, and no answer of it that was prompt was slower than this share of `disk_time`."""
        known, now = self._of(supplier), self._wall()
        least = known.pace.joined(pace, now, PACES_FOR) if known.pace is not None else Least(pace, now)
        self._write(supplier, evolve(known, pace=least))

    def _span(self) -> float:
        return WAYS_FOR * (self._period() or 86400.0)

    def _of(self, supplier: bytes) -> Times:
        return self._times.get(supplier, Times())

    def _write(self, supplier: bytes, times: Times) -> None:
        if times == self._of(supplier):
            return
        self._times[supplier] = times
        values = (supplier, *_columns(times.way), *_columns(times.pace))

        def write(database: sqlite3.Connection) -> None:
            database.execute(f"INSERT OR REPLACE INTO audit_times VALUES({', '.join('?' * len(values))})", values)

        writing: Deferred[Any] = self._catalog.change(write)
        writing.addErrback(lambda failure: self.log.failure("the times of an audit could not be noted", failure))


def _columns(least: Least | None) -> tuple[float | None, float | None, float | None]:
    return (least.now, least.before, least.since) if least is not None else (None, None, None)


def _least(values: Sequence[float | None]) -> Least | None:
    now, before, since = values
    return None if now is None or since is None else Least(now, since, before)
