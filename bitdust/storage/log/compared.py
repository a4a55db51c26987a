"""When the logs of each device were last compared with what suppliers list, and were known to their ends."""

import sqlite3
from collections.abc import Collection
from typing import Any

from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.wire.encoding import decode, encode

COMPARED, BEHIND = "compared", "compared-behind"
TOLD_FOR = 25 * 86_400
"""Seconds for which snapshots surely repeat deletions; the compaction leaves them out after thirty days."""
MAX_NOTE = 64 * 1024


class Compared:
    """I remember that for all devices together, and for those apart of whose logs something lacks."""

    def __init__(self, catalog: Catalog, calendar: Calendar) -> None:
        self._catalog = catalog
        self._calendar = calendar

    def was_here(self, device: bytes) -> bool:
        """Whether all of a device's logs was read so lately that no snapshot has left out deletions which this node has
        not read.

        Then it goes on from the snapshot, and keeps what it knows: a stolen device may have written that.
        """
        database = self._catalog.read
        moment = _behind(database).get(device, _last(database))
        return bool(moment) and self._calendar.stamp() < moment + TOLD_FOR


def note_compared(database: sqlite3.Connection, moment: int, lacking: Collection[bytes]) -> None:
    """Inside a transaction: all was compared, in seconds since 1970; of the logs of these devices something lacks."""
    behind, last = _behind(database), _last(database)
    rows = [[device, behind.get(device, last)] for device in sorted(lacking)]
    set_meta(database, COMPARED, b"%d" % moment)
    set_meta(database, BEHIND, encode(rows))


def forget_compared(database: sqlite3.Connection) -> None:
    """Inside a transaction: nothing of what was compared is here any more."""
    database.execute("DELETE FROM meta WHERE name IN (?, ?)", (COMPARED, BEHIND))


def _last(database: sqlite3.Connection) -> int:
    return int(meta(database, COMPARED) or b"0")


def _behind(database: sqlite3.Connection) -> dict[bytes, int]:
    kept = meta(database, BEHIND)
    rows: Any = decode(kept, MAX_NOTE) if kept is not None else []
    return dict(rows)
