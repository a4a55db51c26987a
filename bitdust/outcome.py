"""How something over the network ended, as a value: peers and networks fail in every way there is."""

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, FirstError, ensureDeferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")
_log = Logger()


@frozen
class Outcome:
    """A value or an error, never an exception in the way."""

    value: Any = None
    error: BaseException | None = None

    @property
    def code(self) -> str:
        """The error's stable code, empty where it has none."""
        return str(getattr(self.error, "code", "")) if self.error is not None else ""

    @property
    def fields(self) -> Mapping[str, Any]:
        """What a Fail told besides code and text."""
        found = getattr(self.error, "fields", None) or getattr(self.error, "details", None)
        return found if isinstance(found, Mapping) else {}


def outcome(deferred: "Deferred[Any]") -> "Deferred[Outcome]":
    """Wait for the end, whichever it is. A cancel goes through."""
    return deferred.addCallbacks(Outcome, _ended)


def _ended(failure: Failure) -> Outcome | Failure:
    return failure if isinstance(failure.value, CancelledError) else Outcome(error=failure.value)


def outcomes(deferreds: "Iterable[Deferred[Any]]") -> "Deferred[list[Outcome]]":
    """Wait for the end of all, in their order. A cancel goes through: whoever waits ends too."""
    waiting = gatherResults([outcome(one) for one in deferreds], consumeErrors=True)
    return waiting.addErrback(_first)


def _first(failure: Failure) -> Failure:
    return failure.value.subFailure if isinstance(failure.value, FirstError) else failure


def shielded(work: "Deferred[Any]") -> "Deferred[Any]":
    """The end of some work that goes on when nobody waits any more: a thread must never meet a second writer."""
    waiting: Deferred[Any] = Deferred()
    work.addCallbacks(waiting.callback, waiting.errback)
    return waiting


def answer(waiting: "Iterable[Deferred[Any]]", result: Any) -> None:
    """Fire for all who wait, with a value or a `Failure`. The first ones may end what the others waited for: those were
    cancelled then, and are left out."""
    for one in waiting:
        if not one.called:
            one.callback(result)


async def unbroken(work: "Deferred[T] | Coroutine[Any, Any, T]") -> T:
    """The end of some work that is not to stop half-way: who is cancelled meanwhile is so when it has ended. What went
    wrong with it then is logged, as nobody waits for it any more."""
    ended: list[Any] = []
    waiting: Deferred[None] = Deferred()

    def end(result: Any) -> None:
        ended.append(result)
        waiting.callback(None)

    ensureDeferred(work).addBoth(end)
    cancelled: CancelledError | None = None
    while not ended:
        try:
            await waiting
        except CancelledError as error:
            cancelled, waiting = error, Deferred()
    (result,) = ended
    if cancelled is not None:
        if isinstance(result, Failure) and not result.check(CancelledError):
            _log.warn("work that nobody waits for any more has failed: {why}", why=result.getErrorMessage())
        raise cancelled
    if isinstance(result, Failure):
        result.raiseException()
    return result  # type: ignore[no-any-return]
