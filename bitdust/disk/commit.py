"""Many writes, one commit: jobs that come while the disk is busy share the next transaction and folder syncs.

A batch runs in a thread, one at a time:

1. every job prepares (bytes of small files go to their temporary names and are synced),
2. one transaction with ``synchronous=FULL`` applies all of them, each behind a savepoint of its own where they are
   several,
3. every job finishes (renames), each touched folder is synced once,
4. what could not finish is undone in a second transaction.

Only then the Deferreds fire. A crash after step 2 leaves rows whose temporary files are whole: the scan at the next
start finishes them (`bitdust.customers.scan`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, frozen
from twisted.internet.defer import Deferred

from bitdust.batching import Batcher
from bitdust.disk.disk import Disk, disk_error
from bitdust.wire.errors import BitDustError

MAX_BATCH = 256


class Job:
    """One write. A job that needs only the database overrides `apply` alone."""

    folder: Path | None = None
    """Synced after `finish`, once for all jobs of a batch that name it."""

    def prepare(self) -> None:
        """Before the transaction: bring bytes to the disk under a temporary name."""

    def apply(self, database: sqlite3.Connection) -> Any:
        """Inside the transaction; the result is what the job's Deferred fires with."""

    def finish(self) -> None:
        """After the transaction: give files their names."""

    def undo(self, database: sqlite3.Connection) -> None:
        """`finish` or the folder's sync failed: take back what `apply` did."""


@frozen
class Change(Job):
    """A job of one function over the database."""

    call: Callable[[sqlite3.Connection], Any]

    def apply(self, database: sqlite3.Connection) -> Any:
        return self.call(database)


Describe = Callable[[OSError | sqlite3.Error], BitDustError]
"""What those who wait are told about an error of the disk."""


@define
class _Outcome:
    job: Job
    describe: Describe = disk_error
    result: Any = None
    error: Exception | None = None
    cause: OSError | sqlite3.Error | None = None
    """What the disk or the database has said, where that is the error."""

    def attempt(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run one step unless an earlier one failed. Whatever goes wrong becomes this job's error: a mistake that one
        peer's request brings to light must not end what others wait for."""
        if self.error is not None:
            return None
        try:
            return call(*arguments)
        except (OSError, sqlite3.Error) as error:
            self.error, self.cause = self.describe(error), error
        except Exception as error:  # noqa: BLE001
            self.error = error
        return None


class _GivenUp(Exception):
    """The only job of a transaction has failed."""


class GroupCommit:
    """I queue jobs and write them in batches; `run` fires after the batch is on the disk."""

    def __init__(
        self,
        run_in_thread: Callable[..., "Deferred[Any]"],
        disk: Disk,
        connect: Callable[[], sqlite3.Connection],
        describe: Describe = disk_error,
    ) -> None:
        self._run_in_thread = run_in_thread
        self._disk = disk
        self._connect = connect
        self._describe = describe
        self._jobs: Batcher[Job] = Batcher(self._write, MAX_BATCH)

    def run(self, job: Job) -> "Deferred[Any]":
        """Fires with what the job's `apply` returned, or fails with a `BitDustError`."""
        return self._jobs.put(job)

    def change(self, call: Callable[[sqlite3.Connection], Any]) -> "Deferred[Any]":
        """`run` for a function over the database."""
        return self.run(Change(call))

    def when_idle(self) -> "Deferred[None]":
        """Fires when nothing is being written."""
        return self._jobs.when_idle()

    def _write(self, jobs: list[Job]) -> "Deferred[list[Any]]":
        return self._run_in_thread(write_batch, self._connect(), self._disk, jobs, self._describe).addCallback(_results)


def _results(outcomes: "Sequence[_Outcome]") -> list[Any]:
    return [outcome.result if outcome.error is None else outcome.error for outcome in outcomes]


def write_batch(
    database: sqlite3.Connection, disk: Disk, jobs: Sequence[Job], describe: Describe = disk_error
) -> list[_Outcome]:
    """Runs in a thread; see the module's text."""
    outcomes = [_Outcome(job, describe) for job in jobs]
    for outcome in outcomes:
        outcome.attempt(outcome.job.prepare)
    _transaction(database, outcomes, _apply if len(outcomes) > 1 else _apply_alone)
    applied = [outcome for outcome in outcomes if outcome.error is None]
    for outcome in applied:
        outcome.attempt(outcome.job.finish)
    _sync_folders(disk, applied)
    failed = [outcome for outcome in applied if outcome.error is not None]
    if failed:
        _transaction(database, failed, lambda outcome, connection: outcome.job.undo(connection))
    return outcomes


def _transaction(
    database: sqlite3.Connection,
    outcomes: Sequence[_Outcome],
    step: Callable[[_Outcome, sqlite3.Connection], None],
) -> None:
    try:
        database.execute("BEGIN IMMEDIATE")
        for outcome in outcomes:
            step(outcome, database)
        database.execute("COMMIT")
    except _GivenUp:
        roll_back(database)
    except sqlite3.Error as error:
        roll_back(database)
        for outcome in outcomes:
            outcome.error = outcome.error or outcome.describe(error)
    except BaseException:
        roll_back(database)
        raise


def _apply(outcome: _Outcome, database: sqlite3.Connection) -> None:
    if outcome.error is not None:
        return
    database.execute("SAVEPOINT job")
    outcome.result = outcome.attempt(outcome.job.apply, database)
    if isinstance(outcome.cause, sqlite3.Error) and not database.in_transaction:
        raise outcome.cause  # SQLite has taken back what all the others did as well
    if outcome.error is not None:
        database.execute("ROLLBACK TO job")
    database.execute("RELEASE job")


def _apply_alone(outcome: _Outcome, database: sqlite3.Connection) -> None:
    """The transaction is its own, and ends with it."""
    outcome.result = outcome.attempt(outcome.job.apply, database)
    if outcome.error is not None:
        raise _GivenUp


@contextmanager
def one_state(database: sqlite3.Connection) -> Iterator[None]:
    """What is read within is of one state, whatever others write meanwhile: each statement has else its own."""
    database.execute("BEGIN")
    try:
        yield
    finally:
        roll_back(database)


def roll_back(database: sqlite3.Connection) -> None:
    """End a transaction, where SQLite has not ended it by itself."""
    if database.in_transaction:
        database.execute("ROLLBACK")


def _sync_folders(disk: Disk, outcomes: Sequence[_Outcome]) -> None:
    by_folder: dict[Path, list[_Outcome]] = {}
    for outcome in outcomes:
        if outcome.job.folder is not None and outcome.error is None:
            by_folder.setdefault(outcome.job.folder, []).append(outcome)
    for folder, touched in by_folder.items():
        try:
            disk.sync_folder(folder)
        except OSError as error:
            for outcome in touched:
                outcome.error = outcome.describe(error)
