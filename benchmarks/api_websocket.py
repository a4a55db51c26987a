"""The WebSocket of a real daemon: calls a second on one core, and events a second to several clients.

    python -m benchmarks api_websocket --calls 20000 --clients 4 --runs 5

A daemon without an identity runs in a temporary home and is kept on one core; the clients share another process, on
the other core where there are two. Each client keeps so many calls of `process_health` in flight, sends the next when
an answer is in, and checks that every answer is OK and comes with its own call_id. For the events, one client fires
``event_send`` and all of them get every event. Calls a CPU second are counted with the daemon's own CPU time, which
does not depend on who else uses the machine. The median of the runs is printed, and all of them, as JSON.
"""

import argparse
import base64
import json
import os
import re
import selectors
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess

TICKS = os.sysconf("SC_CLK_TCK")
_CALL_ID = re.compile(rb'"call_id":(\d+),"response":\{"status":"OK"')
_SEQ = re.compile(rb'"event_id":"bench","data":\{\},"seq":(\d+)')


class Client:
    """A WebSocket client that only counts: frames are made before, answers are searched and not parsed."""

    def __init__(self, port, secret, events):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /?a={secret}&events={events} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(4096)
        assert b" 101 " in head.partition(b"\r\n")[0] + b" ", head
        self.rest = head.partition(b"\r\n\r\n")[2]
        self.sent = self.got = 0

    def fire(self, count, method, kwargs):
        frames = bytearray()
        for number in range(self.sent, self.sent + count):
            text = b'{"command":"api_call","method":"%s","kwargs":%s,"call_id":%d}' % (method, kwargs, number)
            frames += b"\x81" + _size(len(text)) + _mask(text)
        self.sent += count
        self.socket.sendall(frames)

    def hear(self, pattern):
        """Numbers that came, in their order."""
        data = self.socket.recv(1 << 18)
        assert data, "the daemon closed the connection"
        self.rest += data
        numbers, end = [], 0
        for found in pattern.finditer(self.rest):
            numbers.append(int(found[1]))
            end = found.end()
        self.rest = self.rest[end:]
        return numbers


def _size(length):
    return bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")


def _mask(text):
    """Masked as RFC 6455 asks for, with a fresh key."""
    key = os.urandom(4)
    padded = text + bytes(-len(text) % 4)
    whole = int.from_bytes(padded, "big") ^ int.from_bytes(key * (len(padded) // 4), "big")
    return key + whole.to_bytes(len(padded), "big")[: len(text)]


def cpu_seconds(pid):
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def calls(node, port, secret, clients, total, in_flight):
    """Pipelined calls of all clients."""
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        client = Client(port, secret, "none")
        selector.register(client.socket, selectors.EVENT_READ, client)
    share, left, cpu = total // clients, clients, cpu_seconds(node.pid)
    began = time.perf_counter()
    for key in selector.get_map().values():
        key.data.fire(in_flight, b"process_health", b"{}")
    while left:
        for key, _ in selector.select():
            client = key.data
            numbers = client.hear(_CALL_ID)
            assert numbers == list(range(client.got, client.got + len(numbers))), numbers
            client.got += len(numbers)
            more = min(len(numbers), share - client.sent)
            if more > 0:
                client.fire(more, b"process_health", b"{}")
            if client.got >= share:
                left -= 1
                selector.unregister(client.socket)
                client.socket.close()
    seconds = time.perf_counter() - began
    done = share * clients
    return done / seconds, done / max(cpu_seconds(node.pid) - cpu, 1 / TICKS)


def events(node, port, secret, clients, total):
    """One client fires, all of them hear everything; deliveries a second."""
    selector = selectors.DefaultSelector()
    every = [Client(port, secret, "bench") for _ in range(clients)]
    for client in every:
        selector.register(client.socket, selectors.EVENT_READ, client)
    cpu, began = cpu_seconds(node.pid), time.perf_counter()
    fired = 0
    while min(client.got for client in every) < total:
        if fired < total and fired - min(client.got for client in every) < 2_000:
            every[0].fire(100, b"event_send", b'{"event_id":"bench"}')
            fired += 100
        for key, _ in selector.select():
            key.data.got += len(key.data.hear(_SEQ))
    seconds = time.perf_counter() - began
    for client in every:
        client.socket.close()
    return clients * total / seconds, clients * total / max(cpu_seconds(node.pid) - cpu, 1 / TICKS)


def main(words):
    parser = argparse.ArgumentParser(prog="python -m benchmarks api_websocket")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        node = NodeProcess("bench", Path(folder) / "node")
        node.configure(QUIET | NO_CUSTOMER | NO_SUPPLIER)
        node.start()
        try:
            result = measure(node, wanted)
        finally:
            node.stop()
    print(json.dumps(result, indent=2))
    return 0


def measure(node, wanted):
    """All runs, one after the other."""
    cores = sorted(os.sched_getaffinity(0))
    for task in Path(f"/proc/{node.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    port = json.loads((node.home / "metadata" / "apiports").read_text())["websocket"]
    secret = (node.home / "apisecret").read_text()
    calls(node, port, secret, wanted.clients, 2_000, wanted.in_flight)
    found = {"calls a second": [], "calls a CPU second": [], "events a second": [], "events a CPU second": []}
    for _ in range(wanted.runs):
        wall, cpu = calls(node, port, secret, wanted.clients, wanted.calls, wanted.in_flight)
        found["calls a second"].append(round(wall))
        found["calls a CPU second"].append(round(cpu))
        wall, cpu = events(node, port, secret, wanted.clients, wanted.events)
        found["events a second"].append(round(wall))
        found["events a CPU second"].append(round(cpu))
    result = {name: {"median": statistics.median(rates), "runs": rates} for name, rates in found.items()}
    return {"clients": wanted.clients, "in flight each": wanted.in_flight, "cores": len(cores), **result}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
