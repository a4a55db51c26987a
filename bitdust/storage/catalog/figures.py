"""Figures of the catalog for people and monitoring: how much there is, how much of it is safe, since when."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.row_facts import doubts_of
from bitdust.storage.catalog.whereabouts import IS_NOWHERE
from bitdust.wire.names import version_time

NEWEST = 2_000
"""So many of the newest versions are looked through for one that is whole: the answer must not take seconds."""


_OF_FILES = "dead=0 AND NOT EXISTS (SELECT 1 FROM items WHERE items.path=versions.path AND type='folder')"
"""Of living versions: a folder has no bytes of its own, and would always be whole."""


def pieces(database: sqlite3.Connection) -> dict[str, int]:
    """Pieces ``due`` and ``acknowledged``, those that ``waiting`` in the spool and their bytes, those ``missing``."""
    due, acked, packs = database.execute(
        "SELECT coalesce(sum(n), 0), coalesce(sum(acked), 0), count(*) FROM packs WHERE state<=?", (PackState.HELD,)
    ).fetchone()
    query = "SELECT count(*), coalesce(sum(size), 0) FROM pieces WHERE state<>1 AND state=?"
    waiting, spool_bytes = database.execute(query, (PieceState.WAITING,)).fetchone()
    (missing,) = database.execute(
        "SELECT count(*) FROM pieces s JOIN packs p ON p.pack=s.pack WHERE s.state<>1 AND s.state=? AND p.state<=?",
        (PieceState.MISSING, PackState.HELD),
    ).fetchone()
    return {
        "packs": packs,
        "due": due,
        "acknowledged": acked,
        "waiting": waiting,
        "missing": missing,
        "spool_bytes": spool_bytes,
    }


def files_of_others(database: sqlite3.Connection, devices: Sequence[bytes]) -> int:
    """How many files have a version that none of these devices has stored."""
    known = ", ".join("?" * len(devices))
    (files,) = database.execute(
        f"SELECT count(DISTINCT path) FROM versions WHERE {_OF_FILES} AND device NOT IN ({known})", tuple(devices)
    ).fetchone()
    return int(files)


def newest_whole(database: sqlite3.Connection, failed: frozenset[bytes] = frozenset()) -> float | None:
    """When the newest version of a file was made of which every piece was acknowledged, in seconds since 1970.

    Versions with pieces at suppliers that ``failed`` their last audit are not whole.
    """
    suppliers = tuple(sorted(failed))
    row = database.execute(
        f"SELECT version FROM (SELECT path, version FROM versions WHERE {_OF_FILES} ORDER BY version DESC LIMIT ?) v"
        " WHERE NOT EXISTS (SELECT 1 FROM version_packs x JOIN packs ON packs.pack=x.pack"
        f" WHERE x.path=v.path AND x.version=v.version AND packs.acked-{doubts_of(len(suppliers))}<packs.n)"
        " ORDER BY version DESC LIMIT 1",
        (NEWEST, *suppliers),
    ).fetchone()
    return version_time(row[0]) if row is not None else None


def safety(database: sqlite3.Connection, failed: frozenset[bytes] = frozenset()) -> dict[str, Any]:
    """``files`` with a version, when the newest ``reliable`` one was made, and pieces ``waiting`` or missing."""
    (files,) = database.execute(f"SELECT count(DISTINCT path) FROM versions WHERE {_OF_FILES}").fetchone()
    found = pieces(database)
    return {"files": files, "reliable": newest_whole(database, failed), "waiting": found["waiting"] + found["missing"]}


def count(database: sqlite3.Connection) -> dict[str, int]:
    """How many items there are, and bytes of their newest versions; reads the whole catalog."""
    folders, items = database.execute(
        "SELECT coalesce(sum(type='folder'), 0), count(*) FROM items WHERE dead=0"
    ).fetchone()
    newest = "SELECT coalesce(sum(size), 0) FROM (SELECT size, max(version) FROM versions WHERE dead=0{} GROUP BY path)"
    (size,) = database.execute(newest.format("")).fetchone()
    (inside,) = database.execute(newest.format(" AND path LIKE '%/%'")).fetchone()
    return {"items": items, "files": items - folders, "folders": folders, "files_size": size, "folders_size": inside}


def count_all(database: sqlite3.Connection) -> dict[str, Any]:
    """`count`, ``used`` sealed bytes of everything that is kept, counted once, and `pieces`. For a thread."""
    query = "SELECT coalesce(sum(size), 0) FROM packs WHERE state<=?"
    (used,) = database.execute(query, (PackState.HELD,)).fetchone()
    return {**count(database), "used": used, "pieces": pieces(database)}


def stored_by_device(database: sqlite3.Connection) -> dict[bytes, tuple[float, float]]:
    """When each device has stored its first and its last version of those that are left; reads all of them."""
    rows = database.execute("SELECT device, min(version), max(version) FROM versions GROUP BY device")
    return {bytes(device): (version_time(first), version_time(last)) for device, first, last in rows}


def pieces_by_supplier(database: sqlite3.Connection) -> dict[bytes, int]:
    """How many pieces each supplier has acknowledged; reads as many rows as there are pieces."""
    rows = database.execute(
        "SELECT supplier, count(*) FROM pieces WHERE supplier IS NOT NULL AND state=? GROUP BY supplier",
        (PieceState.KEPT,),
    )
    return {bytes(supplier): number for supplier, number in rows}


def has_packs(database: sqlite3.Connection) -> bool:
    """Whether anything is stored that is still wanted."""
    query = "SELECT 1 FROM packs WHERE state<=? LIMIT 1"
    return database.execute(query, (PackState.HELD,)).fetchone() is not None


def is_complete_at(
    database: sqlite3.Connection, position: int, supplier: bytes, sources: Collection[bytes] | None = None
) -> bool:
    """Whether a supplier has acknowledged the piece of every pack that belongs to its place.

    With ``sources``, of every pack that can be had from these suppliers, or whose piece they or this disk have.
    """
    elsewhere = (
        "SELECT 1 FROM packs p WHERE p.state<=? AND p.n>? AND NOT EXISTS (SELECT 1 FROM pieces s"
        " WHERE s.pack=p.pack AND s.number=? AND s.state=? AND s.supplier=?)"
    )
    values: list[Any] = [PackState.HELD, position, position, PieceState.KEPT, supplier]
    if sources is not None:
        who = ",".join("?" * len(sources))
        elsewhere += (
            " AND (EXISTS (SELECT 1 FROM pieces s WHERE s.pack=p.pack AND s.number=?"
            f" AND (s.state=? OR (s.state=? AND s.supplier IN ({who}))))"
            " OR p.n-(SELECT count(*) FROM pieces s WHERE s.pack=p.pack AND (s.state=?"
            f" OR (s.state=? AND s.supplier IS NOT NULL AND s.supplier NOT IN ({who}))))>=(p.n+1)/2)"
        )
        values += [position, PieceState.WAITING, PieceState.KEPT, *sources]
        values += [PieceState.MISSING, PieceState.KEPT, *sources]
    return database.execute(f"{elsewhere} LIMIT 1", values).fetchone() is None


def is_whole(database: sqlite3.Connection, is_all: bool = True) -> bool:
    """Whether every piece of every pack was acknowledged: then nobody who has not listed has what lacks.

    Unless ``is_all``, packs that cannot come back do not count."""
    query = "SELECT 1 FROM packs p WHERE p.state<=? AND p.acked<p.n"
    query += " LIMIT 1" if is_all else f" AND NOT {IS_NOWHERE} LIMIT 1"
    return database.execute(query, (PackState.HELD,)).fetchone() is None


def holds_what_lacks(database: sqlite3.Connection, supplier: bytes, former: bytes) -> bool:
    """Whether a former supplier has pieces that nobody else has: those of a place that its supplier has not, or of
    another place that it had in another life."""
    query = (
        "SELECT 1 FROM pieces s JOIN packs p ON p.pack=s.pack WHERE s.supplier=? AND s.state=? AND p.state<=? LIMIT 1"
    )
    values = (former, PieceState.KEPT, PackState.HELD)
    return former != supplier and database.execute(query, values).fetchone() is not None
