"""A small world of UDP for tests of the DHT: hosts with one address each on one clock; bytes only."""

import hashlib
import heapq
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock

from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.dht.node import DHTNode
from bitdust.testing.clock import GridClock
from bitdust.transport.datagrams import DatagramPort
from bitdust.world import World

START = 1_800_000_000.0


class HeapClock:
    """What `Clock` is, for thousands of calls: a heap instead of a list that is sorted at every call."""

    def __init__(self) -> None:
        self.now = 0.0
        self.heap: list[Any] = []
        self.count = 0

    def seconds(self) -> float:
        return self.now

    def callLater(self, delay: float, call: Callable[..., Any], *args: Any, **kwargs: Any) -> DelayedCall:
        def nothing(_call: DelayedCall) -> None:
            pass

        later = DelayedCall(self.now + delay, call, args, kwargs, nothing, nothing, self.seconds)
        self.count += 1
        heapq.heappush(self.heap, (later.getTime(), self.count, later))
        return later

    def getDelayedCalls(self) -> list[DelayedCall]:
        return [later for _, _, later in self.heap if later.active()]

    def advance(self, amount: float) -> None:
        self.now += amount
        while self.heap and self.heap[0][0] <= self.now:
            _, _, later = heapq.heappop(self.heap)
            if later.active():
                later.called = 1
                later.func(*later.args, **later.kw)


class FakeUDP:
    """Carries datagrams after ``latency`` seconds; all that are due in one moment share one call of the clock."""

    def __init__(self, clock: Clock, latency: float = 0.005, seed: int = 1) -> None:
        self.clock = clock
        self.latency = latency
        self.loss = 0.0
        self.random = random.Random(seed)
        self.ports: dict[tuple[str, int], DatagramProtocol] = {}
        self.cut: Callable[[str, str], bool] = lambda one, other: False
        self.sent = 0
        self.seen: list[tuple[tuple[str, int], tuple[str, int], bytes]] | None = None
        self._batches: dict[float, list[Any]] = {}

    def send(self, source: tuple[str, int], target: tuple[str, int], data: bytes) -> None:
        self.sent += 1
        if self.seen is not None:
            self.seen.append((source, target, data))
        if self.cut(source[0], target[0]) or (self.loss and self.random.random() < self.loss):
            return
        when = self.clock.seconds() + self.latency
        if when not in self._batches:
            self._batches[when] = []
            self.clock.callLater(self.latency, self._deliver, when)
        self._batches[when].append((source, target, data))

    def _deliver(self, when: float) -> None:
        for source, target, data in self._batches.pop(when):
            protocol = self.ports.get(target)
            if protocol is not None:
                protocol.datagramReceived(data, source)


class FakePort:
    """One bound socket."""

    def __init__(self, udp: FakeUDP, address: tuple[str, int], protocol: DatagramProtocol) -> None:
        self.udp = udp
        self.address = address
        self.protocol = protocol
        udp.ports[address] = protocol
        protocol.transport = self

    def write(self, data: bytes, address: tuple[str, int]) -> None:
        assert isinstance(data, bytes) and len(data) <= 1200
        self.udp.send(self.address, address, data)

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", *self.address)

    def stopListening(self) -> None:
        self.udp.ports.pop(self.address, None)
        self.protocol.transport = None


class FakeHost:
    """The network as one host sees it."""

    def __init__(self, udp: FakeUDP, host: str) -> None:
        self.udp = udp
        self.host = host

    def listen_udp(self, port: int, protocol: DatagramProtocol, interface: str = "") -> FakePort:
        if interface == "::":
            raise CannotListenError(interface, port, OSError("no IPv6"))
        return FakePort(self.udp, (self.host, port), protocol)


class Silent:
    """Nobody is interested in events."""

    def send(self, event_id: str, data: Any = None) -> None:
        pass


def entropy_of(seed: str) -> Callable[[int], bytes]:
    """Bytes that depend on nothing but the seed."""
    source = random.Random(seed)
    return source.randbytes


def host_of(number: int) -> str:
    """A public-looking address in a network of its own for each node."""
    return f"{8 + number // 65536}.{number // 256 % 256}.{number % 256}.1"


class DHTGrid:
    """Many nodes on one clock."""

    def __init__(self, latency: float = 0.005, clock: Any = None) -> None:
        self.clock = clock or GridClock()
        self.udp = FakeUDP(self.clock, latency)
        self.nodes: list[DHTNode] = []
        self.hosts: list[str] = []
        self.ahead: dict[int, float] = {}

    def wall(self) -> float:
        return START + self.clock.seconds()

    def world(self, number: int, host: str) -> World:
        network: Any = FakeHost(self.udp, host)
        return World(
            self.clock,
            network,
            Path("/nonexistent"),
            lambda: self.wall() + self.ahead.get(number, 0.0),
            entropy_of(f"entropy {number}"),
            run_in_thread=maybeDeferred,
        )

    def add(
        self,
        seeds: list[tuple[str, int]] | None = None,
        database: Path | None = None,
        events: Any = None,
        host: str | None = None,
        device: DeviceKey | None = None,
    ) -> DHTNode:
        """A node more; by default it knows the first one."""
        number = len(self.nodes) + 1
        device = device or DeviceKey.from_seed(hashlib.sha256(b"device %d" % number).digest())
        host = host or host_of(number)
        registry = Registry(self.clock, self.wall)
        around: Any = SimpleNamespace(world=self.world(number, host), registry=registry, events=events or Silent())
        node = DHTNode(around, device, database)
        node.around = around
        known = [(self.hosts[0], 14441)] if self.nodes else []
        self.nodes.append(node)
        self.hosts.append(host)
        self.start(node, known if seeds is None else seeds)
        return node

    def start(self, node: DHTNode, seeds: list[tuple[str, int]]) -> None:
        """Open a port for a node, and let it join."""
        node.datagrams = DatagramPort(node.around.world.network)
        host = node.around.world.network.host
        node.datagrams.open(14441, host if ":" in host else "")
        node.start(node.datagrams, seeds)

    def build(self, count: int, apart: float = 0.05) -> None:
        """Nodes that come one after the other."""
        for _ in range(count):
            self.add()
            self.run(apart, apart / 4)

    def run(self, seconds: float, step: float = 0.01) -> None:
        """Let time pass."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end - 1e-9:
            self.clock.advance(min(step, end - self.clock.seconds()))

    def wait(self, deferred: "Deferred[Any]", most: float = 60.0, step: float = 0.005) -> Any:
        """The result of a Deferred, letting time pass; a failure is raised."""
        results: list[Any] = []
        deferred.addCallbacks(lambda value: results.append((True, value)), lambda why: results.append((False, why)))
        end = self.clock.seconds() + most
        while not results and self.clock.seconds() < end:
            self.clock.advance(step)
        if not results:
            raise AssertionError(f"nothing came within {most} seconds")
        good, value = results[0]
        if not good:
            value.raiseException()
        return value

    def kill(self, number: int) -> None:
        """The node is gone without a word."""
        self.udp.ports.pop((self.hosts[number], 14441), None)

    def stop(self) -> None:
        """Stop all nodes; nothing may be left on the clock afterwards but datagrams in flight."""
        for node in self.nodes:
            node.stop()
            node.datagrams.close()
        self.run(self.udp.latency * 2)
