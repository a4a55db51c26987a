"""A key by which several people store, as one of them has it."""

from bitdust.crypt.keyring import RingKey
from bitdust.crypt.shares import GivenShare


class HeldKey:
    """One that is ``mine``, or was ``given`` to me; neither where it is gone."""

    __slots__ = ()
    mine: RingKey | None
    given: GivenShare | None

    @property
    def active(self) -> bool:
        """Whether what is under it is, or is to be, open."""
        return self.mine.active if self.mine is not None else self.given is not None and self.given.active

    @property
    def label(self) -> str:
        """What its owner calls it."""
        return self.mine.label if self.mine is not None else self.given.label if self.given is not None else ""
