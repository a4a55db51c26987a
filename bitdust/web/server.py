"""The API's listeners: REST and WebSocket on loopback, IPv4 and IPv6, and the file that tells their ports."""

import errno
import json
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from bitdust.api.context import Context
from bitdust.api.table import Table
from bitdust.budget import Budget
from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.web.guard import Guard
from bitdust.web.rest import RestApi, RestFactory
from bitdust.web.secret import api_secret
from bitdust.web.websocket import SocketFactory
from bitdust.wire.errors import BitDustError

IPV4, IPV6 = "127.0.0.1", "::1"
TRIES = 5
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class ApiServer:
    """Owns both listeners. The ports that were really bound are in ``<home>/metadata/apiports``."""

    def __init__(self, context: Context, table: Table, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._context = context
        self._table = table
        self._listening: list[IListeningPort] = []
        self._rest: RestFactory | None = None
        self._sockets: SocketFactory | None = None
        self.ports: dict[str, int] = {}

    async def start(self) -> dict[str, int]:
        """Bind what the settings enable; the ports by ``rest`` and ``websocket``. Raises `BitDustError` with code
        ``port-taken``."""
        settings, world = self._context.settings, self._context.world
        make_private_folder(world.home)
        secret = api_secret(world)
        guard = Guard(
            world.clock,
            secret if settings.get("interface/api/auth-secret-enabled") else None,
            lambda: _words(settings.get("interface/api/allowed-hosts")),
            lambda: _words(settings.get("interface/api/allowed-origins")),
        )
        try:
            if settings.get("interface/api/rest-http-enabled"):
                self._rest = RestFactory(world.clock, RestApi(self._context, self._table, guard), self._budget)
                await self._bind("rest", "interface/api/rest-http-port", self._rest)
            if settings.get("interface/api/web-socket-enabled"):
                self._sockets = SocketFactory(self._context, self._table, guard, self._budget)
                await self._bind("websocket", "interface/api/web-socket-port", self._sockets)
        except BitDustError:
            await self.stop()
            raise
        write_safely(world.home / "metadata" / "apiports", json.dumps(self.ports, sort_keys=True).encode(), 0o600)
        return self.ports

    async def stop(self) -> None:
        """Give the ports back and close every connection, after what was answered is sent."""
        listening, self._listening = self._listening, []
        for port in listening:
            await _stopped(port)
        if self._rest is not None:
            await self._rest.close()
        if self._sockets is not None:
            await self._sockets.close()
        self._rest = self._sockets = None
        (self._context.world.home / "metadata" / "apiports").unlink(missing_ok=True)

    async def _bind(self, name: str, key: str, factory: IProtocolFactory) -> None:
        """A chosen port or none; the default one gives way to a free one when another program has it."""
        settings = self._context.settings
        wanted = int(settings.get(key))
        for left in reversed(range(TRIES)):
            try:
                self.ports[name] = await self._bind_both(wanted, factory)
                return
            except CannotListenError as error:
                if left and (wanted == 0 or (settings.is_default(key) and _is_taken(error))):
                    wanted = 0
                    continue
                raise BitDustError(
                    "port-taken",
                    f"port {wanted} of this machine cannot be used ({error.socketError}); stop the program that has "
                    f"it, or choose another one: bitdust set {key} NUMBER",
                ) from error

    async def _bind_both(self, wanted: int, factory: IProtocolFactory) -> int:
        """The same port on both loopback addresses, so that nobody else can answer there in our name."""
        network = self._context.world.network
        first: Any = await network.server(wanted, IPV4).listen(factory)
        port = int(first.getHost().port)
        self._listening.append(first)
        try:
            self._listening.append(await network.server(port, IPV6).listen(factory))
        except CannotListenError as error:
            if getattr(error.socketError, "errno", None) not in NO_IPV6:
                self._listening.remove(first)
                await _stopped(first)
                raise
        return port


def _is_taken(error: CannotListenError) -> bool:
    return getattr(error.socketError, "errno", None) == errno.EADDRINUSE


async def _stopped(port: Any) -> None:
    stopping = port.stopListening()
    if stopping is not None:
        await stopping


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return list(value or ())
