"""Looking at everything at once: checks run side by side, each with a limit in time."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.defer import TimeoutError as TooLate
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.checkup.finding import Finding, bad

Check = Callable[[], Any]
LIMIT = 10.0
_log = Logger()


def run_checks(clock: IReactorTime, checks: Mapping[str, Check], limit: float = LIMIT) -> "Deferred[list[Finding]]":
    """All findings in the order of ``checks``; never fails. A check gives findings or a Deferred of them."""
    looking = [_one(clock, name, check, limit) for name, check in checks.items()]
    return gatherResults(looking).addCallback(lambda found: [finding for findings in found for finding in findings])


def _one(clock: IReactorTime, name: str, check: Check, limit: float) -> "Deferred[list[Finding]]":
    return maybeDeferred(check).addTimeout(limit, clock).addErrback(partial(_broken, name, limit))


def _broken(name: str, limit: float, failure: Failure) -> list[Finding]:
    if failure.check(TooLate):
        hint = "look again later; if it stays so, see: bitdust log --level warn"
        return [bad(name, f"no answer within {limit:.0f} seconds", hint)]
    _log.warn("the check {name} failed: {error}", name=name, error=failure.getErrorMessage())
    return [bad(name, f"could not be looked at: {failure.getErrorMessage()}", "see: bitdust log --level warn")]
