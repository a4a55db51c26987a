"""What goes between nodes of IPFS, while the service is on: blocks, and who is connected."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from bitdust.blocks.store import BlockStore
from bitdust.ipfs.exchange.exchange import Exchange, nobody
from bitdust.ipfs.exchange.wire import BLOCKS, HAVES, fields_of
from bitdust.ipfs.network import Network
from bitdust.ipfs.swarm import Swarm
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
        around, has_role = network.around, network.gateway.relations.has
        self._stores = stores
        self.exchange = Exchange(around, lambda: stores.store, has_role, nobody)
        self.swarm = Swarm(network.gateway, around.me, self.exchange.partners)
        self._leave_store: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Begin to exchange."""
        store = self._stores.store
        store.add_source(self.exchange)
        self._leave_store = lambda: store.remove_source(self.exchange)
        self.exchange.open()

    def close(self) -> None:
        """End it."""
        self._leave_store()
        self.exchange.close()

    def rows(self) -> list[Row]:
        """What other nodes may ask of this one."""
        serving = self.exchange.serving
        row = partial(Row, Command.RETRIEVE, max_payload=0, who=Who.ANYONE, service=SERVICE)
        return [
            row(HAVES, fields_of(HAVES), handler=serving.haves, cost=2.0),
            row(BLOCKS, fields_of(BLOCKS), handler=serving.blocks, cost=4.0),
        ]
