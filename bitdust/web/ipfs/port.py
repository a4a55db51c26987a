"""The port where clients of IPFS are answered."""

from ipaddress import ip_address
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from bitdust.config.settings import Settings
from bitdust.ipfs.credentials import Credentials
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.engine import Engine
from bitdust.web.guard import Failures
from bitdust.web.ipfs.commands import all_commands
from bitdust.web.ipfs.dialect import IpfsDialect, Visits
from bitdust.web.ipfs.guard import RpcGuard
from bitdust.web.ipfs.permission import Permission
from bitdust.web.ipfs.table import Row
from bitdust.web.listeners import IPV4, IPV6, Listener, Listeners
from bitdust.web.programs import Programs
from bitdust.web.secret import api_secret
from bitdust.wire.errors import BitDustError
from bitdust.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

SWITCH, NUMBER = "services/ipfs/enabled", "services/ipfs/api-port"
ADDRESS = "services/ipfs/api-address"
ANY = {"0.0.0.0": ("0.0.0.0", IPV6), "::": ("::",)}  # noqa: S104 - where a person says so, with credentials
HOSTS, ORIGINS = "services/ipfs/allowed-hosts", "services/ipfs/allowed-origins"


class IpfsPort:
    """One port; another program that has it is an error, because clients know only this number."""

    def __init__(self, world: World, settings: Settings, most: int, credentials: Credentials) -> None:
        self._world = world
        self._clock = world.clock
        self._credentials = credentials
        self._settings = settings
        self._most = most
        self._listeners = Listeners(world.network, settings)

    @property
    def number(self) -> int:
        """0 while it is closed."""
        return self._listeners.ports.get("ipfs", 0)

    def open(self, room: IpfsRoom) -> "Deferred[None]":
        """Fails with ``port-taken``, ``needs-credentials``, or ``bad-setting``."""
        return Deferred.fromCoroutine(self._open(room))

    async def _open(self, room: IpfsRoom) -> None:
        address = self._elsewhere()
        permission = Permission(
            self._credentials, api_secret(self._world), Failures(self._clock), elsewhere=bool(address)
        )
        guard = RpcGuard(Programs.of(self._settings, ORIGINS, HOSTS, address))
        dialect = IpfsDialect(visit(room), all_commands(), guard, permission, self._clock)
        addresses = every_address(address) if address else (IPV4, IPV6)
        row = Listener("ipfs", SWITCH, NUMBER, lambda: Engine(self._clock, [dialect], self._most), False, addresses)
        await self._listeners.open([row])

    def _elsewhere(self) -> str:
        """The address where others reach the port, which needs credentials first; empty for this machine alone."""
        address = str(self._settings.get(ADDRESS)).strip()
        if not address:
            return ""
        try:
            ip_address(address)
        except ValueError:
            text = f"{ADDRESS} is an IP address of this machine, or empty for loopback alone, not {address[:100]!r}"
            raise BitDustError("bad-setting", text) from None
        if not self._credentials.all():
            text = f"IPFS is not answered at {address} without credentials; first: bitdust ipfs authorize NAME"
            raise BitDustError("needs-credentials", text)
        return address

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return Deferred.fromCoroutine(self._listeners.close())


def every_address(elsewhere: str) -> tuple[str, ...]:
    """Where a port listens that others reach at an address; this machine reaches it at loopback too. Linux takes what
    comes by IPv4 at :: as well."""
    if elsewhere in ANY:
        return ANY[elsewhere]
    return (IPV4, IPV6, elsewhere)


def visit(room: IpfsRoom) -> Visits:
    """What calls may use of a room: all of it, offline where they say so, patient where they say for how long."""

    def begin(options: Row) -> "tuple[IpfsRoom, Callable[[], None]]":
        offline = bool(options["offline"])
        visitor = room.visit(offline, bool(options["timeout"]), is_local=offline)
        return visitor, visitor.leave

    return begin
