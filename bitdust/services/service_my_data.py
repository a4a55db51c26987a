"""The gate: my storage is ready."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class MyDataService(Service):
    """ON means that files can be stored and brought back now: as many suppliers are connected as give every file back.

    Nothing needs this service, so that the catalog, uploads and downloads stay as they are while it is OFF.
    """

    name = "my_data"
    needs = ("backups", "restores")
    needs_identity = True
    duty = "reports that my storage is ready"
    start_timeout = None

    def __init__(self, rooms: Rooms) -> None:
        self._sessions = rooms.around.sessions
        self._events = rooms.around.events
        self._suppliers = rooms.suppliers
        self._presence = rooms.peers.presence
        self._ready: Deferred[None] | None = None
        self._removers: list[Callable[[], None]] = []

    def start(self) -> "Deferred[Any]":
        self._ready = Deferred()
        self._removers = [
            self._presence.changed.connect(lambda *_: self._check()),
            self._suppliers.family.changed.connect(self._check),
            self._suppliers.spares.changed.connect(self._check),
        ]
        ready = self._ready
        self._check()
        return ready

    def _check(self) -> None:
        if self._lacking() or self._ready is None:
            return
        ready, self._ready = self._ready, None
        self._forget()
        self._events.send("my-storage-ready", {})
        ready.callback(None)

    def _forget(self) -> None:
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()

    def _lacking(self) -> str:
        """What is missing for my files to come back, in words; empty when nothing is."""
        family = self._suppliers.spares.stand_in(self._suppliers.family.current)
        if family is None:
            return "no supplier is hired yet"
        online = sum(1 for who in family.holders if self._sessions.connected(who))
        return "" if online >= family.k else f"{online} of my suppliers are connected, and files need {family.k}"

    def waits_for(self) -> str:
        return self._lacking()

    def stop(self) -> None:
        self._forget()
        self._ready = None
        self._events.send("my-storage-not-ready-yet", {})

    def health(self) -> None:
        lacking = self._lacking()
        if lacking:
            raise Unhealthy(lacking)
