"""The engine of HTTP in memory, on a clock that only the test moves: time limits, counted memory, and rare endings."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.testing.network import MemoryNetwork
from bitdust.testing.streams import BUFFER, SEGMENT, WINDOW
from bitdust.web.channel import AT_ONCE, BODY_TIMEOUT, ENDLESS_BODY, HEADERS_TIMEOUT, IDLE_TIMEOUT, STALLED_TIMEOUT
from bitdust.web.connections import LAST_WORDS
from bitdust.web.dialect import BodySink, Exchange, Limits, Reply
from bitdust.web.engine import Engine
from bitdust.web.guard import Guard
from tests.api.test_dialects import MIB, PIECE, PLAIN, Taking, Warehouse, basic, dechunked
from tests.hostile.test_api_clients import Wire

STEP = 0.005
PAIR = basic(b"alice:secret").encode()


class EngineCase(SynchronousTestCase):
    """A warehouse on one host in memory, clients on another."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.network.latency = 0.001
        self.house = Warehouse(Guard(self.clock, PAIR, list, list))
        self.engine = Engine(self.clock, (self.house,))
        self.network.host("10.0.0.1").server(80).listen(self.engine)
        self.wires: list[Wire] = []

    def tearDown(self) -> None:
        """Nothing of any client is left once all are gone: no connection and no timer."""
        for wire in self.wires:
            wire.transport.abortConnection()
        self.run_for(1)
        self.assertEqual(len(self.engine.channels), 0)
        self.assertEqual([str(call) for call in self.clock.getDelayedCalls()], [])

    def connect(self) -> Wire:
        wire = Wire()
        self.wires.append(wire)
        self.network.host("10.0.0.2").client("10.0.0.1", 80).connect(Factory.forProtocol(lambda: wire))
        while not wire.connected:
            self.clock.advance(STEP)
        return wire

    def run_for(self, seconds: float, step: float = STEP) -> None:
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(step)

    def request(self, verb: bytes, target: bytes, *lines: bytes) -> bytes:
        own = (b"%s %s HTTP/1.1" % (verb, target), b"Host: localhost", b"Authorization: " + PAIR)
        return b"\r\n".join((*own, *lines)) + b"\r\n\r\n"

    def ask(self, verb: bytes, target: bytes, *lines: bytes, body: bytes = b"") -> Wire:
        """A client that has sent a request, and what came of it so far."""
        wire = self.connect()
        wire.say(self.request(verb, target, *lines) + body)
        self.run_for(0.1)
        return wire

    def use(self, begin: Any, limits: Limits | None = None) -> None:
        """Let the dialect begin its requests in another way."""
        self.patch(self.house, "begin", begin)
        if limits is not None:
            self.patch(self.house, "limits", limits)


