"""Writes to my logs: what many tasks have to say at the same time goes into one transaction, one entry for each log."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed

from bitdust.batching import Batcher
from bitdust.formats.operations import Op, pack_op_of_row
from bitdust.outcome import outcome
from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog, append_ops
from bitdust.storage.catalog.database import PackState
from bitdust.storage.log.access import SecretsLack, WritableLogs
from bitdust.storage.log.routing import Router
from bitdust.storage.log.taking import is_poison
from bitdust.wire.errors import BitDustError
from bitdust.world import World

Ops = Sequence[Op] | Callable[[sqlite3.Connection], Sequence[Op]]
Also = Callable[[sqlite3.Connection], Any]
MOST_TOGETHER = 10_000
Ends = dict[str, int]
"""By key the sequence of the last entry that was written."""


@frozen
class _Write:
    ops: Ops
    also: Also | None


class Marks:
    """I number what was written, in order, and know up to which number all of it is safe at suppliers."""

    def __init__(self) -> None:
        self._open: dict[int, Ends] = {}
        self._last = 0

    def add(self, ends: Ends) -> int:
        """A number for what ends there; 0 for nothing."""
        if not ends:
            return 0
        self._last += 1
        self._open[self._last] = ends
        return self._last

    def is_safe(self, mark: int, safe_sequence: Callable[[str], int]) -> bool:
        """Whether everything up to a number is safe, by the sequence up to which each key's log is."""
        while self._open:
            first, ends = next(iter(self._open.items()))
            if first > mark or any(safe_sequence(key) < sequence for key, sequence in ends.items()):
                return first > mark
            del self._open[first]
        return True


class LogWriter:
    """I collect operations while entries are being written; ``written`` says that a log of mine has a new end."""

    def __init__(self, world: World, catalog: Catalog, logs: WritableLogs) -> None:
        self._world = world
        self.catalog = catalog
        self.logs = logs
        self.marks = Marks()
        self.written: Signal[[]] = Signal()
        self.allowed: Callable[[], None] = lambda: None
        """Raises `BitDustError` where nothing may be written now."""
        self.make_secret: Callable[[str], object] = lambda key: None
        """Gives a key a secret for what is new, where it has none. Raises `BitDustError`, `OSError`."""
        self._writes: Batcher[_Write] = Batcher(lambda batch: Deferred.fromCoroutine(self._write(batch)), MOST_TOGETHER)

    def write(self, ops: Ops, also: Also | None = None) -> "Deferred[int]":
        """Log operations, with all packs that are held and not logged yet before them.

        ``ops`` may be a function over the database; ``also`` runs in the same transaction. Fires with a mark: the
        number under which `Marks` knows what was written, 0 when there was nothing to say.
        """
        if not callable(ops) and not ops and also is None:
            return succeed(0)
        try:
            self.allowed()
        except BitDustError:
            return fail()
        return self._writes.put(_Write(ops, also))

    async def _write(self, batch: list[_Write]) -> list[Any]:
        """What needs a secret that is not there yet waits until that is made, and so does all behind it: what follows
        may be about the very thing."""
        self.logs.check_ready()
        results: list[Any] = []
        refused: dict[str, BaseException] = {}
        while len(results) < len(batch):
            try:
                results += await self._commit(batch[len(results) :], refused)
            except Exception as error:
                if not results:
                    raise
                return [*results, *[error] * (len(batch) - len(results))]  # what was written stays so
            last = results[-1]
            lacking = [key for key in last.keys if key not in refused] if isinstance(last, SecretsLack) else []
            refused |= {key: await self._make_secret(key) for key in lacking}
            if lacking:
                results.pop()
        return results

    async def _make_secret(self, key: str) -> BaseException:
        """Why a key has no secret, if it has none when this was tried."""
        made = await outcome(maybeDeferred(self.make_secret, key))
        if made.error is not None:
            return made.error
        return BitDustError("keys-not-ready", f"there is no storage secret of {key!r}, though one was made")

    async def _commit(self, batch: Sequence[_Write], refused: Mapping[str, BaseException]) -> list[Any]:
        """Marks or errors of as many as were written together: a `SecretsLack` is the last one."""
        wall = self._world.wall()
        ends, errors = await self.catalog.change(
            lambda database: write_batch(database, self.logs, batch, wall, refused)
        )
        mark = self.marks.add(ends)
        if mark:
            self.written.emit()
        return [mark if error is None else error for error in errors]


