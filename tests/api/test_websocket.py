"""WebSocket over the table, with a real client on real loopback sockets."""

import json
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bitdust.api.methods import TABLE
from bitdust.web import sockets, talk, websocket
from bitdust.web.server import ApiServer
from tests.api.fakes import FakeContext


class Client(WebSocketClientProtocol):
    """Puts every message into a queue; ``opened`` and ``closed`` tell how it went."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: DeferredQueue[dict[str, Any]] = DeferredQueue()
        self.opened: Deferred[None] = Deferred()
        self.closed: Deferred[str] = Deferred()
        self.code: int | None = None

    def onOpen(self) -> None:
        self.opened.callback(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.messages.put(json.loads(payload))

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self.code = self.remoteCloseCode
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


class SocketCase(TestCase):
    """A server on loopback, and clients of it."""

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


class SocketTests(SocketCase):
    async def test_call(self) -> None:
        """A call is answered with its call_id and the envelope."""
        client = await self.connect()
        client.say(command="api_call", method="process_health", kwargs={}, call_id={"any": 1})
        answer = await client.next("api_call")
        self.assertEqual((answer["call_id"], answer["response"]["status"]), ({"any": 1}, "OK"))

    async def test_generation(self) -> None:
        """A call may ask as the API was in 2016; a generation that never was, or that is no text, is refused."""
        client = await self.connect()
        answers = {}
        for number, generation in enumerate(("2016", "", "1999", 2016)):
            given = {"key": "logs/debug-level"}
            client.say(command="api_call", method="config_get", kwargs=given, call_id=number, generation=generation)
            answers[generation] = await client.next("api_call")
        self.assertEqual(set(answers["2016"]["response"]["result"][0]), {"key", "value", "type"})
        self.assertIn("default", answers[""]["response"]["result"][0])
        for wrong in ("1999", 2016):
            self.assertIn("2016", answers[wrong]["errors"][0])

    async def test_answers_go_to_the_asker(self) -> None:
        """Another client sees events, but not the answers to calls it did not make."""
        asker, other = await self.connect(), await self.connect(f"?a={self.secret}")
        asker.say(command="api_call", method="event_send", kwargs={"event_id": "hello", "data": {"a": 1}}, call_id=7)
        self.assertEqual((await asker.next("api_call"))["call_id"], 7)
        event = await other.next("event")
        while event["event_id"] != "hello":
            event = await other.next("event")
        self.assertEqual(event["data"], {"a": 1})
        self.assertEqual(set(event), {"event_id", "data", "seq", "run", "time"})
        self.assertFalse([message for message in other.messages.pending if message["type"] == "api_call"])

    async def test_subscription(self) -> None:
        """A subscription narrows the events, and sends again what came after a number."""
        client = await self.connect()
        seq = self.context.events.send("first")
        self.context.events.send("second")
        client.say(command="subscribe", events=["second"], after=seq - 1, run="run-1", call_id=1)
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
            (b'{"command": "subscribe", "events": "x"}', "must be a list"),
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
        self.assertEqual(client.code, 1009)
        fine = await self.connect()
        fine.sendMessage(b'{"command": "x", "call_id": 1, "a": "' + b"x" * (websocket.MAX_MESSAGE - 100) + b'"}')
        self.assertEqual((await fine.next("api_call"))["call_id"], 1)

    async def test_too_many_calls(self) -> None:
        """So many calls may wait at once; one more is refused, and closing cancels them all."""
        client = await self.connect()
        cancelled: list[int] = []
        waiting = Deferred()

        def listen(consumer: str) -> "Deferred[list[Any]]":
            return Deferred(lambda _: cancelled.append(1) or (len(cancelled) == 64 and waiting.callback(None)))

        self.context.consumers.listen = listen
        for number in range(talk.MAX_CALLS + 1):
            client.say(command="api_call", method="event_listen", kwargs={"consumer_callback_id": "x"}, call_id=number)
        answer = await client.next("api_call")
        self.assertEqual(answer["call_id"], talk.MAX_CALLS)
        client.transport.abortConnection()
        await waiting

    async def test_not_text(self) -> None:
        """Binary frames and text that is no UTF-8 end the connection, each with its code."""
        for payload, binary, code in ((b"{}", True, 1003), (b'{"call_id": "\xff"}', False, 1007)):
            client = await self.connect()
            client.sendMessage(payload, binary)
            client.say(command="api_call", method="event_send", kwargs={"event_id": "late"})
            await client.closed
            self.assertEqual(client.code, code)
        self.assertNotIn("late", self.context.events.counts())

    async def test_too_many_sockets(self) -> None:
        """One socket over the limit is refused, and those that are open stay."""
        self.patch(sockets, "MAX_SOCKETS", 2)
        await self.server.stop()
        self.ports = await self.server.start()
        first, _ = await self.connect(), await self.connect()
        await self.assertFailure(Deferred.fromCoroutine(self.connect()), ConnectionRefusedError)
        first.say(command="api_call", method="process_health", call_id=1)
        await first.next("api_call")

    async def test_call_id_that_waits(self) -> None:
        """While a call waits, no other may have its call_id; afterwards it may, and calls without one always may."""
        waiting: list[Deferred[list[Any]]] = [Deferred(), Deferred(), Deferred()]
        due = list(waiting)
        self.context.consumers.listen = lambda consumer: due.pop(0)
        client = await self.connect()
        kwargs = {"consumer_callback_id": "x"}
        client.say(command="api_call", method="event_listen", kwargs=kwargs, call_id={"a": 1, "b": 2})
        client.say(command="api_call", method="process_health", call_id={"b": 2, "a": 1})
        answer = await client.next("api_call")
        self.assertIn("already waiting", answer["errors"][0])
        for _ in range(2):
            client.say(command="api_call", method="event_listen", kwargs=kwargs)
        client.say(command="api_call", method="process_health", call_id=3)
        self.assertEqual((await client.next("api_call"))["call_id"], 3)
        for one in waiting:
            one.callback([])
        for _ in waiting:
            await client.next("api_call")
        client.say(command="api_call", method="process_health", call_id={"a": 1, "b": 2})
        self.assertEqual((await client.next("api_call"))["response"]["status"], "OK")

    async def test_unknown_method(self) -> None:
        """A method that does not exist is answered in both forms: errors beside the response, and an envelope."""
        client = await self.connect()
        client.say(command="api_call", method="no_such", call_id=5)
        answer = await client.next("api_call")
        self.assertEqual((answer["call_id"], answer["errors"]), (5, ["method 'no_such' not found"]))
        self.assertEqual((answer["response"]["status"], answer["response"]["code"]), ("ERROR", "not-found"))

    async def test_come_back(self) -> None:
        """A client that comes back with run and number gets what happened meanwhile; so does one that asks later."""
        client = await self.connect()
        self.context.events.send("seen")
        seen = await client.next("event")
        while seen["event_id"] != "seen":
            seen = await client.next("event")
        client.transport.abortConnection()
        await client.closed
        self.context.events.send("missed")
        place = f"&run={seen['run']}&after={seen['seq']}"
        again = await self.connect(f"?a={self.secret}&events=missed,se*{place}")
        self.assertEqual((await again.next("event"))["event_id"], "missed")
        again.say(command="resume", run=seen["run"], after=seen["seq"] - 1, call_id=1)
        answer = (await again.next("api_call"))["response"]["result"]
        self.assertEqual((answer["run"], answer["missed"], answer["oldest"]), ("run-1", 0, 1))
        self.assertEqual([(await again.next("event"))["event_id"] for _ in range(2)], ["seen", "missed"])

    async def test_another_run(self) -> None:
        """A number of another run is answered with a gap and all that this run has."""
        client = await self.connect(f"?a={self.secret}&run=before&after=2&events=web-socket-connected")
        gap = await client.next("gap")
        self.assertEqual((gap["reason"], gap["run"], gap["from"], gap["to"]), ("restarted", "before", 3, None))
        self.assertEqual((await client.next("event"))["seq"], gap["next"])

    async def test_bad_wishes(self) -> None:
        """What the URL asks for is judged in the handshake."""
        for wish in ("after=x&run=a", "after=-1&run=a", "after=5", "events=A", "after=99999999999999999&run=a"):
            with self.assertRaises(ConnectionRefusedError) as refused:
                await self.connect(f"?a={self.secret}&{wish}")
            self.assertIn("400", str(refused.exception), wish)

    async def test_the_node_stops(self) -> None:
        """Clients are told that the node stops."""
        client = await self.connect()
        await self.server.stop()
        await client.closed
        self.assertEqual(client.code, 1001)

    async def test_who_does_not_answer_a_close_frame(self) -> None:
        """A client that neither reads nor answers a close frame is cut off after a while."""
        self.patch(websocket, "LAST_WORDS", 0.05)
        client = await self.connect()
        client.transport.pauseProducing()
        socket = self.server.listeners.answering["websocket"].made.connections.all()[0]
        socket.end(4000, "go")
        while self.server.listeners.answering["websocket"].made.connections.all():
            await deferLater(reactor, 0.01)

    async def test_handshake_deadline(self) -> None:
        """Whoever connects and says nothing is dropped when the time is over."""
        self.patch(websocket, "HANDSHAKE_TIMEOUT", 0.01)
        from twisted.internet.endpoints import connectProtocol

        from tests.api.test_rest import Raw

        raw = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["websocket"]), Raw())
        self.assertEqual(await raw.ended, b"")
