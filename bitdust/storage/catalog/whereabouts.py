"""Packs and versions of which too few pieces are anywhere: nothing new builds on them, and nobody waits for them.

A home that is lost in the middle of an upload leaves versions in the log whose pieces never left it, and suppliers may
lose what they had. Of such a pack so many pieces are missing, by what suppliers said or did not prove, that those at
suppliers who are away cannot make up for it.
"""

import math
import sqlite3
from typing import Any

from attrs import frozen

from bitdust.storage.catalog.database import PackState, PieceState, meta
from bitdust.storage.catalog.guests import is_guests
from bitdust.wire.names import version_time

OTHERS_WROTE = "others-wrote-at"
"""When another device of mine was last heard writing, in seconds of observed time: a clock that was wrong then neither
makes that long ago nor keeps it in the future."""
AN_HOUR, A_DAY = 3600.0, 86_400.0

HAS_ENOUGH = (
    "(p.acked>=(p.n+1)/2 OR p.acked+(SELECT count(*) FROM pieces w WHERE w.pack=p.pack"
    f" AND w.state={PieceState.WAITING:d})>=(p.n+1)/2)"
)
"""SQL about a row ``p`` of packs: whether the pieces that suppliers have acknowledged, or that wait on this disk, give
it back. Of what another device uploads just now, or of what suppliers were not asked for yet, that is not known."""
IS_NOWHERE = f"(SELECT count(*) FROM pieces m WHERE m.pack=p.pack AND m.state={PieceState.MISSING:d})>p.n-(p.n+1)/2"
"""SQL about a row ``p`` of packs: whether so many of its pieces are missing that the others do not give it back."""


def counts_on_all(database: sqlite3.Connection, path: str, version: str) -> bool:
    """Whether a version can be had as far as is known: of each of its packs enough pieces are somewhere."""
    query = (
        "SELECT 1 FROM version_packs v JOIN packs p ON p.pack=v.pack WHERE v.path=? AND v.version=?"
        f" AND NOT (p.state<=1 AND {HAS_ENOUGH})"
    )
    return database.execute(query, (path, version)).fetchone() is None


def is_nowhere(database: sqlite3.Connection, pack: bytes) -> bool:
    """Whether a pack cannot come back, although everybody came who may have a piece of it."""
    return database.execute(f"SELECT 1 FROM packs p WHERE p.pack=? AND {IS_NOWHERE}", (pack,)).fetchone() is not None


@frozen
class GivenUp:
    """Versions that nobody brings any more: a pack of theirs is nowhere, and they were made before ``before`` (seconds
    since 1970), or before ``guests`` where somebody else has. Of later ones another device may still be sending what is
    missing here."""

    before: float = math.inf
    guests: float = math.inf

    @classmethod
    def now(cls, database: sqlite3.Connection, wall: float, observed: float, is_alone: bool) -> "GivenUp":
        """Where other devices write, a version of theirs has a day; where they have been silent for an hour, an hour.

        A device that is lost counts among them until it is revoked."""
        if is_alone:
            return cls(guests=wall - A_DAY)
        heard = float(meta(database, OTHERS_WROTE) or b"0")
        return cls(wall - (A_DAY if observed - heard < AN_HOUR else AN_HOUR), wall - A_DAY)

    def has(self, database: sqlite3.Connection, path: str, version: str) -> bool:
        """Whether a version is one of them."""
        query = (
            "SELECT 1 FROM version_packs v JOIN packs p ON p.pack=v.pack WHERE v.path=? AND v.version=?"
            f" AND (p.state={PackState.LOST:d} OR {IS_NOWHERE}) LIMIT 1"
        )
        found = database.execute(query, (path, version)).fetchone()
        return found is not None and self._is_before(version)

    def _is_before(self, version: str) -> bool:
        """Of what a guest has brought its node may be sending more, as long as another device of mine might."""
        limit = min(self.before, self.guests) if is_guests(version) else self.before
        return version_time(version) < limit

    def find(self, database: sqlite3.Connection) -> list[tuple[str, str]]:
        """Path id and version of all that are living, the newest first; reads the rows of all pieces that are missing,
        for a thread."""
        nowhere = (
            f"SELECT p.pack FROM (SELECT pack, count(*) AS lacking FROM pieces WHERE state<>1"
            f" AND state={PieceState.MISSING:d} GROUP BY pack) m JOIN packs p ON p.pack=m.pack"
            f" WHERE m.lacking>p.n-(p.n+1)/2 UNION ALL SELECT pack FROM packs WHERE state={PackState.LOST:d}"
        )
        rows: list[Any] = database.execute(
            "SELECT DISTINCT x.path, x.version FROM version_packs v JOIN versions x ON x.path=v.path"
            f" AND x.version=v.version WHERE x.dead=0 AND v.pack IN ({nowhere}) ORDER BY x.version DESC, x.path"
        ).fetchall()
        return [(path, version) for path, version in rows if self._is_before(version)]


def none_given_up() -> GivenUp:
    """Where nobody knows what suppliers hold: of another owner's catalog."""
    return GivenUp(-math.inf)


def nowhere(database: sqlite3.Connection) -> dict[str, int]:
    """Of packs that count and cannot come back, what `figures.pieces` counts among all: ``packs``, pieces ``due``,
    ``acknowledged`` and ``missing``; for a thread."""
    query = (
        "SELECT count(*), coalesce(sum(n), 0), coalesce(sum(acked), 0), coalesce(sum((SELECT count(*) FROM pieces m"
        f" WHERE m.pack=p.pack AND m.state={PieceState.MISSING:d})), 0) FROM packs p WHERE p.state<=1 AND {IS_NOWHERE}"
    )
    row = database.execute(query).fetchone()
    return dict(zip(("packs", "due", "acknowledged", "missing"), row, strict=True))
