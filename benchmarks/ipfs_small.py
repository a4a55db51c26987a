"""Small calls of the RPC of IPFS: one client, several at once, and what the client itself can do.

    python -m benchmarks ipfs_small --clients 4 --calls 1000
    python -m benchmarks ipfs_small --home /dev/shm        without waiting for a disk

One real daemon with fsync on, and processes that call through the unmodified `ipfshttpclient`, each over one
connection, one call after the other. The bound is the same client against a server that does nothing: it reads a
request to its end and writes bytes that the daemon has written before. The client reads, writes and parses in Python,
so a rate near the bound says nothing about the daemon; CPU seconds are those of the daemon alone.
"""

import argparse
import os
import socket
import sqlite3
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ipfshttpclient

from benchmarks.ipfs import ON
from benchmarks.storage import cpu_seconds
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for

SIZE = 1000
CALLS = ("add", "cat", "stat")
ENDS = {"add": b"\r\n0\r\n\r\n", "cat": b"\r\n\r\n", "stat": b"\r\n\r\n"}
"""How a request of this client ends."""


def client_of(port: int) -> Any:
    """A client with one connection."""
    warnings.simplefilter("ignore")
    return ipfshttpclient.connect(f"/ip4/127.0.0.1/tcp/{port}/http", session=True)


def calling(port: int, call: str, cids: Sequence[str], count: int) -> tuple[float, list[str]]:
    """Call so often; seconds, and CIDs of what was added. For a process of its own."""
    client = client_of(port)
    client.version()
    data = [os.urandom(SIZE) for _ in range(count)] if call == "add" else []
    does: dict[str, Callable[[int], Any]] = {
        "add": lambda number: client.add_bytes(data[number]),
        "cat": lambda number: client.cat(cids[number % len(cids)]),
        "stat": lambda number: client.block.stat(cids[number % len(cids)]),
    }
    began = time.perf_counter()
    found = [does[call](number) for number in range(count)]
    return time.perf_counter() - began, found if call == "add" else []


class Canned:
    """A server that answers every request of one call with the same bytes, in a thread for each connection."""

    def __init__(self, answer: bytes, version: bytes, end: bytes) -> None:
        self._answer, self._version, self._end = answer, version, end
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def serve(self) -> None:
        """Until the process ends."""
        while True:
            threading.Thread(target=self._connection, args=(self._socket.accept()[0],), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read = b""
        while data := connection.recv(1 << 16):
            read += data
            if b"/version?" in read[:60]:
                if read.endswith(b"\r\n\r\n"):
                    connection.sendall(self._version)
                    read = b""
            elif read.endswith(self._end):
                connection.sendall(self._answer)
                read = b""


def recorded(port: int, target: str) -> bytes:
    """What the daemon answers, as it is on the wire."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        request = f"POST /api/v0/{target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    return answer.replace(b"Connection: close\r\n", b"")


@contextmanager
def canned(answer: bytes, version: bytes, end: bytes) -> Iterator[int]:
    """The port of a `Canned` in a process of its own."""
    server = Canned(answer, version, end)
    process = get_context("fork").Process(target=server.serve, daemon=True)
    process.start()
    try:
        yield server.port
    finally:
        process.kill()
        process.join()


def together(port: int, call: str, cids: Sequence[str], calls: int, clients: int) -> tuple[float, list[str]]:
    """Calls a second of all clients together, counted over the slowest of them, and what they have added."""
    with ProcessPoolExecutor(clients, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(calling, *zip(*[(port, call, cids, calls)] * clients, strict=True)))
    return clients * calls / max(took for took, _ in done), [cid for _, found in done for cid in found]


def bounds(port: int, cid: str, calls: int) -> dict[str, str]:
    """The client alone."""
    version = recorded(port, "version")
    line = b'{"Name":"%s","Hash":"%s","Size":"1011"}\n' % (cid.encode(), cid.encode())
    targets = {"cat": f"cat?arg={cid}", "stat": f"block/stat?arg={cid}"}
    answers = {call: recorded(port, target) for call, target in targets.items()}
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Chunked-Output: 1\r\n"
    answers["add"] = head + b"Content-Length: %d\r\n\r\n%s" % (len(line), line)
    rates = {}
    for call in CALLS:
        with canned(answers[call], version, ENDS[call]) as at:
            rates[call] = f"{together(at, call, [cid], calls, 1)[0]:.0f}"
    return rates


def syncs(folder: Path, seconds: float = 1.0) -> str:
    """What the disk does: appends of a small block, each synced, and small transactions of SQLite, a second."""
    path, count = folder / "synced", 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        os.write(descriptor, bytes(SIZE))
        os.fdatasync(descriptor)
        count += 1
    os.close(descriptor)
    path.unlink()
    database, commits = sqlite3.connect(folder / "synced.db", isolation_level=None), 0
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a)")
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        database.execute("INSERT INTO t VALUES(zeroblob(100))")
        commits += 1
    database.close()
    return f"{count / seconds:.0f} synced appends, {commits / seconds:.0f} commits of SQLite a second"


def main(arguments: Sequence[str]) -> int:
    """Print one row a call."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ipfs_small", description=__doc__)
    parser.add_argument("--clients", type=int, default=4, help="at once, beside one alone")
    parser.add_argument("--calls", type=int, default=1000, help="of each client")
    parser.add_argument("--home", type=Path, help="a folder for the daemon's home")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bitdust-ipfs-", dir=asked.home) as folder:
        node = NodeProcess("node", Path(folder) / "home")
        node.configure({**QUIET, **NO_CUSTOMER, **NO_SUPPLIER, **ON})
        node.start()
        try:
            port = wait_for(lambda: node.client.call("ipfs_status")["port"], "IPFS", 60)
            disk = syncs(Path(folder))
            _, cids = together(port, "add", [], 100, 1)
            bound = bounds(port, cids[0], asked.calls)
            rows = {call: [bound[call]] for call in CALLS}
            for clients in (1, asked.clients):
                for call in CALLS:
                    used = cpu_seconds([node.pid])
                    rate, _ = together(port, call, cids, asked.calls, clients)
                    used = (cpu_seconds([node.pid]) - used) / clients / asked.calls
                    rows[call].append(f"{rate:.0f} a second, {1000 * used:.2f} ms of CPU each")
        finally:
            node.stop()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}; its disk: {disk}")
    print(f"| call | the client alone | one client | {asked.clients} at once |\n|---|---|---|---|")
    for call in CALLS:
        print(f"| {call} | " + " | ".join(rows[call]) + " |")
    return 0
