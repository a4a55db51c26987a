"""What the methods may use of a node, as one value that the node builds."""

from typing import Any, Protocol

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from bitdust.api.following import Following, Watching
from bitdust.api.issued_tickets import Tickets
from bitdust.api.table import Table
from bitdust.api.tally import Tally
from bitdust.automats.kernel import Registry
from bitdust.companions.companions import Companions
from bitdust.companions.router import Router
from bitdust.config.settings import Settings
from bitdust.customers.customers import Customers
from bitdust.customers.patrol import Patrol
from bitdust.customers.readers import Readers
from bitdust.customers.retirement import Retirement
from bitdust.dht.node import DHTNode
from bitdust.events import Consumers, Events
from bitdust.folders.door import BtsyncDoor
from bitdust.folders.port import FoldersPort
from bitdust.groups.room import GroupsRoom
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import IdentityClient
from bitdust.identity.home_lock import HomeLock
from bitdust.identity.me import Me
from bitdust.identity.registration import Registration
from bitdust.identity.revocation import Revocations
from bitdust.identity.rotation import Rotation
from bitdust.identity.server import IdentityServer
from bitdust.ipfs.door import IpfsDoor
from bitdust.key_file import KeyFileCare
from bitdust.peers.presence import Presence
from bitdust.people.room import PeopleRoom
from bitdust.risk import Risk
from bitdust.seen_address import SeenAddress
from bitdust.services.driver import Driver
from bitdust.shares.room import SharesRoom
from bitdust.space import Space
from bitdust.storage.storage import Storage
from bitdust.suppliers.held_back import HeldBackOrders
from bitdust.suppliers.hiring import Hiring
from bitdust.suppliers.requests import ReplacementRequests
from bitdust.suppliers.spares_view import SparesView
from bitdust.suppliers.suppliers import SuppliersView
from bitdust.transport.gateway import Gateway
from bitdust.world import World

Row = dict[str, Any]
Rows = list[Row]


class Listener(Protocol):
    """One WebSocket, to which snapshots of models are pushed."""

    def enable(self, model: str, request_all: bool) -> "Deferred[Row]":
        """Push this model from now on, and all of it at once if that is wished. Raises `BitDustError`."""

    def disable(self, model: str) -> bool:
        """Push it no more; whether it was pushed."""

    def request(self, model: str, ident: str | None) -> "Deferred[Row]":
        """Push all of a model now, or the snapshot with one id. Raises `BitDustError`."""


class Process(Protocol):
    """The process that a node runs in."""

    def health(self) -> Row:
        """What `process_health` answers; raises `BitDustError` when the node cannot work."""

    def stop(self, restart: bool = False) -> "Deferred[None]":
        """Stop the process soon, after the answer is sent; ``restart`` starts it again."""

    def erase_identity(self, erase_private_key: bool) -> "Deferred[Row]":
        """Stop the services, put the identity away, start the process again; fires with where everything is now."""


@frozen
class Context:
    """A node, as the methods see it: the parts that they may use, under their own names.

    ``listener`` is the WebSocket that asks, None where the question came another way.
    """

    process: Process
    world: World
    settings: Settings
    events: Events
    consumers: Consumers
    registry: Registry
    driver: Driver
    tally: Tally
    tickets: Tickets
    following: Following
    watching: Watching
    me: Me
    home_lock: HomeLock
    revocations: Revocations
    registration: Registration
    rotation: Rotation
    key_file: KeyFileCare
    cache: IdentityCache
    client: IdentityClient
    identity_server: IdentityServer
    storage: Storage
    suppliers: SuppliersView
    hiring: Hiring
    replacement_requests: ReplacementRequests
    spares: SparesView
    held_back: HeldBackOrders
    customers: Customers
    readers: Readers
    patrol: Patrol
    retirement: Retirement
    space: Space
    risk: Risk
    gateway: Gateway
    ipfs: IpfsDoor
    folders: FoldersPort
    btsync: BtsyncDoor
    presence: Presence
    people: PeopleRoom
    shares: SharesRoom
    groups: GroupsRoom
    companions: Companions
    router: Router
    dht: DHTNode
    seen_address: SeenAddress
    table: Table
    listener: Listener | None = None

    def health(self) -> Row:
        """What `process_health` answers; raises `BitDustError` when the node cannot work."""
        return self.process.health()

    def stop(self, restart: bool = False) -> "Deferred[None]":
        """Stop the process soon, after the answer is sent; ``restart`` starts it again."""
        return self.process.stop(restart)

    def erase_identity(self, erase_private_key: bool) -> "Deferred[Row]":
        """Stop the services, put the identity away, start the process again; fires with where everything is now."""
        return self.process.erase_identity(erase_private_key)

    def heard_by(self, listener: Listener) -> "Context":
        """The same for a call that came over a socket."""
        return evolve(self, listener=listener)
