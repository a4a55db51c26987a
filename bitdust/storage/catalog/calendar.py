"""How late it is for what is to be let go: a clock that was set wrong must not make anything old.

The wall clock may be a year ahead for a day. What is let go by age goes by *observed* time: it advances with the time
that passes while this node runs, and with the wall clock over a sleep or a restart of up to a week. A longer leap of
the wall clock may be a lie and counts for nothing: then things are kept for longer, which harms nobody.
"""

import sqlite3
from typing import Any

from attrs import frozen

from bitdust.storage.catalog.database import meta, set_meta
from bitdust.wire.encoding import decode, encode
from bitdust.wire.names import version_time
from bitdust.world import World

BELIEVED = 7 * 86_400.0
"""Seconds by which the wall clock may leap and be believed."""
WORTH_WRITING = 3_600.0
_NAME = "observed-time"


@frozen
class Reading:
    """The wall clock at its latest, and observed time; seconds since the epoch."""

    wall: float
    observed: float

    def after(self, passed: float, wall: float) -> "Reading":
        """What is observed after so many seconds of running time, with the wall clock there."""
        leap = wall - self.wall
        gone = max(passed, leap) if 0 <= leap <= BELIEVED else passed
        observed = max(self.observed, min(wall, self.observed + gone))
        return Reading(max(self.wall, wall), observed)


class Calendar:
    """I hold a reading on the disk. Without one, nothing is old: then the newest version there is begins one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reading: Reading | None = None
        self._at = 0.0
        self._written = 0.0

    def load(self, database: sqlite3.Connection) -> None:
        """What the disk says."""
        data = meta(database, _NAME)
        if data is None:
            return
        value: Any = decode(data, 100)
        wall, observed = value
        self._reading, self._at, self._written = Reading(wall, observed), self._world.clock.seconds(), observed

    def note(self, database: sqlite3.Connection) -> None:
        """Inside a transaction: keep how late it is."""
        if self._reading is None:
            (newest,) = database.execute("SELECT max(version) FROM versions").fetchone()
            if newest is None:
                return
            wall = self._world.wall()
            self._reading, self._at = Reading(wall, min(wall, version_time(newest))), self._world.clock.seconds()
        self._advance()
        if abs(self._reading.observed - self._written) >= WORTH_WRITING:
            self._written = self._reading.observed
            set_meta(database, _NAME, encode([int(self._reading.wall), int(self._reading.observed)]))

    def _advance(self) -> None:
        if self._reading is not None:
            now = self._world.clock.seconds()
            self._reading = self._reading.after(now - self._at, self._world.wall())
            self._at = now

    @property
    def is_begun(self) -> bool:
        """Whether anything was stored that began a reading."""
        return self._reading is not None

    def now(self) -> float:
        """The earliest that it may be: for saying that something is old."""
        self._advance()
        return min(self._world.wall(), self._reading.observed) if self._reading is not None else 0.0

    def stamp(self) -> float:
        """The latest that it may be: for noting when something begins to be old."""
        self._advance()
        observed = self._reading.observed if self._reading is not None else 0.0
        return max(self._world.wall(), observed)
