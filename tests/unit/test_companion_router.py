"""Routers, and the ways through them: who gets one, in which order messages come, and what too much leads to."""

from pathlib import Path
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.companions import router as module
from bitdust.companions.pipe import FULL, MAX_PACKET, Farewell, Order, Pipe, messages
from bitdust.companions.router import MOST_OF_ONE, MOST_ON_ROUTE, MOST_ROUTES, Router, name_of
from bitdust.companions.sockets import Refused
from bitdust.crypt.device import DeviceKey
from bitdust.surroundings import Connected
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.api.fakes import Anything
from tests.unit.companion_kit import CompanionCase
from tests.unit.kit import Events, Settings
from tests.unit.message_kit import Payload

SETTINGS = {"services/web-socket-router/host": "", "services/web-socket-router/port": 8282}
LIFE = b"l" * 8


@define
class Asked:
    """A request as a handler sees it."""

    peer: Any
    fields: dict[str, Any]
    payload: Any


def peer(name: bytes = b"n", device: bytes = b"d" * 8) -> Any:
    return Anything(fingerprint=name * 32, device=device)


def frames(label: bytes, client: int, number: int, *said: bytes, who: Any = None, closed: bool = False) -> Asked:
    payload = b"".join(len(one).to_bytes(4, "big") + one for one in said)
    fields = {"label": label, "client": client, "number": number, "closed": closed, "code": 4003, "reason": "out"}
    return Asked(who or peer(), fields, Payload(payload))


class Socket:
    """An app's WebSocket at a router."""

    peer = "tcp4:192.0.2.9:5555"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.reading = True

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def read_on(self, on: bool) -> None:
        self.reading = on

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


class RouterCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        home = Path(self.mktemp())
        home.mkdir()
        world = fake_world(MemoryNetwork(self.clock), self.clock, "10.0.0.1", home, "router")
        me: Any = Anything(fingerprint=b"r" * 32, device=DeviceKey.from_seed(b"r" * 32))
        self.sent: list[tuple[dict[str, Any], bytes, Any]] = []
        self.answers: Deferred[None] | None = None
        self.session = Anything(peer=peer())
        sessions = Anything(sessions=lambda: [self.session], connected=lambda fingerprint: True)
        around = Connected(
            world, Settings(SETTINGS), Events(), Registry(self.clock, self.clock.seconds), Budget(), me,  # type: ignore[arg-type]
            Anything(get=lambda fingerprint: None), sessions, Anything(send=self.send),
        )  # fmt: skip
        self.router = Router(around, lambda: ["tcp://198.51.100.1:7771"], lambda peer: False)
        self.successResultOf(Deferred.fromCoroutine(self.router.start()))

    def tearDown(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.router.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def send(
        self, to: bytes, command: Any, fields: dict[str, Any], payload: bytes, *, deadline: float, session: Any
    ) -> Any:
        self.sent.append((fields, payload, session))
        return self.answers if self.answers is not None else succeed(None)

    def ask(self, label: bytes = b"a" * 16, who: Any = None, life: bytes = LIFE) -> str:
        return self.router._wanted(Asked(who or peer(), {"label": label, "life": life}, None)).fields["url"]

    def app(self, url: str) -> tuple[Any, Socket]:
        socket: Any = Socket()
        end = self.router._accept(socket, {}, {"r": [url.rpartition("=")[2]]})()
        return end, socket

    def pass_on(self, asked: Asked) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self.router._pass_on(asked))

    def refused(self, code: str, asked: Asked) -> None:
        self.assertEqual(self.failureResultOf(self.pass_on(asked), BitDustError).value.code, code)


