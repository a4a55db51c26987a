"""Acknowledged private messages of 1 KB between two nodes: latency one by one, rate of many, beside a bare echo.

    python -m benchmarks messages --messages 5000 --latencies 300 --runs 3

Each node is a process with a core of its own, where there are two; they talk over real TLS 1.3 sessions on loopback,
their databases are on this disk, and each commit is synced. A message counts when the recipient's history has it and
the sender knows that. The echo beside it is AMP over TLS between the same two processes: a box of 1 KB there, an empty
one back, nothing sealed, signed or stored. ``CPU`` is what the sender's and the recipient's process took for one, all
threads together; the rate that a core allows is that of the busier one. "A second" is the clock's, which other programs
and the disk change.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.protocol import ClientFactory, Factory
from twisted.internet.threads import deferToThread
from twisted.protocols import amp

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey, tls_certificate
from bitdust.crypt.master import MasterKey
from bitdust.events import Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.people.amounts import Amounts
from bitdust.people.history.history import History
from bitdust.people.history.listeners import Listeners
from bitdust.people.messages.messages import Messages
from bitdust.surroundings import Connected, Surroundings
from bitdust.transport.gateway import Gateway
from bitdust.wire.names import IDURL
from bitdust.wire.table import Who
from bitdust.world import ReactorNetwork, World

TEXT = "x" * 1000
SETTINGS = {
    "services/network/send-limit": 0,
    "services/network/receive-limit": 0,
    "services/network/interface": "127.0.0.1",
    "services/network/household": "127.0.0.0/8",
    "services/tcp-transport/receiving-enabled": True,
}


class Directory:
    """Nobody is looked for: both are connected."""

    def put_prekeys(self, signed: Any) -> "Deferred[None]":
        return succeed(None)

    def prekeys_of(self, fingerprint: bytes, device: bytes) -> "Deferred[None]":
        return succeed(None)

    def look_up(self, fingerprint: bytes) -> "Deferred[None]":
        return succeed(None)

    def resolve_device(self, fingerprint: bytes, device: bytes) -> "Deferred[list[str]]":
        return succeed([])

    def candidates(self) -> list[bytes]:
        return []


class Node:
    """One person with a gateway, a history and messages; friends with everybody."""

    def __init__(self, home: Path, name: str) -> None:
        (home / "metadata").mkdir(parents=True)
        self.world = World(reactor, ReactorNetwork(reactor), home, run_in_thread=deferToThread)  # type: ignore[arg-type]
        events = Events(reactor, time.time)  # type: ignore[arg-type]
        self.me = Me(self.world, events)
        master, device = MasterKey.generate(), DeviceKey.generate(os.urandom)
        source = IDURL.parse(f"http://id.example/{name}.xml")
        devices = (Device(0, 1, device.public),)
        self.me.adopt(IdentityDocument.create(master, (source,), 1, devices, time.time()), master, device)
        self.cache = IdentityCache(self.world, events)
        registry = Registry(reactor, time.time)  # type: ignore[arg-type]
        settings = Settings(home / "config")
        for key, value in SETTINGS.items():
            settings.set(key, value)
        around = Surroundings(self.world, settings, events, registry, Budget(), self.me, self.cache)
        self.gateway = Gateway(around)
        self.gateway.relations.add(Who.FRIEND, lambda fingerprint: True)
        connected = Connected.of(around, self.gateway, self.gateway.outbox)
        directory = Directory()
        amounts = Amounts(self.world.clock, lambda fingerprint: Who.DEVICE)
        self.messages = Messages(connected, directory, directory, amounts)
        self.history = History(connected)
        self.messages.incoming.history = self.messages.letters.history = self.history
        self.messages.incoming.listeners = Listeners(self.world.clock, self.history)

    async def start(self) -> None:
        """Listen, and open everything."""
        await self.gateway.listen(0)
        await self.history.open()
        await self.messages.start()
        for row in self.messages.rows():
            self.gateway.inbox.add(row)

    async def stop(self) -> None:
        """Close everything."""
        await self.messages.stop()
        await self.history.close()
        await self.gateway.stop()

    async def send(self, person: bytes, number: int) -> None:
        """One message; ends when it is acknowledged."""
        sent = await self.messages.send(person, {"number": number, "text": TEXT})
        await sent.arrived


class Echo(amp.Command):
    """A kilobyte there, nothing back."""

    arguments = [(b"data", amp.String())]
    response: list[Any] = []


class EchoServer(amp.AMP):
    """Answers at once."""

    @Echo.responder
    def echo(self, data: bytes) -> dict[str, Any]:
        return {}


class EchoClients(ClientFactory):
    """``connected`` fires with the connection."""

    protocol = amp.AMP

    def __init__(self) -> None:
        self.connected: Deferred[Any] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        made = amp.AMP()
        reactor.callLater(0.1, self.connected.callback, made)  # type: ignore[attr-defined]
        return made


class Answering:
    """The process of the recipient; used as ``with``. ``said`` is where it listens, and its document."""

    def __init__(self, folder: Path, core: int) -> None:
        words = [sys.executable, "-m", "benchmarks", "messages", "--answer", str(core), "--folder", str(folder)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.said: dict[str, Any] = json.loads(self._process.stdout.readline())

    def __enter__(self) -> "Answering":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()

    def tell(self, document: IdentityDocument) -> None:
        """Who will write to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(document.xml.hex() + "\n")
        self._process.stdin.flush()

    def processor_time(self) -> float:
        """Seconds of its threads: the clock of a process has a number that follows from the process's (Linux)."""
        return time.clock_gettime(~self._process.pid << 3 | 2)


