"""How something over the network ended, as a value: peers and networks fail in every way there is."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure


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
