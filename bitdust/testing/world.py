"""Worlds of nodes that live in one process: one clock, hosts in memory, entropy from a seed, no threads."""

import random
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from bitdust.testing.network import MemoryNetwork
from bitdust.world import World

START = 1_800_000_000.0


def fake_world(network: MemoryNetwork, clock: Clock, address: str, home: Path, seed: str = "") -> World:
    """The world of a node on one host; wall time begins in January 2027."""
    source = random.Random(f"{address} {seed}")
    return World(
        clock,
        network.host(address),
        home,
        lambda: START + clock.seconds(),
        source.randbytes,
        run_in_thread=maybeDeferred,
    )