class WaysTests(RouterCase):
    def test_the_name_of_a_way(self) -> None:
        """It follows from who asks, and the same one gets the same again; as in docs/api/devices-wire.md."""
        url = self.ask()
        self.assertEqual(url, f"ws://198.51.100.1:8282/?r={name_of((b'n' * 32, b'd' * 8), b'a' * 16)}")
        self.assertEqual(self.ask(), url)
        others = {self.ask(b"b" * 16), self.ask(who=peer(b"m")), self.ask(who=peer(device=b"e" * 8)), url}
        self.assertEqual(len(others), 4)
        self.assertEqual(
            name_of((bytes(range(32)), bytes(range(8))), bytes(range(16))), "7ca8c6460d49673d32455484db71bc05"
        )

    def test_where_apps_find_it(self) -> None:
        """The setting names a host, or a whole address where something stands before the router."""
        for said, begins in (
            ("router.example", "ws://router.example:8282/"),
            ("wss://r.example/", "wss://r.example/?r="),
        ):
            self.router.around.settings.set("services/web-socket-router/host", said)
            self.assertTrue(self.ask().startswith(begins))

    def test_forgotten_after_five_minutes(self) -> None:
        """Unless it is asked for again; the apps on it hear so."""
        url = self.ask()
        _, socket = self.app(url)
        self.clock.advance(299)
        self.ask()
        self.clock.advance(299)
        self.assertEqual(len(self.router.info()["routes"]), 1)
        self.clock.advance(1)
        self.assertEqual((self.router.info()["routes"], socket.closed[0][0]), ([], 1013))
        self.assertRaises(Refused, self.app, url)

    def test_given_back(self) -> None:
        """Only by whose it is."""
        self.ask()
        asked = Asked(peer(b"m"), {"label": b"a" * 16, "life": LIFE}, None)
        self.assertRaises(WireError, self.router._unwanted, asked)
        self.router._unwanted(evolve(asked, peer=peer()))
        self.assertEqual(self.router.info()["routes"], [])

    def test_a_node_that_starts_anew(self) -> None:
        """It knows nothing of those who are connected: they hear so, and come again."""
        url = self.ask()
        _, socket = self.app(url)
        self.ask()
        self.assertEqual(socket.closed, [])
        self.ask(life=b"m" * 8)
        self.assertEqual(socket.closed[0][0], 1013)

    def test_so_many_and_no_more(self) -> None:
        """Ways of one node, ways of all, and apps on one way."""
        for number in range(MOST_OF_ONE):
            url = self.ask(bytes((number,)) * 16)
        error = self.assertRaises(BitDustError, self.ask, b"x" * 16)
        self.assertEqual(error.code, "busy")
        for _ in range(MOST_ON_ROUTE):
            self.app(url)
        self.assertEqual(self.assertRaises(Refused, self.app, url).status, 503)
        self.patch(module, "MOST_OF_ONE", MOST_ROUTES + 1)
        for number in range(MOST_ROUTES - MOST_OF_ONE):
            self.ask(bytes((number + 50,)) * 16, peer(b"m"))
        self.assertRaises(BitDustError, self.ask, b"y" * 16, peer(b"o"))

    def test_an_unknown_way(self) -> None:
        """Whoever guesses a name finds nothing."""
        for query in ({}, {"r": ["x"]}, {"r": ["0" * 32]}):
            self.assertEqual(self.assertRaises(Refused, self.router._accept, Socket(), {}, query).status, 404)

    def test_a_port_that_is_taken(self) -> None:
        """It is said which."""
        other = Router(self.router.around, list, lambda peer: False)
        starting = Deferred.fromCoroutine(other.start())
        self.assertEqual(self.failureResultOf(starting, BitDustError).value.code, "port-taken")


