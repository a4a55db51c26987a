"""Packs and versions of which too few pieces are anywhere: nothing new builds on them, and nobody waits for them.

A home that is lost in the middle of an upload leaves versions in the log whose pieces never left it, and suppliers may
lose what they had. Of such a pack so many pieces are missing, by what suppliers said or did not prove, that those at
suppliers who are away cannot make up for it.
"""

import sqlite3

from bitdust.storage.catalog.database import PieceState

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
