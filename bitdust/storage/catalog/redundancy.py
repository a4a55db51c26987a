"""Where the pieces of all packs are, counted: what is needed to say how many suppliers may still be lost.

Packs that stand alike are counted together, so that 250,000 of them become a few rows. Everything here reads as many
rows as there are pieces, and is for a thread.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.wire.records import Scheme

UNDER_WAY = 300.0
"""Seconds in which pieces of a new pack may be on their way to suppliers without anything being amiss."""


@frozen
class Holders:
    """My suppliers by whether their pieces can be had now: ``there`` are those that can, ``away`` those that may come
    back. ``seats`` are all of them by place: a piece of which nobody is known belongs to the one at its place, who may
    have it until that one has listed its pieces."""

    seats: Sequence[bytes | None]
    there: frozenset[bytes]
    away: frozenset[bytes]


@frozen
class Standing:
    """So many ``packs`` have pieces in these places: at suppliers that are ``there``, at suppliers that are ``away`` or
    have not listed theirs yet, ``here`` on this disk where they wait; what is left of ``n`` is missing. ``is_new``:
    sent for the first time now."""

    n: int
    there: int
    away: int
    here: int
    packs: int
    is_new: bool = False

    @property
    def k(self) -> int:
        """So many pieces give a pack back."""
        return Scheme.for_family(self.n).k

    @property
    def missing(self) -> int:
        """Pieces that are nowhere."""
        return self.n - self.there - self.away - self.here

    @property
    def may_die(self) -> int:
        """How many of the suppliers that are there may be lost, while nobody comes back."""
        return max(0, self.there - self.k)

    @property
    def may_die_in_all(self) -> int:
        """The same, counting everybody who may come back."""
        return max(0, self.there + self.away - self.k)

    @property
    def is_readable(self) -> bool:
        """Whether the pack can be had now."""
        return self.there + self.here >= self.k

    @property
    def is_lost(self) -> bool:
        """Whether the pack cannot be had although everybody comes back."""
        return self.there + self.away + self.here < self.k


def standings(database: sqlite3.Connection, holders: Holders, now: float) -> list[Standing]:
    """All packs that versions build on, the weakest first. ``now`` in seconds since the epoch."""
    packs, values = _packs(holders)
    query = f"SELECT n, there, away, here, here>0 AND time>?, count(*) FROM ({packs}) GROUP BY 1, 2, 3, 4, 5"
    rows = database.execute(query, (now - UNDER_WAY, *values))
    found = [Standing(n, there, away, here, count, bool(is_new)) for n, there, away, here, is_new, count in rows]
    return sorted(found, key=lambda one: (one.is_new, one.may_die, one.may_die_in_all, one.there, one.here, one.n))


def packs_of(database: sqlite3.Connection, holders: Holders, standing: Standing, most: int) -> list[bytes]:
    """Some packs that stand so."""
    packs, values = _packs(holders)
    query = f"SELECT pack FROM ({packs}) WHERE n=? AND there=? AND away=? AND here=? LIMIT ?"
    wanted = (standing.n, standing.there, standing.away, standing.here, most)
    return [bytes(pack) for (pack,) in database.execute(query, (*values, *wanted))]


def _packs(holders: Holders) -> tuple[str, list[Any]]:
    """SQL that counts the pieces of each pack, and its values."""
    there, away = (_is_of(holders.seats, sorted(who)) for who in (holders.there, holders.away))
    query = (
        f"SELECT p.pack, p.n, p.time, coalesce(sum(s.state=1 AND {there}), 0) AS there,"
        f" coalesce(sum(s.state=1 AND {away}), 0) + {_unlisted(holders.seats)} AS away,"
        " coalesce(sum(s.state=?), 0) AS here"
        " FROM packs p LEFT JOIN pieces s ON s.pack=p.pack WHERE p.state=? AND p.logged=1 GROUP BY p.pack"
    )
    return query, [*sorted(holders.there), *sorted(holders.away), PieceState.WAITING, PackState.HELD]


def _unlisted(seats: Sequence[bytes | None]) -> str:
    """SQL: pieces of which nothing was heard since a recovery, or since another device has stored them."""
    places = ", ".join(f"({place})" for place, supplier in enumerate(seats) if supplier is not None)
    if not places:
        return "0"
    heard = "SELECT 1 FROM pieces u WHERE u.pack=p.pack AND u.number=v.column1"
    unheard = f"SELECT count(*) FROM (VALUES {places}) v WHERE v.column1<p.n AND NOT EXISTS ({heard})"
    return f"(CASE WHEN count(s.pack)<p.n THEN ({unheard}) ELSE 0 END)"


def _is_of(seats: Sequence[bytes | None], who: Sequence[bytes]) -> str:
    """SQL: whether some suppliers have a piece; one of which nobody is known belongs to the supplier at its place."""
    places = ", ".join(str(place) for place, supplier in enumerate(seats) if supplier in who)
    marks = ", ".join("?" * len(who))
    return f"(s.supplier IN ({marks}) OR s.supplier IS NULL AND s.number IN ({places}))"
