"""World: everything a node may not decide by itself.

Time, sockets, threads, randomness and the home folder come from here, so that thirty nodes can run in one process on
one ``task.Clock`` and a real node runs on the reactor with nothing else different.
"""

import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.threads import deferToThreadPool

from bitdust.desktop import Desktop
from bitdust.watching import Unwatched, Watcher, system_watcher

T = TypeVar("T")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT_HEAP = 32 * 1024 * 1024


class Network(Protocol):
    """Where bytes come in and go out; `MemoryNetwork` in `testing` is the other one."""

    def client(self, host: str, port: int, timeout: float = 10.0) -> IStreamClientEndpoint:
        """An endpoint that connects to ``host:port`` or fails within ``timeout`` seconds."""

    def server(self, port: int, interface: str = "") -> IStreamServerEndpoint:
        """An endpoint that listens; port 0 lets the system choose."""

    def listen_udp(self, port: int, protocol: DatagramProtocol, interface: str = "") -> IListeningPort:
        """Bind a datagram protocol; port 0 lets the system choose."""

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

    def client(self, host: str, port: int, timeout: float = 10.0) -> IStreamClientEndpoint:
        return HostnameEndpoint(self._reactor, host.encode("idna"), port, timeout)

    def server(self, port: int, interface: str = "") -> IStreamServerEndpoint:
        kind = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
        return kind(self._reactor, port, backlog=128, interface=interface)

    def listen_udp(self, port: int, protocol: DatagramProtocol, interface: str = "") -> IListeningPort:
        listening: IListeningPort = self._reactor.listenUDP(port, protocol, interface, maxPacketSize=2048)
        return listening

    def interfaces(self) -> list[str]:
        return local_addresses()


def local_addresses() -> list[str]:
    """The address this host's routing table would send from (nothing is sent), or loopback when there is no route."""
    for family, documentation_address in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((documentation_address, 9))
            except OSError:
                continue
            return [str(probe.getsockname()[0])]
    return ["127.0.0.1"]


def share_one_heap() -> None:
    """Let all threads of this process take memory from one heap, where the C library can be told so (glibc).

    By default each thread gets a heap of its own, and what packs of some megabytes leave behind stays with each.
    Measured with 400 MB up and down: 130 MiB instead of 180, and no slower. Call it before the first thread starts.
    Blocks of a few megabytes come from that heap too instead of being mapped and returned each time: their pages need
    not be cleared by the system again and again.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_HEAP)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_HEAP)


def real_world(reactor: Any, home: Path) -> World:
    """The World of a daemon: the given reactor and its thread pool."""

    def run_in_thread(call: Callable[..., T], *args: Any) -> "Deferred[T]":
        return deferToThreadPool(reactor, reactor.getThreadPool(), call, *args)

    watcher = system_watcher(reactor, run_in_thread)
    return World(reactor, ReactorNetwork(reactor), home, run_in_thread=run_in_thread, watcher=watcher)
