"""Gateways of two people, over memory or over real loopback sockets."""

import itertools
import os
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.events import Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.scopes.networks import Household
from bitdust.scopes.plan import Plan
from bitdust.scopes.reservations import Allowance, Resource, Role
from bitdust.scopes.scopes import Scopes
from bitdust.surroundings import Surroundings
from bitdust.testing.clock import GridClock
from bitdust.testing.links import Pipes, PipeTransport
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import START, fake_world
from bitdust.transport.gateway import Gateway
from bitdust.transport.links.link import Transport
from bitdust.transport.unread import Unread
from bitdust.wire.addresses import Address
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Optional, Struct, Text
from bitdust.wire.table import Answer, Row, Who, ack
from bitdust.world import ReactorNetwork, World
from tests import keys
from tests.unit.kit import Settings
from tests.vectors.keys import master

SETTINGS = {
    "services/network/send-limit": 0,
    "services/network/receive-limit": 0,
    "services/network/interface": "127.0.0.1",
    "services/network/household": "127.0.0.0/8 ::1/128 10.0.0.0/24",
    "services/network/refused": "",
    "services/tcp-transport/receiving-enabled": True,
}
FASTEST = (1e6, 1e6)
UNHURRIED = {"rates": dict.fromkeys(Role, FASTEST), "role_rates": dict.fromkeys(Role, FASTEST), "network_rate": FASTEST}
"""Everybody may ask what he likes."""
FIELDS = Struct({"kind": Optional(Text(20)), "data": Optional(Bytes(0, 1000))})


@cache
def third() -> MasterKey:
    """A key of a third person, made once."""
    return keys.search()


class Person:
    """One device with a gateway; ``served`` are the packets that it answered."""

    def __init__(self, world: World, key: str, name: str, *transports: Transport) -> None:
        master_key = third() if key == "third" else master(key)
        self.world = world
        (world.home / "metadata").mkdir(parents=True)
        events = Events(world.clock, world.wall)
        self.registry = Registry(world.clock, world.wall)
        self.me = Me(world, events)
        device = DeviceKey.generate(os.urandom)
        source = IDURL.parse(f"http://id.example/{name}.xml")
        document = IdentityDocument.create(master_key, (source,), 1, (Device(0, 1, device.public),), START)
        self.me.adopt(document, master_key, device)
        self.settings = Settings(SETTINGS)
        self.cache = IdentityCache(world, events)
        self.around = Surroundings(world, self.settings, events, self.registry, Budget(), self.me, self.cache)
        self.gateway = Gateway(self.around, transports)
        self.strict = self.gateway.scopes.plan
        everybody = self.strict.peers[Role.FRIEND]
        self.limits(peers=dict.fromkeys(Role, everybody), session={}, **UNHURRIED)
        self._forget_resolver = lambda: None
        self.served: list[bytes] = []
        self.hold: Deferred | None = None

    @property
    def fingerprint(self) -> bytes:
        return self.me.fingerprint

    def address(self, port: int | None = None) -> str:
        """Where others find this person, or would if that port were open."""
        (scheme,) = self.gateway.transports
        return str(Address(scheme, self.host, port or self.gateway.port()))

    def resolve(self, resolver) -> None:
        """From now on ask ``resolver``, and no other, where peers are."""
        self._forget_resolver()
        self._forget_resolver = self.gateway.add_resolver(resolver)

    def limit(self, **sessions: int) -> None:
        """So many sessions in all, or of a role, from now on."""
        scopes = self.gateway.scopes
        for name, most in sessions.items():
            scope = scopes.system if name == "system" else scopes.roles[Role(name)]
            scope.limits = {**scope.limits, Resource.SESSIONS: most}

    def limits(self, **changes) -> None:
        """Strangers may take what friends may, and ask what they like, where nothing else is said."""
        scopes = self.gateway.scopes
        scopes.plan = plan = evolve(self.strict, **changes)
        for role, rate in plan.role_rates.items():
            scopes.roles[role].allowance = Allowance(self.world.clock, *rate)

    def know(self, role: Who, *people: "Person") -> None:
        """They have that role for this person from now on."""
        known = {one.fingerprint for one in people}
        self.gateway.relations.add(role, lambda fingerprint: fingerprint in known)

    def serve(self, kind: str | None = "echo", handler=None, limit: int = 64 * 1024 * 1024) -> None:
        """Answer Retrieve of a kind with its own payload."""
        row = Row(Command.RETRIEVE, kind, FIELDS, limit, Who.ANYONE, "test", handler or self._echo)
        self.gateway.inbox.add(row)

    def _echo(self, request):
        def answer(data: bytes) -> Answer:
            self.served.append(data)
            return Answer(Command.DATA, {"kind": "echo"}, data)

        return request.payload.read_all(64 * 1024 * 1024).addCallback(answer)


