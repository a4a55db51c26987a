"""The room of identities: who I am, whom I know, and how a new or recovered identity comes about."""

from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import IdentityClient
from bitdust.identity.home_lock import HomeLock
from bitdust.identity.me import Me
from bitdust.identity.propagation import Propagation
from bitdust.identity.proving import NameProver
from bitdust.identity.registration import Registration
from bitdust.identity.revocation import Revocations
from bitdust.identity.rotation import Rotation
from bitdust.identity.server import IdentityServer
from bitdust.world import World


class IdentityRoom:
    """Built first: everything else may ask who this node is."""

    def __init__(self, world: World, settings: Settings, events: Events, registry: Registry) -> None:
        self.me = Me(world, events)
        self.cache = IdentityCache(world, events)
        self.client = IdentityClient(world, settings)
        self.prover = NameProver(world.clock, self.cache, self.client)
        self.home_lock = HomeLock(world, self.me)
        self.server = IdentityServer(world, settings)
        self.registration = Registration(world, settings, registry, self.me, self.client)
        self.revocations = Revocations(world, events, self.me)
        self.rotation = Rotation(world, settings, events, registry, (self.me, self.client))
        self.propagation = Propagation(registry, settings, self.me, self.registration.publication)
        self.propagation.pushed.connect(self.rotation.follow)

    def load(self) -> None:
        """Read both from the home; raises `BitDustError` that names a damaged file."""
        self.me.load()
        self.cache.load()
