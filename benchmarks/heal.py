"""How long a family takes to heal: one member dies while the owner is away, and a spare makes all of its pieces again.
With ``--owner`` the owner is there, and brings them to another supplier itself.

Whole nodes in one process, on one clock, over a network in memory; the bytes, hashes and codes are real. Two figures:
seconds on that clock, which the rate that members give to spares decides, and seconds of this process's CPU for all
nodes together.

    python -m benchmarks heal [--megabytes 64] [--suppliers 6] [--owner]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred

from bitdust.suppliers import mandates
from bitdust.testing.grid import SEED_HOST, Grid, GridNode

DAY = 20
"""A day of the mandate, in seconds."""


def main(arguments: Sequence[str]) -> int:
    """Heal once and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks heal", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--suppliers", type=int, default=6)
    parser.add_argument("--owner", action="store_true", help="the owner is there, and gives the place to another one")
    options = parser.parse_args(arguments)
    mandates.DAY = DAY
    with tempfile.TemporaryDirectory() as folder:
        grid = Grid(Path(folder))
        try:
            heal(grid, options.suppliers, options.megabytes, options.owner)
        finally:
            grid.stop()
    return 0


def heal(grid: Grid, count: int, megabytes: int, with_owner: bool) -> None:
    """One family, one upload, one death."""
    server = {"services/identity-server/enabled": True, "services/identity-server/host": SEED_HOST}
    off = {"services/supplier/enabled": False}
    grid.add("seed", **server, **off, **{"services/customer/enabled": False}).start()
    nodes = [_supplier(grid, number) for number in range(count)]
    owner = grid.add("alice", **off, **{"services/customer/suppliers-number": count})
    owner.start()
    owner.create_identity()
    grid.until(lambda: owner.is_on("my_data"), 300, "the storage")
    nodes.append(_supplier(grid, count))
    owner.rooms.suppliers.mandates.search_again()
    grid.until(lambda: owner.rooms.suppliers.family.current.mandate is not None, 60, "the mandate")
    _upload(grid, owner, megabytes)
    mine, spare = owner.fingerprint, nodes[-1]
    dead = nodes[0]
    dead.kill()
    if with_owner:
        owner.rooms.suppliers.requests.replace(dead.fingerprint, None)
        is_begun, is_over = lambda: True, lambda: not _is_changing(owner, dead)
    else:
        owner.kill()

        def state() -> str:
            return dict(spare.rooms.customers.healing.stand_ins.states()).get(mine, "")

        is_begun, is_over = lambda: bool(state()), lambda: state() == "WHOLE"
    _later(grid, is_begun, 1.0)
    began, cpu = grid.clock.seconds(), time.process_time()
    # From call to call: larger steps would be longer than what is measured.
    grid.until(is_over, 36_000, "the end of it")
    seconds, used = grid.clock.seconds() - began, time.process_time() - cpu
    made = spare.rooms.customers.store.contract_of(mine).used
    print(f"{megabytes} MB at {count} suppliers: {made / 1e6:.0f} MB of pieces made again in {seconds:.1f} s")
    print(f"{seconds * 1000 / megabytes:.0f} s and {used * 1000 / megabytes:.0f} s of CPU for 1 GB")


def _is_changing(owner: GridNode, dead: GridNode) -> bool:
    """Whether the dead one is still in the record, or beside its successor."""
    return dead.fingerprint in owner.rooms.suppliers.family.holders


def _supplier(grid: Grid, number: int) -> GridNode:
    node = grid.add(f"supplier-{number}", **{"services/customer/enabled": False})
    node.start()
    node.create_identity()
    grid.until(lambda: node.is_on("supplier"))
    return node


def _upload(grid: Grid, owner: GridNode, megabytes: int) -> None:
    path = grid.base / "file"
    path.write_bytes(os.urandom(megabytes * 1_000_000))
    storage = owner.rooms.storage
    grid.wait(Deferred.fromCoroutine(storage.create("file", False, True, None)))
    task = grid.wait(Deferred.fromCoroutine(storage.upload(str(path.absolute()), "file")))
    grid.wait(task.completion, 3600)
    grid.run(5)


def _later(grid: Grid, condition: Callable[[], bool], step: float) -> None:
    while not condition():
        grid.run(step, 0.05)
