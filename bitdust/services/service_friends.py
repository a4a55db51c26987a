"""Keeping in touch with friends."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class FriendsService(Service):
    """Greets friends when this node is back, and knows who of them is here. The list itself is there without it."""

    name = "friends"
    needs = ("p2p_hookups",)
    needs_identity = True
    duty = "keeps in touch with my friends, and knows which of them are here"

    def __init__(self, rooms: Rooms) -> None:
        self._friends = rooms.people.friends
        self._everywhere = rooms.people.everywhere
        self._inbox = rooms.gateway.inbox
        self._added: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._everywhere.rows()

    def start(self) -> None:
        self._friends.start()
        self._everywhere.start()
        self._added = self.packet_rows()
        for row in self._added:
            self._inbox.add(row)

    def stop(self) -> None:
        rows, self._added = self._added, []
        for row in rows:
            self._inbox.remove(row)
        self._everywhere.stop()
        self._friends.stop()

    def health(self) -> None:
        if self._friends.problem:
            raise Unhealthy(self._friends.problem)
        neglected = self._friends.neglected()
        if neglected:
            raise Unhealthy(f"{neglected} of my friends are not followed")
