"""IPFS through the Python client: files in and out, first bytes, seeks, small calls, and the memory of the daemon.

    python -m benchmarks ipfs --megabytes 100 --gigabytes 2
    python -m benchmarks ipfs --peer FOLDER          js-ipfs in the same minutes, from FOLDER/node_modules

One real daemon, the unmodified client `ipfshttpclient` with its usual pieces of 8 KiB, random bytes, fsync on. Beside
seconds by the clock there are CPU seconds of the daemon, which other programs of the machine disturb less; a figure by
the clock counts on a quiet machine alone. The peer is brought by ``npm install --ignore-scripts ipfs@0.66.1``; it runs
with a fresh repository and without a network, and only its seconds by the clock are shown.
"""

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ipfshttpclient

from benchmarks.storage import MB, cpu_seconds, memory_mib, random_file
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for

ON = {
    "services/block-store/enabled": "true",
    "services/ipfs/enabled": "true",
    "services/ipfs/api-port": "0",
    "services/ipfs/gateway-enabled": "true",
    "services/ipfs/gateway-port": "0",
    "services/identity-propagate/known-servers": "127.0.0.1:9",
    "services/entangled-dht/known-nodes": "",
}
SETTLING = 30.0
SMALL = 1000
SEEKS = 20
PEER = """
globalThis.Promise.withResolvers ??= function () { let a, b; const p = new Promise((x, y) => { a = x; b = y });
  return { promise: p, resolve: a, reject: b } };
const { create } = await import('ipfs-core'); const { HttpApi } = await import('ipfs-http-server');
const ipfs = await create({ repo: process.argv[2], silent: true, config: { Addresses: { Swarm: [],
  API: '/ip4/127.0.0.1/tcp/0', Gateway: '' }, Bootstrap: [], Discovery: { MDNS: { Enabled: false } } } });
const api = new HttpApi(ipfs); await api.start(); console.log(api._apiServers[0].info.port);
"""
Figures = dict[str, str]


class Daemon:
    """A process that answers the client."""

    def __init__(self, port: int, pid: int) -> None:
        self.pid = pid
        self.client: Any = ipfshttpclient.connect(f"/ip4/127.0.0.1/tcp/{port}/http", session=True)

    def took(self, call: Callable[[], Any]) -> tuple[float, float]:
        """Seconds by the clock, and CPU seconds of the daemon."""
        began, used = time.perf_counter(), cpu_seconds([self.pid])
        call()
        return time.perf_counter() - began, cpu_seconds([self.pid]) - used

    def forget_peak(self) -> None:
        """Count the peak of memory from now on."""
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def read(self, cid: str, **which: int) -> int:
        """All bytes, as they come; how many there were."""
        return sum(map(len, self.client.cat(cid, stream=True, **which)))

    def first(self, cid: str, offset: int = 0) -> float:
        """Milliseconds until some bytes are here; the rest is not taken."""
        began = time.perf_counter()
        with self.client.cat(cid, offset=offset, stream=True) as pieces:
            next(iter(pieces))
            return 1000 * (time.perf_counter() - began)


def files(daemon: Daemon, base: Path, megabytes: int) -> Figures:
    """A large file in and out."""
    path, size = base / "large", megabytes * MB
    random_file(path, size)
    cids: list[str] = []
    figures = {
        f"add {megabytes} MB": rate(size, daemon.took(lambda: cids.append(daemon.client.add(str(path))["Hash"])))
    }
    figures[f"cat {megabytes} MB"] = rate(size, daemon.took(lambda: daemon.read(cids[0])))
    figures["the same again"] = rate(size, daemon.took(lambda: daemon.read(cids[0])))
    path.unlink()
    return figures


def rate(size: int, took: tuple[float, float]) -> str:
    """MB a second by the clock, and MB in a CPU second of the daemon."""
    return f"{size / MB / took[0]:.0f} MB/s, {size / MB / max(took[1], 0.01):.0f} MB a CPU second"


def first_bytes(daemon: Daemon, base: Path, sizes: Sequence[int]) -> Figures:
    """How soon something comes of files of several sizes, and from the middle of the largest."""
    figures, cid, size = {}, "", 0
    for size in sizes:
        path = base / "sized"
        random_file(path, size * 1000)
        cid = daemon.client.add(str(path))["Hash"]
        path.unlink()
        waits = [daemon.first(cid) for _ in range(SEEKS)]
        figures[f"first byte of {size / 1000:g} MB"] = f"{statistics.median(waits):.1f} ms"
    places = random.Random(1).sample(range(size * 1000 - 1000), SEEKS)
    waits = [1000 * daemon.took(lambda at=at: daemon.read(cid, offset=at, length=1000))[0] for at in places]
    figures[f"1 kB from somewhere in {size / 1000:g} MB"] = (
        f"{statistics.median(waits):.1f} ms, {max(waits):.1f} at most"
    )
    return figures


