"""Blocks that go one by one, and blocks that are known to be here and cannot be read. For the thread that writes."""

import sqlite3
from collections.abc import Sequence

from bitdust.blocks.index import Index, ancestors, find, set_state
from bitdust.blocks.reach import IdSet
from bitdust.blocks.reading import Unread
from bitdust.blocks.values import Mode, State
from bitdust.ipld.cid import Cid
from bitdust.wire.errors import BitDustError

_KEPT = "SELECT 1 FROM pins WHERE block=? AND mode >= ? UNION ALL SELECT 1 FROM roots WHERE block=? LIMIT 1"


def remove(database: sqlite3.Connection, index: Index, cid: Cid, held: Sequence[IdSet]) -> bool:
    """Forget a block; whether it was here. Raises ``pinned`` for what a pin, root or lease needs."""
    row = find(database, cid.multihash)
    if row is None or row.pack is None:
        return False
    above = ancestors(database, row.id)
    for ident in (row.id, *above):
        mode = Mode.DIRECT if ident == row.id else Mode.RECURSIVE
        is_kept = database.execute(_KEPT, (ident, mode, ident)).fetchone() is not None
        if is_kept or any(ident in one for one in held):
            raise BitDustError("pinned", f"block {cid} is needed: it is pinned, or below what is", cid=str(cid))
    for ident in above:
        if database.execute("SELECT state FROM blocks WHERE id=?", (ident,)).fetchone()[0] == State.WHOLE:
            set_state(database, ident, State.HERE)
        database.execute("UPDATE saved SET whole=0 WHERE block=?", (ident,))
    index.begin()
    index.remove(database, [row.id], lambda ident: database.execute(_KEPT, (ident, 0, ident)).fetchone() is not None)
    index.tally(database)
    return True


def doubt(database: sqlite3.Connection, doubted: set[int], unread: Sequence[Unread]) -> list[Unread]:
    """Those that stand where they stood when they could not be read are stored again when somebody brings them."""
    found = []
    for one in unread:
        row = find(database, one.row.cid.multihash)
        if row is not None and (row.pack, row.offset) == (one.row.pack, one.row.offset):
            doubted.add(row.id)
            found.append(one)
    return found
