"""Clients that flood, stall, trickle, vanish and lie: the others are served as before, and nothing of them stays."""

import json
import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.testing.network import MemoryNetwork
from bitdust.web import channel
from bitdust.web.channel import BODY_TIMEOUT, HEADERS_TIMEOUT, IDLE_TIMEOUT, STALLED_TIMEOUT
from bitdust.web.engine import MAX_CONNECTIONS
from bitdust.web.guard import Guard
from bitdust.web.server import rest_engine
from tests.api.fakes import FakeContext
from tests.api.test_rest import Raw, RestCase

SECRET = b"s" * 32
HEAD = b"Host: localhost\r\napi_secret: " + SECRET + b"\r\n"
HEALTH = b"GET /process/health/v1 HTTP/1.1\r\n" + HEAD + b"\r\n"
STEP = 0.005
OK = b'"status": "OK"'


class Wire(Protocol):
    """Keeps what comes; ``ended`` tells whether the other side has closed."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = True

    def say(self, data: bytes) -> None:
        self.transport.write(data)

    @property
    def answers(self) -> int:
        """How many requests were answered with OK."""
        return self.data.count(OK)


class MemoryCase(SynchronousTestCase):
    """A REST listener on one host in memory, clients on another, and a clock that only the test moves."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.network.latency = 0.001
        self.context = FakeContext(self.clock, self.mktemp())
        guard = Guard(self.clock, SECRET, list, list)
        self.rest = rest_engine(self.context, TABLE, guard)
        self.network.host("10.0.0.1").server(8180).listen(self.rest)
        self.wires: list[Wire] = []

    def tearDown(self) -> None:
        """Nothing of any client is left once all are gone: no connection and no timer."""
        for wire in self.wires:
            wire.transport.abortConnection()
        self.run_for(1)
        self.assertEqual(len(self.rest.channels), 0)
        self.context.consumers.stop()
        self.context.events.stop()
        self.assertEqual([str(call) for call in self.clock.getDelayedCalls()], [])

    def connect(self) -> Wire:
        """A client; its connection is there with the next steps of the clock."""
        wire = Wire()
        self.wires.append(wire)
        dialling = self.network.host("10.0.0.2").client("10.0.0.1", 8180).connect(Factory.forProtocol(lambda: wire))
        dialling.addErrback(lambda failure: setattr(wire, "ended", True))
        while not wire.connected and not wire.ended:
            self.clock.advance(STEP)
        if wire.ended:
            self.wires.remove(wire)
        return wire

    def run_for(self, seconds: float, step: float = STEP) -> None:
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(step)

    def steps_to_answer(self, wire: Wire) -> int:
        """How many steps of the clock one request of a good client takes."""
        before = wire.answers
        wire.say(HEALTH)
        for count in range(1, 200):
            self.clock.advance(STEP)
            if wire.answers > before:
                return count
        raise AssertionError("a good client gets no answer")


class CrowdTests(MemoryCase):
    def test_a_hundred_clients(self) -> None:
        """A hundred clients that ask at the same time get on equally: none is a turn behind another."""
        wires = [self.connect() for _ in range(100)]
        for _ in range(20):
            for wire in wires:
                wire.say(HEALTH)
            self.run_for(0.02)
            self.assertEqual(len({wire.answers for wire in wires}), 1)
        self.assertEqual({wire.answers for wire in wires}, {20})

    def test_pipelining(self) -> None:
        """A client that sends five hundred requests at once does not make another wait for them."""
        order: list[Any] = []
        write = channel.ApiChannel.write

        def noted(mine: Any, data: bytes) -> None:
            order.append(mine)
            write(mine, data)

        self.patch(channel.ApiChannel, "write", noted)
        greedy, good = self.connect(), self.connect()
        mine = self.rest.channels.all()[-1]
        greedy.say(HEALTH * 500)
        good.say(HEALTH)
        self.run_for(1)
        self.assertEqual((greedy.answers, good.answers), (500, 1))
        self.assertLessEqual(order.index(mine), 40)

    def test_a_thousand_that_rest(self) -> None:
        """A thousand silent connections make room for each other; a good client is served as fast as before."""
        good = self.connect()
        usual = self.steps_to_answer(good)
        for _ in range(1000):
            self.connect()
        self.assertLessEqual(len(self.rest.channels), MAX_CONNECTIONS)
        good = self.connect()
        self.assertEqual(self.steps_to_answer(good), usual)
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 2 * MAX_CONNECTIONS)
        self.run_for(IDLE_TIMEOUT + HEADERS_TIMEOUT, 1.0)
        self.assertEqual(len(self.rest.channels), 0)

    def test_open_and_drop_for_a_minute(self) -> None:
        """Fifty connections a second that are opened, half used and dropped: good clients notice nothing."""
        good = self.connect()
        usual = self.steps_to_answer(good)
        for second in range(60):
            wires = [self.connect() for _ in range(50)]
            for number, wire in enumerate(wires):
                wire.say(HEALTH[: number * 3])
                (wire.transport.abortConnection if number % 2 else wire.transport.loseConnection)()
            self.wires = [good]
            self.assertLessEqual(self.steps_to_answer(good), usual + 1, f"second {second}")
            self.run_for(0.05)
            self.assertEqual(len(self.rest.channels), 1)
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 2)


