"""Our DHT on 127.0.0.1 over real UDP: N nodes spread over worker processes, timed inside the worker around put and get.

    python -m benchmarks dht_bench --nodes 100       # 10 processes; 30 % die by SIGKILL of 3 of them
    python -m benchmarks dht_bench --virtual 1000    # 1,000 nodes in one process on a virtual clock

The same questions are asked as of the peers (kademlia, libtorrent, OpenDHT): put and get one at a time, gets with 12 in
flight, CPU a get over all processes, memory a node; then 30 % of the nodes die without a word, and at once follow gets
of all keys and puts of new ones, 12 in flight. ``kept_by_living_closest`` is the share of the twenty living nodes
nearest to a key that hold a record put after the deaths. JSON on stdout.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import gatherResults, maybeDeferred

from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.dht.ids import record_key
from bitdust.dht.node import DHTNode
from bitdust.dht.records import DEBUG
from bitdust.events import Events
from bitdust.transport.datagrams import DatagramPort
from bitdust.world import real_world
from tests.dht_kit import DHTGrid, HeapClock

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
IN_FLIGHT = 12


# ---------------------------------------------------------------- worker: a reactor with some nodes


class Worker:
    """Nodes of one process; commands come as JSON lines on stdin."""

    def __init__(self, reactor, folder):
        self.reactor = reactor
        self.folder = folder
        self.nodes = []

    def start(self, request):
        world = real_world(self.reactor, self.folder)
        waiting = []
        for port in request["ports"]:
            around = SimpleNamespace(
                world=world,
                registry=Registry(self.reactor, world.wall),
                events=Events(self.reactor, world.wall),
            )
            node = DHTNode(around, DeviceKey.generate(world.entropy), self.folder / f"dht{port}.db")
            boot = request["boot"]
            datagrams = DatagramPort(world.network)
            datagrams.open(port, "127.0.0.1")
            node.start(datagrams, [tuple(boot)] if boot[1] != port else [])
            waiting.append(node.connector.when("CONNECTED", "ALONE"))
            self.nodes.append(node)
        return gatherResults(waiting).addCallback(lambda _: True)

    def put(self, request):
        value = request["value"]
        node = self.nodes[request["node"]]
        return node.debug.put(request["key"], value).addCallback(lambda done: done["write"] == "success")

    def get(self, request):
        value = request["value"]
        node = self.nodes[request["node"]]
        return node.debug.get(request["key"]).addCallback(lambda found: found.get("value") == value)

    def known(self, request):
        return [layer["node_items"] for node in self.nodes for layer in node.status()["layers"][:1]]

    def holders(self, request):
        names = {record_key(DEBUG, key, 0).hex(): key for key in request["keys"]}
        return {
            node.id.hex(): [names[r["key"]] for r in node.local_records() if r["key"] in names] for node in self.nodes
        }

    def handle(self, request):
        began = time.perf_counter()

        def answer(result):
            seconds = time.perf_counter() - began
            reply = {"id": request["id"], "ok": result, "ms": seconds * 1000}
            if hasattr(result, "getErrorMessage"):
                reply |= {"ok": False, "error": result.getErrorMessage()[:200]}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()

        maybeDeferred(getattr(self, request["op"]), request).addBoth(answer)


def work():
    from twisted.internet import reactor  # noqa: PLC0415 - only a worker has one

    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(reactor, Path(folder))

        def read():
            for line in sys.stdin:
                reactor.callFromThread(worker.handle, json.loads(line))
            reactor.callFromThread(reactor.stop)

        reactor.callWhenRunning(threading.Thread(target=read, daemon=True).start)
        reactor.callWhenRunning(lambda: print(json.dumps({"id": 0}), flush=True))
        reactor.run(installSignalHandlers=False)


# ---------------------------------------------------------------- driver


class Process:
    """One worker, asked over pipes."""

    def __init__(self):
        command = [sys.executable, "-m", "benchmarks", "dht_bench", "--worker"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.waiting, self.lock, self.count, self.ports = {}, threading.Lock(), 0, []
        self.ready = threading.Event()
        threading.Thread(target=self.read, daemon=True).start()
        self.ready.wait(30)

    def read(self):
        for line in self.process.stdout:
            reply = json.loads(line)
            if reply["id"] == 0:
                self.ready.set()
                continue
            event, slot = self.waiting.pop(reply["id"])
            slot.append(reply)
            event.set()

    def ask(self, timeout=60, **request):
        event, slot = threading.Event(), []
        with self.lock:
            self.count += 1
            request["id"] = self.count
            self.waiting[self.count] = (event, slot)
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        if not event.wait(timeout):
            return {"ok": False, "ms": timeout * 1000, "error": "timeout"}
        return slot[0]

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_kib(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0


def free_ports(count):
    sockets = []
    for _ in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
        sockets.append(one)
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def summary(replies, cpu=None):
    good = sorted(reply["ms"] for reply in replies if reply["ok"])
    told = {"ops": len(replies), "success": round(len(good) / len(replies), 3)}
    if good:
        told |= {
            "ms_median": round(statistics.median(good), 2),
            "ms_p95": round(good[min(len(good) - 1, int(0.95 * len(good)))], 2),
            "ms_max": round(good[-1], 2),
        }
    errors = sorted({str(reply["error"]) for reply in replies if reply.get("error")})
    if errors:
        told["errors"] = errors[:3]
    if cpu is not None:
        told["cpu_ms_per_op"] = round(cpu / len(replies) * 1000, 2)
    return told


class Bench:
    """One network, from birth to the deaths and after."""

    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.processes = [Process() for _ in range(options.workers)]

    def one(self, name, key, values, place):
        process, node = place
        return process.ask(op=name, node=node, key=key, value=values[key])

    def many(self, name, keys, values, places):
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(lambda key: self.one(name, key, values, self.random.choice(places)), keys))

    def cpu(self):
        return sum(process.cpu() for process in self.processes if process.process.poll() is None)

    def build(self, result):
        ports = free_ports(self.options.nodes)
        for index, port in enumerate(ports):
            self.processes[index % len(self.processes)].ports.append(port)
        boot = ["127.0.0.1", self.processes[0].ports[0]]
        base = sum(process.memory_kib() for process in self.processes)
        began, cpu = time.time(), self.cpu()
        for process in self.processes:
            reply = process.ask(op="start", ports=process.ports, boot=boot)
            if not reply["ok"]:
                raise SystemExit(f"start failed: {reply}")
        result["start_s"] = round(time.time() - began, 2)
        time.sleep(self.options.warm)
        result["build_cpu_s"] = round(self.cpu() - cpu, 2)
        known = [count for process in self.processes for count in process.ask(op="known")["ok"]]
        result["routing_table_median"] = statistics.median(known)
        return base

    def values(self, prefix, count):
        size = self.options.value // 2
        return {f"{prefix}-{index}-{self.random.random()}": {"data": os.urandom(size).hex()} for index in range(count)}

    def run(self):
        options, result = self.options, {"nodes": self.options.nodes, "workers": self.options.workers}
        result["loadavg"] = [round(load, 2) for load in os.getloadavg()]
        base = self.build(result)
        cpu = self.cpu()
        time.sleep(options.idle)
        result["idle_cpu_ms_per_node_s"] = round((self.cpu() - cpu) / options.idle / options.nodes * 1000, 3)
        places = [(process, node) for process in self.processes for node in range(len(process.ports))]
        values = self.values("key", options.keys)
        for name in ("put", "get"):
            cpu = self.cpu()
            replies = [self.one(name, key, values, self.random.choice(places)) for key in values]
            result[name] = summary(replies, self.cpu() - cpu)
        cpu = self.cpu()
        result["get_parallel_12"] = summary(self.many("get", list(values) * 3, values, places))
        result["get_parallel_12"]["cpu_ms_per_op"] = round((self.cpu() - cpu) / len(values) / 3 * 1000, 2)
        memory = sum(process.memory_kib() for process in self.processes) - base
        result["memory_mib_per_node"] = round(memory / options.nodes / 1024, 2)
        self.kill(result, values)
        return result

    def kill(self, result, values):
        dead = set(self.random.sample(range(len(self.processes)), round(len(self.processes) * self.options.kill)))
        for index in dead:
            self.processes[index].process.send_signal(signal.SIGKILL)
        for index in dead:
            self.processes[index].process.wait()
        living = [process for index, process in enumerate(self.processes) if index not in dead]
        places = [(process, node) for process in living for node in range(len(process.ports))]
        result["killed_nodes"] = self.options.nodes - len(places)
        new = self.values("new", min(40, self.options.keys))
        if self.options.puts_first:
            result["put_after_kill"] = summary(self.many("put", list(new), new, places))
            result["get_after_kill"] = summary(self.many("get", list(values), values, places))
        else:
            result["get_after_kill"] = summary(self.many("get", list(values), values, places))
            result["put_after_kill"] = summary(self.many("put", list(new), new, places))
        result["put_after_kill"] |= self.kept(living, new)
        result["get_of_those"] = summary(self.many("get", list(new), new, places))

    def kept(self, living, new):
        holders = {}
        for process in living:
            holders |= process.ask(op="holders", keys=list(new))["ok"]
        shares = []
        for key in new:
            target = int.from_bytes(record_key(DEBUG, key, 0), "big")
            nearest = sorted(holders, key=lambda node, target=target: int(node, 16) ^ target)[:20]
            shares.append(sum(key in holders[node] for node in nearest) / len(nearest))
        return {
            "kept_by_living_closest_median": round(statistics.median(shares), 2),
            "kept_by_living_closest_min": round(min(shares), 2),
        }

    def close(self):
        for process in self.processes:
            if process.process.poll() is None:
                process.process.kill()
            process.process.wait()


# ---------------------------------------------------------------- many nodes on a virtual clock


def virtual(options):
    """Nodes of one process on a clock of our own: what the algorithms do, without the noise of a machine."""
    began = time.perf_counter()
    grid = DHTGrid(latency=0.02, clock=HeapClock())
    grid.build(options.virtual)
    grid.run(5)
    result = {"nodes": options.virtual, "round_trip_ms": 40, "build_s": round(time.perf_counter() - began, 1)}
    result["datagrams_per_node"] = round(grid.udp.sent / options.virtual)
    chance = random.Random(options.seed)
    values = {f"key-{index}": {"data": hashlib.sha256(b"%d" % index).hexdigest()} for index in range(options.keys)}

    def timed(name, living, expected):
        times, good = [], 0
        for key, value in expected.items():
            node = grid.nodes[chance.choice(living)]
            start = grid.clock.seconds()
            done = node.debug.put(key, value) if name == "put" else node.debug.get(key)
            answer = grid.wait(done)
            times.append((grid.clock.seconds() - start) * 1000)
            good += answer.get("write" if name == "put" else "read") == "success"
        told = {"success": good / len(expected), "virtual_ms_median": round(statistics.median(times), 1)}
        return told | {"virtual_ms_max": round(max(times), 1)}

    everyone = list(range(options.virtual))
    result["put"] = timed("put", everyone, values)
    result["get"] = timed("get", everyone, values)
    dead = set(chance.sample(everyone, round(options.virtual * options.kill)))
    for index in dead:
        grid.kill(index)
    living = [index for index in everyone if index not in dead]
    result["put_after_kill"] = timed("put", living, {f"new-{key}": value for key, value in values.items()})
    result["get_after_kill"] = timed("get", living, values)
    result["real_s"] = round(time.perf_counter() - began, 1)
    grid.stop()
    return result


def main(arguments):
    """Measure and print; 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--virtual", type=int, default=0, help="nodes on a virtual clock instead of real UDP")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--value", type=int, default=100, help="bytes")
    parser.add_argument("--kill", type=float, default=0.3)
    parser.add_argument("--puts-first", action="store_true", help="after the deaths put before anything is read")
    parser.add_argument("--warm", type=float, default=10)
    parser.add_argument("--idle", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.worker:
        work()
        return 0
    if options.virtual:
        print(json.dumps(virtual(options), indent=1))
        return 0
    bench = Bench(options)
    try:
        print(json.dumps(bench.run(), indent=1))
    finally:
        bench.close()
    return 0
