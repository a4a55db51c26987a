"""Collecting: what no pin, root or lease needs is removed, while others store.

Everything is done by the writing thread, a portion at a time, and so is every store, pin and change of a root; so each
portion meets the index between two commits. Links never change, so only what is newly named can make something needed
that was not: whoever stores, holds, pins or names a block says so to the collection that goes on (`Collection.needed`),
and nothing is removed while something that was said is still to be followed.

Before the first block goes, whatever may go counts as whole no more. So nobody who meets it half-way, or after a crash,
takes it for a tree that is complete.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.automats.block_collection import BlockCollection
from bitdust.automats.kernel import Registry
from bitdust.blocks.packs import PackReader
from bitdust.blocks.pinning import kept_ids
from bitdust.blocks.reach import IdSet, Reach
from bitdust.blocks.rewriting import Rewriting
from bitdust.blocks.threads import Threads
from bitdust.blocks.values import Mode, State
from bitdust.blocks.writing import Ledger
from bitdust.ipld.cid import Cid
from bitdust.signal import Signal

ROUNDS = 20
"""Portions of links that are followed in one job."""
ROWS = 5000
"""Blocks that are looked at in one job."""
_DOUBT = (
    f"UPDATE blocks SET state={State.HERE} WHERE id=? AND state={State.WHOLE}"
    " AND EXISTS (SELECT 1 FROM links WHERE parent=blocks.id)"
)


@frozen
class Swept:
    """What a portion has shown: something became needed, so that links are to be followed first; it was the last."""

    is_needed: bool = False
    is_over: bool = False


class CollectionPort(Protocol):
    """What a collection asks of its store."""

    def held(self) -> list[IdSet]:
        """What all leases hold; for the thread that writes."""

    def over(self, collection: "Collection", failure: Any) -> None:
        """It has ended; ``failure`` is why it did not come to its end, or None."""


class Collection:
    """One run. ``removed`` reports CIDs as they go; ``freed`` bytes of packs were given back."""

    def __init__(
        self, port: CollectionPort, threads: Threads, ledger: Ledger, packs: PackReader, registry: Registry
    ) -> None:
        self._port = port
        self._threads = threads
        self._ledger = ledger
        self._reach = Reach()
        self._alone = IdSet()
        self._position = -1
        self._is_doubting = True
        self._rewriting = Rewriting(threads, ledger, packs)
        self.removed: Signal[[list[Cid]]] = Signal()
        self.blocks = self.freed = 0
        self.machine = BlockCollection(registry, self)

    def needed(self, idents: Iterable[int]) -> None:
        """These are needed from now on; for the writing thread."""
        self._reach.again(idents)

    def keeps(self, ident: int) -> bool:
        """Whether something needs a block."""
        return ident in self._reach.reached or ident in self._alone

    def begin(self) -> "Deferred[None]":
        return self._threads.change(self._begin)

    def _begin(self, database: sqlite3.Connection) -> None:
        self._ledger.barrier = self
        for held in self._port.held():
            self._reach.start(held)
        for ident, mode in kept_ids(database):
            if mode is Mode.RECURSIVE:
                self._reach.start((ident,))
            else:
                self._alone.add(ident)

    def mark(self) -> "Deferred[bool]":
        return self._threads.change(lambda database: self._reach.go_on(database, ROUNDS))

    def sweep(self) -> "Deferred[Swept]":
        return self._threads.change(self._sweep).addCallback(self._report)

    def _sweep(self, database: sqlite3.Connection) -> tuple[Swept, list[Cid]]:
        if not self._reach.go_on(database, 1):
            return Swept(is_needed=True), []
        query = "SELECT id FROM blocks WHERE id > ? ORDER BY id LIMIT ?"
        idents = [row[0] for row in database.execute(query, (self._position, ROWS))]
        loose = [ident for ident in idents if ident not in self._reach.reached]
        self._position = idents[-1] if idents else self._position
        is_last = len(idents) < ROWS
        if self._is_doubting:
            database.executemany(_DOUBT, [(ident,) for ident in loose])
            database.executemany("UPDATE saved SET whole=0 WHERE block=?", [(ident,) for ident in loose])
            if is_last:
                self._is_doubting, self._position = False, -1
            return Swept(), []
        doomed = [ident for ident in loose if ident not in self._alone]
        index = self._ledger.index
        index.begin()
        self._ledger.doubted.difference_update(doomed)
        removed = index.remove(database, doomed, self.keeps)
        index.tally(database)
        return Swept(is_over=is_last), removed

    def _report(self, found: tuple[Swept, list[Cid]]) -> Swept:
        swept, removed = found
        if removed:
            self.blocks += len(removed)
            self.removed.emit(removed)
        return swept

    def rewrite(self) -> "Deferred[bool]":
        return self._rewriting.go_on().addCallback(self._rewritten)

    def _rewritten(self, is_all: bool) -> bool:
        self.freed = self._rewriting.freed
        return is_all

    def ended(self, why: Any) -> None:
        if self._ledger.barrier is self:
            self._ledger.barrier = None
        self._port.over(self, why)
