"""What a crash has left of packs in progress: found in a thread at the start, before anything builds on it.

==========================================  ====================================================================
found                                       done
==========================================  ====================================================================
a pack that may not survive a power cut     each piece is compared with its root, what is whole is synced
a piece whose file is gone or damaged       missing: the next round makes it again
fewer pieces than give the pack back        the pack is given up: its bytes get a new one
a piece in the spool that nothing refers to removed; it stays while its pack is not known, as where a
                                            catalog is built again from the suppliers
==========================================  ====================================================================
"""

import sqlite3
from collections.abc import Callable
from itertools import groupby

from attrs import define, field

from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.pack_rows import give_up_pack
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.pieces.pack_store import PackStore, mark_missing, piece_numbers
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.wire.records import PackRecord, PieceRef, Scheme


@define
class LeftPack:
    """A pack that is not complete: which of its pieces suppliers have, and which wait here; of so many it is
    ``unknown``, as where a recovered node was killed before it had heard all suppliers."""

    pack: bytes
    k: int
    n: int
    size: int = 0
    acked: set[int] = field(factory=set)
    waiting: set[int] = field(factory=set)
    unknown: int = 0


@define
class Leftovers:
    """Pieces that are ``missing``, packs that are ``held`` or ``given_up`` from now on, those that ``few`` suppliers
    have, and names in the spool that nothing refers to."""

    missing: list[PieceRef] = field(factory=list)
    held: list[bytes] = field(factory=list)
    given_up: list[bytes] = field(factory=list)
    few: list[LeftPack] = field(factory=list)
    strangers: set[tuple[bytes, int]] = field(factory=set)


class _Search:
    def __init__(self, database: sqlite3.Connection, spool: Spool) -> None:
        self._database = database
        self._spool = spool
        self._names = spool.names()
        self.found = Leftovers()

    def search(self) -> Leftovers:
        query = "SELECT pack, n, record FROM packs WHERE state=?"
        for pack, n, record in self._database.execute(query, (PackState.NEW,)).fetchall():
            self._unsynced(self._pack(bytes(pack), n), PackRecord.from_body(bytes(record)))
        rows = self._database.execute(
            "SELECT s.pack, p.n FROM pieces s JOIN packs p ON p.pack=s.pack"
            " WHERE s.state<>1 AND s.state=? AND p.state=? ORDER BY s.pack",
            (PieceState.WAITING, PackState.HELD),
        )
        for (pack, n), _ in groupby(rows):
            self._judge(self._pack(bytes(pack), n))
        self.found.strangers = self._names - self._of_unknown_packs()
        return self.found

    def _of_unknown_packs(self) -> set[tuple[bytes, int]]:
        """Pieces that wait while the catalog is built again from suppliers: it is not known yet what they are of."""
        rows = self._database.execute(
            "SELECT pack, number FROM pieces s WHERE state<>1 AND state=?"
            " AND NOT EXISTS (SELECT 1 FROM packs p WHERE p.pack=s.pack)",
            (PieceState.WAITING,),
        )
        return {(bytes(pack), number) for pack, number in rows}

    def _pack(self, pack: bytes, n: int) -> LeftPack:
        """What is there of a pack; pieces whose file is gone are missing."""
        left = LeftPack(pack, Scheme.for_family(n).k, n, acked=piece_numbers(self._database, pack, PieceState.KEPT))
        (known,) = self._database.execute("SELECT count(*) FROM pieces WHERE pack=?", (pack,)).fetchone()
        left.unknown = n - known
        rows = self._database.execute(
            "SELECT number, size, data IS NULL FROM pieces WHERE pack=? AND state=?", (pack, PieceState.WAITING)
        )
        for number, size, in_spool in rows:
            left.size = size
            if in_spool and (pack, number) not in self._names:
                self.found.missing.append(PieceRef(pack, number))
            else:
                left.waiting.add(number)
            self._names.discard((pack, number))
        return left

    def _unsynced(self, left: LeftPack, record: PackRecord) -> None:
        for index in sorted(left.waiting):
            try:
                self._spool.load(left.pack, index, record.roots[index])
            except SpoolError:
                self.found.missing.append(PieceRef(left.pack, index))
                left.waiting.discard(index)
        self._spool.sync(left.pack, sorted(left.waiting))
        if self._judge(left):
            self.found.held.append(left.pack)

    def _judge(self, left: LeftPack) -> bool:
        if len(left.acked) + len(left.waiting) + left.unknown < left.k:
            self.found.given_up.append(left.pack)
            return False
        if left.waiting and len(left.acked) < left.k:
            self.found.few.append(left)
        return True


def find_leftovers(connect: Callable[[], sqlite3.Connection], spool: Spool, copies: LocalCopies) -> Leftovers:
    """Look what is there; blocks, for a thread."""
    spool.open()
    database = connect()
    try:
        found = _Search(database, spool).search()
        found.strangers -= copies.of_living(database)
    finally:
        database.close()
    return found


async def settle(store: PackStore, found: Leftovers) -> None:
    """Write down what was found, then remove what nothing refers to."""

    def write(database: sqlite3.Connection) -> None:
        for piece in found.missing:
            mark_missing(database, piece)
        for pack in found.held:
            database.execute("UPDATE packs SET state=? WHERE pack=?", (PackState.HELD, pack))
        for pack in found.given_up:
            give_up_pack(database, pack)

    if found.missing or found.held or found.given_up:
        await store.catalog.change(write)
    await store.run_in_thread(_remove, store.spool, found.strangers)


def _remove(spool: Spool, names: set[tuple[bytes, int]]) -> None:
    for pack, index in names:
        spool.remove(pack, index)
