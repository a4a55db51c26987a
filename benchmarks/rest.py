"""How many `process_health` requests a second one node answers, and how long the slowest hundredth waits.

    python -m benchmarks rest --clients 8 --requests 30000 --runs 5

A real daemon, alone on one core; the clients are one process on another core, each with a connection of its own that
stays open and one request under way. The medians of all runs; ``server µs`` is user and system time of the daemon by
request, the best of the batches of a run, which other programs on the machine disturb least.
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bitdust.cli.processes import QUIET, NodeProcess

BATCHES = 20


@frozen
class Run:
    """Requests a second, milliseconds at the median and at 99 %, microseconds of the server a request."""

    rate: float
    p50: float
    p99: float
    server: float


def cpu_ns(pid: int) -> int:
    """User and system time of a process, in nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def load(port: int, secret: str, pid: int, clients: int, requests: int) -> Run:
    """One run, in this process."""
    request = f"GET /process/health/v1 HTTP/1.1\r\nHost: localhost:{port}\r\napi_secret: {secret}\r\n\r\n".encode()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    selector = selectors.DefaultSelector()
    sent: dict[int, float] = {}
    for one in sockets:
        selector.register(one, selectors.EVENT_READ)
        sent[one.fileno()] = time.perf_counter()
        one.sendall(request)
    waits: list[float] = []
    costs: list[float] = []
    batch = requests // BATCHES
    begin, used = time.perf_counter(), cpu_ns(pid)
    while len(waits) < batch * BATCHES:
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if b" 200 " not in connection.recv(65536)[:20]:
                raise SystemExit("the node did not answer OK")
            now = time.perf_counter()
            waits.append(now - sent[key.fd])
            sent[key.fd] = now
            if len(waits) % batch == 0:
                costs.append((cpu_ns(pid) - used) / batch / 1000)
                used = cpu_ns(pid)
            connection.sendall(request)
    seconds = time.perf_counter() - begin
    for one in sockets:
        one.close()
    waits.sort()
    return Run(len(waits) / seconds, 1000 * waits[len(waits) // 2], 1000 * waits[int(len(waits) * 0.99)], min(costs))


def apart(node: NodeProcess) -> None:
    """The daemon and this process on different cores, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for task in Path(f"/proc/{node.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[0]})
        os.sched_setaffinity(0, {cores[1]})


def main(arguments: Sequence[str]) -> int:
    """Print the medians; JSON of every run with ``--json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rest", description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=30_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bitdust-rest-") as folder:
        node = NodeProcess("node", Path(folder))
        node.configure(QUIET)
        node.start()
        try:
            apart(node)
            client = node.client
            runs = [
                load(client.port, client.secret, node.pid, options.clients, options.requests)
                for _ in range(options.runs)
            ]
        finally:
            subprocess.run([sys.executable, "-m", "bitdust", "--appdir", folder, "stop"], check=False)
    if options.json:
        print(json.dumps([{"rate": run.rate, "p50": run.p50, "p99": run.p99, "server": run.server} for run in runs]))
    print(f"requests a second  {statistics.median(run.rate for run in runs):9.0f}")
    print(f"median, ms         {statistics.median(run.p50 for run in runs):9.2f}")
    print(f"99 %, ms           {statistics.median(run.p99 for run in runs):9.2f}")
    print(f"server µs          {min(run.server for run in runs):9.1f}")
    return 0