def small(daemon: Daemon) -> Figures:
    """Small calls, one after the other, over one connection."""
    data = [os.urandom(1000) for _ in range(SMALL)]
    cids: list[str] = []
    calls: dict[str, Callable[[], Any]] = {
        "small adds": lambda: cids.extend(daemon.client.add_bytes(one) for one in data),
        "small cats": lambda: [daemon.client.cat(cid) for cid in cids],
        "block.stat": lambda: [daemon.client.block.stat(cid) for cid in cids],
    }
    figures = {}
    for name, call in calls.items():
        seconds, used = daemon.took(call)
        figures[name] = f"{SMALL / seconds:.0f} a second, {1000 * used / SMALL:.2f} ms of CPU each"
    return figures


def memory(daemon: Daemon, base: Path, gigabytes: float) -> Figures:
    """The peak of the daemon while much goes in and out, in pieces of which the client keeps none."""
    path = base / "huge"
    random_file(path, int(gigabytes * 1000) * MB)
    daemon.forget_peak()
    cid = daemon.client.add(str(path))["Hash"]
    daemon.read(cid)
    path.unlink()
    return {f"peak while {gigabytes:g} GB go in and out": f"{memory_mib(daemon.pid):.0f} MiB"}


@contextlib.contextmanager
def ours(base: Path) -> Iterator[tuple[Daemon, Figures]]:
    """This node, with all of IPFS on."""
    node = NodeProcess("node", base / "home")
    room = {"services/block-store/storage-max": str(100_000 * MB)}
    node.configure({**QUIET, **NO_CUSTOMER, **NO_SUPPLIER, **ON, **room})
    node.start()
    try:
        wait_for(lambda: node.client.call("ipfs_status")["port"], "IPFS", 60)
        time.sleep(SETTLING)
        idle = {"idle, all of IPFS on": f"{memory_mib(node.pid, 'VmRSS'):.0f} MiB"}
        yield Daemon(node.client.call("ipfs_status")["port"], node.pid), idle
    finally:
        node.stop()


@contextlib.contextmanager
def peer(folder: Path, base: Path) -> Iterator[tuple[Daemon, Figures]]:
    """js-ipfs, as its packages are in a folder."""
    script = folder / "bitdust-bench.mjs"
    script.write_text(PEER)
    command = ["node", str(script), str(base / "repository")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Daemon(port, process.pid), {}
        finally:
            process.kill()


def measure(daemon: Daemon, base: Path, megabytes: int, gigabytes: float, sizes: Sequence[int]) -> Figures:
    """Everything, in an order in which each begins with what those before have left."""
    figures = files(daemon, base, megabytes) | first_bytes(daemon, base, sizes) | small(daemon)
    return figures | (memory(daemon, base, gigabytes) if gigabytes else {})


def main(arguments: Sequence[str]) -> int:
    """Print one line a figure, ours and the peer's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ipfs", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument(
        "--gigabytes", type=float, default=2, help="in and out while memory is looked at; 0: not at all"
    )
    parser.add_argument("--sizes", default="1,1000,10000,100000,1000000", help="of files, in KB, for first bytes")
    parser.add_argument("--peer", type=Path, help="a folder with node_modules of js-ipfs")
    asked = parser.parse_args(arguments)
    sizes = [int(word) for word in asked.sizes.split(",")]
    warnings.simplefilter("ignore")
    found: list[Figures] = []
    for runs in [ours, *([lambda base: peer(asked.peer, base)] if asked.peer else [])]:
        with tempfile.TemporaryDirectory(prefix="bitdust-ipfs-") as folder:
            base = Path(folder)
            with runs(base) as (daemon, figures):
                found.append(figures | measure(daemon, base, asked.megabytes, asked.gigabytes, sizes))
    print(f"load of the machine: {os.getloadavg()[1]:.1f}")
    print("| what | BitDust |" + (" js-ipfs |" if asked.peer else ""))
    print("|---|---|" + ("---|" if asked.peer else ""))
    for name in found[0]:
        print(f"| {name} | " + " | ".join(one.get(name, "–") for one in found) + " |")
    return 0
