"""Files of logs in which several people write, while they are closed."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from bitdust.storage.catalog.catalog import log_end
from bitdust.storage.catalog.database import connect_to_read

PATIENCE = 10.0
"""Seconds for which a file may be somebody else's that is to be read."""


def end_in_file(path: Path, device: bytes) -> int | None:
    """The last entry of a device's part in the file of a log that is closed; None where that cannot be read. Blocks."""
    with suppress(sqlite3.Error), closing(connect_to_read(path, PATIENCE)) as database:
        if database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
            return 0  # its process has died before it made the tables
        rows = database.execute("SELECT DISTINCT key FROM entries UNION SELECT key FROM bases").fetchall()
        return max((log_end(database, key, device).sequence for (key,) in rows), default=0)
    return None
