"""Worlds of nodes that live in one process: one clock, hosts in memory, entropy from a seed, no threads."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater

from bitdust.testing.network import MemoryNetwork
from bitdust.world import World

START = 1_800_000_000.0


def fake_world(
    network: MemoryNetwork, clock: Clock, address: str, home: Path, seed: str = "", thread_seconds: float = 0.0
) -> World:
    """The world of a node on one host; wall time begins in January 2027.

    What a thread would do is done at once, or on the clock ``thread_seconds`` later.
    """

    def run_later(call: Callable[..., Any], *args: Any) -> "Deferred[Any]":
        return deferLater(clock, thread_seconds, call, *args)

    source = random.Random(f"{address} {seed}")
    return World(
        clock,
        network.host(address),
        home,
        lambda: START + clock.seconds(),
        source.randbytes,
        run_in_thread=run_later if thread_seconds else maybeDeferred,
    )
