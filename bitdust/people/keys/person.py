"""My person key: friends get its public part, as soon as each of them is here."""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.outcome import Outcome, outcome
from bitdust.peers.again import AskAgain
from bitdust.peers.presence import Presence
from bitdust.people.keys.giving import Gift
from bitdust.signal import Disconnect
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

PERSON = "person"
"""The alias of the key."""
SECONDS = 30.0
Share = Callable[[Gift, float], "Deferred[None]"]


class PersonKeyFriends(Protocol):
    """Who is to have it; `bitdust.people.friends.Friends` knows."""

    def awaits_key(self, fingerprint: bytes, /) -> bool:
        """Whether a friend is to have the key and was not given it yet."""

    def note_key_given(self, fingerprint: bytes, /) -> "Deferred[bool]":
        """A friend has it."""


class PersonKey:
    """I give it, from `start` to `stop`, to friends who are to have it, when they come."""

    log = Logger()

    def __init__(self, around: Connected, presence: Presence, friends: PersonKeyFriends, share: Share) -> None:
        self._me = around.me
        self._presence = presence
        self._friends = friends
        self._share = share
        self._giving: dict[bytes, Deferred[None]] = {}
        self._again = AskAgain(around.world.clock, presence.has_session, self.give)
        self._disconnect: Disconnect | None = None

    def start(self) -> None:
        """Look who comes."""
        self._disconnect = self._presence.changed.connect(lambda who, online: self._came(who) if online else None)

    def stop(self) -> None:
        """Give nothing any more."""
        disconnect, self._disconnect = self._disconnect, None
        if disconnect is not None:
            disconnect()
        self._again.stop()
        for giving in list(self._giving.values()):
            giving.cancel()

    def _came(self, friend: bytes) -> None:
        self._again.forget(friend)
        self.give(friend)

    def give(self, friend: bytes) -> None:
        """Give it to a friend who is here, where it is due."""
        is_due = self._disconnect is not None and self._friends.awaits_key(friend) and PERSON in self._me.key_ring
        if not is_due or friend in self._giving or not self._presence.has_session(friend):
            return
        try:
            giving = self._giving[friend] = self._share(Gift(PERSON, friend), SECONDS)
        except BitDustError as error:
            self.log.info("my person key cannot be given: {why}", why=str(error))
            return
        outcome(giving).addBoth(self._given, friend)

    def _given(self, result: object, friend: bytes) -> None:
        self._giving.pop(friend, None)
        if isinstance(result, Outcome) and result.code == "no-answer" and self._disconnect is not None:
            self._again.later(friend)
        else:
            self._again.forget(friend)
        if isinstance(result, Outcome) and result.error is None:
            noting = self._friends.note_key_given(friend)
            noting.addErrback(lambda failure: self.log.failure("a friend may get a key twice", failure))
