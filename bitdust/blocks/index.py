"""What the index says of blocks, and what becomes of it when one comes, goes, or moves. For the thread that writes.

A block belongs to a multihash, its links to a codec; and one multihash may be named with several codecs. Links are
written down for each codec under which a block is known, so that nobody hides what is below a block by bringing it
under another name. ``raw`` has no links.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence

from bitdust.blocks.packs import Place, Unreadable, record_size
from bitdust.blocks.saved import forget
from bitdust.blocks.values import MOST_LINKS, LinkReader, Row, State
from bitdust.ipld.cid import RAW, Cid
from bitdust.ipld.errors import FormatError
from bitdust.wire.errors import BitDustError

COLUMNS = "id, version, codec, multihash, size, pack, offset, state"
OPEN = f"b.state = {State.ABSENT} OR (b.state != {State.WHOLE} AND l.codec != {RAW})"
"""Of a link ``l`` to a block ``b``: whether something is missing there."""
BROKEN = "EXISTS (SELECT 1 FROM broken x WHERE x.block = b.id AND x.codec = l.codec)"
"""Whether a link names a block with a codec that it is not of."""
_INSERT = "INSERT INTO blocks(multihash, version, codec, size, pack, offset, state) VALUES(?, ?, ?, ?, ?, ?, ?)"
_INSERT_NEW = f"{_INSERT} ON CONFLICT DO NOTHING"
_PLACE = "UPDATE blocks SET size=?, pack=?, offset=?, state=? WHERE id=?"
_THESE = "IN (SELECT value FROM json_each(?))"
_NOBODYS = "NOT EXISTS (SELECT 1 FROM links WHERE child = blocks.id)"
_UP = (
    "WITH RECURSIVE up(id) AS (SELECT ? UNION SELECT parent FROM links JOIN up ON child = up.id)"
    " SELECT id FROM up WHERE id != ?"
)


def row_of(values: Sequence[object]) -> Row:
    """Of the columns `COLUMNS`."""
    ident, version, codec, multihash, size, pack, offset, state = values
    return Row(ident, Cid(version, codec, multihash), size, pack, offset, State(state))  # type: ignore[arg-type]


def find(database: sqlite3.Connection, multihash: bytes) -> Row | None:
    """What is known of a multihash."""
    found = database.execute(f"SELECT {COLUMNS} FROM blocks WHERE multihash=?", (multihash,)).fetchone()
    return row_of(found) if found is not None else None


def get(database: sqlite3.Connection, ident: int) -> Row:
    """What is known of an id."""
    return row_of(database.execute(f"SELECT {COLUMNS} FROM blocks WHERE id=?", (ident,)).fetchone())


def ancestors(database: sqlite3.Connection, ident: int) -> list[int]:
    """All blocks from which a block can be reached."""
    return [row[0] for row in database.execute(_UP, (ident, ident))]


class Index:
    """I write into one database. What a job adds up is written by `tally`, before the job is over."""

    def __init__(self, links: LinkReader, read: Callable[[Cid, Place], bytes]) -> None:
        self._links = links
        self._read = read
        self._live: dict[int, int] = {}
        self._blocks = self._bytes = 0

    def begin(self) -> None:
        """A job begins; what the one before had added up and not written is forgotten."""
        self._live.clear()
        self._blocks = self._bytes = 0

    def tally(self, database: sqlite3.Connection) -> None:
        """Write down how many blocks and bytes have come and gone."""
        for pack, live in self._live.items():
            database.execute("UPDATE packs SET live=live+? WHERE id=?", (live, pack))
        change = (self._blocks, self._bytes, sum(self._live.values()))
        database.execute("UPDATE totals SET blocks=blocks+?, bytes=bytes+?, live=live+?", change)
        self.begin()

    def _count(self, cid: Cid, place: Place, sign: int, blocks: int = 1) -> None:
        self._live[place.pack] = self._live.get(place.pack, 0) + sign * record_size(len(cid.multihash), place.size)
        self._blocks += sign * blocks
        self._bytes += sign * blocks * place.size

    # coming

    def put_leaf(self, database: sqlite3.Connection, cid: Cid, data: bytes, place: Place) -> Row | None:
        """The row of a block that was not known and has no links; None for any other, of which nothing is written."""
        if not self._is_leaf(cid, data):
            return None
        values = (cid.multihash, cid.version, cid.codec, place.size, place.pack, place.offset, State.WHOLE)
        inserted = database.execute(_INSERT_NEW, values)
        if not inserted.rowcount:
            return None
        self._count(cid, place, 1)
        return Row(inserted.lastrowid or 0, cid, place.size, place.pack, place.offset, State.WHOLE)

    def put(self, database: sqlite3.Connection, cid: Cid, data: bytes, place: Place | None) -> int:
        """A block is here, under this name as well; its id. Without a ``place`` it has been here before."""
        row = find(database, cid.multihash)
        if row is None and place is not None and (leaf := self.put_leaf(database, cid, data, place)) is not None:
            return leaf.id
        if row is None:
            row = self._new(database, cid)
        if row.pack is None and place is not None:
            self._learn(database, row, cid)
            self._count(cid, place, 1)
            database.execute(_PLACE, (place.size, place.pack, place.offset, State.HERE, row.id))
            self._link(database, get(database, row.id), data)
            return row.id
        if row.pack is None:
            raise BitDustError("internal", f"block {cid} went while it was stored again; store it once more")
        if place is not None:
            self.move(database, row, place, data)
        if not self._learn(database, row, cid, data) and row.state is State.HERE:
            self._judge(database, row.id)
        return row.id

    def _is_leaf(self, cid: Cid, data: bytes) -> bool:
        """Most blocks are, and are written down in one step."""
        try:
            return not self._links(cid, data)
        except FormatError:
            return False

    def name(self, database: sqlite3.Connection, cid: Cid) -> int:
        """The id of a block that something names, which need not be here."""
        row = find(database, cid.multihash)
        if row is None:
            row = self._new(database, cid)
            if cid.is_inline and row.state is State.ABSENT:
                self._link(database, row, cid.inline())
        else:
            self._learn(database, row, cid)
        return row.id

    def _new(self, database: sqlite3.Connection, cid: Cid) -> Row:
        size = len(cid.inline()) if cid.is_inline else 0
        state = State.WHOLE if cid.is_inline and cid.codec == RAW else State.ABSENT
        values = (cid.multihash, cid.version, cid.codec, size, None, 0, state)
        return Row(database.execute(_INSERT, values).lastrowid or 0, cid, size, None, 0, state)

    def _learn(self, database: sqlite3.Connection, row: Row, cid: Cid, data: bytes | None = None) -> bool:
        """A block is known under this codec, too; whether that is news that has changed its links."""
        if cid.codec in (RAW, row.cid.codec):
            return False
        if row.cid.codec == RAW:
            database.execute("UPDATE blocks SET version=?, codec=? WHERE id=?", (cid.version, cid.codec, row.id))
        elif not database.execute("INSERT OR IGNORE INTO forms VALUES(?, ?)", (row.id, cid.codec)).rowcount:
            return False
        if row.state is State.ABSENT:
            return False
        known = data if data is not None else self._data(row)
        if known is None:
            database.execute("INSERT OR IGNORE INTO broken VALUES(?, ?)", (row.id, cid.codec))
        else:
            self._link(database, get(database, row.id), known)
        return True

    def _data(self, row: Row) -> bytes | None:
        """The bytes of a block that is here; None where they cannot be read now."""
        if row.cid.is_inline:
            return row.cid.inline()
        if row.pack is None:
            return None
        try:
            return self._read(row.cid, Place(row.pack, row.offset, row.size))
        except Unreadable:
            return None

    def _link(self, database: sqlite3.Connection, row: Row, data: bytes) -> None:
        """Write down all links of a block."""
        forms = database.execute("SELECT codec FROM forms WHERE block=? ORDER BY codec", (row.id,))
        names = [row.cid, *(Cid(1, codec, row.cid.multihash) for (codec,) in forms.fetchall())]
        links: list[Cid] = []
        broken = []
        for name in names:
            try:
                links += self._links(name, data)
            except FormatError:
                broken.append((row.id, name.codec))
        self._set_links(database, row, links)
        database.execute("DELETE FROM broken WHERE block=?", (row.id,))
        database.executemany("INSERT INTO broken VALUES(?, ?)", broken)
        self._judge(database, row.id)

    def _set_links(self, database: sqlite3.Connection, row: Row, links: Sequence[Cid]) -> None:
        if len(links) > MOST_LINKS:
            raise BitDustError("too-many-links", f"block {row.cid} has {len(links)} links; at most {MOST_LINKS} may be")
        database.execute("DELETE FROM links WHERE parent=?", (row.id,))
        rows = ((row.id, at, self.name(database, cid), cid.version, cid.codec) for at, cid in enumerate(links))
        database.executemany("INSERT INTO links VALUES(?, ?, ?, ?, ?)", list(rows))
        database.execute("UPDATE saved SET whole=0 WHERE block=?", (row.id,))
        set_state(database, row.id, State.HERE)

    def away(self, database: sqlite3.Connection, cid: Cid, size: int, links: Sequence[Cid]) -> int:
        """My suppliers have a block, and this is what it links to; its id. What is here already stays as it is."""
        ident = self.name(database, cid)
        row = get(database, ident)
        if row.state is State.ABSENT:
            database.execute("UPDATE blocks SET size=? WHERE id=?", (size, ident))
            self._set_links(database, row, links)
            self._judge(database, ident)
        return ident

    def drop(self, database: sqlite3.Connection, row: Row) -> None:
        """The bytes of a block that is here go, and all that is known of it stays: my suppliers have it."""
        self._count(row.cid, Place(row.pack or 0, row.offset, row.size), -1)
        database.execute("UPDATE blocks SET pack=NULL, offset=0 WHERE id=?", (row.id,))

    def _judge(self, database: sqlite3.Connection, ident: int) -> None:
        """Whether a block that is here has everything below it."""
        open_below = (
            f"SELECT 1 FROM links l JOIN blocks b ON b.id = l.child WHERE l.parent=? AND ({OPEN} OR {BROKEN}) LIMIT 1"
        )
        if database.execute(open_below, (ident,)).fetchone() is None:
            set_state(database, ident, State.WHOLE)

    # moving and going

    def move(self, database: sqlite3.Connection, row: Row, place: Place, data: bytes) -> bool:
        """A block has another place now; False where it has moved or gone meanwhile."""
        now = find(database, row.cid.multihash)
        if now is None or (now.pack, now.offset) != (row.pack, row.offset) or now.pack is None:
            return False
        self._count(row.cid, Place(now.pack, now.offset, now.size), -1, blocks=0)
        self._count(row.cid, place, 1, blocks=0)
        database.execute("UPDATE blocks SET pack=?, offset=? WHERE id=?", (place.pack, place.offset, now.id))
        if database.execute("SELECT 1 FROM broken WHERE block=?", (now.id,)).fetchone() is not None:
            self._link(database, get(database, now.id), data)
        return True

    def remove(self, database: sqlite3.Connection, idents: Iterable[int], keeps: Callable[[int], bool]) -> list[Cid]:
        """Blocks go; the CIDs of those that were here. What is still linked to stays known, and so is what is kept.

        The caller has seen to it that nothing that stays counts as whole because of them.
        """
        wanted = list(idents)
        query = f"SELECT {COLUMNS} FROM blocks WHERE pack IS NOT NULL AND id {_THESE}"
        gone = [row_of(values) for values in database.execute(query, (json.dumps(wanted),))]
        listed = json.dumps([row.id for row in gone])
        forget(database, listed)
        below = self._cut(database, listed)
        change = f"UPDATE blocks SET pack=NULL, offset=0, size=0, state={State.ABSENT} WHERE id {_THESE}"
        database.execute(change, (listed,))
        unknown = f"SELECT id FROM blocks WHERE pack IS NULL AND id {_THESE} AND {_NOBODYS}"
        candidates = {*wanted, *below}
        while candidates:
            asked = json.dumps([one for one in candidates if not keeps(one)])
            doomed = json.dumps([ident for (ident,) in database.execute(unknown, (asked,))])
            candidates = self._cut(database, doomed)
            forget(database, doomed)
            for table in ("forms", "broken"):
                database.execute(f"DELETE FROM {table} WHERE block {_THESE}", (doomed,))
            database.execute(f"DELETE FROM blocks WHERE id {_THESE}", (doomed,))
        for row in gone:
            self._count(row.cid, Place(row.pack or 0, row.offset, row.size), -1)
        return [row.cid for row in gone]

    def _cut(self, database: sqlite3.Connection, parents: str) -> set[int]:
        """Forget the links of some blocks; what they led to."""
        below = database.execute(f"SELECT DISTINCT child FROM links WHERE parent {_THESE}", (parents,))
        children = {child for (child,) in below}
        database.execute(f"DELETE FROM links WHERE parent {_THESE}", (parents,))
        return children


def set_state(database: sqlite3.Connection, ident: int, state: State) -> None:
    """Write it down."""
    database.execute("UPDATE blocks SET state=? WHERE id=?", (state, ident))


def note_pack(database: sqlite3.Connection, pack: int, end: int) -> None:
    """A pack is so long, at least."""
    row = database.execute("SELECT size FROM packs WHERE id=?", (pack,)).fetchone()
    before = row[0] if row is not None else 0
    if row is None:
        database.execute("INSERT INTO packs VALUES(?, ?, 0)", (pack, end))
    elif end > before:
        database.execute("UPDATE packs SET size=? WHERE id=?", (end, pack))
    database.execute("UPDATE totals SET packed=packed+?", (max(0, end - before),))