def write_batch(
    database: sqlite3.Connection,
    logs: WritableLogs,
    batch: Sequence[_Write],
    wall: float,
    refused: Mapping[str, BaseException],
) -> tuple[Ends, list[BaseException | None]]:
    """Inside a transaction: where the logs end now, and why a write was refused; the others do not mind.

    A `SecretsLack` is the last one. Where one was to be made in vain, ``refused`` says by key why.
    """
    errors: list[BaseException | None] = []
    keys = _Keys(database, logs, refused)
    router = Router(database, keys.check)
    router.add(op for op in unlogged_packs(database) if keys.problem(op["key"]) is None)
    for one in batch:
        error = _added(database, router, one.ops)
        errors.append(error)
        if isinstance(error, SecretsLack):
            break
    ends = append_by_key(database, logs, router.found, wall)
    for one, refusal in zip(batch, errors, strict=False):
        if one.also is not None and refusal is None:
            one.also(database)
    return ends, errors


def _added(database: sqlite3.Connection, router: Router, ops: Ops) -> BaseException | None:
    """Why a write is refused, if it is: then nothing of what it has changed stays. Raises disk errors."""
    database.execute("SAVEPOINT write")
    try:
        router.add(ops(database) if callable(ops) else ops)
    except Exception as error:
        if not isinstance(error, BitDustError) and not is_poison(error):
            raise
        database.execute("ROLLBACK TO write")
        database.execute("RELEASE write")
        return error
    database.execute("RELEASE write")
    return None


@define
class _Keys:
    """To which logs something can be written in one transaction, and why not to the others."""

    database: sqlite3.Connection
    logs: WritableLogs
    refused: Mapping[str, BaseException]
    _known: dict[str, BaseException | None] = field(factory=dict)

    def problem(self, key: str) -> BaseException | None:
        """Why nothing can be written to the log of a key now."""
        if key not in self._known:
            try:
                self.logs.writing(self.database, key)
                self._known[key] = None
            except SecretsLack as error:
                self._known[key] = self.refused.get(key, error)
            except BitDustError as error:
                self._known[key] = error
        return self._known[key]

    def check(self, keys: Collection[str]) -> None:
        """Raises for those of them to whose logs nothing can be written; `SecretsLack` where that may change."""
        problems = [error for error in map(self.problem, keys) if error is not None]
        lacking = [error for error in problems if isinstance(error, SecretsLack)]
        if len(lacking) < len(problems):
            raise next(error for error in problems if error not in lacking)
        if lacking:
            raise SecretsLack([key for error in lacking for key in error.keys])


def append_by_key(
    database: sqlite3.Connection, logs: WritableLogs, ops: Mapping[str, Sequence[Op]], wall: float
) -> Ends:
    """Inside a transaction: write each key's operations to its log."""
    return {key: append_ops(database, logs.writing(database, key), part, wall) for key, part in ops.items()}


def unlogged_packs(database: sqlite3.Connection) -> list[Op]:
    """Operations for packs that are held here and were not logged yet; one that takes the place of another waits."""
    rows = database.execute(
        "SELECT record, key, epoch, names, lengths FROM packs WHERE logged=0 AND state=?"
        " AND pack NOT IN (SELECT new FROM recodings)",
        (PackState.HELD,),
    ).fetchall()
    return [pack_op_of_row(*row) for row in rows]
