"""Finding peers, and who has a block, in the hash table; and saying there what this node has.

A peer id holds a device key, and a node of the hash table has an id that is made of its device key: a peer is looked up
where it must be, and shows itself. Who has a block stands in records under a blinded CID (`bitdust.wire.providers`).
"""

from collections.abc import AsyncIterator

from attrs import frozen

from bitdust.crypt.device import device_id
from bitdust.dht.contact import Contact
from bitdust.dht.directory import Provided
from bitdust.dht.ids import node_id
from bitdust.ipfs.exchange.partners import Key
from bitdust.ipfs.network import Network
from bitdust.ipfs.peerids import device_key, multiaddrs, my_id, peer_id
from bitdust.ipld.cid import Cid
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.ipld.peerid import PeerId
from bitdust.outcome import outcome
from bitdust.wire.errors import BitDustError
from bitdust.wire.providers import POSITIONS, blinded

MOST_CONNECTED = 8
"""Providers of one block that are connected to."""
MOST_CLOSEST = 20


@frozen
class FoundPeer:
    """A peer, and where it can be reached."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...] = ()


class Routing:
    """I ask the node of the hash table that this node is. It fails with ``dht-off`` while that is off."""

    def __init__(self, network: Network) -> None:
        self._world, self._me = network.around.world, network.around.me
        self._gateway = network.gateway
        self._node = network.dht.node
        self._directory = network.dht.directory

    async def find_peer(self, peer: PeerId) -> FoundPeer | None:
        """Where a peer is: connected, or as it shows itself in the hash table; None where it is not."""
        if self._me.present and peer == my_id(self._me):
            return FoundPeer(peer, tuple(multiaddrs(self._gateway.addresses())))
        info = await self._node.find_device(device_key(peer))
        return FoundPeer(peer, tuple(multiaddrs(info.addresses))) if info is not None else None

    async def closest(self, peer: PeerId) -> list[FoundPeer]:
        """The nodes of the hash table nearest to a peer, nearest first."""
        nodes: list[Contact] = await self._node.find_node(node_id(device_key(peer)))
        return [FoundPeer(peer_id(one.key), (Multiaddr.of(one.host, "udp", one.port),)) for one in nodes[:MOST_CLOSEST]]

    # who has a block

    async def providers(self, cid: Cid, most: int = POSITIONS) -> AsyncIterator[Provided]:
        """Who says that it has a block, each once; this node too, where it does. Fails where nobody answers at all."""
        found: list[Provided] = await self._directory.providers(blinded(cid.multihash))
        for one in found[:most]:
            yield one

    async def addresses_of(self, provided: Provided) -> FoundPeer:
        """Where somebody who has a block can be reached."""
        device = device_id(provided.device_key)
        told = await self._directory.addresses_of_device(provided.fingerprint, device)
        return FoundPeer(peer_id(provided.device_key), tuple(multiaddrs(told)))

    async def connect_to_providers(self, cid: Cid) -> list[Key]:
        """Connect to those who say that they have a block; who can be asked for it now."""
        if not self._node.running:
            return []
        connected: list[Key] = []
        async for one in self.providers(cid, MOST_CONNECTED):
            key = (one.fingerprint, device_id(one.device_key))
            if not (self._me.present and key[1] == self._me.device.id) and await self._reach(one, key):
                connected.append(key)
        return connected

    async def _reach(self, provided: Provided, key: Key) -> bool:
        if self._is_connected(key):
            return True
        for address in await self._directory.addresses_of_device(*key):
            if (await outcome(self._gateway.dial(address, provided.fingerprint))).error is None:
                return self._is_connected(key)
        return False

    def _is_connected(self, key: Key) -> bool:
        return any((one.peer.fingerprint, one.peer.device) == key for one in self._gateway.sessions() if one.peer)

    async def provide(self, cid: Cid) -> None:
        """Say that this node has a block, at the first position that nobody else has.

        Raises ``no-identity``, ``taken`` where so many others have it that there is no place, ``not-stored``.
        """
        if not await self._directory.provide(blinded(cid.multihash), int(self._world.wall() * 1000)):
            others = f"{POSITIONS} others say that they have {cid}"
            raise BitDustError("taken", f"{others}: there is no place for one more")
