"""How long my suppliers have been away, as this node has seen it: ``metadata/absences``, JSON, one entry a supplier.

One that was away for as many days as the settings say may be gone for good. Neither a clock that jumps nor a node that
was itself cut off may make it so: besides, this node must have watched it being away for a day, while enough others
were there.
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bitdust.crypt.files import write_safely
from bitdust.observed import time_between
from bitdust.suppliers.by_node import read_by_node

DAY = 86_400
WATCHED = 1 * DAY
"""Seconds of this node's own running in which it was away."""
LONGEST_STEP = 600.0
"""Seconds between two observations that count, at most: this machine may have slept in between."""
SAVE_SECONDS = 3600.0
MAX_FILE = 64 * 1024


@frozen
class Absence:
    """When a supplier was there, in seconds since the epoch, and for how many seconds it was watched being away."""

    seen: int
    watched: int = 0

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Absence":
        """As the file has it. Raises `KeyError`, `TypeError`, `ValueError`."""
        return cls(int(value["seen"]), int(value["watched"]))


class Absences:
    """I observe regularly who is there. A damaged file counts as empty: everybody was there just now.

    ``away`` is for how many seconds of the wall clock somebody must have been away, ``watched`` how many of my own.
    """

    log = Logger()

    def __init__(self, path: Path, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._wall = wall
        self._known: dict[bytes, Absence] = {}
        self._observed: float | None = None
        self._saved = 0.0
        self.away = 7 * DAY
        self.watched = WATCHED

    def load(self) -> None:
        """Read the file."""
        self._known = read_by_node(self._path, MAX_FILE, Absence.from_json)

    def observe(self, suppliers: Collection[bytes], there: Collection[bytes], counts: bool) -> None:
        """Who of my suppliers is there now; ``counts`` is False where this node may be the one that is away."""
        now, wall, before = self._clock.seconds(), int(self._wall()), self._known
        time = time_between(self._observed, now, LONGEST_STEP) if counts else 0.0
        self._observed = now
        self._known = {who: self._next(before.get(who), who in there, int(time), wall) for who in suppliers}
        came = any(one.watched == 0 and before[who].watched for who, one in self._known.items() if who in before)
        if came or self._known.keys() != before.keys() or now - self._saved >= SAVE_SECONDS:
            self._save(now)

    def _next(self, known: Absence | None, is_there: bool, passed: int, wall: int) -> Absence:
        if known is None or is_there:
            return Absence(wall)
        return evolve(known, seen=min(known.seen, wall), watched=known.watched + passed)

    def since(self, supplier: bytes) -> int | None:
        """When a supplier that is away was there last, in seconds since the epoch; None for one that is there."""
        known = self._known.get(supplier)
        return known.seen if known is not None and known.watched else None

    def _save(self, now: float) -> None:
        """A disk that takes nothing must not keep the family from being looked after: the next time comes soon."""
        entries = {who.hex(): {"seen": one.seen, "watched": one.watched} for who, one in sorted(self._known.items())}
        try:
            write_safely(self._path, json.dumps(entries, indent=1).encode())
        except OSError as error:
            self.log.warn("{path} cannot be written: {error}", path=self._path, error=error)
            return
        self._saved = now

    def long_away(self) -> list[bytes]:
        """Suppliers that may be gone for good, the longest away first."""
        wall = self._wall()
        gone = [
            (one.seen, who)
            for who, one in self._known.items()
            if wall - one.seen >= self.away and one.watched >= self.watched
        ]
        return [who for _, who in sorted(gone)]