class TimeTests(EngineCase):
    def test_silent_client(self) -> None:
        """A client that sends nothing more of its body is cut off after a minute."""
        wire = self.ask(b"POST", b"/goods", b"Content-Length: 1000", body=b"x" * 10)
        self.run_for(STALLED_TIMEOUT - 1, 0.5)
        self.assertFalse(wire.ended)
        self.run_for(2, 0.5)
        self.assertTrue(wire.ended)
        self.assertEqual((wire.data, self.house.ended), (b"", ["body"]))

    def test_slow_consumer(self) -> None:
        """The time in which the consumer has no room is not the client's; then its minute begins."""
        self.house.is_slow = True
        wire = self.ask(b"POST", b"/goods", b"Content-Length: 1000", body=b"x" * 10)
        self.run_for(10 * STALLED_TIMEOUT, 1.0)
        self.assertFalse(wire.ended)
        self.house.go_on()
        self.run_for(STALLED_TIMEOUT - 1, 0.5)
        self.assertFalse(wire.ended)
        self.run_for(2, 0.5)
        self.assertTrue(wire.ended)

    def test_trickling_client(self) -> None:
        """Bytes one by one give no more time; a client that gets on has as long as it needs."""
        for size, seconds, served in ((1, 10.0, False), (5_000, 10.0, True)):
            self.house.taken = 0
            wire = self.ask(b"POST", b"/goods", b"Transfer-Encoding: chunked", b"Connection: close")
            for _ in range(20):
                wire.say(b"%x\r\n%s\r\n" % (size, PIECE[:size]))
                self.run_for(seconds, 1.0)
            wire.say(b"0\r\n\r\n")
            self.run_for(1)
            self.assertEqual(wire.data.endswith(b"\r\n\r\n%d\n" % (20 * size)), served, size)
            self.assertTrue(wire.ended)

    def test_limited_bodies(self) -> None:
        """A dialect with a limit says in which time a body must be here, however it comes, but never half a minute."""
        for seconds, wanted in ((5.0, 5.0), (500.0, BODY_TIMEOUT)):
            self.patch(self.house, "limits", Limits(MIB, seconds))
            wire = self.ask(b"POST", b"/goods", b"Content-Length: 100000")
            began = self.clock.seconds()
            while not wire.ended:
                wire.say(b"x" * 100)
                self.run_for(0.5, 0.1)
                self.assertLess(self.clock.seconds() - began, wanted + 2)
            self.assertGreater(self.clock.seconds() - began, wanted - 1)

    def test_slow_maker(self) -> None:
        """A stream may take its time for a piece: who only waits for it is not cut off."""
        self.house.is_slow = True
        wire = self.ask(b"GET", b"/goods?70000", b"Connection: close")
        self.run_for(10 * STALLED_TIMEOUT, 1.0)
        self.assertFalse(wire.ended)
        self.house.is_slow = False
        self.house.go_on()
        self.run_for(1)
        self.assertEqual(len(dechunked(wire.data.partition(b"\r\n\r\n")[2])[0]), 70_000)

    def test_who_does_not_read(self) -> None:
        """A client that reads nothing of a stream for a minute is cut off, and the stream is closed."""
        wire = self.connect()
        wire.transport.pauseProducing()
        wire.say(self.request(b"GET", b"/goods?100000000"))
        self.run_for(STALLED_TIMEOUT - 1, 0.5)
        self.assertEqual(self.house.ended, [])
        self.run_for(3, 0.5)
        self.assertEqual((self.house.ended, len(self.engine.channels)), (["pieces"], 0))

    def test_resting_between_streams(self) -> None:
        """After a stream the connection may rest as after any answer, and then has time for headers again."""
        wire = self.ask(b"GET", b"/goods?3")
        self.run_for(IDLE_TIMEOUT - 2, 0.5)
        wire.say(b"GET ")
        self.run_for(HEADERS_TIMEOUT - 1, 0.5)
        self.assertFalse(wire.ended)
        self.run_for(2, 0.5)
        self.assertTrue(wire.ended)


