"""The port where clients of IPFS are answered."""

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from bitdust.config.settings import Settings
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.engine import Engine
from bitdust.web.ipfs.commands import all_commands
from bitdust.web.ipfs.dialect import IpfsDialect, Visits
from bitdust.web.ipfs.guard import RpcGuard
from bitdust.web.ipfs.table import Row
from bitdust.web.listeners import Listener, Listeners
from bitdust.web.programs import Programs
from bitdust.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

SWITCH, NUMBER = "services/ipfs/enabled", "services/ipfs/api-port"
HOSTS, ORIGINS = "services/ipfs/allowed-hosts", "services/ipfs/allowed-origins"


class IpfsPort:
    """One port on loopback; another program that has it is an error, because clients know only this number."""

    def __init__(self, world: World, settings: Settings, most: int) -> None:
        self._clock = world.clock
        self._settings = settings
        self._most = most
        self._listeners = Listeners(world.network, settings)

    @property
    def number(self) -> int:
        """0 while it is closed."""
        return self._listeners.ports.get("ipfs", 0)

    def open(self, room: IpfsRoom) -> "Deferred[None]":
        """Fails with ``port-taken``."""
        guard = RpcGuard(Programs(self._words(ORIGINS), self._words(HOSTS)))
        dialect = IpfsDialect(visit(room), all_commands(), guard, self._clock)
        row = Listener("ipfs", SWITCH, NUMBER, lambda: Engine(self._clock, [dialect], self._most), yields=False)
        return Deferred.fromCoroutine(self._listeners.open([row]))

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return Deferred.fromCoroutine(self._listeners.close())

    def _words(self, key: str) -> "Callable[[], list[str]]":
        return lambda: str(self._settings.get(key)).replace(",", " ").split()


def visit(room: IpfsRoom) -> Visits:
    """What calls may use of a room: all of it, offline where they say so, patient where they say for how long."""

    def begin(options: Row) -> "tuple[IpfsRoom, Callable[[], None]]":
        visitor = room.visit(bool(options["offline"]), bool(options["timeout"]))
        return visitor, visitor.leave

    return begin
