"""Writes to my log: what many tasks have to say at the same time goes into one entry."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from bitdust.formats.operations import Op, pack_op_of_row
from bitdust.storage.catalog.catalog import Catalog, LogKeys, append_ops
from bitdust.storage.catalog.database import PackState
from bitdust.storage.catalog.paths import MASTER
from bitdust.storage.ports import Me, StorageWorld
from bitdust.wire.errors import BitDustError

Ops = Sequence[Op] | Callable[[sqlite3.Connection], Sequence[Op]]
Also = Callable[[sqlite3.Connection], Any]


@define(eq=False)
class _Waiting:
    ops: Ops
    also: Also | None
    done: "Deferred[int]"
    error: BitDustError | None = None

    def finish(self, sequence: int) -> None:
        """Tell who waits; a write that was refused does not disturb the others of its batch."""
        if self.error is not None:
            self.done.errback(self.error)
        else:
            self.done.callback(sequence)


class LogWriter:
    """I collect operations while an entry is being written. ``on_entry`` is told of each new end of the log."""

    def __init__(self, world: StorageWorld, catalog: Catalog, me: Me) -> None:
        self._world = world
        self._catalog = catalog
        self._me = me
        self._waiting: list[_Waiting] = []
        self._busy = False
        self.on_entry: Callable[[], None] = lambda: None

    def keys(self) -> LogKeys:
        """Under which keys entries are written now. Raises `BitDustError` ``keys-not-ready``."""
        ring = self._me.key_ring
        if MASTER not in ring or not ring.get(MASTER).secrets:
            raise BitDustError("keys-not-ready", "the key ring has not come back from the suppliers yet")
        epoch, secret = ring.current(MASTER)
        return LogKeys(self._me.fingerprint, self._me.device.id, epoch, secret)

    def write(self, ops: Ops, also: Also | None = None) -> "Deferred[int]":
        """Log operations, with all packs that are held and not logged yet before them.

        ``ops`` may be a function over the database; ``also`` runs in the same transaction. Fires with the sequence of
        an entry that holds them, 0 when there was nothing to say.
        """
        if not callable(ops) and not ops and also is None:
            return succeed(0)
        done: Deferred[int] = Deferred()
        self._waiting.append(_Waiting(ops, also, done))
        self._flush()
        return done

    def _flush(self) -> None:
        if self._busy or not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._busy = True
        try:
            keys = self.keys()
        except BitDustError as error:
            self._busy = False
            for one in batch:
                one.done.errback(error)
            return
        wall = self._world.wall()
        writing = self._catalog.change(lambda database: write_batch(database, keys, batch, wall))
        writing.addCallbacks(self._written, self._broken, callbackArgs=(batch,), errbackArgs=(batch,))

    def _written(self, sequence: int, batch: list[_Waiting]) -> None:
        self._busy = False
        if sequence:
            self.on_entry()
        for one in batch:
            one.finish(sequence)
        self._flush()

    def _broken(self, failure: Failure, batch: list[_Waiting]) -> None:
        self._busy = False
        for one in batch:
            one.done.errback(failure)
        self._flush()


def write_batch(database: sqlite3.Connection, keys: LogKeys, batch: list[_Waiting], wall: float) -> int:
    """Inside a transaction; the last sequence."""
    ops: list[Op] = unlogged_packs(database)
    for one in batch:
        try:
            ops.extend(one.ops(database) if callable(one.ops) else one.ops)
        except BitDustError as error:
            one.error = error
    sequence = append_ops(database, keys, ops, wall)
    for one in batch:
        if one.also is not None and one.error is None:
            one.also(database)
    return sequence


def unlogged_packs(database: sqlite3.Connection) -> list[Op]:
    """Operations for packs that are held here and were not logged yet."""
    rows = database.execute(
        "SELECT record, key, epoch, names, lengths FROM packs WHERE logged=0 AND state=?", (PackState.HELD,)
    ).fetchall()
    return [pack_op_of_row(*row) for row in rows]
