"""A second dialect over the engine of HTTP, on real sockets: streams both ways, with its own port, rules and errors."""

import base64
import socket
from collections.abc import AsyncIterator
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bitdust.api.methods import TABLE
from bitdust.config.schema import default_schema
from bitdust.config.settings import Settings
from bitdust.web.channel import ENDLESS_BODY
from bitdust.web.dialect import BodySink, Exchange, Head, Limits, Reply
from bitdust.web.engine import Engine
from bitdust.web.guard import Guard, Refusal
from bitdust.web.listeners import Listener, Listeners
from bitdust.web.server import rest_engine
from bitdust.wire.errors import BitDustError
from tests.api.fakes import FakeContext
from tests.api.test_rest import Raw

MIB = 1 << 20
READ = 1 << 16
"""What one read of a socket brings at most."""
PIECE = bytes(range(256)) * 256
SWITCH, NUMBER = "interface/warehouse/enabled", "interface/warehouse/port"
PLAIN = b"Content-Type: text/plain\r\n"


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


class Warehouse:
    """A dialect of this test: takes goods of any size at ``POST /goods``, gives them back at ``GET /goods?SIZE``, and
    counts them while they come at ``POST /counted``. Errors are one line of plain text."""

    limits = Limits()

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.slow: list[Deferred[None]] = []
        self.is_slow = False
        self.taken = self.waiting = self.most_waiting = self.made = 0
        self.begun: list[Exchange] = []
        self.ended: list[str] = []
        self.trouble: dict[str, Exception] = {}

    def takes(self, path: bytes) -> bool:
        return True

    def begin(self, exchange: Exchange) -> BodySink | Reply:
        self._raise("begin")
        self.begun.append(exchange)
        head = exchange.head
        refusal = self._guard.refuse_secret(head.single(b"Authorization"))
        if refusal is not None:
            return self.refusal(refusal, head)
        if head.method == b"GET":
            return self._goods(head)
        if head.method != b"POST":
            return self.refusal(Refusal(405, "bad-verb", "the warehouse takes GET and POST"), head)
        return Counted(self, exchange) if head.path == b"/counted" else Taking(self, exchange)

    def _goods(self, head: Head) -> Reply:
        size = int(head.query or b"0")
        trailers = (lambda error: b"X-Trouble: %s\r\n" % str(error).encode()) if head.path == b"/trailers" else None
        length = {b"/known": size, b"/less": size + 1, b"/more": size - 1}.get(head.path)
        return Reply(200, PLAIN, self.pieces(size), length, trailers)

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        try:
            while size:
                piece = PIECE[:size]
                size -= len(piece)
                self.made += len(piece)
                yield piece
                self._raise("pieces")
                if self.is_slow:
                    waiting: Deferred[None] = Deferred()
                    self.slow.append(waiting)
                    await waiting
        finally:
            self.ended.append("pieces")

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        headers = PLAIN + (b'WWW-Authenticate: Basic realm="warehouse"\r\n' if refusal.status == 401 else b"")
        return Reply(refusal.status, headers, f"closed: {refusal.code}\n".encode())

    def _raise(self, where: str) -> None:
        if where in self.trouble:
            raise self.trouble[where]

    def go_on(self) -> None:
        """Whoever waits has room again."""
        slow, self.slow = self.slow, []
        for one in slow:
            one.callback(None)


class Taking:
    """Takes goods, at the pace that the test sets."""

    def __init__(self, house: Warehouse, exchange: Exchange) -> None:
        self.house, self.exchange = house, exchange
        self.size = 0

    def received(self, data: bytes) -> "Deferred[None] | None":
        house = self.house
        house._raise("received")
        self.size += len(data)
        house.taken += len(data)
        if not house.is_slow:
            return None
        house.waiting += len(data)
        house.most_waiting = max(house.most_waiting, house.waiting)
        room: Deferred[None] = Deferred()
        house.slow.append(room)

        def stored(_: None) -> None:
            house.waiting -= len(data)

        return room.addCallback(stored)

    def finished(self) -> None:
        self.house._raise("finished")
        self.exchange.answer(Reply(200, PLAIN, b"%d\n" % self.size))

    def gone(self) -> None:
        self.house.ended.append("body")
        self.house._raise("gone")


