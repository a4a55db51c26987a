"""Listeners: on which ports of this machine something answers, as the settings say."""

import errno
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from bitdust.config.settings import Settings
from bitdust.wire.errors import BitDustError
from bitdust.world import Network

IPV4, IPV6 = "127.0.0.1", "::1"
TRIES = 5
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Answering(Protocol):
    """What answers at a port: an `Engine` with its dialects, or the WebSockets."""

    def buildProtocol(self, addr: Any, /) -> Any:
        """A connection has come."""

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""


@frozen
class Listener:
    """A port by name: the setting that switches it on, the setting of its number, and how to make what answers.

    Where it ``yields``, its default number gives way to a free one when another program has it. ``addresses`` are those
    of this machine where it answers; that of IPv6 alone may be missing, where this system has none.
    """

    name: str
    switch: str
    number: str
    make: Callable[[], Answering]
    yields: bool = True
    addresses: tuple[str, ...] = (IPV4, IPV6)


class Listeners:
    """The open ports of a node, on loopback where nothing else is said; `ports` are the numbers that were bound."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self._network = network
        self._settings = settings
        self._bound: list[IListeningPort] = []
        self.answering: dict[str, Answering] = {}
        self.ports: dict[str, int] = {}

    async def open(self, listeners: Iterable[Listener]) -> None:
        """Bind those that are switched on. Raises `BitDustError` ``port-taken``; then none is open."""
        try:
            for listener in listeners:
                if self._settings.get(listener.switch):
                    self.answering[listener.name] = listener.make()
                    self.ports[listener.name] = await self._bind(listener)
        except BitDustError:
            await self.close()
            raise

    async def close(self) -> None:
        """Give the ports back and close every connection, after what was answered is sent."""
        bound, self._bound = self._bound, []
        answering, self.answering = self.answering, {}
        for port in bound:
            await _stopped(port)
        for one in answering.values():
            await one.close()
        self.ports.clear()

    async def _bind(self, listener: Listener) -> int:
        """A chosen port or none; the default one of a listener that yields may give way to a free one."""
        settings, key = self._settings, listener.number
        wanted, left = int(settings.get(key)), TRIES
        while True:
            try:
                return await self._bind_all(wanted, listener)
            except CannotListenError as error:
                left -= 1
                if left and (wanted == 0 or (listener.yields and settings.is_default(key) and _is_taken(error))):
                    wanted = 0
                    continue
                raise BitDustError(
                    "port-taken",
                    f"port {wanted} of this machine cannot be used ({error.socketError}); stop the program that has "
                    f"it, or choose another one: bitdust set {key} NUMBER",
                ) from error

    async def _bind_all(self, wanted: int, listener: Listener) -> int:
        """The same port at all addresses, so that nobody else can answer there in our name."""
        answering: Any = self.answering[listener.name]
        factory: IProtocolFactory = answering
        bound: list[Any] = []
        port = wanted
        for address in listener.addresses:
            try:
                bound.append(await self._network.server(port, address).listen(factory))
            except CannotListenError as error:
                if bound and address == IPV6 and getattr(error.socketError, "errno", None) in NO_IPV6:
                    continue
                for one in bound:
                    await _stopped(one)
                raise
            port = int(bound[0].getHost().port)
        self._bound += bound
        return port


def _is_taken(error: CannotListenError) -> bool:
    return getattr(error.socketError, "errno", None) == errno.EADDRINUSE


async def _stopped(port: Any) -> None:
    stopping = port.stopListening()
    if stopping is not None:
        await stopping