Figures = tuple[float, float, float, float, float]
"""Milliseconds at the median and at 95 %, messages a second, and microseconds of the sender's and the recipient's
processor for one."""


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which that share of them is."""
    some = sorted(values)
    return some[min(len(some) - 1, int(len(some) * share))]


async def measured(one: Any, other: Answering, options: argparse.Namespace) -> Figures:
    """First one by one, then many."""
    waits, count = [], options.messages
    for number in range(options.latencies):
        begin = time.perf_counter()
        await one(number)
        waits.append((time.perf_counter() - begin) * 1000)
    begin, used, theirs = time.perf_counter(), time.process_time(), other.processor_time()
    done = 0
    while done < count:
        some = min(options.window, count - done)
        results = await DeferredList([Deferred.fromCoroutine(one(done + n)) for n in range(some)], consumeErrors=True)
        failed = [result for ok, result in results if not ok]
        if failed:
            failed[0].raiseException()  # type: ignore[attr-defined]
        done += some
    seconds, cost = time.perf_counter() - begin, time.process_time() - used
    each = 1e6 / count
    return (
        statistics.median(waits), percentile(waits, 0.95), count / seconds, cost * each,
        (other.processor_time() - theirs) * each,
    )  # fmt: skip


async def nodes(folder: Path, other: Answering, options: argparse.Namespace) -> Figures:
    """A node that writes, and one that answers."""
    alice = Node(folder / "alice", "alice")
    bob = IdentityDocument.parse(bytes.fromhex(other.said["document"]))
    other.tell(alice.me.document)
    alice.cache.accept(bob)
    await alice.start()
    await alice.gateway.dial(f"tcp://127.0.0.1:{other.said['port']}", bob.fingerprint)
    await alice.send(bob.fingerprint, -1)
    figures = await measured(lambda number: alice.send(bob.fingerprint, number), other, options)
    await alice.stop()
    return figures


async def echo(other: Answering, options: argparse.Namespace) -> Figures:
    """AMP over TLS."""
    clients = EchoClients()
    trust = ssl.CertificateOptions(verify=False)
    connector = reactor.connectSSL("127.0.0.1", other.said["echo"], clients, trust)  # type: ignore[attr-defined]
    protocol = await clients.connected
    data = TEXT.encode()

    async def one(number: int) -> None:
        await protocol.callRemote(Echo, data=data)

    figures = await measured(one, other, options)
    connector.disconnect()
    return figures


async def answer(folder: Path) -> None:
    """Be the recipient until the sender's process closes the pipe."""
    bob = Node(folder, "bob")
    await bob.start()
    pem = b"".join(tls_certificate(DeviceKey.generate(os.urandom)))
    certificate = ssl.PrivateCertificate.loadPEM(pem)
    server = Factory.forProtocol(EchoServer)
    port = reactor.listenSSL(0, server, certificate.options(), interface="127.0.0.1")  # type: ignore[attr-defined]
    said = {"document": bob.me.document.xml.hex(), "port": bob.gateway.port(), "echo": port.getHost().port}
    print(json.dumps(said), flush=True)
    bob.cache.accept(IdentityDocument.parse(bytes.fromhex((await deferToThread(sys.stdin.readline)).strip())))
    await deferToThread(sys.stdin.read)
    await port.stopListening()
    await bob.stop()


async def run(options: argparse.Namespace, folder: Path) -> None:
    """All runs, in turns."""
    rows: dict[str, list[Figures]] = {"messages": [], "echo": []}
    for number in range(options.runs):
        with Answering(folder, options.other) as other:
            rows["messages"].append(await nodes(folder / str(number), other, options))
            rows["echo"].append(await echo(other, options))
    print(f"{'':10}{'median ms':>11}{'95 % ms':>10}{'a second':>10}{'CPU µs':>9}{'and µs':>9}{'a second a core':>17}")
    for name, some in rows.items():
        middle = [statistics.median(one[place] for one in some) for place in range(5)]
        median, late, rate, mine, theirs = middle
        print(f"{name:10}{median:11.2f}{late:10.2f}{rate:10.0f}{mine:9.0f}{theirs:9.0f}{1e6 / max(mine, theirs):17.0f}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks messages", description=__doc__)
    parser.add_argument("--messages", type=int, default=5000, help="of each run")
    parser.add_argument("--latencies", type=int, default=300, help="messages that are sent one by one before")
    parser.add_argument("--window", type=int, default=500, help="messages that are sent without waiting")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", default="", help="where the nodes keep their data")
    parser.add_argument("--answer", type=int, help="be the recipient of another process, on this core")
    options = parser.parse_args(arguments)
    cores = os.sched_getaffinity(0)
    options.other = min(cores)
    os.sched_setaffinity(0, {max(cores) if options.answer is None else options.answer})
    folder = Path(tempfile.mkdtemp(dir=options.folder or None))
    failures: list[Any] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(run(options, folder) if options.answer is None else answer(folder))
        done.addErrback(failures.append).addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    shutil.rmtree(folder)
    for failure in failures:
        failure.printTraceback(sys.stderr)
    return int(bool(failures))