class Counted(Taking):
    """Tells while the goods come how many there are."""

    def __init__(self, house: Warehouse, exchange: Exchange) -> None:
        super().__init__(house, exchange)
        self._news: Deferred[None] = Deferred()
        self._whole = False
        exchange.answer(Reply(200, PLAIN, self._counts(), trailers=lambda error: b"X-Total: %d\r\n" % self.size))

    async def _counts(self) -> AsyncIterator[bytes]:
        try:
            while not self._whole:
                await self._news
                self._news = Deferred()
                yield b"%d\n" % self.size
        finally:
            self.house.ended.append("counts")

    def received(self, data: bytes) -> "Deferred[None] | None":
        waiting = super().received(data)
        self._tell()
        return waiting

    def finished(self) -> None:
        self._whole = True
        self._tell()

    def _tell(self) -> None:
        if not self._news.called:
            self._news.callback(None)


class Reader(Protocol):
    """A client that keeps no bytes, only their number; ``until`` waits for some."""

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self.tail = b""
        self.ended: Deferred[None] = Deferred()
        self._marks: list[tuple[int, Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)
        self.head = (self.head + data)[:1000] if len(self.head) < 1000 else self.head
        self.tail = (self.tail + data)[-1000:]
        for size, waiting in [one for one in self._marks if one[0] <= self.size]:
            self._marks.remove((size, waiting))
            waiting.callback(None)

    def until(self, size: int) -> "Deferred[None]":
        waiting: Deferred[None] = Deferred()
        self._marks.append((size, waiting))
        self.dataReceived(b"")
        return waiting

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(None)


class DialectCase(TestCase):
    """A warehouse on a port of its own beside REST on another, over the same engine."""

    async def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        schema = dict(default_schema())
        schema[SWITCH] = evolve(schema["interface/api/rest-http-enabled"], key=SWITCH, default=True)
        schema[NUMBER] = evolve(schema["interface/api/rest-http-port"], key=NUMBER, default=0)
        self.settings = Settings(self.context.world.home / "other", schema)
        self.settings.set("interface/api/rest-http-port", 0)
        self.house = Warehouse(Guard(reactor, basic(b"alice:secret").encode(), list, list))
        self.listeners = Listeners(self.context.world.network, self.settings)
        await self.listeners.open(self.rows())

    def rows(self) -> list[Listener]:
        rest = rest_engine(self.context, TABLE, Guard(reactor, b"s" * 32, list, list))
        return [
            Listener("warehouse", SWITCH, NUMBER, lambda: Engine(reactor, (self.house,), 16)),
            Listener("rest", "interface/api/rest-http-enabled", "interface/api/rest-http-port", lambda: rest),
        ]

    async def tearDown(self) -> None:
        await self.listeners.close()
        self.context.events.stop()

    @property
    def engine(self) -> Engine:
        return self.listeners.answering["warehouse"]

    async def connect(self, client: Any, port: str = "warehouse") -> Any:
        return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.listeners.ports[port]), client)

    def request(self, verb: str, target: str, *lines: str, pair: bytes = b"alice:secret") -> bytes:
        own = (f"{verb} {target} HTTP/1.1", "Host: localhost", f"Authorization: {basic(pair)}")
        return "\r\n".join((*own, *lines)).encode() + b"\r\n\r\n"

    async def ask(self, verb: str, target: str, *lines: str, body: bytes = b"", pair: bytes = b"alice:secret") -> bytes:
        """The whole answer to one request."""
        raw = await self.connect(Raw())
        length = (f"Content-Length: {len(body)}",) if body else ()
        raw.transport.write(self.request(verb, target, "Connection: close", *length, *lines, pair=pair) + body)
        return await raw.ended

    async def until(self, condition: Any) -> None:
        """Turn after turn until something is so; the time limit of the test ends it."""
        while not condition():
            await deferLater(reactor, 0.001)

    async def rest(self) -> None:
        """As long as it takes until nothing more moves between the sockets."""
        before = -1
        while before != (before := self.house.taken + self.house.made):
            await deferLater(reactor, 0.05)


