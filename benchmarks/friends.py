"""What 200 friends cost a node that does nothing: CPU beside the same node without friends.

    python -m benchmarks friends --friends 200 --minutes 30

A whole node over the network in memory, on a clock of its own, so that half an hour passes in less. First without
friends, then with friends who are away and whom it calls now and then, then with some more nodes, as strangers and as
friends who are connected: their ends of the sessions answer in the same process, and count in the figure. ``ms a
minute`` is the processor's time for a minute of the nodes' clock.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.testing.grid import Grid, GridNode
from bitdust.wire.names import IDURL

ALONE = {"services/supplier/enabled": False, "services/customer/enabled": False}
SEED = {"services/identity-server/enabled": True, "services/identity-server/host": "10.0.0.1"}
LIGHT = {
    "services/private-messages/enabled": False,
    "services/nickname/enabled": False,
}


def person(number: int) -> IdentityDocument:
    """Somebody who is away for good."""
    master, device = MasterKey.generate(), DeviceKey.generate(os.urandom)
    source = IDURL.parse(f"http://10.0.0.1:8084/away-{number}.xml")
    return IdentityDocument.create(master, (source,), 1, (Device(0, 1, device.public),), time.time())


def spent(grid: Grid, minutes: float, settling: float = 600) -> float:
    """Milliseconds of processor for a minute, when what follows from a start is over."""
    grid.pass_time(settling)
    begin = time.process_time()
    grid.pass_time(minutes * 60)
    return (time.process_time() - begin) * 1000 / minutes


def started(grid: Grid, name: str, **settings: bool) -> GridNode:
    """One more node with an identity."""
    node = grid.add(name, **ALONE, **settings)
    node.start()
    node.create_identity()
    grid.until(lambda: node.is_on("friends"), 120, "friends")
    return node


def main(arguments: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks friends", description=__doc__)
    parser.add_argument("--friends", type=int, default=200)
    parser.add_argument("--connected", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    folder = Path(tempfile.mkdtemp())
    try:
        grid = Grid(folder)
        seed = grid.add("seed", **SEED, **ALONE)
        seed.start()
        alice = started(grid, "alice")
        alone = spent(grid, options.minutes)
        print(f"{'no friends':34}{alone:10.1f} ms a minute, two nodes")
        friends = alice.rooms.people.friends
        for number in range(options.friends):
            grid.wait(friends.add(person(number)))
        away = spent(grid, options.minutes)
        print(f"{f'{options.friends} friends, all away':34}{away:10.1f} ms a minute, {away - alone:.1f} for them")
        others = [started(grid, f"friend-{number}", **LIGHT) for number in range(options.connected)]
        before = spent(grid, options.minutes, 3 * 3600)
        for node in others:
            grid.wait(friends.add(node.rooms.identity.me.document))
            grid.wait(node.rooms.people.friends.add(alice.rooms.identity.me.document))
        connected = alice.rooms.gateway.connected
        grid.until(lambda: all(connected(node.fingerprint) for node in others), 600, "the friends")
        there = spent(grid, options.minutes)
        print(f"{f'{options.connected} more nodes, strangers':34}{before:10.1f} ms a minute, all nodes")
        print(f"{f'{options.connected} more nodes, connected friends':34}{there:10.1f} ms a minute, all nodes")
        grid.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0
