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
        self._inbox = rooms.gateway.inbox
        self._added: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._messages.rows()

    def start(self) -> "Deferred[None]":
        return self._messages.start().addCallback(lambda _: self._add_rows())

    def _add_rows(self) -> None:
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)

    def stop(self) -> "Deferred[None]":
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        return self._messages.stop()

    def health(self) -> None:
        problem = self._messages.trouble()
        if problem:
            raise Unhealthy(problem)
