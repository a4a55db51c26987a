"""What is known of one group."""

from attrs import frozen

from bitdust.crypt.keyring import RingKey
from bitdust.crypt.shares import GivenShare
from bitdust.groups.left import Place
from bitdust.groups.opened import MyGroup, TheirGroup
from bitdust.shares.held import HeldKey


@frozen
class Group(HeldKey):
    """One group, mine or somebody else's, open or not."""

    key_id: str
    owner: bytes
    alias: str
    mine: RingKey | None
    given: GivenShare | None
    opened: MyGroup | TheirGroup | None

    @property
    def place(self) -> Place:
        """What names it for good."""
        return self.owner, self.alias

    @property
    def was_left(self) -> bool:
        """Whether it was joined once, and is no more."""
        return not self.active and (self.given is None or self.given.edits > 0)
