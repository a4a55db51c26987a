"""What suppliers say themselves that they have lost, and what it counts against them; in ``catalog.db``.

A disk dies once in a while, and who says so at once is a good supplier: the first loss costs nothing, whatever is in
it and however long it takes to find all of it. Whoever loses something again a week after the last loss, or loses what
it was given again since, makes its customer send everything again and again, and is replaced in the end.
"""

import sqlite3
from collections.abc import Callable

from attrs import asdict, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.storage.catalog.catalog import Catalog

DAY = 86_400
ONE_LOSS = 7 * DAY
"""Seconds: what is lost sooner after the last loss belongs to it."""
ANOTHER, THE_SAME = 1, 2
"""What a further loss counts, and one of pieces that were lost before: once a day."""
A_FAILURE = 2
"""So much counts as one failed audit."""
FORGIVEN = 45 * DAY
"""Seconds without a loss after which one counts no more."""


@frozen
class Losses:
    """Of one supplier, times in seconds since the epoch: what counts, the last loss, and when one counted last."""

    points: int
    time: int
    counted: int


class LossBook:
    """I keep the losses of all suppliers that ever had one."""

    log = Logger()

    def __init__(self, catalog: Catalog, wall: Callable[[], float]) -> None:
        self._catalog = catalog
        self._wall = wall
        self._losses: dict[bytes, Losses] = {}

    def open(self) -> None:
        """Read what earlier runs have heard."""
        rows = self._catalog.read.execute("SELECT * FROM losses").fetchall()
        self._losses = {bytes(supplier): Losses(*values) for supplier, *values in rows}

    def failures(self, supplier: bytes) -> int:
        """As how many failed audits the losses of a supplier count now."""
        known = self._losses.get(supplier)
        return self._points(known) // A_FAILURE if known is not None else 0

    def suppliers(self) -> list[bytes]:
        """Who has ever lost anything."""
        return list(self._losses)

    def _points(self, known: Losses) -> int:
        return max(0, known.points - max(0, int(self._wall()) - known.time) // FORGIVEN)

    def note(self, supplier: bytes, again: bool) -> None:
        """A supplier has lost something; whether it had lost some of that before."""
        known, now = self._losses.get(supplier), int(self._wall())
        if known is None:
            self._write(supplier, Losses(0, now, now))
            return
        points, counted = self._points(known), known.counted
        is_another = now - known.time > ONE_LOSS
        if is_another or (again and now - counted >= DAY):
            points, counted = points + (THE_SAME if again else ANOTHER), now
        self._write(supplier, Losses(points, now, counted))

    def _write(self, supplier: bytes, losses: Losses) -> None:
        self._losses[supplier] = losses
        values = (supplier, *asdict(losses).values())

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO losses VALUES(?, ?, ?, ?)", values)

        writing: Deferred[None] = self._catalog.change(write)
        writing.addErrback(lambda failure: self.log.failure("a loss could not be noted", failure))
