"""Words that open something once, soon."""

import base64
import hashlib

from bitdust.world import World

SECONDS = 30
MOST = 100
"""Tickets that are out at a time; of more, the oldest open nothing any more."""
SIZE = 24


class Tickets:
    """Only their hashes are kept, and only in memory."""

    seconds = SECONDS

    def __init__(self, world: World) -> None:
        self._world = world
        self._until: dict[bytes, float] = {}

    def issue(self) -> str:
        """A new one."""
        ticket = base64.urlsafe_b64encode(self._world.entropy(SIZE)).decode()
        self._until[_hash(ticket)] = self._world.clock.seconds() + SECONDS
        if len(self._until) > MOST:
            del self._until[next(iter(self._until))]
        return ticket

    def redeem(self, ticket: str) -> bool:
        """Whether it opens what it is for; it does so once."""
        return self._until.pop(_hash(ticket), 0.0) > self._world.clock.seconds()


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