class PortTests(DialectCase):
    async def test_each_port_has_its_own(self) -> None:
        """Port, credentials, methods and errors belong to the dialect; REST beside it is as it always was."""
        refused = await self.ask("GET", "/goods?5", pair=b"alice:wrong")
        self.assertTrue(refused.startswith(b"HTTP/1.1 401 "), refused)
        self.assertIn(b"WWW-Authenticate: Basic", refused)
        self.assertTrue(refused.endswith(b"\r\n\r\nclosed: access-denied\n"))
        self.assertTrue((await self.ask("PUT", "/goods")).endswith(b"closed: bad-verb\n"))
        self.assertNotEqual(self.listeners.ports["rest"], self.listeners.ports["warehouse"])
        raw = await self.connect(Raw(), "rest")
        raw.transport.write(self.request("GET", "/goods?5", "Connection: close"))
        self.assertIn(b'"code": "access-denied"', await raw.ended)

    async def test_what_is_no_request(self) -> None:
        """What the engine itself refuses is refused in the words of the dialect that the port belongs to."""
        for text, status, code in ((b"hello\r\n\r\n", b"400", b"bad-request"), (b"G" * 20_000, b"431", b"too-large")):
            raw = await self.connect(Raw())
            raw.transport.write(text)
            answer = await raw.ended
            self.assertEqual(answer.split()[1], status)
            self.assertTrue(answer.endswith(b"closed: %s\n" % code), answer)

    async def test_switched_off(self) -> None:
        """A listener that is switched off binds nothing, and its dialect is not even made."""
        await self.listeners.close()
        self.settings.set(SWITCH, False)
        made: list[str] = []
        rows = [evolve(row, make=lambda row=row: made.append(row.name) or row.make()) for row in self.rows()]
        await self.listeners.open(rows)
        self.assertEqual((made, list(self.listeners.ports)), (["rest"], ["rest"]))

    async def test_taken(self) -> None:
        """When one of several ports is taken, none stays open, and the text names the setting of that one."""
        await self.listeners.close()
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.settings.set("interface/api/rest-http-port", other.getsockname()[1])
            try:
                await self.listeners.open(self.rows())
            except BitDustError as error:
                self.assertIn("bitdust set interface/api/rest-http-port", str(error))
            else:
                self.fail("a second listener on a taken port")
        self.assertEqual((self.listeners.ports, self.listeners.answering), ({}, {}))

    async def test_many_clients(self) -> None:
        """Each port has its own number of connections: those that take or give something keep theirs, the idle go."""
        self.house.is_slow = True
        busy = [await self.connect(Reader()) for _ in range(16)]
        for number, client in enumerate(busy):
            line = ("Content-Length: 1000000",) if number % 2 else ()
            client.transport.write(self.request("POST" if number % 2 else "GET", "/goods?1000000", *line) + b"x")
        await self.until(lambda: len(self.house.slow) == 16)
        refused = await self.connect(Reader())
        await refused.ended
        self.assertEqual(len(self.engine.channels), 16)
        for client in busy:
            client.transport.abortConnection()
        await gatherResults([client.ended for client in busy])


