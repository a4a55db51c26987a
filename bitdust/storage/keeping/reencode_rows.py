"""What the catalog says of packs that move to another scheme."""

import sqlite3
from collections.abc import Collection, Sequence

from attrs import frozen

from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.keeping.disposal import OTHERS_DELAY
from bitdust.storage.packs.pack import SealedPack

AT_A_TIME = 200
MONTH = OTHERS_DELAY // 1000
"""Seconds for which a pack has to be nowhere before a change of the number of suppliers goes on without it."""
_LEFT_OUT = f"p.pack IN (SELECT pack FROM nowhere WHERE seconds>={MONTH:d})"
"""SQL about a row ``p`` of packs: whether a change goes on without it."""


@frozen
class Left:
    """Packs of another scheme, and the bytes in them."""

    packs: int
    bytes: int


@frozen
class Found:
    """How much is ``left`` to be moved, and which ``packs`` to begin with."""

    left: Left
    packs: list[bytes]


def find_packs(database: sqlite3.Connection, n: int, left_out: Collection[bytes] = ()) -> Found:
    """Packs that are coded for another number of suppliers than ``n``, those with the fewest pieces to spare first; not
    those without which a change goes on.

    ``left_out`` are not among those to begin with. Reads as many rows as there are such packs; for a thread.
    """
    # Two ranges of the index: this is looked for every second while the number changes.
    other = (
        "FROM packs p WHERE p.state=? AND (p.n<? OR p.n>?) AND p.pack NOT IN (SELECT new FROM recodings)"
        f" AND NOT {_LEFT_OUT}"
    )
    total = f"SELECT count(*), coalesce(sum(p.size), 0) {other}"
    packs, size = database.execute(total, (PackState.HELD, n, n)).fetchone()
    if not packs:
        return Found(Left(0, 0), [])
    rows = database.execute(
        f"SELECT p.pack {other} AND p.pack NOT IN (SELECT pack FROM recodings)"
        " ORDER BY p.acked-(p.n+1)/2, p.pack LIMIT ?",
        (PackState.HELD, n, n, AT_A_TIME + len(left_out)),
    )
    return Found(Left(packs, size), [bytes(pack) for (pack,) in rows if bytes(pack) not in left_out][:AT_A_TIME])


def moved_by_others(database: sqlite3.Connection, device: bytes) -> int:
    """How many packs another device than this one has moved, as far as is known here."""
    return int(database.execute("SELECT count(*) FROM moves WHERE device<>?", (device,)).fetchone()[0])


def half_way(database: sqlite3.Connection) -> list[tuple[bytes, bytes]]:
    """Packs that were on their way when the node stopped, each with its new pack."""
    return [(bytes(pack), bytes(new)) for pack, new in database.execute("SELECT pack, new FROM recodings").fetchall()]


def undelivered(database: sqlite3.Connection) -> list[tuple[bytes, int]]:
    """Pieces of new packs on their way that no supplier has acknowledged."""
    query = "SELECT s.pack, s.number FROM recodings r JOIN pieces s ON s.pack=r.new WHERE s.state=?"
    return [(bytes(new), number) for new, number in database.execute(query, (PieceState.WAITING,))]


def record_new(database: sqlite3.Connection, pack: bytes, made: SealedPack, small: bool, time: int) -> bool:
    """Inside a transaction: the new pieces wait here for their suppliers; False when the old pack is wanted no more.

    Nothing is deduplicated with the new pack before it is in the log.
    """
    record, n = made.record, made.record.scheme.n
    known = database.execute(
        "INSERT INTO packs SELECT ?, key, epoch, ?, ?, names, lengths, state, 0, ?, 0, ? FROM packs"
        " WHERE pack=? AND state=? AND pack NOT IN (SELECT pack FROM recodings)",
        (record.pack, record.size, record.to_body(), n, time, pack, PackState.HELD),
    )
    if known.rowcount < 1:
        return False
    database.execute("INSERT INTO recodings VALUES(?, ?)", (pack, record.pack))
    database.executemany(
        "INSERT INTO pieces VALUES(?, ?, ?, ?, NULL, ?)",
        (
            (record.pack, index, record.piece_size, PieceState.WAITING, made.pieces[index] if small else None)
            for index in range(n)
        ),
    )
    return True


def is_delivered(database: sqlite3.Connection, new: bytes) -> bool:
    """Whether every supplier has acknowledged its piece of a new pack."""
    row = database.execute("SELECT acked, n FROM packs WHERE pack=?", (new,)).fetchone()
    return row is not None and row[0] >= row[1]


def is_unwanted(database: sqlite3.Connection, pack: bytes, new: bytes, n: int) -> bool:
    """Whether a new pack is of no use: it lost a piece, is for another number of suppliers, or the old one is gone."""
    living = "SELECT n FROM packs WHERE pack=? AND state=?"
    made = database.execute(living, (new, PackState.HELD)).fetchone()
    if made is None or made[0] != n or database.execute(living, (pack, PackState.HELD)).fetchone() is None:
        return True
    lost = "SELECT 1 FROM pieces WHERE pack=? AND state=? LIMIT 1"
    return database.execute(lost, (new, PieceState.MISSING)).fetchone() is not None


def is_moved_all(database: sqlite3.Connection, n: int) -> bool:
    """Whether every living pack is coded for ``n`` suppliers, or left out of the change, and none is on its way."""
    # Each is a range of the index: this is asked every few seconds while the number changes.
    ranges = ((state, side) for state in (PackState.NEW, PackState.HELD) for side in "<>")
    others = (
        database.execute(
            f"SELECT 1 FROM packs p WHERE p.state=? AND p.n{side}? AND NOT {_LEFT_OUT} LIMIT 1", (state, n)
        )
        for state, side in ranges
    )
    is_on_the_way = database.execute("SELECT 1 FROM recodings LIMIT 1").fetchone() is not None
    return not is_on_the_way and all(found.fetchone() is None for found in others)


def places_left_out(database: sqlite3.Connection, n: int, seats: Sequence[bytes | None]) -> int:
    """At how many of the first ``seats`` somebody may have a piece of a pack that is left out; 0 where none is.

    Of what a guest has made, only those count who have a piece, or did not say so yet: it would else keep whomever it
    likes.
    """
    left_out = f"FROM packs p WHERE p.state=? AND (p.n<? OR p.n>?) AND {_LEFT_OUT}"
    guests = "EXISTS (SELECT 1 FROM guest_packs g WHERE g.pack=p.pack)"
    values = (PackState.HELD, n, n)
    (own,) = database.execute(f"SELECT max(p.n) {left_out} AND NOT {guests}", values).fetchone()
    (made,) = database.execute(f"SELECT max(p.n) {left_out} AND {guests}", values).fetchone()
    if own is None and made is None:
        return 0
    held = f"SELECT DISTINCT supplier FROM pieces WHERE state=? AND pack IN (SELECT p.pack {left_out})"
    holders = {bytes(who) for (who,) in database.execute(held, (PieceState.KEPT, *values)) if who is not None}
    known = "SELECT 1 FROM pieces s WHERE s.pack=p.pack AND s.number=?"
    unsaid = f"SELECT EXISTS (SELECT 1 {left_out} AND {guests} AND p.n>? AND NOT EXISTS ({known}))"

    def may_have(place: int, who: bytes) -> bool:
        is_unsaid = place < (made or 0) and database.execute(unsaid, (*values, place, place)).fetchone()[0]
        return who in holders or bool(is_unsaid)

    beyond = [place + 1 for place, who in enumerate(seats) if who is not None and may_have(place, who)]
    return max([own or n, *beyond])
