"""What versions have besides bytes, mode and time: a row for those few that have any (table ``version_extras``)."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from bitdust.formats.extras import NO_EXTRAS, Extras
from bitdust.wire.encoding import decode, encode

MOST = 1024 * 1024
_ITEMS = 100_000


def note_extras(database: sqlite3.Connection, path: str, version: str, value: Mapping[str, Any]) -> None:
    """Inside a transaction: what the log says of a version; what was said first stays."""
    database.execute("INSERT OR IGNORE INTO version_extras VALUES(?, ?, ?)", (path, version, encode(dict(value))))


def extras_of(database: sqlite3.Connection, path: str, version: str) -> Extras:
    """Of one version."""
    row = database.execute("SELECT extras FROM version_extras WHERE path=? AND version=?", (path, version)).fetchone()
    value: Any = decode(bytes(row[0]), MOST, _ITEMS) if row is not None else {}
    return Extras.of_value(value) if value else NO_EXTRAS


def forget_extras(database: sqlite3.Connection) -> None:
    """Inside a transaction: of versions that are forgotten."""
    database.execute(
        "DELETE FROM version_extras WHERE NOT EXISTS (SELECT 1 FROM versions v"
        " WHERE v.path=version_extras.path AND v.version=version_extras.version)"
    )
