"""Where the pieces of a pack are: at suppliers, as far as the catalog knows, or still in the spool."""

import sqlite3
from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.outcome import outcome
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import CatalogError, PieceState
from bitdust.storage.catalog.moves import current
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.pieces.waiting import WaitingPieces
from bitdust.storage.ports import Holders
from bitdust.wire.records import PackRecord, PieceRef


@frozen
class PackSource:
    """Where a pack's pieces are: suppliers by index, and pieces that are still on this disk.

    ``elsewhere`` names who leaves a place whose piece nobody was heard to have: it may never have moved on.
    ``hoped`` names who has a place whose piece was missing when it was asked last: it may have come since.
    """

    record: PackRecord
    key: str
    epoch: int
    places: dict[int, bytes]
    local: dict[int, bytes]
    elsewhere: dict[int, bytes]
    hoped: dict[int, bytes]


class PackSources:
    """I find the pieces of packs."""

    def __init__(self, catalog: Catalog, ports: Holders, pieces: WaitingPieces, copies: LocalCopies) -> None:
        self._catalog = catalog
        self._ports = ports
        self._waiting = pieces
        self._copies = copies

    def of(self, pack: bytes) -> "Deferred[PackSource]":
        """Fails with `CatalogError` ``not-found`` for a pack that nobody knows."""
        return Deferred.fromCoroutine(self._of(pack))

    async def _of(self, pack: bytes) -> PackSource:
        pack = current(self._catalog.read, pack)
        row = self._catalog.read.execute("SELECT record, key, epoch FROM packs WHERE pack=?", (pack,)).fetchone()
        if row is None:
            raise CatalogError("not-found", "the catalog knows nothing of a pack that a version needs")
        record = PackRecord.from_body(bytes(row[0]))
        family = self._ports.family()
        states = piece_states(self._catalog.read, pack)
        places = places_of(record, states, family.seats if family is not None else ())
        local = await self._copies.of(record)
        if not local and len(places) < record.scheme.k:
            local = await self._spooled(record, states)
        leaving = (family.leaving if family is not None else None) or ()
        elsewhere = {
            place: who for place, who in enumerate(leaving[: record.scheme.n]) if who and not_heard(states, place)
        }
        hoped = hoped_of(states, family.seats if family is not None else ())
        return PackSource(record, row[1], row[2], places, local, elsewhere, hoped)

    async def _spooled(self, record: PackRecord, states: dict[int, tuple[int, bytes | None]]) -> dict[int, bytes]:
        """A pack on its way out that fewer than k suppliers have: the pieces here give it back."""
        found: dict[int, bytes] = {}
        for index, (state, _) in states.items():
            if state == PieceState.WAITING and len(found) < record.scheme.k:
                loading = Deferred.fromCoroutine(self._waiting.load(PieceRef(record.pack, index), check=True))
                loaded = await outcome(loading)
                if loaded.error is None:
                    found[index] = loaded.value[1]
        return found


def piece_states(database: sqlite3.Connection, pack: bytes) -> dict[int, tuple[int, bytes | None]]:
    """State and supplier of each piece that is known here, by index."""
    rows = database.execute("SELECT number, state, supplier FROM pieces WHERE pack=?", (pack,))
    return {number: (state, bytes(supplier) if supplier else None) for number, state, supplier in rows}


def not_heard(states: dict[int, tuple[int, bytes | None]], index: int) -> bool:
    """Whether no supplier was heard to have this piece."""
    state, supplier = states.get(index, (PieceState.KEPT, None))
    return state != PieceState.WAITING and supplier is None


def hoped_of(states: dict[int, tuple[int, bytes | None]], suppliers: Sequence[bytes | None]) -> dict[int, bytes]:
    """Who has which of the places whose pieces are missing, as far as is known."""
    return {
        index: who
        for index, who in enumerate(suppliers)
        if who is not None and states.get(index, (PieceState.KEPT, None))[0] == PieceState.MISSING
    }


def places_of(
    record: PackRecord, states: dict[int, tuple[int, bytes | None]], suppliers: Sequence[bytes | None]
) -> dict[int, bytes]:
    """Who may have which piece; nothing known about a piece means that its position in the family has it."""
    places: dict[int, bytes] = {}
    for index in range(record.scheme.n):
        state, supplier = states.get(index, (PieceState.KEPT, None))
        if state != PieceState.KEPT:
            continue
        who = supplier or (suppliers[index] if index < len(suppliers) else None)
        if who is not None:
            places[index] = who
    return places
