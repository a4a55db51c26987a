"""What goes between nodes of IPFS, while the service is on: blocks, messages by topic, and the ways to peers."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.blocks.store import BlockStore
from bitdust.ipfs.bootstrap import Bootstrap
from bitdust.ipfs.exchange.exchange import Exchange
from bitdust.ipfs.exchange.partners import Key
from bitdust.ipfs.exchange.wire import BLOCKS, HAVES, fields_of
from bitdust.ipfs.network import Network
from bitdust.ipfs.providing import Providing
from bitdust.ipfs.pubsub.message import MESSAGE, MESSAGE_FIELDS, MOST_DATA, TOPICS, TOPICS_FIELDS
from bitdust.ipfs.pubsub.pubsub import PubSub
from bitdust.ipfs.routing import FoundPeer, Routing
from bitdust.ipfs.swarm import SeenPeer, Swarm
from bitdust.ipld.cid import Cid
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.ipld.peerid import PeerId
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.table import Row, Who

SERVICE = "service_ipfs"


class Stores(Protocol):
    """Who has the block store."""

    @property
    def store(self) -> BlockStore:
        """Raises ``service-off`` while it is closed."""


class Nodes:
    """`open` first, `close` last."""

    def __init__(self, network: Network, stores: Stores) -> None:
        self.clock = network.around.world.clock
        around, has_role = network.around, network.gateway.relations.has
        self._stores = stores
        self.routing = Routing(network)
        self.exchange = Exchange(around, lambda: stores.store, has_role, self._providers)
        self.providing = Providing(around, lambda: stores.store, self.routing)
        self.swarm = Swarm(network, self.exchange.partners)
        self.bootstrap = Bootstrap(network)
        self.pubsub = PubSub(around, self.exchange.partners, self.exchange.serving.may_have)
        self._connected = network.dht.node.connected
        self._leave_store: Callable[[], None] = lambda: None
        self._leave_table: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Begin to exchange."""
        store = self._stores.store
        store.add_source(self.exchange)
        self._leave_store = lambda: store.remove_source(self.exchange)
        self.exchange.open()
        self.providing.open()
        self._leave_table = self._connected.connect(self.providing.network_is_back)
        self.pubsub.open()

    async def find_peer(self, peer: PeerId) -> FoundPeer | None:
        """Where a peer is, by its sessions or the hash table; None where it is nowhere."""
        known = self.swarm.addresses().get(peer)
        return FoundPeer(peer, tuple(known)) if known else await self.routing.find_peer(peer)

    async def connect(self, where: Multiaddr) -> PeerId:
        """Connect to a peer at an address, or wherever it is, and ask it for blocks from now on."""
        if where.peer is not None and not where.is_reachable and where.peer != self.swarm.me():
            await self.reach(where.peer)
        peer = await self.swarm.connect(where)
        self.pubsub.look_for_neighbours()
        return peer

    async def reach(self, peer: PeerId) -> SeenPeer:
        """The session with a peer, which is called where it is found. Raises ``no-peer``, or why it is not reached."""
        seen = self.swarm.find(peer)
        if seen is not None:
            return seen
        found = await self.routing.find_peer(peer)
        if found is None or not found.addresses:
            raise BitDustError("no-peer", "routing: not found")
        return await self.swarm.call(peer, found.addresses)

    def _providers(self, root: Cid) -> "Deferred[Iterable[Key]]":
        return Deferred.fromCoroutine(self.routing.connect_to_providers(root))

    def close(self) -> None:
        """End it."""
        self._leave_store()
        self._leave_table()
        self.pubsub.close()
        self.providing.close()
        self.exchange.close()

    def rows(self) -> list[Row]:
        """What other nodes may ask of this one."""
        serving = self.exchange.serving
        said = partial(Row, who=Who.ANYONE, service=SERVICE)
        row = partial(Row, Command.RETRIEVE, max_payload=0, who=Who.ANYONE, service=SERVICE)
        return [
            row(HAVES, fields_of(HAVES), handler=serving.haves, cost=2.0),
            row(BLOCKS, fields_of(BLOCKS), handler=serving.blocks, cost=4.0),
            said(Command.EVENT, TOPICS, TOPICS_FIELDS, 0, handler=self.pubsub.greeted),
            said(Command.MESSAGE, MESSAGE, MESSAGE_FIELDS, MOST_DATA, handler=self.pubsub.said, gathers=True),
        ]
