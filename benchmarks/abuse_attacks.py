"""The attacks of ``benchmarks abuse``, each for a bounded time in a process of its own: strangers of many networks who
take as much as they are given.

``python -m benchmarks.abuse_attacks NAME SECONDS HOST:PORT FINGERPRINT WEB_PORT API_PORT`` prints what was done as
JSON.
"""

import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count, cycle
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from benchmarks.abuse_dossiers import Nobodies, bring
from benchmarks.abuse_peer import DEVICE, WINDOW, Peer, Persona, Reply, Target, later, people, record_of, wish
from benchmarks.abuse_peer import stranger_at as at
from bitdust.formats.log_packet import LogPacket
from bitdust.transport.frames import Kind, head
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command
from bitdust.wire.records import Head

NETWORKS = 32
MIB = 1024 * 1024
BURST = 200


class Attack:
    """One attacker with as many addresses and keys as it likes. ``seen`` is counted for the report."""

    def __init__(self, target: Target, ports: dict[str, int]) -> None:
        self.target = target
        self.ports = ports
        self.people = people()
        self.seen: Counter[str] = Counter()
        self._peers: list[Peer] = []

    def join(self, network: int, then: Callable[[Peer], object], persona: Persona | None = None) -> None:
        """Be connected from a network as somebody, again and again."""
        who = persona or next(self.people)

        def up(peer: Peer) -> None:
            self.seen["sessions"] += 1
            self._peers.append(peer)
            peer.on_lost = lost
            then(peer)

        def lost(peer: Peer) -> None:
            self._forget(peer)
            later(0.2, self.join, network, then, who)

        def refused(_: Failure) -> None:
            self.seen["refused"] += 1
            later(0.5, self.join, network, then, who)

        self.target.connect(who, at(network)).addCallbacks(up, refused)

    def _forget(self, peer: Peer) -> None:
        self.seen["lost"] += 1
        self._peers.remove(peer)
        self._count(peer)

    def _count(self, peer: Peer) -> None:
        for name, number in peer.counts.items():
            self.seen[name] += number

    def report(self) -> dict[str, int]:
        """All that was seen."""
        for peer in self._peers:
            self._count(peer)
        return dict(self.seen)

    def every_network(self, then: Callable[[Peer], object]) -> None:
        """One key from each network."""
        for network in range(NETWORKS):
            self.join(network, then)

    # places

    def silent(self) -> None:
        """Connections that say nothing: half of one address, half of many networks."""
        for number in range(300):
            self._silent(0 if number % 2 else number)

    def _silent(self, network: int) -> None:
        again = partial(later, 0.5, self._silent, network)

        def made(peer: Peer) -> None:
            self.seen["connections"] += 1
            peer.on_lost = lambda _: again()

        self.target.connect(None, at(network), tls=False).addCallbacks(made, lambda _: again())

    def keys(self) -> None:
        """A thousand keys of one address, which hold what they get."""
        for _ in range(8):
            self._next_key(0)

    def identities(self) -> None:
        """Keys without end of networks without end, each for a moment."""
        networks = cycle(range(240))
        for _ in range(8):
            self._next_key(None, lambda: next(networks))

    def _next_key(self, network: int | None, choose: Callable[[], int] = lambda: 0) -> None:
        persona = next(self.people, None)
        if persona is None:
            self.people = people()
            later(0.5, self._next_key, network, choose)
            return

        def up(peer: Peer) -> None:
            self.seen["sessions"] += 1
            if network is None:
                peer.close()

        def refused(_: Failure) -> None:
            self.seen["refused"] += 1

        connecting = self.target.connect(persona, at(choose()))
        connecting.addCallbacks(up, refused).addBoth(lambda _: later(0.0, self._next_key, network, choose))

    def handshakes(self) -> None:
        """One key that comes and goes as fast as it can, from many networks."""
        persona, networks = next(self.people), cycle(range(240))

        def again(_: object = None) -> None:
            connecting = self.target.connect(persona, at(next(networks)))
            connecting.addCallbacks(up, lambda _: self.seen.update(refused=1)).addBoth(lambda _: later(0.0, again))

        def up(peer: Peer) -> None:
            self.seen["sessions"] += 1
            peer.close()

        for _ in range(8):
            again()

    # memory

    def streams(self) -> None:
        """Payloads of a megabyte that nobody wants, 256 of each session, and no refusal is taken."""
        self.every_network(self._streams)

    def _streams(self, peer: Peer) -> None:
        peer.stop_reading()
        part, left = bytes(128 * 1024), iter(range(256))
        current = [0, 0]

        def more() -> None:
            while not peer.full and not peer.lost:
                if current[1] == 0:
                    if next(left, None) is None:
                        return
                    kind, size = ("document", 48_000) if current[0] % 4 == 1 else ("spare-certificate", 4 * MIB)
                    command = Command.IDENTITY if kind == "document" else Command.EVENT
                    fields = {"kind": kind} if kind == "document" else {"kind": kind, "customer": bytes(32)}
                    current[0], _ = peer.open(command, fields, size)
                    current[1] = min(size - 1, WINDOW)
                size = min(len(part), current[1])
                peer.link.write(head(Kind.DATA, current[0], size) + part[:size])
                current[1] -= size
                self.seen["bytes"] += size

        peer.more = more
        more()

    def answers(self) -> None:
        """Questions whose answers are not taken."""
        self.every_network(self._answers)

    def _answers(self, peer: Peer) -> None:
        peer.stop_reading()
        for _ in range(2000):
            peer.open(Command.RETRIEVE, {"kind": "spares", "customer": bytes(32)})

    # requests

    def flood(self, kind: str) -> None:
        """Small packets of one kind from each network, as fast as the line takes them."""
        self.every_network(partial(self._flood, kind))

    def _flood(self, kind: str, peer: Peer) -> None:
        make = getattr(self, f"_make_{kind}")(peer)

        def more() -> None:
            while not peer.full and not peer.lost:
                peer.link.write(b"".join(make() for _ in range(BURST)))
                self.seen["packets"] += BURST

        peer.more = more
        more()

    def _opener(self, peer: Peer, command: Command, fields: dict[str, Any], size: int = 0) -> Callable[[], bytes]:
        body = peer.header(command, fields, size).to_bytes()
        return lambda: head(Kind.OPEN, peer.next_stream(), len(body), size == 0) + body

    def _make_ping(self, peer: Peer) -> Callable[[], bytes]:
        return lambda: head(Kind.PING, 0, 8) + bytes(8)

    def _make_identity(self, peer: Peer) -> Callable[[], bytes]:
        return self._opener(peer, Command.IDENTITY, {})

    def _make_request(self, peer: Peer) -> Callable[[], bytes]:
        return self._opener(peer, Command.REQUEST_SERVICE, wish(MIB))

    def _make_list(self, peer: Peer) -> Callable[[], bytes]:
        return self._opener(peer, Command.LIST_FILES, {"after": b"", "most": 1000})

    def _make_answer(self, peer: Peer) -> Callable[[], bytes]:
        body = evolve(peer.header(Command.ACK, {}), answers=bytes(16)).to_bytes()
        return lambda: head(Kind.OPEN, peer.next_stream(), len(body), True) + body

    def _make_credit(self, peer: Peer) -> Callable[[], bytes]:
        return lambda: head(Kind.CREDIT, 2, 4) + bytes(4)

    def _make_reset(self, peer: Peer) -> Callable[[], bytes]:
        body = encode(["cancelled", ""])
        return lambda: head(Kind.RESET, 1, len(body)) + body

    def _make_data(self, peer: Peer) -> Callable[[], bytes]:
        stream, _ = peer.open(Command.EVENT, {"kind": "spare-certificate", "customer": bytes(32)}, 4 * MIB)
        return lambda: head(Kind.DATA, stream, 0)

    def _make_document(self, peer: Peer) -> Callable[[], bytes]:
        assert peer.persona is not None
        xml = peer.persona.document.xml
        opened = self._opener(peer, Command.IDENTITY, {"kind": "document"}, len(xml))

        def make() -> bytes:
            first = opened()
            return first + head(Kind.DATA, int.from_bytes(first[1:5], "big"), len(xml), True) + xml

        return make

    def bursts(self) -> None:
        """Each key asks as much as is free, goes, and comes again."""
        self.every_network(self._burst)

    def _burst(self, peer: Peer) -> None:
        make = self._make_identity(peer)
        peer.link.write(b"".join(make() for _ in range(100)))
        self.seen["packets"] += 100
        later(0.3, peer.close)

    # what a customer may

    def hired(self, room: int, then: Callable[[Peer], object]) -> None:
        """Be a customer from each network."""

        def up(peer: Peer) -> None:
            asking = peer.ask(Command.REQUEST_SERVICE, wish(room))
            asking.addCallbacks(partial(answered, peer), lambda _: None)

        def answered(peer: Peer, reply: Reply) -> None:
            if reply.packet.command is Command.ACK:
                self.seen["hired"] += 1
                then(peer)

        self.every_network(up)

    def stalled(self) -> None:
        """Pieces of which no more than the beginning comes."""
        self.hired(16 * MIB, self._stalled)

    def _stalled(self, peer: Peer) -> None:
        for number in range(120):
            record = record_of(peer, number, 200_000, [bytes(32)] * 2)
            stream, _ = peer.open(Command.DATA, {"kind": "piece", "index": 0, "record": record}, 200_000)
            peer.link.write(head(Kind.DATA, stream, 1000) + bytes(1000))
            self.seen["streams"] += 1

    def logs(self) -> None:
        """A log of some megabytes, asked for again and again, and never taken."""
        self.hired(16 * MIB, self._log)

    def _log(self, peer: Peer) -> None:
        assert peer.persona is not None
        previous, entries, owner = bytes(32), [], peer.persona.fingerprint
        for sequence in range(1, 5):
            base = {"version": 2, "owner": owner, "device": DEVICE.id, "sequence": sequence, "previous": previous}
            data = encode(base | {"epoch": 1, "sealed": os.urandom(900_000)})
            previous = hashlib.sha256(data).digest()
            signed = Head(owner, DEVICE.id, sequence, previous, int(time.time() * 1000))
            entries.append((data, DEVICE.sign_record(Head.KIND, signed.to_body()).to_bytes()))

        def store(_: object = None) -> None:
            if entries:
                data, signed = entries.pop(0)
                asking = peer.ask(Command.DATA, {"kind": "log", "head": signed}, LogPacket((data,)).to_bytes())
                asking.addCallbacks(store, lambda _: None)
                return
            peer.stop_reading()
            for _ in range(64):
                peer.open(Command.RETRIEVE, {"kind": "log", "device": DEVICE.id, "first": 1, "most": 2**40})
                self.seen["asked"] += 1

        store()

    def space(self) -> None:
        """All the room there is, for as long as may be, by a new key as soon as one was answered."""
        networks = count()

        def again() -> None:
            persona = next(self.people, None)
            if persona is None:
                return
            connecting = self.target.connect(persona, at(next(networks) % 240))
            connecting.addCallback(ask).addBoth(lambda _: later(0.0, again))

        def ask(peer: Peer) -> "Deferred[object]":
            return peer.ask(Command.REQUEST_SERVICE, wish(64 * MIB)).addCallback(answered, peer)

        def answered(reply: Reply, peer: Peer) -> None:
            self.seen[str(reply.packet.fields.get("code", "promised"))] += 1
            peer.close()

        for _ in range(4):
            again()

    # HTTP

    def dossiers(self) -> None:
        """Each has six thousand signatures; from each network."""
        nobodies = Nobodies(lambda: next(self.people), self.target.fingerprint)
        dossier = nobodies.dossier()
        self.every_network(lambda peer: bring(peer, nobodies, dossier))

    def idserver(self) -> None:
        """Slow connections to the ID server, of one address and of many."""
        for number in range(300):
            self._slow(self.ports["web"], at(0 if number % 2 else number))

    def api(self) -> None:
        """Slow clients of the API, without its secret."""
        for _ in range(400):
            self._slow(self.ports["api"], "127.0.0.1")

    def _slow(self, port: int, source: str) -> None:
        from twisted.internet import reactor

        attack = self

        class Slow(Protocol):
            def connectionMade(self) -> None:  # noqa: N802 - the interface's name
                attack.seen["connections"] += 1
                cast(Any, self.transport).write(b"GET /process/health/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                later(1.0, self.drip)

            def drip(self) -> None:
                if cast(Any, self.transport).connected:
                    cast(Any, self.transport).write(b"X: y\r\n")
                    later(1.0, self.drip)

            def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - the interface's name
                attack.seen["lost"] += 1
                later(0.5, attack._slow, port, source)

        factory = Factory.forProtocol(Slow)
        factory.noisy = False
        endpoint = TCP4ClientEndpoint(cast(Any, reactor), "127.0.0.1", port, 10, bindAddress=(source, 0))
        endpoint.connect(factory).addErrback(lambda _: later(0.5, self._slow, port, source))


FLOODS = ("ping", "identity", "request", "list", "answer", "credit", "reset", "data", "document")
ATTACKS: dict[str, Callable[[Attack], object]] = {
    "silent": Attack.silent,
    "keys": Attack.keys,
    "identities": Attack.identities,
    "handshakes": Attack.handshakes,
    "streams": Attack.streams,
    "answers": Attack.answers,
    **{f"flood-{kind}": partial(Attack.flood, kind=kind) for kind in FLOODS},
    "bursts": Attack.bursts,
    "stalled": Attack.stalled,
    "logs": Attack.logs,
    "space": Attack.space,
    "dossiers": Attack.dossiers,
    "idserver": Attack.idserver,
    "api": Attack.api,
}


def main(arguments: list[str]) -> int:
    """Attack, and print what came of it."""
    from twisted.internet import reactor as installed

    reactor = cast(Any, installed)
    name, seconds, address, fingerprint, web, api = arguments
    host, _, port = address.partition(":")
    attack = Attack(Target(host, int(port), bytes.fromhex(fingerprint)), {"web": int(web), "api": int(api)})
    next(attack.people)  # The primes are found before the time runs.
    print("ready", flush=True)
    sys.stdin.readline()
    reactor.callWhenRunning(ATTACKS[name], attack)
    reactor.callLater(float(seconds), reactor.stop)
    reactor.run()
    print(json.dumps(attack.report()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
