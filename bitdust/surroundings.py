"""What nearly every part of a node works with, as one value instead of seven arguments."""

from attrs import frozen

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.me import Me
from bitdust.ports import Outbox, Sessions
from bitdust.world import World


@frozen
class Surroundings:
    """A node without its sessions: the world around it, what it was told, who it is and whom it knows."""

    world: World
    settings: Settings
    events: Events
    registry: Registry
    budget: Budget
    me: Me
    identities: IdentityCache


@frozen
class Connected(Surroundings):
    """The same with sessions: what every room above `bitdust.transport` is built with."""

    sessions: Sessions
    outbox: Outbox

    @classmethod
    def of(cls, around: Surroundings, sessions: Sessions, outbox: Outbox) -> "Connected":
        """``around``, connected to peers."""
        return cls(
            around.world, around.settings, around.events, around.registry, around.budget, around.me,
            around.identities, sessions, outbox,
        )  # fmt: skip
