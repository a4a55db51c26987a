"""WebSocket over the table, with a real client on real loopback sockets."""

import json
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from bitdust.api.methods import TABLE
from bitdust.web import websocket
from bitdust.web.server import ApiServer
from tests.api.fakes import FakeContext


class Client(WebSocketClientProtocol):
    """Puts every message into a queue; ``opened`` and ``closed`` tell how it went."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: DeferredQueue[dict[str, Any]] = DeferredQueue()
        self.opened: Deferred[None] = Deferred()
        self.closed: Deferred[str] = Deferred()

    def onOpen(self) -> None:
        self.opened.callback(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.messages.put(json.loads(payload))

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        if not self.opened.called:
            self.opened.errback(ConnectionRefusedError(reason))
        self.closed.callback(reason)

    def say(self, **message: Any) -> None:
        self.sendMessage(json.dumps(message).encode())

    async def next(self, kind: str) -> dict[str, Any]:
        """The payload of the next message of one type."""
        while True:
            message = await self.messages.get()
            if message["type"] == kind:
                return message["payload"]


class SocketTests(TestCase):
    async def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        self.server = ApiServer(self.context, TABLE)
        self.ports = await self.server.start()
        self.secret = (self.context.world.home / "apisecret").read_text()
        self.clients: list[Client] = []

    async def tearDown(self) -> None:
        for client in self.clients:
            client.transport.abortConnection()
            await client.closed
        await self.server.stop()
        self.context.events.stop()

    async def connect(self, query: str | None = None, **headers: str) -> Client:
        query = f"?api_secret={self.secret}" if query is None else query
        factory = WebSocketClientFactory(
            f"ws://127.0.0.1:{self.ports['websocket']}/{query}", headers=headers, reactor=reactor
        )
        factory.protocol = Client
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0)
        client = await TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["websocket"]).connect(factory)
        self.clients.append(client)
        await client.opened
        return client

    async def test_call(self) -> None:
        """A call is answered with its call_id and the envelope."""
        client = await self.connect()
        client.say(command="api_call", method="process_health", kwargs={}, call_id={"any": 1})
        answer = await client.next("api_call")
        self.assertEqual((answer["call_id"], answer["response"]["status"]), ({"any": 1}, "OK"))

    async def test_answers_go_to_the_asker(self) -> None:
        """Another client sees events, but not the answers to calls it did not make."""
        asker, other = await self.connect(), await self.connect(f"?a={self.secret}")
        asker.say(command="api_call", method="event_send", kwargs={"event_id": "hello", "data": {"a": 1}}, call_id=7)
        self.assertEqual((await asker.next("api_call"))["call_id"], 7)
        event = await other.next("event")
        while event["event_id"] != "hello":
            event = await other.next("event")
        self.assertEqual(event["data"], {"a": 1})
        self.assertEqual(set(event), {"event_id", "data", "seq", "time"})
        self.assertFalse([message for message in other.messages.pending if message["type"] == "api_call"])

    async def test_subscription(self) -> None:
        """A subscription narrows the events, and sends again what came after a number."""
        client = await self.connect()
        seq = self.context.events.send("first")
        self.context.events.send("second")
        client.say(command="subscribe", events=["second"], after=seq - 1, call_id=1)
        await client.next("api_call")
        self.context.events.send("third")
        self.context.events.send("second", {"n": 2})
        again = [await client.next("event"), await client.next("event")]
        self.assertEqual([event["event_id"] for event in again], ["second", "second"])

    async def test_bad_messages(self) -> None:
        """Messages that are no call get errors with the call_id, and the connection stays."""
        client = await self.connect()
        for message, words in (
            (b"not json", "not JSON"),
            (b"[]", "JSON dictionary"),
            (b'{"command": "dance", "call_id": 1}', "unknown command"),
            (b'{"command": "api_call", "method": "no_such", "call_id": 1}', "not found"),
            (b'{"command": "api_call", "method": ["x"], "call_id": 1}', "not found"),
            (b'{"command": "api_call", "method": "process_health", "kwargs": [1]}', "kwargs"),
            (b'{"command": "subscribe", "events": "x"}', "list of event ids"),
            (b'{"command": "subscribe", "after": -1}', "number of an event"),
        ):
            client.sendMessage(message)
            answer = await client.next("api_call")
            self.assertIn(words, answer["errors"][0])
        client.say(command="api_call", method="config_get", kwargs={"colour": 1}, call_id=2)
        self.assertEqual((await client.next("api_call"))["response"]["code"], "bad-argument")

    async def test_secret(self) -> None:
        """Without the secret no WebSocket opens, and an event tells."""
        for query in ("", "?api_secret=wrong", "?a="):
            await self.assertFailure(Deferred.fromCoroutine(self.connect(query)), ConnectionRefusedError)
        self.assertEqual(self.context.events.counts()["web-socket-access-denied"], 3)

    async def test_foreign_origin(self) -> None:
        """A web page from elsewhere gets no WebSocket, even with the secret."""
        await self.assertFailure(
            Deferred.fromCoroutine(self.connect(Origin="https://evil.example")), ConnectionRefusedError
        )
        await self.connect(Origin="http://localhost:3000")

    async def test_large_message(self) -> None:
        """A message over the limit ends the connection."""
        client = await self.connect()
        client.sendMessage(b" " * (websocket.MAX_MESSAGE + 1))
        await client.closed

    async def test_too_many_calls(self) -> None:
        """So many calls may wait at once; one more is refused, and closing cancels them all."""
        client = await self.connect()
        cancelled: list[int] = []
        waiting = Deferred()

        def listen(consumer: str) -> "Deferred[list[Any]]":
            return Deferred(lambda _: cancelled.append(1) or (len(cancelled) == 64 and waiting.callback(None)))

        self.context.consumers.listen = listen
        for number in range(websocket.MAX_CALLS + 1):
            client.say(command="api_call", method="event_listen", kwargs={"consumer_callback_id": "x"}, call_id=number)
        answer = await client.next("api_call")
        self.assertEqual(answer["call_id"], websocket.MAX_CALLS)
        client.transport.abortConnection()
        await waiting

    async def test_handshake_deadline(self) -> None:
        """Whoever connects and says nothing is dropped when the time is over."""
        self.patch(websocket, "HANDSHAKE_TIMEOUT", 0.01)
        from twisted.internet.endpoints import connectProtocol

        from tests.api.test_rest import Raw

        raw = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["websocket"]), Raw())
        self.assertEqual(await raw.ended, b"")


class SlowClientTests(TestCase):
    def test_queue_is_bounded(self) -> None:
        """While a client does not read, messages wait for it and its own calls are not read; too many drop it."""
        context = FakeContext(reactor, self.mktemp(), reactor)
        factory = websocket.SocketFactory(context, TABLE, None)
        socket = factory.buildProtocol(None)
        socket.transport = transport = SlowTransport()
        socket._opened = True
        sent: list[bytes] = []
        socket.sendMessage = sent.append
        socket.push(b"1")
        socket.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        socket.push(b"2")
        self.assertEqual(sent, [b"1"])
        socket.resumeProducing()
        self.assertEqual((sent, transport.producerState), ([b"1", b"2"], "producing"))
        socket.pauseProducing()
        for _ in range(websocket.MAX_WAITING_MESSAGES):
            socket.push(b"x")
        self.assertFalse(transport.aborted)
        socket.push(b"x")
        self.assertTrue(transport.aborted)
        factory.close()

    def test_bytes_are_bounded(self) -> None:
        """A few large answers count as well."""
        context = FakeContext(reactor, self.mktemp(), reactor)
        factory = websocket.SocketFactory(context, TABLE, None)
        socket = factory.buildProtocol(None)
        socket.transport = transport = SlowTransport()
        socket._opened = True
        socket.pauseProducing()
        for _ in range(9):
            socket.push(b"x" * (1 << 20))
        self.assertTrue(transport.aborted)
        factory.close()


class SlowTransport(StringTransport):
    """Remembers that it was cut off."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
