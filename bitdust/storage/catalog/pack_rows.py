"""Rows of packs: made, given up, and wanted again."""

import sqlite3

from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.moves import current
from bitdust.storage.catalog.whereabouts import HAS_ENOUGH
from bitdust.wire.encoding import encode


def insert_pack(
    database: sqlite3.Connection,
    pack: bytes,
    key: str,
    epoch: int,
    record: bytes,
    names: bytes,
    lengths: list[int],
    size: int,
    n: int,
    state: PackState,
    logged: int,
    time: int,
    is_guests: bool = False,
) -> None:
    """A row for the pack and its chunks' places in the index; a pack that is known already stays as it is.

    One that a guest has sealed is not in the index: nobody else builds on what may hold something else than it says.
    """
    known = database.execute(
        "INSERT OR IGNORE INTO packs VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
        (pack, key, epoch, size, record, names, encode(lengths), state, n, logged, time),
    )
    if is_guests:
        database.execute("INSERT OR IGNORE INTO guest_packs VALUES(?)", (pack,))
    elif known.rowcount:
        database.executemany(
            "INSERT INTO chunks VALUES(?, ?, ?) ON CONFLICT(name) DO UPDATE SET pack=excluded.pack,"
            " number=excluded.number"
            f" WHERE NOT EXISTS (SELECT 1 FROM packs p WHERE p.pack=chunks.pack AND p.state<=1 AND {HAS_ENOUGH})",
            ((names[16 * number : 16 * number + 16], pack, number) for number in range(len(lengths))),
        )


def keep_pack(database: sqlite3.Connection, pack: bytes, is_back: bool = False) -> None:
    """A pack that was given up is wanted again, if something newer says so, or if it ``is_back`` in its place."""
    row = database.execute("SELECT state FROM packs WHERE pack=?", (pack,)).fetchone()
    if row is None or row[0] != PackState.DEAD:
        return
    query = "SELECT 1 FROM tombstones WHERE name=?"
    if not is_back and database.execute(query, (pack.hex(),)).fetchone() is None:
        return
    if current(database, pack) == pack and not is_given_up(database, pack):
        database.execute(
            "UPDATE packs SET state=?, acked=(SELECT count(*) FROM pieces s WHERE s.pack=packs.pack AND s.state=?)"
            " WHERE pack=? AND state=?",
            (PackState.HELD, PieceState.KEPT, pack, PackState.DEAD),
        )


def is_given_up(database: sqlite3.Connection, pack: bytes) -> bool:
    """Whether a tombstone names a pack, and nothing that was said later needs it."""
    row = database.execute("SELECT lamport, device FROM tombstones WHERE name=?", (pack.hex(),)).fetchone()
    if row is None:
        return False
    later = "({0}lamport>:lamport OR ({0}lamport=:lamport AND {0}device>:device))"
    values = {"pack": pack, "lamport": row[0], "device": row[1]}
    wanted = database.execute(
        "SELECT EXISTS (SELECT 1 FROM version_packs x JOIN versions w ON w.path=x.path AND w.version=x.version"
        f" WHERE x.pack=:pack AND w.dead=0 AND {later.format('w.')})"
        f" OR EXISTS (SELECT 1 FROM moves WHERE new=:pack AND {later.format('')})",
        values,
    ).fetchone()
    return not wanted[0]


def bury_pack(database: sqlite3.Connection, pack: bytes) -> None:
    """A dead pack's chunks are stored again when they are met again; a living version that needs it keeps it."""
    database.execute("UPDATE packs SET state=? WHERE pack=? AND state<>?", (PackState.DEAD, pack, PackState.LOST))
    _forget_chunks(database, pack)


def _forget_chunks(database: sqlite3.Connection, pack: bytes) -> None:
    row = database.execute("SELECT names FROM packs WHERE pack=?", (pack,)).fetchone()
    names = row[0] if row is not None else b""
    database.executemany(
        "DELETE FROM chunks WHERE name=? AND pack=?",
        ((names[start : start + 16], pack) for start in range(0, len(names), 16)),
    )


def give_up_pack(database: sqlite3.Connection, pack: bytes) -> None:
    """Its pieces did not survive here before anybody had enough of them: its bytes get a new pack."""
    database.execute("UPDATE packs SET state=? WHERE pack=?", (PackState.LOST, pack))
    _forget_chunks(database, pack)