class MemoryTests(EngineCase):
    def test_reply(self) -> None:
        """No more of a stream is made than fits between the ends, byte for byte; then it goes on where it was."""
        wire = self.connect()
        wire.transport.pauseProducing()
        wire.say(self.request(b"GET", b"/known?10000000", b"Connection: close"))
        self.run_for(10, 0.1)
        self.assertLessEqual(self.house.made, WINDOW + BUFFER + 2 * len(PIECE))
        made = self.house.made
        self.run_for(30, 0.1)
        self.assertEqual(self.house.made, made)
        wire.transport.resumeProducing()
        self.run_for(5)
        self.assertEqual(len(wire.data.partition(b"\r\n\r\n")[2]), 10_000_000)

    def test_body(self) -> None:
        """While its sink has no room, what is held of a body is one piece at the sink and one read at the engine."""
        self.house.is_slow = True
        wire = self.connect()
        wire.say(self.request(b"POST", b"/goods", b"Content-Length: 3000000", b"Connection: close") + b"x" * 3_000_000)
        most = 0
        while not wire.ended:
            self.run_for(0.05)
            most = max(most, self.house.begun[0].held)
            self.assertLessEqual(self.house.waiting, 2 * SEGMENT)
            self.house.go_on()
        self.assertLessEqual(most, SEGMENT)
        self.assertTrue(wire.data.endswith(b"\r\n\r\n3000000\n"))

    def test_both_ways(self) -> None:
        """An answer that nobody reads does not stop a body, a sink without room does, and each goes on by itself."""
        wire = self.connect()
        wire.transport.pauseProducing()
        self.house.is_slow = True
        wire.say(self.request(b"POST", b"/counted", b"Transfer-Encoding: chunked", b"Connection: close"))
        wire.say((b"400\r\n" + PIECE[:0x400] + b"\r\n") * 1000 + b"0\r\n\r\n")
        self.run_for(1)
        stopped = self.house.taken
        self.assertLess(stopped, SEGMENT)
        wire.transport.resumeProducing()
        self.run_for(1)
        wire.transport.pauseProducing()
        self.assertEqual(self.house.taken, stopped)
        for _ in range(200):
            self.house.go_on()
            self.run_for(0.05)
        self.assertEqual(self.house.taken, 0x400 * 1000)
        wire.transport.resumeProducing()
        self.run_for(1)
        self.assertIn(b"X-Total: 1024000\r\n", wire.data)

    def test_large_pieces_both_ways(self) -> None:
        """The same where the answer fills the connection and the sink has no room: reading waits for the sink alone."""
        exchanges: list[Exchange] = []

        def begin(exchange: Exchange) -> BodySink:
            exchanges.append(exchange)
            return Taking(self.house, exchange)

        self.use(begin)
        self.house.is_slow = True
        wire = self.connect()
        wire.transport.pauseProducing()
        wire.say(self.request(b"POST", b"/goods", b"Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        self.run_for(0.1)
        room, self.house.is_slow = self.house.slow, False
        exchanges[0].answer(Reply(200, PLAIN, self.house.pieces(2_000_000)))
        self.run_for(1)
        wire.say(b"3\r\nabc\r\n")
        self.run_for(1)
        self.assertEqual(self.house.taken, 2)
        wire.transport.resumeProducing()
        self.run_for(0.02)
        wire.transport.pauseProducing()
        wire.say(b"186a0\r\n" + b"x" * 100_000 + b"\r\n" + b"4c4b40\r\n" + b"x" * 5_000_000 + b"\r\n")
        self.run_for(5)
        self.assertEqual(self.house.taken, 2)
        self.assertLessEqual(exchanges[0].held, SEGMENT)
        room[0].callback(None)
        self.run_for(1)
        self.assertEqual(self.house.taken, 5 + 5_100_000)
        wire.transport.resumeProducing()
        self.run_for(2)
        self.assertTrue(wire.ended)


class EndTests(EngineCase):
    def test_dropped_between_answers(self) -> None:
        """A client that goes while the rest of its many requests waits for the next turn leaves nothing behind."""
        self.use(lambda exchange: Reply(200, PLAIN, b"here\n"))
        mine = self.alone()
        mine.dataReceived(self.request(b"GET", b"/goods") * (2 * AT_ONCE))
        self.assertEqual(mine.transport.value().count(b"here"), AT_ONCE)
        mine.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def alone(self) -> Any:
        """A connection without a network below it."""
        transport = StringTransport()
        transport.loseWriteConnection = lambda: None
        mine = self.engine.buildProtocol(None)
        mine.makeConnection(transport)
        return mine

    def test_turned_away_and_still_sending(self) -> None:
        """Who sends on without an end after a refusal is cut off, and long before that reads it."""
        mine = self.alone()
        mine.dataReceived(b"G" * 20_000)
        self.assertIn(b"closed: too-large", mine.transport.value())
        for _ in range(ENDLESS_BODY // SEGMENT):
            mine.dataReceived(b"x" * SEGMENT)
        self.assertFalse(mine.transport.disconnected)
        mine.dataReceived(b"x" * SEGMENT)
        self.assertTrue(mine.transport.disconnected)
        mine.connectionLost(Failure(ConnectionDone()))

    def test_endless_body_that_nobody_takes(self) -> None:
        """The same for a body in chunks of a dialect with a limit, which is read on for a while."""
        self.patch(self.house, "limits", Limits(10))
        wire = self.ask(b"POST", b"/goods", b"Transfer-Encoding: chunked")
        for _ in range(ENDLESS_BODY // 0x8000 + 1):
            wire.say(b"8000\r\n" + PIECE[:0x8000] + b"\r\n")
            self.run_for(0.01)
        self.run_for(1)
        self.assertTrue(wire.ended)
        self.assertEqual((wire.data, self.house.ended), (b"", ["body"]))

    def test_over_its_limit(self) -> None:
        """A body over the limit of its dialect is 413 in its words: before it comes, or when too much has come."""
        self.patch(self.house, "limits", Limits(10))
        for lines, body in (
            ((b"Content-Length: 11",), b""),
            ((b"Transfer-Encoding: chunked", b"Connection: close"), b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"),
        ):
            wire = self.ask(b"POST", b"/goods", *lines, body=body)
            self.assertTrue(wire.data.startswith(b"HTTP/1.1 413 "), lines)
            self.assertTrue(wire.data.endswith(b"closed: too-large\n"))

    def test_stream_instead_of_a_body(self) -> None:
        """A dialect may answer with a stream at once: behind a short body that nobody takes the connection stays,
        before a long one the answer is the last word."""
        self.use(lambda exchange: Reply(200, PLAIN, self.house.pieces(3)))
        wire = self.ask(b"POST", b"/goods", b"Content-Length: 4", body=b"abcd")
        wire.say(self.request(b"POST", b"/goods", b"Content-Length: %d" % (ENDLESS_BODY + 1)))
        self.run_for(0.1)
        self.assertEqual(wire.data.count(b"HTTP/1.1 200 OK"), 2)
        self.run_for(BODY_TIMEOUT + 1, 0.5)
        self.assertTrue(wire.ended)

    def test_answer_at_once(self) -> None:
        """A sink that answers when it is made does so behind its request, with bytes or a stream, once."""

        def begin(exchange: Exchange) -> BodySink:
            stream = b"stream" in exchange.head.path
            exchange.answer(Reply(200, PLAIN, self.house.pieces(2) if stream else b"ab"))
            exchange.answer(Reply(500, PLAIN, b"no"))
            return Taking(self.house, exchange)

        self.use(begin)
        for path in (b"/bytes", b"/stream"):
            wire = self.ask(b"GET", path, b"Connection: close")
            self.assertEqual(wire.data.count(b"HTTP/1.1"), 1)
            self.assertTrue(wire.ended)

    def test_rubbish_behind_an_early_answer(self) -> None:
        """Chunks of one read are taken together; when their sink answers, what came behind them is not judged."""

        def begin(exchange: Exchange) -> BodySink:
            sink = Taking(self.house, exchange)
            self.patch(self.house, "_raise", lambda where: exchange.answer(Reply(507, PLAIN, b"full\n")))
            return sink

        self.use(begin)
        chunks = b"2\r\nab\r\n2\r\ncd\r\nno chunk\r\n"
        wire = self.ask(b"POST", b"/goods", b"Transfer-Encoding: chunked", body=chunks)
        self.assertEqual((wire.data.count(b"HTTP/1.1"), self.house.taken), (1, 4))
        self.assertTrue(wire.data.endswith(b"\r\n\r\nfull\n"))

    def test_many_small_chunks(self) -> None:
        """A sink is given what came in one read in one piece, however many chunks it was."""
        pieces: list[bytes] = []

        def begin(exchange: Exchange) -> BodySink:
            sink = Taking(self.house, exchange)
            self.patch(sink, "received", pieces.append)
            return sink

        self.use(begin)
        wire = self.ask(b"POST", b"/goods", b"Transfer-Encoding: chunked", body=b"1\r\na\r\n" * 50)
        wire.say(b"1\r\nb\r\n" * 50 + b"0\r\n\r\n")
        self.run_for(0.1)
        self.assertEqual(pieces, [b"a" * 50, b"b" * 50])

    def test_answer_while_the_sink_is_busy(self) -> None:
        """A sink may answer a whole request before it has room again; the next request is read all the same."""
        exchanges: list[Exchange] = []

        def begin(exchange: Exchange) -> BodySink:
            exchanges.append(exchange)
            return Taking(self.house, exchange)

        self.use(begin)
        self.house.is_slow = True
        wire = self.ask(b"POST", b"/goods", b"Content-Length: 4", body=b"abcd")
        exchanges[0].answer(Reply(200, PLAIN, b"done\n"))
        self.house.is_slow = False
        wire.say(self.request(b"POST", b"/goods", b"Content-Length: 2", b"Connection: close") + b"ab")
        self.run_for(0.1)
        self.house.go_on()
        self.run_for(0.1)
        self.assertIn(b"\r\n\r\ndone\nHTTP/1.1 200 OK", wire.data)
        self.assertTrue(wire.data.endswith(b"\r\n\r\n2\n"))

    def test_busy_sink_and_a_stream_that_ends(self) -> None:
        """A stream that ends while the sink still works on the last piece ends the exchange when the sink is done; one
        that ends in the middle of a body closes the connection, also while the sink has no room."""
        for line, body in ((b"Content-Length: 4", b"abcd"), (b"Transfer-Encoding: chunked", b"4\r\nabcd\r\n")):
            exchanges: list[Exchange] = []

            def begin(exchange: Exchange, mine: list[Exchange] = exchanges) -> BodySink:
                mine.append(exchange)
                return Taking(self.house, exchange)

            self.use(begin)
            self.house.is_slow = True
            wire = self.ask(b"POST", b"/goods", line, body=body)
            exchanges[0].answer(Reply(200, PLAIN, self.first(b"one")))
            self.run_for(0.1)
            self.assertTrue(wire.data.endswith(b"3\r\none\r\n0\r\n\r\n"), wire.data)
            self.house.is_slow = False
            self.house.go_on()
            wire.say(self.request(b"POST", b"/goods", b"Content-Length: 0"))
            self.run_for(0.1)
            self.assertEqual(len(exchanges), 2 if b"Length" in line else 1)

    async def first(self, piece: bytes) -> Any:
        yield piece

    def test_sink_that_fails_beside_its_stream(self) -> None:
        """When an answer has begun, only a broken connection tells that the body could not be taken."""
        self.house.trouble = {}
        wire = self.ask(b"POST", b"/counted", b"Transfer-Encoding: chunked", body=b"2\r\nab\r\n")
        self.house.trouble = {"received": OSError(28, "no space")}
        wire.say(b"2\r\nab\r\n")
        self.run_for(0.1)
        self.assertTrue(wire.ended)
        self.assertNotIn(b"\r\n0\r\n", wire.data)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(sorted(self.house.ended), ["body", "counts"])

    def test_stream_that_does_not_stop(self) -> None:
        """A stream that goes on after its client has gone is not asked for more than one piece."""
        asked: list[int] = []

        async def stubborn() -> Any:
            while True:
                asked.append(1)
                try:
                    await Deferred()
                except Exception:  # noqa: BLE001
                    yield b"more"

        self.use(lambda exchange: Reply(200, PLAIN, stubborn()))
        wire = self.ask(b"GET", b"/goods")
        wire.transport.abortConnection()
        self.run_for(0.1)
        self.assertEqual(len(asked), 1)

    def test_close(self) -> None:
        """Closing lets answers out that are on their way, and cuts off after a second who does not take them."""
        self.house.is_slow = True
        quick, lazy = self.ask(b"GET", b"/known?100000"), self.connect()
        self.house.is_slow = False
        lazy.transport.pauseProducing()
        lazy.say(self.request(b"GET", b"/goods?100000000"))
        self.run_for(0.1)
        closed = self.engine.close()
        self.run_for(LAST_WORDS / 2)
        self.assertNoResult(closed)
        self.run_for(LAST_WORDS)
        self.successResultOf(closed)
        self.assertTrue(quick.ended)
        self.assertEqual(self.house.ended.count("pieces"), 2)

    def test_nothing_open(self) -> None:
        """Closing nothing is done at once."""
        self.successResultOf(self.engine.close())
