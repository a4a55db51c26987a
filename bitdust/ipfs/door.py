"""What a node has of IPFS: next to nothing while the service is off."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.blocks.backup.room import BackupRoom
from bitdust.blocks.room import BlocksRoom
from bitdust.ipfs.credentials import Credentials
from bitdust.ipfs.names.copy import KeyCopy
from bitdust.ipfs.network import Network
from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Row

if TYPE_CHECKING:
    from bitdust.ipfs.names.store import KeyStore
    from bitdust.ipfs.nodes_room import Nodes
    from bitdust.ipfs.room import IpfsRoom


GATEWAY = "services/ipfs/gateway-enabled"


class RpcPort(Protocol):
    """Where clients of IPFS are answered; `bitdust.web.ipfs.port.IpfsPort` is one, and that of the gateway another."""

    def open(self, room: "IpfsRoom", /) -> "Deferred[None]":
        """Fires when clients are answered. Fails with ``port-taken``."""

    def close(self) -> "Deferred[None]":
        """Fires when every connection is closed."""

    @property
    def number(self) -> int:
        """The number of the port; 0 while it is closed."""


class IpfsDoor:
    """`open` first, `close` last; the program of IPFS is loaded when it is opened."""

    def __init__(self, network: Network, blocks: BlocksRoom) -> None:
        self._network = network
        self._blocks = blocks
        self._nodes: Nodes | None = None
        self._room: IpfsRoom | None = None
        self._port: Callable[[], RpcPort] | None = None
        self._stop: Callable[[], object] = lambda: None
        self._opened: RpcPort | None = None
        self._gateway_port: Callable[[], RpcPort] | None = None
        self._gateway: RpcPort | None = None
        self.credentials = Credentials(network.around.world.home, network.around.world.entropy)
        self._keys: KeyStore | None = None
        self.key_copy = KeyCopy(lambda: self.keys)

    def use_port(self, make: Callable[[], RpcPort]) -> None:
        """Answer clients there."""
        self._port = make

    def use_stop(self, stop: Callable[[], object]) -> None:
        """Close this door so, where a client asks for it."""
        self._stop = stop

    def use_gateway(self, make: Callable[[], RpcPort]) -> None:
        """Show content there, where a person wants it."""
        self._gateway_port = make

    @property
    def room(self) -> "IpfsRoom":
        """The room, which is open. Raises ``service-off``."""
        if self._room is None:
            raise BitDustError("service-off", "IPFS is off: bitdust ipfs enable")
        return self._room

    @property
    def keys(self) -> "KeyStore":
        """Keys of names, which outlive a door that is closed."""
        from bitdust.ipfs.names.store import KeyStore  # noqa: PLC0415 - what is off costs nothing at the start

        if self._keys is None:
            self._keys = KeyStore(self._network.around)
            self._keys.changed.connect(self._blocks.backup.changed)
        return self._keys

    @property
    def backup(self) -> BackupRoom:
        """The backup of what is pinned."""
        return self._blocks.backup

    @property
    def port(self) -> int:
        """The port where clients are answered; 0 where they are not."""
        return self._opened.number if self._opened is not None else 0

    @property
    def gateway(self) -> int:
        """The port of the gateway; 0 where it is closed."""
        return self._gateway.number if self._gateway is not None else 0

    def open(self) -> "Deferred[None]":
        """Fires when clients are answered; fails with ``port-taken``."""
        from bitdust.ipfs.outside import Outside  # noqa: PLC0415 - what is off costs nothing at the start
        from bitdust.ipfs.room import IpfsRoom  # noqa: PLC0415

        self._nodes = self._made()
        self._nodes.open()
        outside = Outside(self._network, self.credentials, self._stop)
        self._room = IpfsRoom(self._network.around, self._blocks, self._nodes, outside, self.keys)
        self._room.names.open()
        return Deferred.fromCoroutine(self._open_ports(self._room)).addErrback(self._not_opened)

    async def _open_ports(self, room: "IpfsRoom") -> None:
        if self._port is not None:
            self._opened = self._port()
            await self._opened.open(room)
        await self.open_gateway()

    async def open_gateway(self) -> None:
        """Where it is wanted and IPFS is on. Raises `BitDustError` ``port-taken``."""
        wanted = self._network.around.settings.get(GATEWAY)
        if self._gateway is None and self._gateway_port is not None and wanted and self._room is not None:
            gateway = self._gateway_port()
            await gateway.open(self._room)
            self._gateway = gateway

    async def close_gateway(self) -> None:
        """Every connection of it, too."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            await gateway.close()

    def _not_opened(self, failure: Failure) -> Failure:
        self._close_room()
        return failure

    def close(self) -> "Deferred[None]":
        """Fires when nobody is answered any more."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        opened, self._opened = self._opened, None
        self._close_room()
        await self.close_gateway()
        if opened is not None:
            await opened.close()

    def _close_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.names.close()
        nodes, self._nodes = self._nodes, None
        if nodes is not None:
            nodes.close()

    def _made(self) -> "Nodes":
        from bitdust.ipfs.nodes_room import Nodes  # noqa: PLC0415 - what is off costs nothing at the start

        return Nodes(self._network, self._blocks)

    def rows(self) -> list[Row]:
        """What other nodes may ask of this one, while it is open."""
        return (self._nodes or self._made()).rows()

    def problem(self) -> str:
        """Why clients are not answered; empty where they are."""
        if self._room is None:
            return "IPFS is not open"
        if self._opened is not None and not self._opened.number:
            return "its port is closed"
        return self._room.names.problem()
