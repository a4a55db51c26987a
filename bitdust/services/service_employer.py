"""Hiring suppliers."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class EmployerService(Service):
    """Starts with a complete family; afterwards one vacancy stops nobody's storage, fewer than k suppliers do."""

    name = "employer"
    needs = ("customer", "nodes_lookup")
    needs_identity = True
    duty = "hires suppliers until my family is complete"
    start_timeout = None

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._remove: Callable[[], None] | None = None

    def start(self) -> "Deferred[Any]":
        complete: Deferred[Any] = Deferred(lambda _: self._forget())

        def look(*_: object) -> None:
            if self._parts.hiring.complete and not complete.called:
                self._forget()
                complete.callback(None)

        self._remove = self._parts.family.on_change(look)
        self._parts.hiring.start()
        look()
        return complete

    def _forget(self) -> None:
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()

    def waits_for(self) -> str:
        return self._parts.hiring.reason or "suppliers are being looked for"

    def stop(self) -> None:
        self._forget()
        self._parts.hiring.stop()

    def health(self) -> None:
        family = self._parts.family.current
        if family is None or len(self._parts.family.members) < family.k:
            raise Unhealthy(self._parts.hiring.reason or "too few suppliers are hired")
