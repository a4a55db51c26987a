"""Keeping in touch with friends."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class FriendsService(Service):
    """Greets friends when this node is back, and knows who of them is here. The list itself is there without it."""

    name = "friends"
    needs = ("p2p_hookups",)
    needs_identity = True
    duty = "keeps in touch with my friends, and knows which of them are here"

    def __init__(self, rooms: Rooms) -> None:
        self._friends = rooms.people.friends
        self._everywhere = rooms.people.everywhere

    def start(self) -> None:
        self._friends.start()
        self._everywhere.start()

    def stop(self) -> None:
        self._everywhere.stop()
        self._friends.stop()

    def health(self) -> None:
        if self._friends.problem:
            raise Unhealthy(self._friends.problem)
        neglected = self._friends.neglected()
        if neglected:
            raise Unhealthy(f"{neglected} of my friends are not followed")
