"""When the logs of each device were last compared with what suppliers list, and were known to their ends."""

import sqlite3
from collections.abc import Collection
from typing import Any

from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.wire.encoding import WireError, decode, encode

COMPARED, BEHIND = "compared", "compared-behind"
ASTRAY = 3_600
"""Seconds by which what was noted may be later than now: beyond that the clock was wrong then."""
TOLD_FOR = 25 * 86_400
"""Seconds for which snapshots surely repeat deletions; the compaction leaves them out after thirty days."""
MAX_NOTE = 64 * 1024
MOST_BEHIND = 2048
"""Devices that the note names; one row has 22 bytes at most."""


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
        last, behind = _noted(self._catalog.read)
        moment, now = behind.get(device, last), self._calendar.stamp()
        return bool(moment) and moment <= now + ASTRAY and now < moment + TOLD_FOR


def note_compared(
    database: sqlite3.Connection, moment: int, lacking: Collection[bytes], named: Collection[bytes]
) -> None:
    """Inside a transaction: all was compared, in seconds since 1970; of the logs of these devices something lacks.

    The note has limits: those of them that are ``named`` by the owner are always in it, then those that were before.
    """
    last, behind = _noted(database)

    def before(device: bytes) -> int:
        known = behind.get(device, last)
        return known if known <= moment + ASTRAY else 0

    chosen = sorted(lacking, key=lambda device: (device not in named, device not in behind, device))[:MOST_BEHIND]
    set_meta(database, COMPARED, b"%d" % moment)
    set_meta(database, BEHIND, encode([[device, before(device)] for device in sorted(chosen)]))


def forget_compared(database: sqlite3.Connection) -> None:
    """Inside a transaction: nothing of what was compared is here any more."""
    database.execute("DELETE FROM meta WHERE name IN (?, ?)", (COMPARED, BEHIND))


def _noted(database: sqlite3.Connection) -> tuple[int, dict[bytes, int]]:
    """When all was compared, and for devices of whose logs something lacked when that was not so yet. Where the note
    cannot be read nothing was compared."""
    kept = meta(database, BEHIND)
    try:
        rows: Any = decode(kept, MAX_NOTE) if kept is not None else []
    except WireError:
        return 0, {}
    return int(meta(database, COMPARED) or b"0"), dict(rows)
