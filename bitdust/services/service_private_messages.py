"""Messages from person to person."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class PrivateMessagesService(Service):
    """Sends messages to the devices of people, and takes what is for this one; needs no storage."""

    name = "private_messages"
    needs = ("p2p_hookups", "entangled_dht", "message_history")
    needs_identity = True
    duty = "brings my messages to the devices of people, and takes what they write to me"

    def __init__(self, rooms: Rooms) -> None:
        self._messages = rooms.people.messages
        self._mailboxes = rooms.people.mailboxes
        self._inbox = rooms.gateway.inbox
        self._added: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return [*self._messages.rows(), *self._mailboxes.rows()]

    def start(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self._mailboxes.start()
        await self._messages.start()
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)

    def stop(self) -> "Deferred[None]":
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._messages.stop()
        await self._mailboxes.stop()

    def health(self) -> None:
        if not self._mailboxes.store.is_open:
            raise Unhealthy("the store of mailboxes is closed")
        problem = self._messages.trouble()
        if problem:
            raise Unhealthy(problem)
