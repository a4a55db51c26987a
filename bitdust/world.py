"""World: everything a node may not decide by itself.

Time, sockets, threads, randomness and the home folder come from here, so that thirty nodes can run in one process on
one ``task.Clock`` and a real node runs on the reactor with nothing else different.
"""

import contextlib
import fcntl
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from bitdust.desktop import Desktop
from bitdust.resolving import ChoosyEndpoint, MayReach
from bitdust.threads import Threads
from bitdust.watching import Unwatched, Watcher, system_watcher

ANY_SIX = "::"
"""Every interface, of IPv6 alone."""
BACKLOG = 128
SIOCGIFADDR = 0x8915
"""The request for the IPv4 address of an interface; see netdevice(7)."""
IP_MULTICAST_ALL = 49
"""Whether a socket hears groups that only others of this host have joined; see ip(7)."""
IPV6_INTERFACES = Path("/proc/net/if_inet6")
GLOBAL_SCOPE = "00"
PACKET = 2048
"""Bytes of a datagram that are read at most."""


class Network(Protocol):
    """Where bytes come in and go out; `MemoryNetwork` in `testing` is the other one."""

    def client(
        self, host: str, port: int, timeout: float = 10.0, may_reach: MayReach | None = None
    ) -> IStreamClientEndpoint:
        """An endpoint that connects to ``host:port`` or fails within ``timeout`` seconds.

        With ``may_reach`` it connects to no address, whatever the host is called, for which that says no; where there
        is no other it fails with `NotReached`.
        """

    def server(self, port: int, interface: str = "") -> IStreamServerEndpoint:
        """An endpoint that listens; port 0 lets the system choose."""

    def listen_udp(self, port: int, protocol: DatagramProtocol, interface: str = "") -> IListeningPort:
        """Bind a datagram protocol; port 0 lets the system choose."""

    def listen_multicast(self, group: str, port: int, protocol: DatagramProtocol, interface: str) -> IListeningPort:
        """Take part in a group of IPv4 on one interface, by its address; others of this host may have the port too.

        What is sent goes out by that interface, one hop far, and comes to this host as well. Raises `CannotListenError`
        and `OSError`.
        """

    def interfaces(self) -> list[str]:
        """Addresses of this host that peers may be told, without loopback unless there is nothing else."""


@frozen
class World:
    """What surrounds one node. All times in seconds."""

    clock: IReactorTime
    network: Network
    home: Path
    wall: Callable[[], float] = time.time
    entropy: Callable[[int], bytes] = os.urandom
    run_in_thread: Callable[..., "Deferred[Any]"] = field(kw_only=True)
    desktop: Desktop = field(kw_only=True, factory=Desktop)
    watcher: Watcher = field(kw_only=True, factory=Unwatched)


class ReactorNetwork:
    """The operating system's sockets, through a Twisted reactor."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def client(
        self, host: str, port: int, timeout: float = 10.0, may_reach: MayReach | None = None
    ) -> IStreamClientEndpoint:
        name = host.encode("idna")
        if may_reach is not None:
            return ChoosyEndpoint(self._reactor, name, port, timeout, may_reach)
        return HostnameEndpoint(self._reactor, name, port, timeout)

    def server(self, port: int, interface: str = "") -> IStreamServerEndpoint:
        if interface == ANY_SIX:
            return _SixServer(self._reactor, port)
        kind = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
        return kind(self._reactor, port, backlog=BACKLOG, interface=interface)

    def listen_udp(self, port: int, protocol: DatagramProtocol, interface: str = "") -> IListeningPort:
        listening: IListeningPort
        if interface == ANY_SIX:
            with _six_socket(socket.SOCK_DGRAM, port) as bound:
                listening = self._reactor.adoptDatagramPort(bound.fileno(), socket.AF_INET6, protocol, PACKET)
        else:
            listening = self._reactor.listenUDP(port, protocol, interface, maxPacketSize=PACKET)
        return listening

    def listen_multicast(self, group: str, port: int, protocol: DatagramProtocol, interface: str) -> IListeningPort:
        with _group_socket(group, port, interface) as bound:
            listening: IListeningPort = self._reactor.adoptDatagramPort(
                bound.fileno(), socket.AF_INET, protocol, PACKET
            )
        return listening

    def interfaces(self) -> list[str]:
        return local_addresses()


@implementer(IStreamServerEndpoint)
class _SixServer:
    """Listens for IPv6 on every interface, and leaves IPv4 to a socket of its own."""

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":  # noqa: N803
        return maybeDeferred(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        with _six_socket(socket.SOCK_STREAM, self._port) as bound:
            bound.listen(BACKLOG)
            listening: IListeningPort = self._reactor.adoptStreamPort(bound.fileno(), socket.AF_INET6, factory)
        return listening


def _six_socket(kind: int, port: int) -> socket.socket:
    """A bound socket that takes IPv6 alone. Raises `CannotListenError`, for instance on a host without IPv6."""
    try:
        bound = socket.socket(socket.AF_INET6, kind)
    except OSError as error:
        raise CannotListenError(ANY_SIX, port, error) from error
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((ANY_SIX, port))
    except OSError as error:
        bound.close()
        raise CannotListenError(ANY_SIX, port, error) from error
    return bound


def _group_socket(group: str, port: int, interface: str) -> socket.socket:
    """A bound socket that hears one group on one interface, and no other group that this host takes part in."""
    try:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise CannotListenError(group, port, error) from error
    try:
        here = socket.inet_aton(interface)
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        bound.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        bound.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        bound.bind((group, port))
        bound.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + here)
    except OSError as error:
        bound.close()
        raise CannotListenError(group, port, error) from error
    return bound


def local_addresses() -> list[str]:
    """The addresses, IPv4 first, that this host's routing table would send from (nothing is sent).

    Where no route leads out: those of all interfaces but loopback, and loopback where there is nothing else.
    """
    found = []
    for family, documentation_address in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((documentation_address, 9))
            except OSError:
                continue
            found.append(str(probe.getsockname()[0]))
    return found or interface_addresses() or ["127.0.0.1"]


def interface_addresses() -> list[str]:
    """IPv4 and global IPv6 addresses of this host's interfaces without loopback; empty where the system is no Linux."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntop(socket.AF_INET, answer[20:24]))
    with contextlib.suppress(OSError):
        rows = [line.split() for line in IPV6_INTERFACES.read_text().splitlines()]
        found += [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[3] == GLOBAL_SCOPE]
    return [address for address in found if not ipaddress.ip_address(address).is_loopback]


def clock_of_running() -> int:
    """That of Linux; elsewhere, and in a sandbox that has it not, the other one, which may stop while it sleeps."""
    try:
        time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.CLOCK_MONOTONIC
    return time.CLOCK_BOOTTIME


_RUNNING = clock_of_running()


def running_time() -> float:
    """Seconds that pass whatever the clock of this machine is set to, those in which it sleeps among them."""
    return time.clock_gettime(_RUNNING)


def real_world(reactor: Any, home: Path) -> World:
    """The World of a daemon: the given reactor, and threads that end with it."""
    threads = Threads(reactor)
    reactor.addSystemEventTrigger("during", "shutdown", threads.stop)
    watcher = system_watcher(reactor, threads.run)
    return World(reactor, ReactorNetwork(reactor), home, run_in_thread=threads.run, watcher=watcher)
