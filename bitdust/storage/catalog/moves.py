"""Packs that took the place of others: the same chunks in the same order, sealed again and cut by another scheme.

A version goes on to name the pack in which its bytes were first; `current` finds the one that holds them now. Where two
devices moved one pack, the later move counts, by (lamport, device), and so every device comes to the same one. A pack
that moves to itself is back in its place: a move by a stolen device is undone so.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

MOST_STEPS = 1000
"""Moves of one pack after the other; a circle, which no device of good will makes, ends there."""


def current(database: sqlite3.Connection, pack: bytes) -> bytes:
    """The pack that holds now what a pack held."""
    for _ in range(MOST_STEPS):
        row = database.execute("SELECT new FROM moves WHERE old=?", (pack,)).fetchone()
        if row is None or row[0] == pack:
            break
        pack = bytes(row[0])
    return pack


def is_moved(database: sqlite3.Connection, pack: bytes) -> bool:
    """Whether another pack holds what this one held."""
    return database.execute("SELECT 1 FROM moves WHERE old=? AND new<>old", (pack,)).fetchone() is not None


def note_move(
    database: sqlite3.Connection, old: bytes, new: bytes, key: str, place: tuple[int, bytes, int]
) -> bytes | None:
    """Inside a transaction: what named ``old`` names ``new`` from now on; who held it before, None for no news.

    ``place`` is lamport, device and sequence of the entry that says so.
    """
    known = database.execute("SELECT lamport, device FROM moves WHERE old=?", (old,)).fetchone()
    if known is not None and (known[0], bytes(known[1])) >= place[:2]:
        return None
    before = current(database, old)
    if new != old and current(database, new) == old:
        return None
    database.execute("INSERT OR REPLACE INTO moves VALUES(?, ?, ?, ?, ?, ?)", (old, new, key, *place))
    now = current(database, old)
    _follow_chunks(database, old, before, now)
    return before


def _follow_chunks(database: sqlite3.Connection, old: bytes, before: bytes, now: bytes) -> None:
    """What is deduplicated from now on builds on the new pack."""
    row = database.execute(
        "SELECT names FROM packs WHERE pack IN (?, ?) AND length(names)>0 LIMIT 1", (old, before)
    ).fetchone()
    names = bytes(row[0]) if row is not None else b""
    database.executemany(
        "UPDATE chunks SET pack=? WHERE name=? AND pack=?",
        ((now, names[start : start + 16], before) for start in range(0, len(names), 16)),
    )


def link_packs(database: sqlite3.Connection, path: str, version: str, extents: Iterable[list[Any]]) -> set[bytes]:
    """Inside a transaction: note, and give back, which packs hold a version's bytes now."""
    packs = {current(database, pack) for pack in {extent[0] for extent in extents}}
    database.executemany(
        "INSERT OR IGNORE INTO version_packs VALUES(?, ?, ?)", ((pack, path, version) for pack in packs)
    )
    return packs


def forget_moves(database: sqlite3.Connection, packs: Iterable[bytes]) -> None:
    """Inside a transaction: these packs are forgotten; so is what came to an end in them."""
    waiting = list(packs)
    while waiting:
        pack = waiting.pop()
        if is_moved(database, pack):
            continue
        waiting += [bytes(old) for (old,) in database.execute("SELECT old FROM moves WHERE new=?", (pack,)).fetchall()]
        database.execute("DELETE FROM moves WHERE new=?", (pack,))
