"""The history of messages."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class MessageHistoryService(Service):
    """Every message is stored before anybody acknowledges it: without the history there are no messages."""

    name = "message_history"
    needs = ("keys_registry",)
    needs_identity = True
    duty = "stores what people write to each other, and finds it again"

    def __init__(self, rooms: Rooms) -> None:
        self._history = rooms.people.history
        self._listeners = rooms.people.listeners
        self._archive = rooms.people.archive

    def start(self) -> "Deferred[None]":
        return self._history.open().addCallback(lambda _: self._archive.start())

    def stop(self) -> "Deferred[None]":
        self._archive.stop()
        self._listeners.stop()
        return self._history.close()

    def health(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._health())

    async def _health(self) -> None:
        if not self._history.is_open:
            raise Unhealthy("the history of messages is not open")
        if self._history.problem:
            raise Unhealthy(self._history.problem)
        await self._history.counts()
