"""Clients of the WebSocket that mean no good, or have fallen asleep."""

import base64
import json
import os
import re

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bitdust.api.methods import TABLE
from bitdust.web import outflow, sockets, websocket
from bitdust.web.server import ApiServer
from tests.api.fakes import FakeContext

EVENTS = 50_000


class Raw(Protocol):
    """A WebSocket client without any library: it keeps the bytes that it gets."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.hears: Deferred[None] = Deferred()
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if b"\r\n\r\n" in self.heard and not self.hears.called:
            self.hears.callback(None)

    def connectionLost(self, reason: object = None) -> None:
        self.ended.callback(bytes(self.heard))

    def say(self, text: bytes, first: int = 0x81) -> None:
        """One masked frame; the mask is zero."""
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self.transport.write(bytes([first]) + size + bytes(4) + text)


class SocketCase(TestCase):
    """A listener of a small node, and clients that say what they want."""

    timeout = 60

    async def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        self.server = ApiServer(self.context, TABLE)
        self.ports = await self.server.start()
        self.secret = (self.context.world.home / "apisecret").read_text()
        self.raws: list[Raw] = []

    async def tearDown(self) -> None:
        for raw in self.raws:
            raw.transport.abortConnection()
            await raw.ended
        await self.server.stop()
        self.context.events.stop()

    async def connect(self, query: str = "", secret: bool = True, **headers: str) -> Raw:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["websocket"])
        raw: Raw = await connectProtocol(endpoint, Raw())
        self.raws.append(raw)
        head = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        own = f"a={self.secret}" if secret else ""
        raw.transport.write(f"GET /?{own}{query} HTTP/1.1\r\n{lines}\r\n".encode())
        await raw.hears
        return raw

    async def until(self, condition: object) -> None:
        while not condition():
            await deferLater(reactor, 0.01)


class HostileTests(SocketCase):
    async def test_a_client_that_never_reads(self) -> None:
        """While one client sleeps, 50,000 events cost the node no memory for it, another client gets every one of
        them, and who wakes up is told what it has missed and gets the rest."""
        slow, fast = await self.connect("&events=x"), await self.connect("&events=x")
        slow.transport.pauseProducing()
        sockets = self.server.listeners.answering["websocket"].made.connections.all()
        pad = {"pad": "x" * 100}
        for number in range(EVENTS):
            self.context.events.send("x", pad)
            if number % 10_000 == 9_999:
                await self.until(lambda seen=number: b'"seq":%d,' % (seen - 1_000) in fast.heard[-2_000_000:])
        last = self.context.events.last
        await self.until(lambda: b'"seq":%d,' % last in fast.heard[-10_000:])
        self.assertEqual([socket.talk.outflow.waiting for socket in sockets], [(0, 0), (0, 0)])
        buffered = [len(socket.transport.dataBuffer) + socket.transport._tempDataLen for socket in sockets]
        self.assertLess(max(buffered), 200_000)
        numbers = [int(number) for number in re.findall(rb'"seq":(\d+),', fast.heard)]
        self.assertEqual(numbers, list(range(last - EVENTS + 1, last + 1)))
        slow.transport.resumeProducing()
        await self.until(lambda: b'"seq":%d,' % last in slow.heard[-10_000:])
        seen = [int(number) for number in re.findall(rb'"seq":(\d+),', slow.heard)]
        gaps = [json.loads(gap) for gap in re.findall(rb'"type":"gap","payload":(\{.*?\})', slow.heard)]
        missed = {number for gap in gaps for number in range(gap["from"], gap["to"] + 1)}
        self.assertEqual(sorted([*seen, *missed]), numbers)

    async def test_a_sleeper_is_closed(self) -> None:
        """Who takes nothing for too long is closed with 4008, and hears that when it wakes up in time."""
        self.patch(outflow, "STALLED", 0.1)
        raw = await self.connect("&events=x")
        raw.transport.pauseProducing()
        socket = self.server.listeners.answering["websocket"].made.connections.all()[0]
        while socket.state == socket.STATE_OPEN:
            self.context.events.send("x", {"pad": "x" * 60_000})
            await deferLater(reactor, 0.001)
        raw.transport.resumeProducing()
        await self.until(lambda: b"\x0f\xa8too slow: nothing was read" in raw.heard[-200:])

    async def test_calls_without_reading(self) -> None:
        """A client that asks and asks and reads no answer is not listened to any more; others are served."""
        greedy, fair = await self.connect("&events=none"), await self.connect("&events=none")
        greedy.transport.pauseProducing()
        call = b'{"command":"api_call","method":"api_reference_that_is_not_there_%s"}' % (b"x" * 40)
        frame = b"\x81" + bytes([0x80 | len(call)]) + bytes(4) + call
        for _ in range(10):
            greedy.transport.write(frame * 2_000)
            await deferLater(reactor, 0.01)
        fair.say(b'{"command":"api_call","method":"process_health","call_id":"fair"}')
        await self.until(lambda: b'"call_id":"fair"' in fair.heard)
        socket = self.server.listeners.answering["websocket"].made.connections.all()[0]
        self.assertLess(socket.talk.outflow.waiting[0], 2_000)
        greedy.transport.resumeProducing()
        await self.until(lambda: greedy.heard.count(b"not found") >= 2 * 20_000)

    async def test_broken_frames(self) -> None:
        """What is no frame of RFC 6455 ends the connection with 1002, and nothing else happens."""
        for first in (0x80, 0x83, 0x8B, 0xC1, 0x09):
            raw = await self.connect()
            raw.say(b"{}", first)
            await self.until(lambda raw=raw: b"\x88" in raw.heard.partition(b"\r\n\r\n")[2])
            close = raw.heard[raw.heard.rindex(b"\x88") :]
            self.assertEqual(int.from_bytes(close[2:4], "big"), 1002, first)

    async def test_a_message_without_end(self) -> None:
        """Frames that never come to the end of their message are counted: 1009."""
        raw = await self.connect()
        raw.say(b"x" * 60_000, 0x01)
        for _ in range(20):
            raw.say(b"x" * 60_000, 0x00)
        await self.until(lambda: b"\x03\xf1" in raw.heard)

    async def hold(self) -> Raw:
        """A connection that says nothing yet."""
        raw: Raw = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["websocket"]), Raw())
        self.raws.append(raw)
        return raw

    async def test_a_handshake_without_end(self) -> None:
        """Headers that never end are cut off after 64 KB; nothing of them is kept."""
        self.patch(websocket, "HANDSHAKE_TIMEOUT", 1_000)
        raw = await self.hold()
        raw.transport.write(b"GET / HTTP/1.1\r\nX: " + b"x" * (4 << 20))
        self.assertEqual(await raw.ended, b"")

    async def test_strangers_that_hold_connections(self) -> None:
        """However many connections are held by who has not shown the secret, the owner comes in, and the number of
        them stays bounded; who is in stays in."""
        self.patch(sockets, "MAX_SOCKETS", 3)
        await self.server.stop()
        self.ports = await self.server.start()
        first = await self.connect()
        for _ in range(10):
            await self.hold()
        await self.until(lambda: len(self.server.listeners.answering["websocket"].made.connections) == 3)
        second = await self.connect()
        for raw in (first, second):
            self.assertIn(b"101", raw.heard.partition(b"\r\n")[0])
            raw.say(json.dumps({"command": "api_call", "method": "process_health", "call_id": 7}).encode())
        await self.until(lambda: all(b'"call_id":7' in raw.heard for raw in (first, second)))

    async def test_strangers(self) -> None:
        """Wrong Host, wrong Origin, a page from elsewhere, a wrong secret: refused by status, before any frame."""
        for status, query, headers in (
            (b"403", "", {"Host": "evil.example"}),
            (b"403", "", {"Origin": "https://evil.example"}),
            (b"403", "", {"Sec-Fetch-Site": "cross-site"}),
        ):
            raw = await self.connect(query, **headers)
            self.assertIn(status, raw.heard.partition(b"\r\n")[0], headers)
        secret, self.secret = self.secret, "wrong"
        raw = await self.connect()
        self.assertIn(b"401", raw.heard.partition(b"\r\n")[0])
        self.assertNotIn(secret.encode(), raw.heard)