class Network(Protocol):
    """How two people reach each other."""

    def person(self, key: str, name: str) -> Person:
        """Somebody with a host of his own."""

    def pause(self, seconds: float) -> Deferred:
        """Fires when so much time has passed."""

    def skip(self, person: Person, seconds: float) -> Deferred:
        """Let so much time pass for one person at least; fires when it has."""

    def mute(self, person: Person) -> None:
        """Nothing is heard of a person any more, and nothing tells of it."""

    def connect(self, person: Person, factory: Factory) -> Deferred:
        """A bare connection to where somebody listens; fires with its protocol."""


class Memory:
    """Over `MemoryNetwork`, time moved by hand."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.clock = GridClock()
        self.network = MemoryNetwork(self.clock)
        self._hosts = itertools.count(1)

    def person(self, key: str, name: str) -> Person:
        host = f"10.0.0.{next(self._hosts)}"
        person = Person(fake_world(self.network, self.clock, host, self.base / name), key, name)
        person.host = host
        return person

    def pause(self, seconds: float) -> Deferred:
        return deferLater(self.clock, seconds)

    def skip(self, person: Person, seconds: float) -> Deferred:
        return self.pause(seconds)

    def mute(self, person: Person) -> None:
        self.network.cut = lambda one, other: person.host in (one, other)

    def connect(self, person: Person, factory: Factory) -> Deferred:
        return self.network.host("10.7.7.7").client(person.host, person.gateway.port()).connect(factory)

    def run(self, deferred: Deferred, seconds: float = 300.0):
        results: list = []
        deferred.addBoth(results.append)
        passed = 0.0
        while not results and passed < seconds:
            self.clock.advance(0.01)
            passed += 0.01
        assert results, "it has not come in time"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]


class Piped(Memory):
    """Over pipes: no network and no TLS in between."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.pipes = Pipes(self.clock)

    def person(self, key: str, name: str) -> Person:
        world = fake_world(self.network, self.clock, "10.0.0.1", self.base / name, name)
        person = Person(world, key, name, PipeTransport(self.pipes, name))
        person.host = name
        return person

    def mute(self, person: Person) -> None:
        self.pipes.muted.add(person.host)


class SkippingClock:
    """The reactor's time for one person, who may be sent ahead of it; a call comes when it is due in that time."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._calls: list = []

    def seconds(self) -> float:
        return reactor.seconds() + self._ahead

    def callLater(self, delay: float, call, *args, **kwargs):  # noqa: N802 - the interface's name
        self._calls = [made for made in self._calls if made.active()]
        self._calls.append(reactor.callLater(delay, call, *args, **kwargs))
        return self._calls[-1]

    def skip(self, seconds: float) -> None:
        self._ahead += seconds
        for call in self._calls:
            if call.active():
                call.reset(max(0.0, call.getTime() - reactor.seconds() - seconds))


class Loopback:
    """Over real sockets of one family."""

    def __init__(self, base: Path, host: str = "127.0.0.1") -> None:
        self.base = base
        self.host = host

    def person(self, key: str, name: str) -> Person:
        clock = SkippingClock()
        network, home = ReactorNetwork(reactor), self.base / name
        world = World(clock, network, home, lambda: START + clock.seconds(), run_in_thread=maybeDeferred)
        person = Person(world, key, name)
        person.host = person.settings.values["services/network/interface"] = self.host
        return person

    def pause(self, seconds: float) -> Deferred:
        return deferLater(reactor, seconds)

    def skip(self, person: Person, seconds: float) -> Deferred:
        person.world.clock.skip(seconds)
        return self.pause(0.1)

    def mute(self, person: Person) -> None:
        for session in person.gateway.sessions():
            session.link.pause_reading()

    def connect(self, person: Person, factory: Factory) -> Deferred:
        return ReactorNetwork(reactor).client(self.host, person.gateway.port()).connect(factory)


def unread() -> Unread:
    """Of a session that may hold what it likes."""
    return Unread(Scopes(Clock(), Plan.of(Budget()), lambda _: Who(0), Household([])).party("10.0.0.1"))


def request(command: Command = Command.RETRIEVE, **fields):
    return SimpleNamespace(command=command, fields=fields)


__all__ = ["Answer", "Loopback", "Memory", "Person", "Who", "ack", "succeed"]
