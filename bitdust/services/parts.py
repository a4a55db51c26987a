"""Everything a node is made of; the node builds it, the services join it."""

from collections.abc import Callable

from attrs import define, field

from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.customers.customers import Customers
from bitdust.customers.families import CustomerFamilies
from bitdust.customers.notices import Notices
from bitdust.customers.patrol import Patrol, PieceTests
from bitdust.customers.retirement import Retirement
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.dht.node import DHTNode
from bitdust.events import Consumers, Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import IdentityClient
from bitdust.identity.home_lock import HomeLock
from bitdust.identity.me import Me
from bitdust.identity.registration import Registration
from bitdust.identity.server import IdentityServer
from bitdust.peers.presence import Presence
from bitdust.peers.reach import Reach
from bitdust.space import Space
from bitdust.storage.storage import Storage
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departures
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.suppliers.hiring import Hiring
from bitdust.suppliers.suppliers import SuppliersView
from bitdust.transport.gateway import Gateway
from bitdust.wire.errors import BitDustError
from bitdust.world import World


def is_taken(error: BaseException | None) -> bool:
    """Whether a port could not be opened because somebody has it."""
    return isinstance(error, BitDustError) and error.code == "port-taken"


@define(slots=False, eq=False)
class Parts:
    """The composition of one node. Services get it whole and touch what their duty names."""

    world: World
    settings: Settings
    events: Events
    consumers: Consumers
    registry: Registry
    me: Me
    home_lock: HomeLock
    cache: IdentityCache
    client: IdentityClient
    registration: Registration
    identity_server: IdentityServer
    gateway: Gateway
    dht: DHTNode
    new_dht: Callable[[], DHTNode]
    presence: Presence
    reach: Reach
    book: ContractBook
    departures: Departures
    family: MyFamily
    publisher: FamilyPublisher
    hiring: Hiring
    suppliers: SuppliersView
    store: SupplierStore
    supplier_rows: SupplierRows
    customers: Customers
    families: CustomerFamilies
    notices: Notices
    retirement: Retirement
    patrol: Patrol
    piece_tests: PieceTests
    space: Space
    storage: Storage
    extra_seeds: list[tuple[str, int]] = field(factory=list)

    def renew_dht(self) -> None:
        """Before the DHT starts: run it under the device key that this node has now."""
        new, old = self.new_dht(), self.dht
        if new.id == old.id and not old.running:
            new, old = old, new
        old.connector.send("shutdown")
        self.dht = new
