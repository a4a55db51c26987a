"""A network in memory: hosts with TCP and UDP on one clock, carrying bytes and nothing but bytes.

Latency, bandwidth, loss of datagrams, partitions and death of hosts are set from outside. A stream keeps order, stops
its sender when the reader stops, waits out a partition, and knows nothing of a host that died: nobody is told, as on
a real network.
"""

import errno
import random
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
    ITCPTransport,
    IUDPTransport,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from bitdust.testing.datagrams import MemoryUDPPort

WINDOW = 256 * 1024
"""Bytes of one direction that are on their way or unread at most; more wait at the sender."""
BUFFER = 64 * 1024
"""Bytes that wait at the sender before its producer is paused, as in a reactor."""
SEGMENT = 64 * 1024
"""Bytes that are handed over at once at most, as a reactor reads them."""
RETRIES = 15
"""How often bytes are sent again into a partition; with pauses that double, a quarter of an hour, as in Linux."""
FIRST_EPHEMERAL = 40_000


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
        self.datagrams = 0
        self.stream_bytes = 0

    def host(self, address: str) -> "MemoryHost":
        """The host with this address; it is made when it is first named."""
        if address not in self.hosts:
            self.hosts[address] = MemoryHost(self, address)
        return self.hosts[address]

    def hears(self, one: str, other: str) -> bool:
        """Whether bytes get from one host to the other."""
        ends = (self.hosts.get(one), self.hosts.get(other))
        return all(end is not None and end.alive for end in ends) and not self.cut(one, other)

    def receiver(self, address: str, number: int) -> MemoryUDPPort | None:
        """Who listens for datagrams on a port of a host."""
        return self.hosts[address].datagram_ports.get(number)

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

    def client(self, host: str, port: int, timeout: float = 10.0) -> IStreamClientEndpoint:
        """An endpoint that connects to another host."""
        endpoint: IStreamClientEndpoint = MemoryClient(self, host, port, timeout)
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

    def interfaces(self) -> list[str]:
        """This host's address."""
        return [self.address]


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
    """Connects to a port of another host: refused at once where nobody listens, timed out where nobody hears."""

    def __init__(self, host: MemoryHost, target: str, port: int, timeout: float) -> None:
        self._host = host
        self._target = host.resolve(target)
        self._port = port
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """Fires with the protocol."""
        clock = self._host.network.clock
        call: Any = None
        connected: Deferred[IProtocol] = Deferred(lambda _: call.cancel())

        def knock() -> None:
            nonlocal call
            if not self._hears():
                call = clock.callLater(self._timeout, connected.errback, error.TimeoutError())
                return
            self._open(protocolFactory, connected)

        call = clock.callLater(2 * self._host.network.latency, knock)
        return connected

    def _hears(self) -> bool:
        return self._host.network.hears(self._host.address, self._target)

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


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a connection. ``on_way`` bytes of it are sent and not read yet, at most a window."""

    disconnecting = False
    disconnected = False

    def __init__(self, network: MemoryNetwork, mine: IPv4Address, theirs: IPv4Address) -> None:
        self._network = network
        self._mine = mine
        self._theirs = theirs
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._unread: deque[bytes | None] = deque()
        self.on_way = 0
        self._reading = True
        self._producer: Any = None
        self._streaming = False
        self._producer_paused = False
        self._pull: IDelayedCall | None = None
        self._ending = False
        self._flight: deque[tuple[float, bytes | None]] = deque()
        self._timer: IDelayedCall | None = None
        self._tries = 0
        self._next_free = 0.0

    def join(self, other: "MemoryTransport", protocol: IProtocol) -> None:
        """Know the other end, and who reads here."""
        self._other = other
        self._protocol = protocol

    # writing

    def write(self, data: bytes) -> None:
        """Send bytes; they wait here while the window is full."""
        if self.disconnected or self._ending or not data:
            return
        self._waiting.append(memoryview(bytes(data)))
        self._waiting_bytes += len(data)
        self._send()
        self._mind_producer()

    def writeSequence(self, data: Any) -> None:  # noqa: N802 - the interface's name
        """Send several parts."""
        self.write(b"".join(data))

    def _send(self) -> None:
        while self._waiting and self.on_way < WINDOW:
            part = self._waiting[0][: min(SEGMENT, WINDOW - self.on_way)]
            self._waiting[0] = self._waiting[0][len(part) :]
            if not self._waiting[0]:
                self._waiting.popleft()
            self._waiting_bytes -= len(part)
            self.on_way += len(part)
            self._put_on_way(bytes(part))
        producing = self._producer is not None and (self._producer_paused or not self._streaming)
        if self.disconnecting and not self._waiting and not producing and not self._ending:
            self._ending = True
            self._put_on_way(None)
            self._network.clock.callLater(0, self._lost, error.ConnectionDone())

    def _put_on_way(self, part: bytes | None) -> None:
        """Bytes, or None for the end, that arrive in order after the time they take."""
        now, network = self._network.clock.seconds(), self._network
        sending = len(part) / network.bandwidth if part and network.bandwidth else 0.0
        self._next_free = max(self._next_free, now) + sending
        arrival = self._next_free + network.latency
        self._flight.append((max(arrival, self._flight[-1][0]) if self._flight else arrival, part))
        self._mind_flight()

    def _mind_flight(self) -> None:
        if self._flight and self._timer is None:
            pause = max(0.0, self._flight[0][0] - self._network.clock.seconds())
            self._timer = self._network.clock.callLater(pause, self._land)

    def _land(self) -> None:
        if not self._network.hears(self._mine.host, self._theirs.host):
            self._timer = None
            self._try_again()
            return
        self._tries = 0
        now = max(self._flight[0][0], self._network.clock.seconds())
        while self._flight and self._flight[0][0] <= now:
            self._other.arrive(self._flight.popleft()[1])
        self._timer = None
        self._mind_flight()

    def _try_again(self) -> None:
        """A dead host is never told of; through a partition TCP sends again for a while (RFC 6298, section 5)."""
        if not all(self._network.hosts[end.host].alive for end in (self._mine, self._theirs)):
            self._flight.clear()
        elif self._tries > RETRIES:
            self._flight.clear()
            self._lost(error.TimeoutError())
        else:
            self._timer = self._network.clock.callLater(min(0.2 * 2**self._tries, 120.0), self._land)
            self._tries += 1

    # producers

    def _mind_producer(self) -> None:
        if self._producer is None:
            return
        if not self._streaming:
            if not self._waiting and self._pull is None:
                self._pull = self._network.clock.callLater(0, self._ask)
        elif self._waiting_bytes > BUFFER and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()
        elif not self._waiting and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()

    def _ask(self) -> None:
        self._pull = None
        if self._producer is not None and not self._streaming and not self._waiting:
            self._producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802 - the interface's name
        """Somebody produces as long as there is room. Raises `RuntimeError` when somebody does so already."""
        if self._producer is not None:
            raise RuntimeError("a transport has one producer")
        if self.disconnected:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._producer_paused = producer, streaming, False
        if not streaming:
            self._mind_producer()

    def unregisterProducer(self) -> None:  # noqa: N802 - the interface's name
        """Nobody produces any more."""
        self._producer = None
        self._send()

    # reading

    def arrive(self, part: bytes | None) -> None:
        """Bytes of the other end are here, or its end."""
        if not self.disconnected:
            self._unread.append(part)
            self._read()
        elif part is not None:
            self._reset()

    def _read(self) -> None:
        while self._unread and self._reading and not self.disconnected:
            part = self._unread.popleft()
            if part is None:
                self._lost(error.ConnectionDone())
                return
            self._network.stream_bytes += len(part)
            self._other.taken(len(part))
            if not self.disconnecting:
                self._protocol.dataReceived(part)

    def taken(self, size: int) -> None:
        """The other end has read; there is room for more."""
        self.on_way -= size
        if not self.disconnected:
            self._send()
            self._mind_producer()

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        """Read nothing for now."""
        self._reading = False

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        """Read again."""
        self._reading = True
        self._network.clock.callLater(0, self._read)

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        """Read nothing any more."""
        self.loseConnection()

    # the end

    def loseConnection(self, _failure: Failure | None = None) -> None:  # noqa: N802 - the interface's name
        """Close once everything is sent."""
        if not self.disconnected and not self.disconnecting:
            self.disconnecting = True
            self._send()

    def loseWriteConnection(self) -> None:  # noqa: N802 - the interface's name
        """The same: nobody here speaks after that."""
        self.loseConnection()

    def abortConnection(self) -> None:  # noqa: N802 - the interface's name
        """Close at once; what waits or is on its way is dropped. The protocol hears of it on the next turn."""
        if not self.disconnected:
            self.disconnecting = self._ending = True
            self._waiting.clear()
            self._reset()
            self._forget_flight()
            self._network.clock.callLater(0, self._lost, error.ConnectionAborted())

    def _reset(self) -> None:
        """Tell the other end once that nobody is here."""
        self._network.clock.callLater(self._network.latency, self._other.broken)

    def broken(self) -> None:
        """The other end has aborted, or is not there any more."""
        if self._network.hears(self._theirs.host, self._mine.host):
            self._forget_flight()
            self._lost(error.ConnectionLost())

    def _forget_flight(self) -> None:
        self._flight.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _lost(self, reason: Exception) -> None:
        if self.disconnected:
            return
        self.disconnected = True
        self._waiting.clear()
        self._waiting_bytes = 0
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self._protocol.connectionLost(Failure(reason))

    # what it is

    def getPeer(self) -> IPv4Address:  # noqa: N802 - the interface's name
        """The other end."""
        return self._theirs

    def getHost(self) -> IPv4Address:  # noqa: N802 - the interface's name
        """This end."""
        return self._mine

    def getTcpNoDelay(self) -> bool:  # noqa: N802 - the interface's name
        """Nothing is ever held back."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - the interface's name
        """Nothing is ever held back."""

    def getTcpKeepAlive(self) -> bool:  # noqa: N802 - the interface's name
        """Nobody asks whether the other end lives."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802 - the interface's name
        """Nobody asks whether the other end lives."""
