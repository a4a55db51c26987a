"""A catalog that was away for too long: the logs of other devices begin later now than where this node stopped reading.

What they deleted meanwhile is told by nothing but its absence from their snapshot, so the catalog is built again from
the suppliers, as on a recovered node. First everything that this node has said itself must be safe there.
"""

import sqlite3
from collections.abc import Sequence

from bitdust.storage.catalog import Catalog
from bitdust.storage.catalog_db import OUTDATED, RECOVERING, PieceState, meta, set_meta
from bitdust.storage.log_recovery import SeenHead

_FROM_THE_LOG = (
    "items", "versions", "gone", "labels", "tombstones", "version_packs", "chunks", "entries", "bases", "log_acks"
)  # fmt: skip


def is_outdated(catalog: Catalog, heads: Sequence[SeenHead]) -> bool:
    """Whether some device's log begins behind the entry that would be next here."""
    if not catalog.devices():
        return False
    return any(
        seen.proven and seen.head.first is not None and seen.head.first > catalog.end(seen.head.device).sequence + 1
        for seen in heads
    )


def note_outdated(database: sqlite3.Connection) -> None:
    """Inside a transaction: start over when the catalog is opened the next time."""
    set_meta(database, OUTDATED, b"1")


def start_over(database: sqlite3.Connection) -> None:
    """Forget what follows from the logs, if that was noted; jobs, and pieces that lie here, stay."""
    if meta(database, OUTDATED) is None:
        return
    database.execute("BEGIN IMMEDIATE")
    for table in _FROM_THE_LOG:
        database.execute(f"DELETE FROM {table}")
    database.execute("DELETE FROM packs WHERE logged=1")
    set_meta(database, RECOVERING, b"1")
    database.execute("DELETE FROM meta WHERE name=?", (OUTDATED,))
    database.execute("COMMIT")


def come_back(database: sqlite3.Connection) -> None:
    """Inside a transaction, when all is known again: pieces of packs that are no more go, the others count again."""
    database.execute("DELETE FROM pieces WHERE pack NOT IN (SELECT pack FROM packs)")
    database.execute(
        "UPDATE packs SET acked=(SELECT count(*) FROM pieces s WHERE s.pack=packs.pack AND s.state=?) WHERE logged=1",
        (PieceState.KEPT,),
    )
