"""Call one method of the table: arguments in, envelope out, whatever happens in between."""

from collections.abc import Mapping
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, failed_with, ok
from bitdust.api.table import Method
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import SHARE_PREFIX

_log = Logger()


class ServiceOff(BitDustError):
    """The service that a method needs is not ON."""

    def __init__(self, name: str, state: str, reason: str) -> None:
        text = f"service_{name}() is not started: {reason}"
        super().__init__("service-off", text, service=f"service_{name}", state=state)


def perform(context: Context, row: Method, given: Mapping[str, Any]) -> "Deferred[Envelope]":
    """Always fires with an envelope. Cancelling it cancels the call, and fires with code ``cancelled``."""
    answer = begin(context, row, given)
    return answer if isinstance(answer, Deferred) else succeed(answer)


def begin(context: Context, row: Method, given: Mapping[str, Any]) -> "Envelope | Deferred[Envelope]":
    """The same for those who can do without a Deferred where the answer is there at once."""
    tally = context.tally
    started = tally.now()
    try:
        outcome: Any = _run(context, row, given)
    except Exception:  # noqa: BLE001 - whatever a method raises becomes an envelope
        return tally.ended(broken(Failure(), row.name), row.name, started)
    if iscoroutine(outcome) or isinstance(outcome, Deferred):
        answer = ensureDeferred(outcome).addCallbacks(_enveloped, broken, errbackArgs=(row.name,))
        return answer.addCallback(tally.ended, row.name, started)
    return tally.ended(_enveloped(outcome), row.name, started)


def _run(context: Context, row: Method, given: Mapping[str, Any]) -> Any:
    arguments = row.arguments(given)
    if row.service is not None:
        require_service(context, "shared_data" if row.in_shares and _is_shared(context, arguments) else row.service)
    return row.call(context, **arguments)


def _is_shared(context: Context, arguments: Mapping[str, Any]) -> bool:
    """Whether a call is about an open share of somebody else, or about whatever is open."""
    named = [value for name in ("remote_path", "key_id") if (value := arguments.get(name))]
    if not named:
        driver = context.driver
        is_about_all = not {"remote_path", "key_id"} & set(arguments)
        return is_about_all and not driver.is_on("data_motion") and driver.is_on("shared_data")
    if arguments.get("open_share") and not context.driver.is_on("data_motion"):
        return any(str(one).startswith(SHARE_PREFIX) for one in named)
    return any(context.storage.catalogs.is_shared(str(one)) for one in named)


def require_service(context: Context, name: str) -> None:
    """Raises `ServiceOff` with the service's own reason unless it is ON."""
    if not context.driver.is_on(name):
        info = context.driver.info(name)
        disabled = f"it is disabled by the setting {info['config_path']}/enabled"
        state, reason = info["state"], str(info["reason"] or "")
        if state == "DEPENDS_OFF":
            reason += _root(context, reason)
        raise ServiceOff(name, state, reason or (f"its state is {state}" if info["enabled"] else disabled))


def _root(context: Context, reason: str) -> str:
    """Why what a service needs is off, down to what needs nothing that is off; in words that follow the reason."""
    found = ""
    while reason.startswith("needs "):
        needed = reason.removeprefix("needs ").partition(",")[0]
        info = context.driver.info(needed)
        reason = str(info["reason"] or "")
        found = f"; {needed}: {reason}" if reason else found
    return found


def _enveloped(outcome: Any) -> Envelope:
    if isinstance(outcome, dict) and "status" in outcome:
        return outcome
    return ok(outcome)


def broken(failure: Failure, name: str) -> Envelope:
    """What a method answers when something was raised."""
    if isinstance(failure.value, BitDustError):
        return failed_with(failure.value)
    if isinstance(failure.value, CancelledError):
        return failed("cancelled", f"{name} was cancelled")
    if isinstance(failure.value, TimeoutError):
        return failed("timeout", f"{name} did not come to an end in time")
    if isinstance(failure.value, OSError):
        return failed("os-error", f"{failure.value.filename or name}: {failure.value.strerror or failure.value}")
    _log.failure("API method {name} failed", failure=failure, name=name)
    return failed("internal", f"{name} failed inside the node; logs/stdout.log says more")
