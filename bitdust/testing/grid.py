"""Many whole nodes in one process, on one clock: every service and every packet, no socket and no sleep."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.node import Node
from bitdust.rooms import Rooms
from bitdust.testing.clock import GridClock, LifeClock
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world

STEP = 0.02
SEED_HOST = "10.0.0.1"
ID_PORT = 8084
DHT_PORT = 14441


class GridNode:
    """One node on one host."""

    def __init__(self, grid: "Grid", name: str, address: str, settings: dict[str, Any]) -> None:
        self.grid = grid
        self.name = name
        self.address = address
        self.home = grid.base / name
        self.settings = settings
        self.node = self._build()

    def _build(self) -> Node:
        self.home.mkdir(parents=True, exist_ok=True)
        world = fake_world(self.grid.network, self.grid.clock, self.address, self.home, self.name)
        self.clock = LifeClock(self.grid.clock)
        node = Node(evolve(world, clock=self.clock))
        # Other programs may have filled this machine's disk; what that does to a node is told to it by the test.
        for key, value in ({"paths/disk-reserve-percent": 0} | self.settings).items():
            node.settings.set(key, value)
        return node

    @property
    def rooms(self) -> Rooms:
        """The rooms of this node."""
        return self.node.rooms

    @property
    def fingerprint(self) -> bytes:
        """Who this node is."""
        return self.rooms.identity.me.fingerprint

    def start(self) -> None:
        """Start every service but the API."""
        self.node.load_home()
        self.grid.wait(self.node.driver.start_all())

    def create_identity(self) -> None:
        """Register the name of this node."""
        self.grid.wait(self.rooms.identity.registration.create(self.name, []))

    def is_on(self, service: str) -> bool:
        """Whether a service is ON."""
        return self.node.driver.is_on(service)

    def reason(self, service: str) -> str:
        """Why it is not."""
        return str(self.node.driver.info(service))

    def kill(self) -> None:
        """The host is gone without a word; its home stays."""
        self.grid.network.host(self.address).die()

    def crash(self) -> None:
        """The process is gone, and the host with it; its home stays."""
        self.clock.die()
        self.kill()

    def again(self, address: str) -> "GridNode":
        """The next process over the home of one that crashed, on a host of its own; it is started, not waited for."""
        self.grid.network.start_again(address)
        born = GridNode(self.grid, self.name, address, self.settings)
        self.grid.nodes[self.grid.nodes.index(self)] = born
        born.node.load_home()
        born.node.driver.start_all()
        return born

    def stop(self) -> None:
        """Stop in order; one whose host is gone tells nobody."""
        self.grid.wait(self.node.shutdown())


class Grid:
    """A private network: the first host has the ID server and the first node of the DHT."""

    def __init__(self, base: Path, seed: int = 1) -> None:
        self.base = base
        self.clock = GridClock()
        self.network = MemoryNetwork(self.clock, seed)
        self.nodes: list[GridNode] = []

    def add(self, name: str, **settings: Any) -> GridNode:
        """One more node that knows the seed, not started yet."""
        return self.add_stranger(name, **(self._joining() | settings))

    def add_stranger(self, name: str, **settings: Any) -> GridNode:
        """One more node with nothing but these settings, not started yet."""
        node = GridNode(self, name, f"10.0.0.{len(self.nodes) + 1}", settings)
        self.nodes.append(node)
        return node

    def _joining(self) -> dict[str, Any]:
        if not self.nodes:
            return {}
        return {
            "services/entangled-dht/known-nodes": f"{SEED_HOST}:{DHT_PORT}",
            "services/identity-propagate/known-servers": f"{SEED_HOST}:{ID_PORT}",
        }

    def run(self, seconds: float, step: float = STEP) -> None:
        """Let time pass."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(step)

    def pass_time(self, seconds: float) -> None:
        """Let much time pass, from call to call."""
        clock = self.clock
        end = clock.seconds() + seconds
        while clock.seconds() < end:
            following = clock.next_call()
            wait = end if following is None else following
            clock.advance(min(max(wait - clock.seconds(), STEP), end - clock.seconds() + 0.001))

    def until(self, condition: Callable[[], Any], seconds: float = 120.0, what: str = "it") -> None:
        """Let time pass until something holds. Raises `AssertionError`."""
        end = self.clock.seconds() + seconds
        while not condition():
            if self.clock.seconds() > end:
                raise AssertionError(f"{what} has not come within {seconds} seconds")
            following = self.clock.next_call()
            wait = STEP if following is None else following - self.clock.seconds()
            self.clock.advance(min(max(wait, STEP), end - self.clock.seconds() + 0.001))

    def wait(self, deferred: "Deferred[Any]", seconds: float = 120.0) -> Any:
        """The result of a Deferred, letting time pass."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        self.until(lambda: results, seconds, "the result")
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def stop(self) -> None:
        """Stop all nodes."""
        for node in reversed(self.nodes):
            node.stop()
