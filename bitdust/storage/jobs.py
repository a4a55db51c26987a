"""Jobs: uploads and downloads that somebody started, each a row of the catalog until it ends."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.kernel import Machine
from bitdust.outcome import answer
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import is_hidden

Row = dict[str, Any]
MOST_TOLD = 100
"""Problems in one event; the answer of the job has all."""


class Job(ABC):
    """One job and its machine. Whoever waits for its end may go; the work goes on."""

    log = Logger()
    what = "the job"
    """As it is called when it is stopped."""
    machine: Machine

    def __init__(self, number: int, created: float, names: Row) -> None:
        self.number = number
        self.created = created
        self.names = names
        self.is_suspended = False
        self._result: Any = None
        self._has_ended = False
        self._waiting: list[Deferred[Any]] = []

    @property
    def completion(self) -> "Deferred[Any]":
        """Fires with what the API answers, or fails with a `BitDustError`."""
        waiting: Deferred[Any] = Deferred(self._forget)
        if self._has_ended:
            waiting.callback(self._result)
        else:
            self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: "Deferred[Any]") -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def end(self, result: Any) -> None:
        """It is over, with a result or with the error that is the reason."""
        self._result = Failure(result) if isinstance(result, BaseException) else result
        self._has_ended = True
        if isinstance(result, BaseException):
            self.log.info("{path}: {error}", path=self.shown, error=result)
        waiting, self._waiting = self._waiting, []
        answer(waiting, self._result)

    @property
    def is_hidden(self) -> bool:
        """Whether it is about files that the program keeps for itself."""
        return is_hidden(str(self.names.get("key_id", "")).partition("$")[0])

    @property
    def shown(self) -> str:
        """The remote path."""
        return str(self.names["remote_path"])

    @property
    def automat(self) -> Row:
        """Index and id of the machine that does it."""
        return {"index": self.machine.index, "id": self.machine.id}

    @abstractmethod
    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Give it up."""
        self.abort(BitDustError("stopped", f"{self.what} {self.shown} was stopped"))

    def suspend(self) -> None:
        """The node stops: nothing is taken back, the next start goes on."""
        self.is_suspended = True
        text = f"the storage stops; {self.what} {self.shown} goes on when it is back"
        self.abort(BitDustError("stopping", text))

    @abstractmethod
    def abort(self, reason: BitDustError) -> None:
        """Give it up for a reason."""

    @abstractmethod
    def describe(self) -> Row:
        """The fields of the job in every answer."""


J = TypeVar("J", bound=Job)


class ChangesCatalog(Protocol):
    """The part of the catalog that keeps rows of jobs."""

    @property
    def changed(self) -> Signal[[]]:
        """Emitted when something was written."""

    def change(self, call: Callable[[sqlite3.Connection], Any], /) -> "Deferred[Any]": ...


class Jobs(Generic[J]):
    """Jobs of one kind that run; each has rows in these tables until it ends."""

    log = Logger()
    tables: tuple[str, ...] = ()

    def __init__(self, catalog: ChangesCatalog) -> None:
        self._catalog = catalog
        self._running: dict[int, J] = {}
        self._beginning: list[object] = []
        self._unforgotten: set[int] = set()
        catalog.changed.connect(self._forget_again)

    @property
    def running(self) -> list[J]:
        """Those that are at work."""
        return list(self._running.values())

    def _every(self) -> list[J]:
        """Those that were begun and have not ended."""
        return self.running

    def _of(self, number: int) -> J | None:
        """The job of a row: while it was written whoever took up the rows has begun it perhaps."""
        return next((one for one in self._every() if one.number == number), None)

    @contextmanager
    def _once(self, place: object, begun: Iterable[object], text: str) -> Iterator[None]:
        """While its row is written nothing else begins at a place. Raises ``already-scheduled`` where something was
        ``begun`` there, or is about to be."""
        if place in self._beginning or place in begun:
            raise BitDustError("already-scheduled", f"{text} is already scheduled")
        self._beginning.append(place)
        try:
            yield
        finally:
            self._beginning.remove(place)

    def suspend(self) -> None:
        """The node stops."""
        for job in self.running:
            job.suspend()

    def ended(self, job: J) -> None:
        """A job is over, well or not; what is suspended goes on at the next start. Only numbers above 0 have a row."""
        self._running.pop(job.number, None)
        if not job.is_suspended and job.number > 0:
            self._forget(job.number)

    def _forget(self, number: int) -> None:
        def forget(database: sqlite3.Connection) -> None:
            for table in self.tables:
                database.execute(f"DELETE FROM {table} WHERE id=?", (number,))

        def failed(failure: Failure) -> None:
            self.log.warn("a job could not be forgotten, and will be later: {why}", why=failure.value)
            self._unforgotten.add(number)

        self._catalog.change(forget).addErrback(failed)

    def _forget_again(self) -> None:
        """The disk takes something: now it may take what it did not, or the next start would begin these jobs again."""
        unforgotten, self._unforgotten = self._unforgotten, set()
        for number in unforgotten:
            self._forget(number)

    def _stop(self, chosen: Iterable[J]) -> list[J]:
        stopped = list(chosen)
        for job in stopped:
            job.stop()
        return stopped
