"""Keys between people, as the rest of the node uses them."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from bitdust.peers.presence import Presence
from bitdust.people.keys.audits import Asking, Audits, Question
from bitdust.people.keys.giving import Gift, Giving
from bitdust.people.keys.person import PersonKey, PersonKeyFriends
from bitdust.people.keys.taking import Taking
from bitdust.surroundings import Connected
from bitdust.wire.table import Row


class Keys:
    """I give keys and ask for proofs whenever a peer can be reached, and answer while my rows are in the table."""

    def __init__(
        self, around: Connected, presence: Presence, friends: PersonKeyFriends, is_friend: Callable[[bytes], bool]
    ) -> None:
        self._around = around
        self._taking = Taking(around, is_friend)
        self._audits = Audits(around, is_friend)
        self.person = PersonKey(around, presence, friends, self.share)

    def rows(self) -> list[Row]:
        """Rows of the packet table."""
        return [self._taking.row(), self._audits.row()]

    def share(self, gift: Gift, seconds: float) -> "Deferred[None]":
        """Give a key of mine; fires when it is kept. Raises as `Giving`, fails with ``refused``, ``no-answer``."""
        giving = Giving(self._around, gift, seconds)
        giving.machine.send("start")
        return giving.done

    def audit(self, question: Question, seconds: float) -> "Deferred[bool]":
        """Whether somebody has a key. Raises ``key-not-found``, fails with ``refused``, ``no-answer``."""
        asking = Asking(self._around, question, seconds)
        asking.machine.send("start")
        return asking.done
