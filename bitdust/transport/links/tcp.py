"""TCP with TLS 1.3: the link that every node speaks."""

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import (
    IHandshakeListener,
    IListeningPort,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bitdust.crypt.device import DeviceKey
from bitdust.resolving import MayReach
from bitdust.transport.links.link import CONNECT_SECONDS, Accept, LinkUser
from bitdust.transport.links.tls import DeviceTLS, TLSFactory, peer_device_key
from bitdust.wire.addresses import Address, one_host
from bitdust.wire.errors import BitDustError
from bitdust.world import Network


@implementer(IPushProducer, IHandshakeListener)
class TCPLink(TwistedProtocol):
    """Runs inside TLS. Bytes go straight from TLS to the session and back, without a call in between."""

    def __init__(self, user: LinkUser) -> None:
        self._user = user
        self.dataReceived = user.link_data  # type: ignore[method-assign]
        self.write: Callable[..., object] = lambda *parts: None

    def connectionMade(self) -> None:  # noqa: N802 - the interface's name
        transport = cast(Any, self.transport)
        if ITCPTransport.providedBy(transport):
            # A small answer must not wait for the acknowledgement of the packet before it (RFC 896 against RFC 1122).
            transport.setTcpNoDelay(True)
        self.write = transport.write_parts
        transport.registerProducer(self, True)
        self._user.link_made(self)

    def handshakeCompleted(self) -> None:  # noqa: N802 - the interface's name
        self._user.link_up()

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: N802, B008
        self._user.link_lost(str(reason.value))

    def device_key(self) -> bytes:
        """Of the certificate that TLS has checked."""
        return peer_device_key(cast(Any, self.transport))

    def pause_reading(self) -> None:
        """TLS hands over what it has already, paused or not."""
        cast(Any, self.transport).pauseProducing()

    def resume_reading(self) -> None:
        """Read again."""
        cast(Any, self.transport).resumeProducing()

    def close(self) -> None:
        """A registered producer would keep TLS from ending the connection."""
        transport = cast(Any, self.transport)
        transport.unregisterProducer()
        transport.loseConnection()

    def abort(self) -> None:
        """End it now."""
        cast(Any, self.transport).abortConnection()

    # IPushProducer: the transport says when it can take more

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        self._user.link_full()

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        self._user.link_free()

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        self._user.link_full()


class _Incoming(Factory):
    """Asks for a session for each connection that comes in; None refuses it before the handshake."""

    noisy = False

    def __init__(self, accept: Accept) -> None:
        self._accept = accept

    def buildProtocol(self, addr: Any) -> TCPLink | None:  # noqa: N802 - the interface's name
        address = Address(TCPTransport.scheme, one_host(addr.host.partition("%")[0]), addr.port)
        user = self._accept(address)
        return TCPLink(user) if user is not None else None


class _Outgoing(Factory):
    """Makes the one link of a dial."""

    noisy = False

    def __init__(self, user: LinkUser) -> None:
        self._user = user

    def buildProtocol(self, addr: Any) -> TCPLink:  # noqa: N802 - the interface's name
        return TCPLink(self._user)


class TCPTransport:
    """I listen on one port, of both families where no interface is named, and dial names, IPv4 and IPv6."""

    scheme = "tcp"
    log = Logger()

    def __init__(self, network: Network, clock: IReactorTime, may_reach: MayReach | None = None) -> None:
        self._network = network
        self._may_reach = may_reach
        self._clock = clock
        self._ports: list[IListeningPort] = []
        self._interface = ""
        self._tls: DeviceTLS | None = None

    def _of(self, device: DeviceKey) -> DeviceTLS:
        """One for all connections of a device, because it is dear; another key makes another one."""
        if self._tls is None or self._tls.public != device.public:
            self._tls = DeviceTLS(device)
        return self._tls

    def listen(self, port: int, interface: str, device: DeviceKey, accept: Accept) -> "Deferred[int]":
        factory = TLSFactory(self._of(device), False, _Incoming(accept), self._clock)

        def opened(listening: IListeningPort) -> int:
            self._ports.append(listening)
            return self.port

        def refused(failure: Failure) -> int:
            raise BitDustError("port-taken", f"TCP port {port} cannot be opened: {failure.getErrorMessage()}")

        def also_six(number: int) -> "int | Deferred[int]":
            return self._open_six(number, factory).addCallback(lambda _: number) if not interface else number

        self._interface = interface
        first = maybeDeferred(self._network.server(port, interface).listen, factory)
        return first.addCallbacks(opened, refused).addCallback(also_six)

    def _open_six(self, number: int, factory: TLSFactory) -> "Deferred[None]":
        """The same port for IPv6; a host without it, or one where somebody has that port, goes without."""
        second = maybeDeferred(self._network.server(number, "::").listen, factory)
        return second.addCallbacks(
            self._ports.append, lambda failure: self.log.debug("no IPv6: {why}", why=failure.getErrorMessage())
        )

    @property
    def listening(self) -> bool:
        return bool(self._ports) and getattr(self._ports[0], "connected", True) is not False

    @property
    def port(self) -> int:
        return int(cast(Any, self._ports[0].getHost()).port) if self._ports else 0

    def hosts(self) -> list[str]:
        return [self._interface] if self._interface else self._network.interfaces()

    def dial(self, address: Address, device: DeviceKey, user: LinkUser) -> "Deferred[Any]":
        factory = TLSFactory(self._of(device), True, _Outgoing(user), self._clock)
        may_reach = None if user.anywhere else self._may_reach
        return self._network.client(address.host, address.port, CONNECT_SECONDS, may_reach).connect(factory)

    def stop(self) -> "Deferred[None]":
        ports, self._ports = self._ports, []
        if not ports:
            return succeed(None)
        return gatherResults([maybeDeferred(port.stopListening) for port in ports]).addCallback(lambda _: None)
