"""Observed time (`bitdust.observed`) of a catalog, which begins with what is in it."""

import sqlite3
from typing import Any

from bitdust.observed import WORTH_WRITING, Reading
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.wire.encoding import decode, encode
from bitdust.wire.names import version_time
from bitdust.world import World

_NAME = "observed-time"


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

    @property
    def observed(self) -> float:
        """Observed time alone: for how long something lasts, whatever the wall clock said at its beginning."""
        self._advance()
        return self._reading.observed if self._reading is not None else 0.0

    def now(self) -> float:
        """The earliest that it may be: for saying that something is old."""
        self._advance()
        return min(self._world.wall(), self._reading.observed) if self._reading is not None else 0.0

    def stamp(self) -> float:
        """The latest that it may be: for noting when something begins to be old."""
        self._advance()
        observed = self._reading.observed if self._reading is not None else 0.0
        return max(self._world.wall(), observed)
