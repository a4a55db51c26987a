"""How long a person waits: for every simple command, and from `bitdust daemon` to a node on the network.

    python -m benchmarks commands --runs 15 --starts 5

Whole processes from start to end; medians of the time, the least of the CPU time. The node they ask is a real daemon
with an identity.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, ProcessNetwork

COMMANDS = (
    ("--help",),
    ("version",),
    ("get", "logs/debug-level"),
    ("id",),
    ("services",),
    ("states",),
    ("file", "list"),
    ("api", "process_health"),
)


def seconds(words: Sequence[str]) -> tuple[float, float]:
    """One process from start to end: wall seconds and CPU seconds."""
    used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    took, now = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr.decode(errors="replace"))
    return took, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def commands(node: NodeProcess, runs: int) -> dict[str, tuple[float, float]]:
    """Median wall seconds of each command, and the least CPU seconds of a run."""
    found = {"python -c pass": [seconds([sys.executable, "-c", "pass"]) for _ in range(runs)]}
    for command in COMMANDS:
        words = [sys.executable, "-m", "bitdust", "--appdir", str(node.home), *command]
        found[f"bitdust {' '.join(command)}"] = [seconds(words) for _ in range(runs)]
    return {
        name: (statistics.median(wall for wall, _ in times), min(cpu for _, cpu in times))
        for name, times in found.items()
    }


def starts(node: NodeProcess, count: int) -> dict[str, float]:
    """Median seconds from the command to the first answer, and to being connected."""
    health, connected = [], []
    for _ in range(count):
        node.stop()
        begin = time.perf_counter()
        node.start()
        health.append(time.perf_counter() - begin)
        node.client.call("network_connected", wait_timeout=20)
        connected.append(time.perf_counter() - begin)
    return {
        "start to process_health": statistics.median(health),
        "start to network_connected": statistics.median(connected),
    }


def main(arguments: Sequence[str]) -> int:
    """Print a line a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks commands", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bitdust-commands-") as folder:
        network = ProcessNetwork(Path(folder))
        try:
            network.start_seed()
            node = network.node("alice")
            network.others.append(node)
            node.configure(network.joining | NO_CUSTOMER | NO_SUPPLIER)
            node.start()
            node.cli("identity", "create", "alice")
            node.client.call("network_connected", wait_timeout=20)
            simple = commands(node, options.runs)
            figures = starts(node, options.starts)
        finally:
            network.close()
    for name, (wall, cpu) in simple.items():
        print(f"{name:36} {1000 * wall:8.0f} ms {1000 * cpu:8.0f} ms of CPU")
    for name, value in figures.items():
        print(f"{name:36} {1000 * value:8.0f} ms")
    return 0