class BodyTests(DialectCase):
    async def test_slow_consumer(self) -> None:
        """Of a body of many MB no more is in memory than two reads of the socket while its consumer has no room."""
        self.house.is_slow = True
        for line in (f"Content-Length: {32 * MIB}", "Transfer-Encoding: chunked"):
            self.house.taken = self.house.most_waiting = 0
            raw = await self.connect(Raw())
            raw.transport.write(self.request("POST", "/goods", line, "Connection: close"))
            chunk = PIECE if "Length" in line else b"%x\r\n" % len(PIECE) + PIECE + b"\r\n"
            raw.transport.write(chunk * (32 * MIB // len(PIECE)) + (b"" if "Length" in line else b"0\r\n\r\n"))
            await self.rest()
            stopped_at = self.house.taken
            self.assertLessEqual(stopped_at, 2 * READ)
            most_held = 0
            while self.house.taken < 32 * MIB or self.house.slow:
                await self.until(lambda: self.house.slow)
                most_held = max(most_held, self.house.begun[-1].held)
                self.house.go_on()
            self.assertTrue((await raw.ended).endswith(b"\r\n\r\n%d\n" % (32 * MIB)))
            self.assertLessEqual(self.house.most_waiting, 2 * READ)
            self.assertLessEqual(most_held, READ)

    async def test_many_small_chunks(self) -> None:
        """Chunks that one read brings while the consumer has no room come to it as one piece, none is lost, and the
        next request of the same connection is answered behind them."""
        self.house.is_slow = True
        raw = await self.connect(Raw())
        body = b"".join(b"3\r\nabc\r\n" for _ in range(1000)) + b"0\r\n\r\n"
        again = self.request("POST", "/goods", "Content-Length: 2", "Connection: close") + b"xy"
        raw.transport.write(self.request("POST", "/goods", "Transfer-Encoding: chunked") + body + again)
        while not raw.ended.called:
            self.house.go_on()
            await deferLater(reactor, 0)
        self.assertEqual(raw.data.count(b"HTTP/1.1 200"), 2)
        self.assertIn(b"\r\n\r\n3000\n", raw.data)
        self.assertTrue(raw.data.endswith(b"\r\n\r\n2\n"))

    async def test_client_goes(self) -> None:
        """A client that goes in the middle of its body is reported once, also while the consumer has no room."""
        for slow in (False, True):
            self.house.is_slow, self.house.ended = slow, []
            raw = await self.connect(Raw())
            raw.transport.write(self.request("POST", "/goods", "Content-Length: 1000") + b"x" * 10)
            await self.until(lambda: self.house.taken)
            raw.transport.abortConnection()
            await raw.ended
            self.house.go_on()
            await self.until(lambda: self.house.ended)
            self.assertEqual(self.house.ended, ["body"])
            self.house.taken = 0

    async def test_refused_before_the_body(self) -> None:
        """A short body that nobody takes is read and forgotten, so that the connection stays; a long one is not waited
        for, and one that never ends is cut off."""
        raw = await self.connect(Raw())
        raw.transport.write(self.request("POST", "/goods", "Content-Length: 4", pair=b"x") + b"abcd")
        await raw.until(b"closed: access-denied\n")
        raw.transport.write(self.request("POST", "/goods", "Content-Length: 2", "Connection: close") + b"ok")
        self.assertTrue((await raw.ended).endswith(b"\r\n\r\n2\n"))
        for line in (f"Content-Length: {ENDLESS_BODY + 1}", "Transfer-Encoding: chunked"):
            raw = await self.connect(Raw())
            raw.transport.write(self.request("POST", "/goods", line, pair=b"x"))
            answer = await raw.ended
            self.assertIn(b"Connection: close", answer)
            self.assertTrue(answer.endswith(b"closed: access-denied\n"))
        self.assertEqual(self.house.taken, 2)

    async def test_who_asks_first(self) -> None:
        """A client that asks before it sends is told to go on where its body is taken, and is answered at once, with
        nothing sent, where it is not."""
        expect = ("Expect: 100-continue", "Content-Length: 3")
        raw = await self.connect(Raw())
        raw.transport.write(self.request("POST", "/goods", *expect, "Connection: close"))
        await raw.until(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw.transport.write(b"abc")
        self.assertTrue((await raw.ended).endswith(b"\r\n\r\n3\n"))
        refused = await self.connect(Raw())
        refused.transport.write(self.request("POST", "/goods", *expect, pair=b"x"))
        answer = await refused.ended
        self.assertNotIn(b"100 Continue", answer)
        self.assertTrue(answer.startswith(b"HTTP/1.1 401 "))

    async def test_answer_in_the_middle(self) -> None:
        """A consumer that answers before the body is whole gets no more of it: the answer comes, the rest does not."""
        for line, extra in (("Content-Length: 1000000", b""), (f"Content-Length: {ENDLESS_BODY * 3}", b"x" * 10)):
            raw = await self.connect(Raw())
            raw.transport.write(self.request("POST", "/goods", line, "Connection: close") + b"x" * 10)
            await self.until(lambda: self.house.taken == 10)
            self.house.begun[-1].answer(Reply(507, PLAIN, b"full\n"))
            self.house.begun[-1].answer(Reply(200, PLAIN, self.house.pieces(10)))
            raw.transport.write(extra or b"x" * 999_990)
            answer = await raw.ended
            self.assertTrue(answer.startswith(b"HTTP/1.1 507 "), answer)
            self.assertTrue(answer.endswith(b"\r\n\r\nfull\n"))
            self.assertEqual((self.house.taken, self.house.made), (10, 0))
            self.house.taken = 0

    async def test_broken_consumer(self) -> None:
        """A dialect that raises, wherever that is, gives its own error 500 and a line in the log; nobody hangs."""
        for where in ("begin", "received", "finished"):
            self.house.trouble = {where: ZeroDivisionError(where), "gone": KeyError("gone")}
            answer = await self.ask("POST", "/goods", body=b"x" * 100)
            self.assertTrue(answer.startswith(b"HTTP/1.1 500 "), (where, answer))
            self.assertTrue(answer.endswith(b"closed: internal\n"))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, where)
            self.flushLoggedErrors(KeyError)

    async def test_consumer_that_fails_later(self) -> None:
        """The same when a piece could not be stored after a while, with the rest of the body on its way."""
        self.house.is_slow = True
        raw = await self.connect(Raw())
        raw.transport.write(self.request("POST", "/goods", f"Content-Length: {MIB}", "Connection: close") + b"x" * MIB)
        await self.until(lambda: self.house.slow)
        self.house.slow.pop().errback(OSError(28, "no space"))
        self.assertTrue((await raw.ended).startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.house.ended, ["body"])


class ReplyTests(DialectCase):
    async def test_slow_client(self) -> None:
        """Pieces are made as the client reads: of 256 MB hardly more than the sockets' buffers hold is ever made."""
        reader = await self.connect(Reader())
        reader.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ)
        reader.transport.write(self.request("GET", f"/goods?{256 * MIB}"))
        await reader.until(1)
        reader.transport.pauseProducing()
        await self.rest()
        [mine] = self.engine.channels.all()
        self.assertLessEqual(self.house.made, reader.size + 16 * MIB)
        self.assertLessEqual(len(mine.transport.dataBuffer) + sum(map(len, mine.transport._tempDataBuffer)), 3 * READ)
        made = self.house.made
        reader.transport.resumeProducing()
        await reader.until(made + MIB)
        reader.transport.abortConnection()
        await reader.ended
        await self.until(lambda: self.house.ended)
        self.assertEqual(self.house.ended, ["pieces"])
        self.assertLess(self.house.made, 64 * MIB)

    async def test_whole(self) -> None:
        """Every byte arrives: in chunks, with a length that is known, and to an old client, which knows no chunks."""
        body = b"".join(PIECE[: 200_000 - at] for at in range(0, 200_000, len(PIECE)))
        answer = await self.ask("GET", "/goods?200000")
        head, _, rest = answer.partition(b"\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", head)
        self.assertEqual(dechunked(rest), (body, b""))
        head, _, rest = (await self.ask("GET", "/known?200000")).partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 200000", head)
        self.assertEqual(rest, body)
        raw = await self.connect(Raw())
        raw.transport.write(self.request("GET", "/goods?200000").replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, rest = (await raw.ended).partition(b"\r\n\r\n")
        self.assertNotIn(b"chunked", head)
        self.assertIn(b"Connection: close", head)
        self.assertEqual(rest, body)

    async def test_one_after_the_other(self) -> None:
        """Streams keep the connection, and the order of requests that came at once."""
        raw = await self.connect(Raw())
        wanted = self.request("GET", "/goods?3") + self.request("GET", "/known?2")
        raw.transport.write(wanted + self.request("GET", "/goods?1", "Connection: close"))
        answers = (await raw.ended).split(b"HTTP/1.1 200 OK\r\n")[1:]
        bodies = [answer.partition(b"\r\n\r\n")[2] for answer in answers]
        self.assertEqual(bodies[1], PIECE[:2])
        self.assertEqual([dechunked(body)[0] for body in (bodies[0], bodies[2])], [PIECE[:3], PIECE[:1]])

    async def test_head(self) -> None:
        """HEAD gets the headers; nothing is made for it, and the stream is closed."""
        self.patch(self.house, "begin", lambda exchange: Reply(200, PLAIN, self.house.pieces(100)))
        answer = await self.ask("HEAD", "/goods")
        self.assertTrue(answer.endswith(b"\r\n\r\n"))
        self.assertEqual(self.house.made, 0)

    async def test_trailers(self) -> None:
        """What can only be said at the end stands behind the last chunk: that all went well, or what did not."""
        _, _, rest = (await self.ask("GET", "/trailers?3")).partition(b"\r\n\r\n")
        self.assertEqual(dechunked(rest), (PIECE[:3], b"X-Trouble: None\r\n"))
        self.house.trouble = {"pieces": BitDustError("no-block", "a block is missing")}
        _, _, rest = (await self.ask("GET", "/trailers?3")).partition(b"\r\n\r\n")
        self.assertEqual(dechunked(rest), (PIECE[:3], b"X-Trouble: a block is missing\r\n"))

    async def test_broken_stream(self) -> None:
        """Without trailers a stream that fails breaks the connection off, so that nobody takes a part for the whole;
        one that is longer or shorter than was promised does as well."""
        self.house.trouble = {"pieces": ZeroDivisionError()}
        self.assertNotIn(b"\r\n0\r\n", await self.ask("GET", "/goods?100"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.house.trouble = {}
        for path, most in (("/less?100", 100), ("/more?100", 99)):
            _, _, rest = (await self.ask("GET", path)).partition(b"\r\n\r\n")
            self.assertLessEqual(len(rest), most)
            self.assertEqual(len(self.flushLoggedErrors()), 1, path)

    async def test_client_goes(self) -> None:
        """A client that goes while the next piece is being made, or while it does not read, ends the stream."""
        self.house.is_slow = True
        raw = await self.connect(Raw())
        raw.transport.write(self.request("GET", "/goods?1000000"))
        await self.until(lambda: self.house.slow)
        raw.transport.abortConnection()
        await raw.ended
        await self.until(lambda: self.house.ended)
        self.assertEqual((self.house.ended, self.house.made), (["pieces"], len(PIECE)))

class BothWaysTests(DialectCase):
    async def test_at_the_same_time(self) -> None:
        """An answer may begin while its request still comes: each piece is counted before the next one is sent."""
        raw = await self.connect(Raw())
        raw.transport.write(self.request("POST", "/counted", "Transfer-Encoding: chunked", "Connection: close"))
        for number in range(1, 6):
            raw.transport.write(b"2\r\nab\r\n")
            await raw.until(b"\r\n%d\n\r\n" % (2 * number))
        raw.transport.write(b"0\r\n\r\n")
        head, _, rest = (await raw.ended).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "))
        self.assertEqual(dechunked(rest)[1], b"X-Total: 10\r\n")

    async def test_who_sends_all_before_reading(self) -> None:
        """A client that reads nothing until its body is sent is not locked out by an answer that it does not read."""
        reader = await self.connect(Reader())
        reader.transport.pauseProducing()
        count = 20_000
        reader.transport.write(self.request("POST", "/counted", "Transfer-Encoding: chunked", "Connection: close"))
        reader.transport.write((b"400\r\n" + PIECE[:0x400] + b"\r\n") * count + b"0\r\n\r\n")
        await self.until(lambda: self.house.taken == 0x400 * count)
        reader.transport.resumeProducing()
        await reader.ended
        self.assertIn(b"X-Total: %d\r\n" % (0x400 * count), reader.tail)

    async def test_client_goes(self) -> None:
        """Both the body and the answer end, each once."""
        raw = await self.connect(Raw())
        raw.transport.write(self.request("POST", "/counted", "Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        await raw.until(b"2\n")
        raw.transport.abortConnection()
        await raw.ended
        await self.until(lambda: len(self.house.ended) == 2)
        self.assertEqual(sorted(self.house.ended), ["body", "counts"])

    async def test_answer_ends_first(self) -> None:
        """When a stream has ended before its request has, nothing more is taken, and the connection closes."""
        raw = await self.connect(Raw())
        raw.transport.write(self.request("POST", "/goods", "Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        await self.until(lambda: self.house.taken == 2)
        self.house.begun[-1].answer(Reply(200, PLAIN, self.house.pieces(5)))
        raw.transport.write(b"2\r\nab\r\n" * 10)
        answer = await raw.ended
        self.assertEqual(dechunked(answer.partition(b"\r\n\r\n")[2]), (PIECE[:5], b""))
        self.assertEqual(self.house.taken, 2)


def dechunked(data: bytes) -> tuple[bytes, bytes]:
    """The body and the trailers of chunks that are complete."""
    body = b""
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            assert data.endswith(b"\r\n"), data
            return body, data[:-2]
        body, data = body + data[:size], data[size:]
        assert data.startswith(b"\r\n"), data[:10]
        data = data[2:]