class PassingOnTests(RouterCase):
    def setUp(self) -> None:
        super().setUp()
        self.end, self.socket = self.app(self.ask())
        self.number = next(iter(self.router._routes.values())).clients.popitem()[0]
        next(iter(self.router._routes.values())).clients[self.number] = self.end

    def frames(self, number: int, *said: bytes, **more: Any) -> Asked:
        return frames(b"a" * 16, self.number, number, *said, **more)

    def test_to_the_node(self) -> None:
        """In packets of the session with the node that asked for the way, as they are."""
        self.end.received(b"one")
        self.end.received(b"two")
        self.end.lost()
        self.assertEqual([messages(payload) for _, payload, _ in self.sent], [[b"one"], [b"two"], []])
        self.assertEqual([fields["number"] for fields, _, _ in self.sent], [0, 1, 2])
        self.assertEqual([fields["closed"] for fields, _, _ in self.sent], [False, False, True])
        self.assertIs(self.sent[0][2], self.session)

    def test_to_the_app(self) -> None:
        """In order, each once; a packet that comes again is answered again."""
        self.successResultOf(self.pass_on(self.frames(0, b"one", b"two")))
        self.successResultOf(self.pass_on(self.frames(0, b"one", b"two")))
        self.successResultOf(self.pass_on(self.frames(1, b"three")))
        self.refused("bad-frames", self.frames(3, b"five"))
        self.assertEqual(self.socket.sent, [b"one", b"two", b"three"])
        self.successResultOf(self.pass_on(self.frames(2, closed=True)))
        self.assertEqual(self.socket.closed, [(4003, "out")])
        self.refused("not-found", self.frames(3, b"more"))
        info = self.router.info()
        self.assertEqual((info["routes"][0]["client_connected"], info["nodes_bytes"] > 0), (0, True))

    def test_nobody_else(self) -> None:
        """Another node, or another device of it, says nothing to this app."""
        for who in (peer(b"m"), peer(device=b"e" * 8)):
            self.refused("not-found", self.frames(0, b"evil", who=who))
        self.refused("not-found", frames(b"b" * 16, self.number, 0, b"evil"))
        self.assertEqual(self.socket.sent, [])

    def test_an_app_that_does_not_read(self) -> None:
        """Its node waits, and nothing gathers here."""
        self.end.pause()
        passing = self.pass_on(self.frames(0, b"one"))
        self.assertNoResult(passing)
        self.end.go_on()
        self.successResultOf(passing)

    def test_a_node_that_does_not_answer(self) -> None:
        """Nothing more is read from the app; when it fails the app hears so."""
        self.answers = Deferred()
        for _ in range(FULL // 60_000 + 2):
            self.end.received(b"x" * 60_000)
        self.assertFalse(self.socket.reading)
        self.assertEqual(len(self.sent), 1)
        self.answers.errback(BitDustError("no-answer", "away"))
        self.assertEqual(self.socket.closed[0][0], 1013)


class PipeTests(SynchronousTestCase):
    def test_one_packet_at_a_time(self) -> None:
        """What gathers meanwhile goes together, within the size of a packet, and the last one says so."""
        sent: list[tuple[int, Farewell | None, bytes]] = []
        waiting: list[Deferred[None]] = []
        told: list[str] = []

        def send(*packet: Any) -> "Deferred[None]":
            sent.append(packet)
            waiting.append(Deferred())
            return waiting[-1]

        pipe = Pipe(send, lambda: told.append("full"), lambda: told.append("room"), lambda: told.append("failed"))
        pipe.put(b"first")
        for _ in range(9):
            pipe.put(b"x" * 60_000)
        self.assertEqual((len(sent), told), (1, ["full"]))
        pipe.close(Farewell(1000, "done"))
        pipe.put(b"too late")
        while any(not one.called for one in waiting):
            waiting[-1].callback(None)
        self.assertEqual([number for number, _, _ in sent], [0, 1, 2, 3])
        self.assertTrue(all(len(payload) <= MAX_PACKET for _, _, payload in sent))
        self.assertEqual([last.code if last else 0 for _, last, _ in sent], [0, 0, 0, 1000])
        self.assertEqual(sum(len(messages(payload)) for _, _, payload in sent), 10)
        self.assertEqual(told, ["full", "room"])

    def test_failures(self) -> None:
        """A packet that does not arrive ends it, and is told once; after a stop nothing is."""
        told: list[str] = []
        pipe = Pipe(lambda *packet: fail(OSError()), lambda: None, lambda: None, lambda: told.append("failed"))
        pipe.put(b"x")
        pipe.put(b"y")
        self.assertEqual(told, ["failed"])
        other = Pipe(lambda *packet: Deferred(), lambda: None, lambda: None, lambda: told.append("failed"))
        other.put(b"x")
        other.stop()
        other.put(b"y")
        self.assertEqual(told, ["failed"])

    def test_payloads(self) -> None:
        """One that is no list of messages is refused."""
        for data in (b"\0", b"\0\0\0\x02a", b"\xff\xff\xff\xff", bytes(4 * 5000)):
            self.assertRaises(WireError, messages, data)
        self.assertEqual(messages(b""), [])
        order = Order()
        self.assertEqual([order.is_new(number) for number in (0, 0, 1)], [True, False, True])


class NodesSideTests(CompanionCase):
    """What a router brings to a node whose device comes through it."""

    def setUp(self) -> None:
        super().setUp()
        self.router = peer(b"r")
        self.sent: list[dict[str, Any]] = []
        self.phone = self.add(routed=True)
        for way in self.phone.door.ways:
            way.machine.send("not-found")
        (self.way, _) = self.phone.door.ways
        self.way.router = Anything(fingerprint=b"r" * 32, addresses=())
        self.around.outbox.send = self.send
        self.around.sessions.connected = lambda fingerprint: False

    def send(self, to: bytes, command: Any, fields: dict[str, Any], payload: bytes, **more: Any) -> "Deferred[None]":
        self.sent.append(fields | {"to": to, "said": messages(payload)})
        return succeed(None)

    def bring(self, client: int, number: int, *said: bytes, who: Any = None, **more: Any) -> "Deferred[Any]":
        asked: Any = frames(self.phone.record.label, client, number, *said, who=who or self.router, **more)
        return Deferred.fromCoroutine(self.house._arrived(asked))

    def test_a_line(self) -> None:
        """A new connection begins at packet 0; its end ends the line."""
        self.app.transmit = lambda data: self.successResultOf(self.bring(7, 0, data))
        self.app.pair()
        (answer,) = self.sent
        self.assertEqual((answer["client"], answer["number"], answer["to"]), (7, 0, b"r" * 32))
        self.app.transmit = lambda data: self.successResultOf(self.bring(7, 1, data))
        self.app.received(answer["said"][0])
        self.assertEqual(len(self.phone.lines), 1)
        self.successResultOf(self.bring(7, 2, closed=True))
        self.assertEqual(len(self.phone.lines), 0)
        self.assertEqual(self.failureResultOf(self.bring(7, 3, b"x"), BitDustError).value.code, "not-found")

    def test_the_start(self) -> None:
        """Ways of many devices are not all searched in the moment in which a node starts; each is within five seconds,
        and none of a device that is stopped before that."""
        for number in range(30):
            self.add(f"phone-{number}", routed=True)
        self.house.stop()
        self.clock.advance(30)
        asked: list[int] = []

        def find(exclude: frozenset[bytes]) -> "Deferred[Any]":
            asked.append(len(asked))
            return fail(BitDustError("not-found", "nobody is there"))

        self.house = self.build()
        self.house.routers.find = find
        self.result(self.house.start())
        ways = [way for one in self.house.running.values() for way in one.door.ways]
        stopped = self.house.running["phone-0"].door
        self.result(self.house.shut("phone-0"))
        counts = []
        for _ in range(20):
            counts.append(len(asked) - sum(counts))
            self.clock.advance(0.25)
        counts.append(len(asked) - sum(counts))
        self.assertLess(max(counts), 15)
        self.assertGreaterEqual(len(asked), len(ways) - len(stopped.ways))
        self.assertEqual({way.machine.state for way in stopped.ways}, {"CLOSED"})

    def test_the_network_is_back(self) -> None:
        """Ways of many devices are not all searched in the moment in which the network is back, or says so again; each
        is within five seconds."""
        asked: list[int] = []

        def find(exclude: frozenset[bytes]) -> "Deferred[Any]":
            asked.append(len(asked))
            return fail(BitDustError("not-found", "nobody is there"))

        self.house.routers.find = find
        doors = [self.add(f"phone-{number}", routed=True).door for number in range(30)]
        ways = [way for door in doors for way in door.ways]
        self.clock.advance(1)
        self.assertEqual({way.machine.state for way in ways}, {"PAUSE"})
        self.clock.pump([10] * 12)
        asked.clear()
        counts = []
        for _ in range(20):
            self.house.network_is_back()
            counts.append(len(asked) - sum(counts))
            self.clock.advance(0.25)
        counts.append(len(asked) - sum(counts))
        self.assertLess(max(counts), 15)
        self.assertGreaterEqual(len(asked), len(ways))

    def test_not_its_router(self) -> None:
        """Somebody else brings nothing, and nothing comes for a device that is stopped."""
        bringing = self.bring(7, 0, b"x", who=peer(b"m"))
        self.assertEqual(self.failureResultOf(bringing, BitDustError).value.code, "not-allowed")
        self.result(self.house.shut("phone"))
        self.assertEqual(self.failureResultOf(self.bring(7, 0, b"x"), BitDustError).value.code, "not-found")

    def test_shut_out(self) -> None:
        """The app hears so through the router, and what its line still says goes nowhere."""
        self.app.transmit = lambda data: self.successResultOf(self.bring(7, 0, data))
        self.app.pair()
        self.result(self.house.shut("phone"))
        self.assertEqual((self.sent[-1]["closed"], self.sent[-1]["code"]), (True, 4003))

    def test_told_before_the_way_is_given_back(self) -> None:
        """A router hangs up on all whose way is gone: it hears that only when the good-byes have arrived."""
        said: list[tuple[Command, Deferred[None]]] = []

        def send(to: bytes, command: Command, fields: dict[str, Any], payload: bytes = b"", **more: Any) -> Deferred:
            said.append((command, Deferred()))
            return said[-1][1]

        self.around.outbox.send = send
        self.around.sessions.connected = lambda fingerprint: True
        self.successResultOf(self.bring(7, 0))
        self.way.lines[7].close(4003, "shut out")
        self.way.give_back()
        self.assertEqual([command for command, _ in said], [Command.EVENT])
        said[0][1].callback(None)
        self.assertEqual([command for command, _ in said], [Command.EVENT, Command.CANCEL_SERVICE])

    def test_a_line_that_rests(self) -> None:
        """While the API does not read on, the router waits for its answer."""
        self.successResultOf(self.bring(7, 0))
        carrier = self.way.lines[7]
        carrier.read_on(False)
        bringing = self.bring(7, 1)
        self.assertNoResult(bringing)
        carrier.read_on(True)
        self.successResultOf(bringing)
