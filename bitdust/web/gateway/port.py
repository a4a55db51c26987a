"""The port of the gateway: on this machine alone, and off until a person wants it."""

from twisted.internet.defer import Deferred

from bitdust.config.settings import Settings
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.engine import Engine
from bitdust.web.gateway.dialect import GatewayDialect
from bitdust.web.listeners import Listener, Listeners
from bitdust.web.programs import Programs
from bitdust.world import World

SWITCH, NUMBER = "services/ipfs/gateway-enabled", "services/ipfs/gateway-port"
FETCH = "services/ipfs/gateway-fetch"
HOSTS, ORIGINS = "services/ipfs/allowed-hosts", "services/ipfs/allowed-origins"
NAME = "gateway"


class GatewayPort:
    """One port on loopback."""

    def __init__(self, world: World, settings: Settings, most: int) -> None:
        self._world = world
        self._settings = settings
        self._most = most
        self._listeners = Listeners(world.network, settings)

    @property
    def number(self) -> int:
        """0 while it is closed."""
        return self._listeners.ports.get(NAME, 0)

    def open(self, room: IpfsRoom) -> "Deferred[None]":
        """Where its setting says so. Fails with ``port-taken``."""
        programs = Programs.of(self._settings, ORIGINS, HOSTS)
        dialect = GatewayDialect(lambda: self._visit(room), programs)
        row = Listener(NAME, SWITCH, NUMBER, lambda: Engine(self._world.clock, [dialect], self._most), yields=False)
        return Deferred.fromCoroutine(self._listeners.open([row]))

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return Deferred.fromCoroutine(self._listeners.close())

    def _visit(self, room: IpfsRoom) -> IpfsRoom:
        """What is here, and what other nodes have where a person allows that."""
        return room.visit(offline=not self._settings.get(FETCH), is_patient=False)
