"""How late it is for what is to be let go: a clock that was set wrong must not make anything old.

The wall clock may be a year ahead for a day. What is let go by age goes by *observed* time: it advances with the time
that passes while this node runs, and with the wall clock over a sleep or a restart of up to a week. A longer leap of
the wall clock may be a lie and counts for nothing: then things are kept for longer, which harms nobody. What observed
time lags behind that way it makes good slowly: where the wall clock is ahead, and has run as evenly as the machine for
an hour, observed time runs twice as fast. A clock that is a year ahead for a day makes things a day older, not a year.
"""

import sqlite3
from collections.abc import Callable

from attrs import frozen

from bitdust.world import World

BELIEVED = 7 * 86_400.0
"""Seconds by which the wall clock may leap and be believed."""
EVEN = 3_600.0
"""Seconds of running for which the wall clock has to run evenly before a lag is made good."""
ASTRAY = 60.0
"""Seconds by which it may differ from the machine's running time in these."""
WORTH_WRITING = 3_600.0
TABLE = "CREATE TABLE observed(wall INT NOT NULL, observed INT NOT NULL);\n"


def time_between(before: float | None, now: float, most: float) -> float:
    """Seconds that count from one look to the next by the reactor's clock, None before the first one: no more than
    ``most``, as this machine may have slept, and none where that clock was set back."""
    return max(0.0, min(now - before, most)) if before is not None else 0.0


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


class ObservedTime:
    """I hold a reading in the table ``observed`` of a store. Without one, the wall clock is believed once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reading = Reading(0.0, 0.0)
        self._at = 0.0
        self._even = (0.0, 0.0)
        """Since when the wall clock has run evenly, by running time, and how far it was ahead of that then."""
        self._written = 0.0

    def load(self, database: sqlite3.Connection) -> None:
        """What the store says, in a transaction of its own; `now` and all else after it."""
        row = database.execute("SELECT wall, observed FROM observed").fetchone()
        if row is None:
            row = (int(self._world.wall()),) * 2
            database.execute("INSERT INTO observed VALUES(?, ?)", row)
        self._reading, self._at, self._written = Reading(*map(float, row)), self._world.clock.seconds(), row[1]
        self._even = (self._at, self._world.wall() - self._at)

    def now(self) -> int:
        """The earliest that it may be: for saying that something is old."""
        wall, at = self._world.wall(), self._world.clock.seconds()
        reading, made_good = self._reading.after(at - self._at, wall), self._made_good(wall, at)
        observed = max(reading.observed, min(wall, reading.observed + made_good))
        self._reading, self._at = Reading(reading.wall, observed), at
        return int(min(wall, observed))

    def _made_good(self, wall: float, at: float) -> float:
        """Seconds of a lag that go since the last look: as many as were run with a wall clock that is even."""
        since, ahead = self._even
        if abs(wall - at - ahead) > ASTRAY:
            self._even = (at, wall - at)
            return 0.0
        return max(0.0, min(at - self._at, at - since - EVEN))

    def stamp(self) -> int:
        """The latest that it may be: for noting when something begins to be old."""
        self.now()
        return int(max(self._world.wall(), self._reading.observed))

    def writer(self) -> Callable[[sqlite3.Connection], None]:
        """What keeps the reading, inside a transaction; nothing where it is much the same."""
        self.now()
        reading = self._reading
        if abs(reading.observed - self._written) < WORTH_WRITING:
            return lambda database: None
        self._written = reading.observed

        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM observed")
            database.execute("INSERT INTO observed VALUES(?, ?)", (int(reading.wall), int(reading.observed)))

        return write
