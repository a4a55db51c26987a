"""The port where clients of BitTorrent Sync's API are answered, and what its methods may use of the node."""

import os
from collections.abc import Callable
from ipaddress import ip_address

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.config.settings import Settings
from bitdust.folders.port import FoldersPort
from bitdust.web.btsync.credentials import Credentials, Known
from bitdust.web.btsync.dialect import BtsyncDialect
from bitdust.web.btsync.guard import BtsyncGuard, is_address
from bitdust.web.btsync.methods import all_methods
from bitdust.web.engine import Engine
from bitdust.web.listeners import IPV4, IPV6, Listener, Listeners
from bitdust.web.programs import Programs
from bitdust.wire.errors import BitDustError
from bitdust.world import World

SWITCH, NUMBER = "services/btsync/enabled", "services/btsync/api-port"
ADDRESS, KEYLESS = "services/btsync/address", "services/btsync/refuse-all"
LOGIN, PASSWORD = "services/btsync/login", "services/btsync/password"
HASH = "services/btsync/password-hash"
HOSTS, ORIGINS = "services/btsync/allowed-hosts", "services/btsync/allowed-origins"
PERMITTED = "services/btsync/permitted-folders"
NAME = "btsync"
OPEN_TO_ALL = (
    "the API of folders answers beyond this machine only with a password, because whoever reaches it may add any "
    f"folder: bitdust set {PASSWORD} -"
)


@frozen
class BtsyncNode:
    """What methods may use."""

    folders: FoldersPort
    settings: Settings
    entropy: Callable[[int], bytes]
    stop: Callable[[], object]

    def permits(self, path: str) -> bool:
        """Below one of the permitted folders, links followed; anywhere where none is named."""
        permitted = [line for line in str(self.settings.get(PERMITTED)).splitlines() if line.strip()]
        if not permitted:
            return True
        real = os.path.realpath(path)
        return any(os.path.commonpath((real, os.path.realpath(one))) == os.path.realpath(one) for one in permitted)


class BtsyncPort:
    """One port; another program that has it is an error, because clients know only this number."""

    def __init__(self, world: World, settings: Settings, stop: Callable[[], object], most: int) -> None:
        self._world = world
        self._settings = settings
        self._stop = stop
        self._most = most
        self._listeners = Listeners(world.network, settings)

    @property
    def number(self) -> int:
        """0 while it is closed."""
        return self._listeners.ports.get(NAME, 0)

    def open(self, room: FoldersPort) -> "Deferred[None]":
        """Where its setting says so. Fails with ``port-taken``, ``bad-setting``, and beyond this machine with
        ``password-needed``."""
        return Deferred.fromCoroutine(self._open(room))

    async def _open(self, room: FoldersPort) -> None:
        address = self._address
        if not is_address(address):
            raise BitDustError("bad-setting", f"{ADDRESS} is to be an IP address of this machine, not {address[:80]!r}")
        if self._settings.get(SWITCH) and not _is_loopback(address) and not self._known().safe:
            raise BitDustError("password-needed", OPEN_TO_ALL)
        addresses = (IPV4, IPV6) if address == IPV4 else (address,)
        row = Listener(NAME, SWITCH, NUMBER, lambda: self._engine(room), yields=False, addresses=addresses)
        await self._listeners.open([row])

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return Deferred.fromCoroutine(self._listeners.close())

    def _engine(self, room: FoldersPort) -> Engine:
        clock, settings = self._world.clock, self._settings
        needed = not _is_loopback(self._address)
        programs = Programs.of(settings, ORIGINS, HOSTS)
        guard = BtsyncGuard(programs, Credentials.on(clock, self._known, needed))
        node = BtsyncNode(room, settings, self._world.entropy, self._stop)
        return Engine(clock, [BtsyncDialect(node, all_methods(), guard, not settings.get(KEYLESS))], self._most)

    @property
    def _address(self) -> str:
        return str(self._settings.get(ADDRESS)) or IPV4

    def _known(self) -> Known:
        settings = self._settings
        return Known(str(settings.get(LOGIN)), str(settings.get(PASSWORD)), str(settings.get(HASH)))


def _is_loopback(address: str) -> bool:
    return is_address(address) and ip_address(address).is_loopback
