"""Hiring suppliers."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class EmployerService(Service):
    """Starts with a complete family; afterwards one vacancy stops nobody's storage, fewer than k suppliers do.

    Where something is stored, or may be, it starts with any k suppliers: from them all can be read, whether anybody
    can be found for the other places now or not.
    """

    name = "employer"
    needs = ("customer", "nodes_lookup")
    needs_identity = True
    duty = "hires suppliers until my family is complete"
    start_timeout = None

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._remove: Callable[[], None] | None = None

    def start(self) -> "Deferred[Any]":
        complete: Deferred[Any] = Deferred(lambda _: self._forget())

        def check(*_: object) -> None:
            if self._rooms.suppliers.hiring.is_usable and not complete.called:
                self._forget()
                complete.callback(None)

        self._remove = self._rooms.suppliers.family.changed.connect(check)
        self._rooms.suppliers.hiring.start()
        self._rooms.suppliers.mandates.start()
        check()
        return complete

    def _forget(self) -> None:
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()

    def waits_for(self) -> str:
        return self._rooms.suppliers.hiring.reason or "suppliers are being looked for"

    def stop(self) -> None:
        self._forget()
        self._rooms.suppliers.mandates.stop()
        self._rooms.suppliers.hiring.stop()

    def health(self) -> None:
        family = self._rooms.suppliers.family.current
        if family is None or len(self._rooms.suppliers.family.members) < family.k:
            raise Unhealthy(self._rooms.suppliers.hiring.reason or "too few suppliers are hired")
