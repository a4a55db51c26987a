"""A network in memory: hosts with TCP and UDP on one clock, carrying bytes and nothing but bytes.

Latency, bandwidth, loss of datagrams, partitions and death of hosts are set from outside. A stream keeps order, stops
its sender when the reader stops, waits out a partition, and knows nothing of a host that died: nobody is told, as on
a real network.
"""

import errno
import random
from collections.abc import Callable
from typing import Any, cast

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
    IUDPTransport,
)
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from bitdust.resolving import MayReach, NotReached
from bitdust.testing.datagrams import MemoryGroupPort, MemoryUDPPort
from bitdust.testing.streams import MemoryTransport

FIRST_EPHEMERAL = 40_000
FIRST_KNOCK = 1.0
"""Seconds before a connection that nobody has answered is tried again."""


class MemoryNetwork:
    """All hosts. ``cut(one, other)`` tells whether two hosts cannot hear each other now."""

    def __init__(self, clock: IReactorTime, seed: int = 1) -> None:
        self.clock = clock
        self.random = random.Random(seed)
        self.latency = 0.005
        self.bandwidth = 0.0
        self.loss = 0.0
        self.cut: Callable[[str, str], bool] = lambda one, other: False
        self.hosts: dict[str, MemoryHost] = {}
        self._starts: dict[str, int] = {}
        self.datagrams = 0

    def host(self, address: str) -> "MemoryHost":
        """The host with this address; it is made when it is first named."""
        if address not in self.hosts:
            self.hosts[address] = MemoryHost(self, address)
        return self.hosts[address]

    def start_again(self, address: str) -> None:
        """A host that died is there again, without anything that it knew; it may be a new one as well."""
        self.hosts.pop(address, None)
        self._starts[address] = self.life(address) + 1

    def life(self, address: str) -> int:
        """How often a host has started again."""
        return self._starts.get(address, 0)

    def hears(self, one: str, other: str) -> bool:
        """Whether bytes get from one host to the other."""
        here, there = self.hosts.get(one), self.hosts.get(other)
        return here is not None and here.alive and there is not None and there.alive and not self.cut(one, other)

    def lives(self, address: str) -> bool:
        """Whether a host is there at all."""
        return self.hosts[address].alive

    def receiver(self, address: str, number: int) -> MemoryUDPPort | None:
        """Who listens for datagrams on a port of a host."""
        return self.hosts[address].datagram_ports.get(number)

    def members(self, group: str, number: int) -> list[str]:
        """Hosts that take part in a group."""
        ports = {address: host.datagram_ports.get(number) for address, host in self.hosts.items()}
        return [address for address, port in ports.items() if isinstance(port, MemoryGroupPort) and port.group == group]

    def delay(self, size: int) -> float:
        """Seconds until ``size`` bytes are over."""
        return self.latency + (size / self.bandwidth if self.bandwidth else 0.0)


class MemoryHost:
    """One host; it is the `bitdust.world.Network` of its nodes."""

    def __init__(self, network: MemoryNetwork, address: str) -> None:
        self.network = network
        self.address = address
        self.alive = True
        self.listening: dict[int, MemoryPort] = {}
        self.datagram_ports: dict[int, MemoryUDPPort] = {}
        self._next_port = FIRST_EPHEMERAL

    def die(self) -> None:
        """The host is gone, without a word to anybody."""
        self.alive = False

    def ephemeral(self) -> int:
        """A port that nobody has."""
        self._next_port += 1
        return self._next_port

    def resolve(self, name: str) -> str:
        """The host that is meant: loopback is this one."""
        return self.address if name in ("localhost", "::1") or name.startswith("127.") else name

    def client(
        self, host: str, port: int, timeout: float = 10.0, may_reach: MayReach | None = None
    ) -> IStreamClientEndpoint:
        """An endpoint that connects to another host."""
        endpoint: IStreamClientEndpoint = MemoryClient(self, host, port, timeout)
        if may_reach is not None and not may_reach("127.0.0.1" if host == "localhost" else host):
            endpoint = Unreached(host)
        return endpoint

    def server(self, port: int, interface: str = "") -> IStreamServerEndpoint:
        """An endpoint that listens here."""
        endpoint: IStreamServerEndpoint = MemoryServer(self, port, interface)
        return endpoint

    def listen_udp(self, port: int, protocol: DatagramProtocol, interface: str = "") -> IListeningPort:
        """Bind a datagram protocol. Raises `CannotListenError`."""
        number = port or self.ephemeral()
        if ":" in interface and ":" not in self.address:
            raise error.CannotListenError(interface, number, OSError(errno.EADDRNOTAVAIL, "no IPv6"))
        if number in self.datagram_ports:
            raise error.CannotListenError(interface, number, OSError(errno.EADDRINUSE, "address already in use"))
        bound = self.datagram_ports[number] = MemoryUDPPort(self, number, protocol)
        protocol.makeConnection(cast(IUDPTransport, bound))
        listening: IListeningPort = bound
        return listening

    def listen_multicast(self, group: str, port: int, protocol: DatagramProtocol, interface: str) -> IListeningPort:
        """Take part in a group; every host is in the same network. Raises `CannotListenError`."""
        if port in self.datagram_ports:
            raise error.CannotListenError(interface, port, OSError(errno.EADDRINUSE, "address already in use"))
        bound = self.datagram_ports[port] = MemoryGroupPort(self, port, protocol, group)
        protocol.makeConnection(cast(IUDPTransport, bound))
        listening: IListeningPort = bound
        return listening

    def interfaces(self) -> list[str]:
        """This host's address."""
        return [self.address]


