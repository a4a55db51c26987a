"""The room of people: each part of it is a folder beside this file."""

from bitdust.peers.presence import Presence
from bitdust.people.friends.friends import Friends
from bitdust.people.history.history import History
from bitdust.people.history.listeners import Listeners
from bitdust.surroundings import Connected


class PeopleRoom:
    """What people are to each other needs no storage: a person without a single supplier has all of it."""

    def __init__(self, around: Connected, presence: Presence) -> None:
        self.friends = Friends(around, presence, around.world.home / "metadata" / "friends")
        self.history = History(around)
        self.listeners = Listeners(around.world.clock, self.history)

    def load(self) -> None:
        """Read from the home; what is damaged is left alone and reported by the health of its service."""
        self.friends.load()
