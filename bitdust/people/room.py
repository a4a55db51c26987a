"""The room of people: each part of it is a folder beside this file."""

from collections.abc import Callable

from attrs import frozen

from bitdust.disk.reserve import SETTING as RESERVED
from bitdust.disk.reserve import Reserve
from bitdust.identity.proving import NameProver
from bitdust.peers.presence import Presence
from bitdust.people.amounts import Amounts
from bitdust.people.broadcasts.broadcasts import Broadcasts
from bitdust.people.friends.everywhere import Everywhere
from bitdust.people.friends.friends import Friends
from bitdust.people.history.archive import Archive
from bitdust.people.history.history import History
from bitdust.people.history.listeners import Listeners
from bitdust.people.keys.keys import Keys
from bitdust.people.mailboxes.keeper import MailboxKeeper
from bitdust.people.messages.messages import Messages
from bitdust.people.messages.ports import Directory
from bitdust.people.names.names import Names
from bitdust.people.names.ports import NicknameTable
from bitdust.surroundings import Connected
from bitdust.wire.table import Who


@frozen
class Finders:
    """Where people are found, their nicknames, and whether a name is theirs."""

    directory: Directory
    nicknames: NicknameTable
    prover: NameProver


class PeopleRoom:
    """What people are to each other needs no storage: a person without a single supplier has all of it."""

    def __init__(
        self,
        around: Connected,
        presence: Presence,
        finders: Finders,
        suppliers: Callable[[], list[bytes]],
        role_of: Callable[[bytes], Who],
    ) -> None:
        """``suppliers`` keep mailboxes; ``role_of`` gives the relations of a fingerprint."""
        self._around = around
        self._suppliers = suppliers
        self.names = Names(around, finders.nicknames)
        self.friends = Friends(around, presence, around.world.home / "metadata" / "friends", finders.prover)
        self.everywhere = Everywhere(around, self.friends)
        self.history = History(around)
        self.archive = Archive(around, self.history)
        self.listeners = Listeners(around.world.clock, self.history)
        self.keys = Keys(around, presence, self.friends, self.friends.is_friend)
        home, reserve = around.world.home, Reserve(lambda: int(around.settings.get(RESERVED)))
        amounts = Amounts(around.world.clock, role_of, lambda: reserve.left(home) > 0)
        self.messages = Messages(around, finders.directory, self, amounts)
        self.mailboxes = MailboxKeeper(around, amounts)
        self.broadcasts = Broadcasts(around)

    def load(self) -> None:
        """Read from the home; what is damaged is left alone and reported by the health of its service."""
        self.friends.load()

    def candidates(self) -> list[bytes]:
        """Who may keep a mailbox for me: suppliers, then friends, of each those first who are here."""
        connected = self._around.sessions.connected
        friends = [friend.fingerprint for friend in self.friends.all()]
        groups = [sorted(some, key=lambda peer: not connected(peer)) for some in (self._suppliers(), friends)]
        return list(dict.fromkeys(peer for some in groups for peer in some if peer))