@implementer(IStreamClientEndpoint)
class Unreached:
    """A host whose address may not be reached."""

    def __init__(self, host: str) -> None:
        self._host = host

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """Fails with `NotReached`."""
        return fail(NotReached(f"{self._host} is no address that may be reached"))


@implementer(IListeningPort)
class MemoryPort:
    """One listening TCP port."""

    def __init__(self, host: MemoryHost, number: int, factory: IProtocolFactory) -> None:
        self._host = host
        self.number = number
        self.factory = factory
        self.connected = True

    def startListening(self) -> None:  # noqa: N802 - the interface's name
        """It listens already."""

    def stopListening(self) -> "Deferred[None]":  # noqa: N802 - the interface's name
        """Close the port; connections stay."""
        if self._host.listening.pop(self.number, None) is not None:
            self.connected = False
            self.factory.doStop()
        return succeed(None)

    def getHost(self) -> IPv4Address:  # noqa: N802 - the interface's name
        """Address and port."""
        return IPv4Address("TCP", self._host.address, self.number)


@implementer(IStreamServerEndpoint)
class MemoryServer:
    """Listens on a host, which has IPv6 if its own address is one."""

    def __init__(self, host: MemoryHost, port: int, interface: str) -> None:
        self._host = host
        self._port = port
        self._interface = interface

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":  # noqa: N803
        """Fires with the port, fails with `CannotListenError` when it is taken."""
        number = self._port or self._host.ephemeral()
        if ":" in self._interface and ":" not in self._host.address:
            return fail(error.CannotListenError(self._interface, number, OSError(errno.EADDRNOTAVAIL, "no IPv6")))
        if number in self._host.listening:
            return fail(error.CannotListenError("", number, OSError(errno.EADDRINUSE, "address already in use")))
        port = self._host.listening[number] = MemoryPort(self._host, number, protocolFactory)
        protocolFactory.doStart()
        return succeed(port)


@implementer(IStreamClientEndpoint)
class MemoryClient:
    """Connects to a port of another host: refused at once where nobody listens, timed out where nobody hears.

    Who is not heard knocks again, as TCP does, after pauses that double (RFC 6298, section 2).
    """

    def __init__(self, host: MemoryHost, target: str, port: int, timeout: float) -> None:
        self._host = host
        self._target = host.resolve(target)
        self._port = port
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """Fires with the protocol."""
        clock, latency = self._host.network.clock, self._host.network.latency
        call: Any = None
        connected: Deferred[IProtocol] = Deferred(lambda _: call.cancel() if call.active() else None)

        def knock(waited: float, pause: float) -> None:
            nonlocal call
            if not self._host.alive:  # a host that died knocks no more
                return
            if self._hears():
                self._open(protocolFactory, connected)
            elif waited + pause < self._timeout:
                call = clock.callLater(pause, knock, waited + pause, 2 * pause)
            else:
                call = clock.callLater(self._timeout - waited, give_up)

        def give_up() -> None:
            if self._host.alive:  # a host that died hears of nothing
                connected.errback(error.TimeoutError())

        call = clock.callLater(2 * latency, knock, 0.0, FIRST_KNOCK)
        return connected

    def _hears(self) -> bool:
        return self._host.alive and self._host.network.hears(self._host.address, self._target)

    def _open(self, factory: IProtocolFactory, connected: "Deferred[IProtocol]") -> None:
        port = self._host.network.hosts[self._target].listening.get(self._port)
        mine = IPv4Address("TCP", self._host.address, self._host.ephemeral())
        theirs = IPv4Address("TCP", self._target, self._port)
        accepted = port.factory.buildProtocol(mine) if port is not None else None
        if accepted is None:
            connected.errback(error.ConnectionRefusedError())
            return
        factory.doStart()
        protocol = factory.buildProtocol(theirs)
        if protocol is None:
            connected.errback(error.ConnectionAborted())
            return
        here = MemoryTransport(self._host.network, mine, theirs)
        there = MemoryTransport(self._host.network, theirs, mine)
        here.join(there, protocol)
        there.join(here, accepted)
        accepted.makeConnection(there)
        protocol.makeConnection(here)
        connected.callback(protocol)
