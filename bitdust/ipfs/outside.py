"""What of a node lies outside of IPFS, and clients of IPFS ask for as well: where peers are, traffic, its end."""

from collections.abc import Callable, Mapping
from typing import Any

from bitdust.ipfs.credentials import Authorization, Credentials
from bitdust.ipfs.names.ports import NameTable
from bitdust.ipfs.network import Network
from bitdust.ipfs.peerids import device_key
from bitdust.ipld.errors import FormatError
from bitdust.ipld.peerid import PeerId

ANSWER_FIRST = 0.05
"""Seconds."""


class Outside:
    """I ask the rooms that know it."""

    def __init__(self, network: Network, credentials: Credentials, stop: Callable[[], object]) -> None:
        self._network = network
        self._credentials = credentials
        self._stop = stop

    def stop(self) -> None:
        """Answer clients no more, once this one has its answer."""
        self._network.around.world.clock.callLater(ANSWER_FIRST, self._stop)

    def authorizations(self) -> tuple[Authorization, ...]:
        """Who may call."""
        return tuple(self._credentials.all())

    def is_online(self) -> bool:
        """Whether other nodes of the hash table answer."""
        return self._network.dht.node.knows_others()

    @property
    def table(self) -> NameTable:
        """Where names are found."""
        return self._network.dht.directory

    def traffic(self) -> Mapping[str, Any]:
        """Packets and bytes ``in`` and ``out`` since the start."""
        return self._network.gateway.traffic()

    async def addresses_of(self, peer: PeerId, offline: bool = False) -> list[str] | None:
        """Where a peer can be reached, ``tcp://host:port`` each; None where nobody knows such a peer. Nobody is asked
        ``offline``.

        A peer is a device of somebody whose document is known here; that says who to ask the hash table for.
        """
        try:
            device = device_key(peer)
        except FormatError:
            return None
        owner = next((one for one in self._network.around.identities.all() if one.valid_device(device)), None)
        if owner is None:
            return None
        if offline:
            return []
        ident = next(one.id for one in owner.devices if one.key == device)
        return await self._network.dht.directory.addresses_of_device(owner.fingerprint, ident)