class StallTests(MemoryCase):
    def test_who_never_reads(self) -> None:
        """Answers for a client that does not read are made only as far as one turn goes; then it is cut off."""
        made = 0
        reply = channel.ApiChannel.write

        def count(mine: Any, data: bytes) -> None:
            nonlocal made
            made += len(data)
            reply(mine, data)

        self.patch(channel.ApiChannel, "write", count)
        lazy, good = self.connect(), self.connect()
        usual = self.steps_to_answer(good)
        lazy.transport.pauseProducing()
        lazy.say((b"GET /config/list/v1 HTTP/1.1\r\n" + HEAD + b"\r\n") * 500)
        self.run_for(2)
        self.assertGreater(made, 1 << 18)
        self.assertLess(made, 3 << 20)
        self.assertEqual(self.steps_to_answer(good), usual)
        self.run_for(STALLED_TIMEOUT + HEADERS_TIMEOUT, 1.0)
        self.assertEqual(len([one for one in self.rest.channels.all() if not one.is_idle]), 0)
        self.assertEqual(len(self.rest.channels), 0)
        self.wires.remove(lazy)

    def test_who_reads_again(self) -> None:
        """A client that pauses and reads on gets every answer."""
        slow = self.connect()
        self.run_for(0.1)
        slow.transport.pauseProducing()
        slow.say((b"GET /config/list/v1 HTTP/1.1\r\n" + HEAD + b"\r\n") * 100)
        self.run_for(STALLED_TIMEOUT - 5, 0.5)
        slow.transport.resumeProducing()
        self.run_for(3)
        self.assertEqual(slow.answers, 100)

    def test_headers_that_trickle(self) -> None:
        """A request whose headers come byte by byte is cut off in time, and meanwhile disturbs nobody."""
        for text in (HEALTH, b"G", b"GET / HTTP/1.1\r\nX: " + b"y" * 100):
            begin, wire, good = self.clock.seconds(), self.connect(), self.connect()
            usual = self.steps_to_answer(good)
            for byte in text:
                wire.say(bytes([byte]))
                self.run_for(1, 0.1)
                if wire.ended:
                    break
            self.run_for(max(0.0, begin + HEADERS_TIMEOUT + 1 - self.clock.seconds()), 0.1)
            self.assertTrue(wire.ended)
            self.assertLess(self.clock.seconds() - begin, HEADERS_TIMEOUT + 3)
            self.assertEqual(self.steps_to_answer(good), usual)

    def test_bodies_that_trickle(self) -> None:
        """The same for bodies, with a length and in chunks."""
        for head in (b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"):
            wire = self.connect()
            wire.say(b"POST /api/process_health HTTP/1.1\r\n" + HEAD + head)
            for _ in range(int(BODY_TIMEOUT) + 1):
                wire.say(b" ")
                self.run_for(1, 0.1)
            self.assertTrue(wire.ended)
            self.assertEqual(wire.answers, 0)

    def test_rest_between_requests(self) -> None:
        """A connection that is used now and then stays; one that is not goes after a minute."""
        wire = self.connect()
        for _ in range(5):
            self.run_for(IDLE_TIMEOUT - 5, 0.5)
            self.steps_to_answer(wire)
        self.run_for(IDLE_TIMEOUT + 1, 0.5)
        self.assertTrue(wire.ended)

    def test_long_poll(self) -> None:
        """A call that waits for an event is not cut off, however long that takes."""
        wire = self.connect()
        wire.say(b"GET /event/listen/me/v1 HTTP/1.1\r\n" + HEAD + b"\r\n")
        self.run_for(600, 1.0)
        self.context.events.send("something-happened")
        self.run_for(0.1)
        self.assertEqual(wire.answers, 1)


class FramingTests(MemoryCase):
    def talk(self, data: bytes) -> Wire:
        wire = self.connect()
        wire.say(data)
        self.run_for(0.1)
        return wire

    def check_turned_away(self, data: bytes, statuses: tuple[bytes, ...] = (b"400",)) -> None:
        """One envelope with that status, none of the requests behind it is answered, and the connection ends."""
        wire = self.talk(data + HEALTH)
        what = repr(data[:120])
        self.assertEqual(wire.data.count(b"\r\nContent-Length: "), 1, what)
        self.assertIn(wire.data.split()[1], statuses, what)
        envelope = json.loads(wire.data.partition(b"\r\n\r\n")[2])
        self.assertEqual(envelope["status"], "ERROR", what)
        self.assertTrue(envelope["code"])
        self.run_for(BODY_TIMEOUT + 1, 0.5)
        self.assertTrue(wire.ended, what)

    def test_smuggling(self) -> None:
        """A request whose length can be read in two ways is turned away with all that follows it (RFC 9112, 6.3)."""
        post = b"POST /api/process_health HTTP/1.1\r\n" + HEAD
        for framing in (
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
            b"Content-Length: +2\r\n\r\n{}",
            b"Content-Length: -2\r\n\r\n{}",
            b"Content-Length: 0x2\r\n\r\n{}",
            b"Content-Length: 2, 2\r\n\r\n{}",
            b"Content-Length: 2_0\r\n\r\n{}",
            b"Content-Length: \xb2\r\n\r\n{}",
            b"Content-Length:\r\n\r\n{}",
            b"X\0: 1\r\n\r\n",
            b"X: a\0b\r\n\r\n",
            b": 1\r\n\r\n",
            b"no colon\r\n\r\n",
        ):
            self.check_turned_away(post + framing)

    def test_chunks(self) -> None:
        """Chunks whose sizes are no sizes are turned away."""
        post = b"POST /api/process_health HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for chunks in (b"-1\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"x\r\n", b"\r\n", b"2\r\n{}x", b"f" * 2000 + b"\r\n"):
            self.check_turned_away(post + chunks)

    def test_lines(self) -> None:
        """What is no request line is turned away; so are headers beyond measure, one or many."""
        for line in (b"GET", b"GET /", b"GET / HTTP/9.9", b"\0", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 x"):
            self.check_turned_away(line + b"\r\n\r\n")
        long = (b"400", b"431")
        self.check_turned_away(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", long)
        self.check_turned_away(b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", long)
        self.check_turned_away(b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n", long)
        self.check_turned_away(b"GET / HTTP/1.1\r\nX: 1\r\n" + b" y\r\n" * 10_000 + b"\r\n", long)

    def test_hosts_and_origins(self) -> None:
        """A wrong, missing or double Host or Origin opens nothing, wherever in a row of requests it comes."""
        secret = b"api_secret: " + SECRET + b"\r\n"
        for lines in (
            b"",
            b"Host: evil.example\r\n",
            b"Host: localhost\r\nHost: localhost\r\n",
            b"Host: localhost\r\nHost: evil.example\r\n",
            b"Host: localhost.evil.example\r\n",
            b"Host: localhost:80@evil.example\r\n",
            b"Host: 127.0.0.1.evil.example\r\n",
            b"Host: local\xffhost\r\n",
            b"Host: localhost\r\nOrigin: null\r\n",
            b"Host: localhost\r\nOrigin: http://localhost.evil.example\r\n",
            b"Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n",
            b"Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
        ):
            wire = self.talk(HEALTH + b"GET /p/h HTTP/1.1\r\n" + lines + secret + b"\r\n" + HEALTH)
            self.assertEqual((wire.answers, wire.data.count(b" 403 ")), (2, 1), lines)

    def test_two_secrets(self) -> None:
        """Two secrets are none."""
        wire = self.talk(b"GET /p/h HTTP/1.1\r\n" + HEAD + b"API-Secret: x\r\napi_secret: " + SECRET + b"\r\n\r\n")
        self.assertEqual((wire.answers, wire.data.count(b" 401 ")), (0, 1))


class SocketTests(RestCase):
    """The same listener on real sockets."""

    async def health(self, raw: Raw) -> None:
        raw.data = b""
        raw.transport.write(f"GET /p/h HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n\r\n".encode())
        await raw.until(OK)

    async def test_nothing_stays(self) -> None:
        """Of a hundred clients at once, of those that drop in the middle, and of those that close one half, no file
        descriptor is left."""
        await self.ask("GET", "/p/h")
        before = len(os.listdir("/proc/self/fd"))
        good = await self.connect()
        wires = await gatherResults([Deferred.fromCoroutine(self.connect()) for _ in range(100)])
        await gatherResults([Deferred.fromCoroutine(self.health(raw)) for raw in wires])
        for number, raw in enumerate(wires):
            raw.transport.write(b"POST /p/h HTTP/1.1\r\nContent-Length: 9\r\n"[: number % 40])
            close = (raw.transport.loseConnection, raw.transport.loseWriteConnection, raw.transport.abortConnection)
            close[number % 3]()
        await gatherResults([raw.ended for raw in wires])
        await self.health(good)
        good.transport.loseConnection()
        await good.ended
        while len(self.server.listeners.answering["rest"].channels):
            await deferLater(reactor, 0)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before)

    async def test_dropping_while_a_call_waits(self) -> None:
        """Clients that go while their calls wait take the calls with them."""
        wires = []
        for number in range(30):
            raw = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["rest"]), Raw())
            head = f"GET /event/listen/c{number}/v1 HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n\r\n"
            raw.transport.write(head.encode())
            wires.append(raw)
        while len(self.context.consumers) < 30:
            await deferLater(reactor, 0)
        self.assertEqual(len(self.context.consumers._waiting), 30)
        for raw in wires:
            raw.transport.abortConnection()
            await raw.ended
        while len(self.server.listeners.answering["rest"].channels):
            await deferLater(reactor, 0)
        self.assertEqual(len(self.context.consumers._waiting), 0)
