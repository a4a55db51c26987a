"""Pins and named roots in the index: what they are changed to, and who is pinned by whom."""

import sqlite3
from collections.abc import Iterator, Sequence

from bitdust.blocks.index import find
from bitdust.blocks.values import Change, Mode, Pin, Row, State, Unpin
from bitdust.ipld.cid import RAW, Cid
from bitdust.wire.errors import BitDustError

_PINS = (
    "SELECT p.block, p.version, p.codec, b.multihash, p.mode, p.name FROM pins p JOIN blocks b ON b.id = p.block"
    " WHERE (p.block, p.version, p.codec) > (?, ?, ?)"
)
_PIN = (
    "INSERT INTO pins VALUES(?, ?, ?, ?, ?, 0) ON CONFLICT(block, version, codec) DO UPDATE"
    " SET mode=excluded.mode, name=excluded.name, told=0 WHERE mode <= excluded.mode"
)
FIRST = (-1, 0, 0)
_THROUGH = (
    "WITH RECURSIVE up(id) AS (SELECT ? UNION SELECT parent FROM links JOIN up ON child = up.id)"
    " SELECT p.version, p.codec, b.multihash FROM up JOIN pins p ON p.block = up.id AND p.mode = 1"
    " JOIN blocks b ON b.id = up.id WHERE up.id != ? LIMIT 1"
)
_ROOTS = "SELECT r.name, r.version, r.codec, b.multihash FROM roots r JOIN blocks b ON b.id = r.block ORDER BY r.name"
Key = tuple[int, int, int]


def is_open(database: sqlite3.Connection, row: Row, one: Change) -> bool:
    """Whether what is below a block has to be looked at before it may be pinned.

    Raises ``unreadable`` for a block whose links cannot be followed.
    """
    if not isinstance(one, Pin) or one.mode is Mode.DIRECT or one.cid.codec == RAW:
        return False
    query = "SELECT 1 FROM broken WHERE block=? AND codec=?"
    if database.execute(query, (row.id, one.cid.codec)).fetchone() is not None:
        raise unreadable(one.cid)
    return row.state is not State.WHOLE


def set_whole(database: sqlite3.Connection, ident: int) -> None:
    """What is below a block that is here was looked at, and is here as well."""
    database.execute("UPDATE blocks SET state=? WHERE id=? AND state=?", (State.WHOLE, ident, State.HERE))


def unreadable(cid: Cid) -> BitDustError:
    """Of a block whose links cannot be followed."""
    text = (
        f"block {cid} is here, but it is not what its codec says: what is below it is not known, and cannot be pinned"
    )
    return BitDustError("unreadable", text, cid=str(cid))


def change(database: sqlite3.Connection, one: Change, ident: int) -> None:
    """Apply a change that concerns the block of an id, which was checked; raises ``not-pinned``, ``bad-argument``."""
    database.execute("UPDATE meta SET value=value+1 WHERE name='changes'")
    if isinstance(one, Pin):
        _pin(database, one, ident)
    elif isinstance(one, Unpin):
        _unpin(database, one, ident)
    elif one.cid is None:
        database.execute("DELETE FROM roots WHERE name=?", (one.name,))
    else:
        values = (one.name, ident, one.cid.version, one.cid.codec)
        database.execute("INSERT OR REPLACE INTO roots VALUES(?, ?, ?, ?)", values)


def _pin(database: sqlite3.Connection, pin: Pin, ident: int) -> None:
    if not database.execute(_PIN, (ident, pin.cid.version, pin.cid.codec, pin.mode, pin.name)).rowcount:
        raise BitDustError("already-pinned", f"{pin.cid} is pinned recursively already", cid=str(pin.cid))


def _unpin(database: sqlite3.Connection, unpin: Unpin, ident: int) -> None:
    key = (ident, unpin.cid.version, unpin.cid.codec)
    found = database.execute("SELECT mode FROM pins WHERE block=? AND version=? AND codec=?", key).fetchone()
    if found is None or unpin.mode not in (None, found[0]):
        raise BitDustError("not-pinned", f"{unpin.cid} is not pinned", cid=str(unpin.cid))
    database.execute("DELETE FROM pins WHERE block=? AND version=? AND codec=?", key)


def pins(database: sqlite3.Connection, mode: Mode | None, after: Key, most: int) -> list[tuple[Key, Pin]]:
    """Some pins behind one, in the order of their keys."""
    where, values = ("", ()) if mode is None else (" AND p.mode=?", (mode,))
    query = f"{_PINS}{where} ORDER BY p.block, p.version, p.codec LIMIT ?"
    found = database.execute(query, (*after, *values, most))
    return [(row[:3], Pin(Cid(row[1], row[2], row[3]), Mode(row[4]), row[5])) for row in found]


def pinned_ids(database: sqlite3.Connection, after: int, most: int, mode: Mode | None = None) -> list[tuple[int, Mode]]:
    """Ids of pinned blocks behind one, and how each is pinned."""
    where = "" if mode is None else f" AND mode={int(mode)}"
    query = f"SELECT block, max(mode) FROM pins WHERE block > ?{where} GROUP BY block ORDER BY block LIMIT ?"
    return [(ident, Mode(found)) for ident, found in database.execute(query, (after, most))]


def pin_of(database: sqlite3.Connection, cid: Cid) -> Pin | None:
    """The pin of exactly this CID, else one of another name for the same block."""
    query = (
        "SELECT p.version, p.codec, p.mode, p.name FROM pins p JOIN blocks b ON b.id = p.block WHERE b.multihash=?"
        " ORDER BY p.version = ? AND p.codec = ? DESC, p.mode DESC LIMIT 1"
    )
    row = database.execute(query, (cid.multihash, cid.version, cid.codec)).fetchone()
    return Pin(Cid(row[0], row[1], cid.multihash), Mode(row[2]), row[3]) if row is not None else None


def pinned_through(database: sqlite3.Connection, cid: Cid) -> Cid | None:
    """A recursive pin above a block."""
    row = find(database, cid.multihash)
    if row is None:
        return None
    found = database.execute(_THROUGH, (row.id, row.id)).fetchone()
    return Cid(*found) if found is not None else None


def roots(database: sqlite3.Connection) -> dict[str, Cid]:
    """All named roots."""
    return {name: Cid(version, codec, hashed) for name, version, codec, hashed in database.execute(_ROOTS)}


def root_ids(database: sqlite3.Connection) -> Sequence[int]:
    """Ids of the blocks of all roots."""
    return [row[0] for row in database.execute("SELECT DISTINCT block FROM roots")]


def kept_ids(database: sqlite3.Connection) -> Iterator[tuple[int, Mode]]:
    """Ids of all that is pinned or a root, and whether what is below stays as well."""
    yield from ((ident, Mode.RECURSIVE) for ident in root_ids(database))
    after = -1
    while found := pinned_ids(database, after, 1000):
        yield from found
        after = found[-1][0]
