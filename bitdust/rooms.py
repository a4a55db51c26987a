"""The rooms of one node: what the assembly builds, services start and stop, and the API shows."""

from attrs import frozen

from bitdust.blocks.room import BlocksRoom
from bitdust.companions.companions import Companions
from bitdust.companions.router import Router
from bitdust.customers.room import CustomersRoom
from bitdust.dht.room import DHTRoom
from bitdust.events import Consumers
from bitdust.folders.door import BtsyncDoor
from bitdust.folders.room import Folders
from bitdust.groups.room import GroupsRoom
from bitdust.identity.room import IdentityRoom
from bitdust.ipfs.door import IpfsDoor
from bitdust.key_file import KeyFileCare, KeyFileHints
from bitdust.nodes_lookup import NodesLookup
from bitdust.peers.room import PeersRoom
from bitdust.people.room import PeopleRoom
from bitdust.recovery import Recovery
from bitdust.risk import Risk
from bitdust.seen_address import SeenAddress
from bitdust.shares.room import SharesRoom
from bitdust.space import Space
from bitdust.storage.storage import Storage
from bitdust.suppliers.room import SuppliersRoom
from bitdust.surroundings import Connected
from bitdust.transport.gateway import Gateway


@frozen
class Rooms:
    """Each service takes what its duty names, when it is made."""

    around: Connected
    consumers: Consumers
    identity: IdentityRoom
    gateway: Gateway
    dht: DHTRoom
    peers: PeersRoom
    people: PeopleRoom
    shares: SharesRoom
    groups: GroupsRoom
    folders: Folders
    btsync: BtsyncDoor
    companions: Companions
    router: Router
    suppliers: SuppliersRoom
    customers: CustomersRoom
    blocks: BlocksRoom
    ipfs: IpfsDoor
    storage: Storage
    space: Space
    risk: Risk
    recovery: Recovery
    nodes_lookup: NodesLookup
    seen_address: SeenAddress
    key_file_hints: KeyFileHints
    key_file: KeyFileCare
