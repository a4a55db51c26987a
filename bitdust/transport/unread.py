"""Bytes of one session that wait here to be read: they count in its scopes, and it is not read while those are full."""

from bitdust.scopes.reservations import Resource, TooMuch
from bitdust.scopes.scopes import Party

AGAIN = 0.05
"""Seconds after which a session that was not read is looked at again."""


class Unread:
    """What the payloads of a session hold. What has come already is in memory, counted or not, so a session may be a
    part of a payload above its share; nothing more is read then until enough of it was taken."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._counted = party.reserve(Resource.MEMORY, 0)
        self._size = 0

    def add(self, size: int) -> None:
        """Bytes that wait for their reader."""
        self._size += size
        self._count()

    def take(self, size: int) -> None:
        """Bytes that have been taken, or dropped."""
        self._size -= size
        if self._size < self._counted.amount:
            self._counted.resize(self._size)

    def is_too_much(self) -> bool:
        """Whether nothing more may be read for now."""
        return self._size > self._counted.amount and not self._count()

    def _count(self) -> bool:
        try:
            self._counted.resize(self._size)
        except TooMuch:
            return False
        return True

    def release(self) -> None:
        """The session is over."""
        self._size = 0
        self._counted.release()
