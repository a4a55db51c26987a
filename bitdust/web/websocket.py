"""WebSocket over the method table: calls, answers to the asker only, and every event.

``{"command": "api_call", "method": …, "kwargs": {…}, "call_id": …}`` is answered with
``{"type": "api_call", "payload": {"call_id": …, "response": {…}}}``, or with ``errors`` instead of ``response`` when
the message itself was wrong. ``"generation": "2016"`` in a call asks as the API was in that year. Events come as
``{"type": "event", "payload": {"event_id", "data", "seq", "time"}}``.
``{"command": "subscribe", "events": ["service-started", …]}`` narrows them to some ids, ``"events": null`` widens them;
``"after": seq`` sends again what came after that event, so that a client that comes back misses nothing.
"""

from collections import deque
from typing import Any

from attrs import frozen
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from txaio import tx
from zope.interface import implementer

from bitdust.api.arguments import BadArgument, parse_json
from bitdust.api.call import perform
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Table
from bitdust.events import Event
from bitdust.web.connections import Connections
from bitdust.web.guard import Guard
from bitdust.web.render import compact

MAX_MESSAGE = 1 << 20
MAX_SOCKETS = 64
MAX_CALLS = 64
MAX_WAITING_MESSAGES = 1_000
MAX_WAITING_BYTES = 8 << 20
HANDSHAKE_TIMEOUT = 10.0

_Protocol: Any = WebSocketServerProtocol  # autobahn calls itself typed and is so only in part
_Factory: Any = WebSocketServerFactory
_Deny: Any = ConnectionDeny
_timers: Any = tx


@frozen
class SocketApi:
    """What the sockets of one listener share."""

    context: Context
    table: Table
    guard: Guard
    connections: "Connections[ApiSocket]"


@implementer(IPushProducer)
class ApiSocket(_Protocol):  # type: ignore[misc]
    """One client. While it does not read, answers and events wait for it, up to a limit, and it is not read either;
    beyond the limit it is dropped."""

    def __init__(self, api: SocketApi) -> None:
        super().__init__()
        self._api = api
        self._clock = api.context.world.clock
        self._calls: set[Deferred[Any]] = set()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = False
        self._opened = False
        self._wanted: frozenset[str] | None = None
        self._late: Any = None

    def connectionMade(self) -> None:
        """A TCP connection; the handshake must follow soon."""
        self._api.connections.opened(self)
        self._late = self._clock.callLater(HANDSHAKE_TIMEOUT, self.break_off)
        super().connectionMade()

    def connectionLost(self, reason: Any = None) -> None:
        """Nobody waits for the calls any more."""
        self._api.connections.closed(self)
        self._stop_timer()
        self._waiting.clear()
        for calling in list(self._calls):
            calling.cancel()
        super().connectionLost(reason)
        if self._opened:
            self._opened = False
            self._api.context.events.send("web-socket-disconnected", {"peer": self.peer})

    def onConnect(self, request: Any) -> None:
        """Judge Host, Origin and secret; raises `ConnectionDeny`."""
        headers = {name: value.encode() for name, value in request.headers.items()}
        guard = self._api.guard
        refusal = guard.refuse(headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site"))
        if refusal is None:
            given = request.params.get("api_secret") or request.params.get("a")
            secret = given[0].encode() if given else headers.get("api_secret")
            refusal = guard.refuse_secret(secret)
        if refusal is not None:
            self._api.context.events.send("web-socket-access-denied", {"peer": self.peer})
            raise _Deny(refusal.status, refusal.text)

    def onOpen(self) -> None:
        """The handshake is done: events flow from now on."""
        self._stop_timer()
        self._opened = True
        self.transport.registerProducer(self, True)
        self._api.context.events.send("web-socket-connected", {"peer": self.peer})

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """One command of the client."""
        call_id: Any = None
        try:
            message = parse_json(payload)
            if not isinstance(message, dict):
                raise BadArgument("a message must be a JSON dictionary")
            call_id = message.get("call_id")
            self._command(message, call_id)
        except BadArgument as error:
            self._complain(call_id, str(error))

    def _command(self, message: dict[str, Any], call_id: Any) -> None:
        command = message.get("command")
        if command == "api_call":
            self._call(message, call_id)
        elif command == "subscribe":
            self._subscribe(message.get("events"))
            self._resume(message.get("after"), call_id)
        else:
            raise BadArgument(f"unknown command {str(command)[:80]!r}; known are api_call and subscribe")

    def _call(self, message: dict[str, Any], call_id: Any) -> None:
        name, generation = message.get("method"), message.get("generation") or ""
        if not isinstance(generation, str):
            raise BadArgument("generation must be a text such as 2016")
        row = self._api.table.named(name, generation) if isinstance(name, str) else None
        kwargs = message.get("kwargs")
        kwargs = {} if kwargs is None else kwargs
        if row is None:
            raise BadArgument(f"method {str(name)[:80]!r} not found")
        if not isinstance(kwargs, dict):
            raise BadArgument("kwargs must be a JSON dictionary")
        if len(self._calls) >= MAX_CALLS:
            raise BadArgument(f"{MAX_CALLS} calls are already waiting for their answers; wait for one of them")
        calling = perform(self._api.context, row, kwargs)
        self._calls.add(calling)
        calling.addBoth(self._ended, calling).addCallback(self._answer, call_id).addErrback(self._broken, call_id)

    def _ended(self, result: Any, calling: "Deferred[Any]") -> Any:
        self._calls.discard(calling)
        return result

    def _broken(self, failure: Any, call_id: Any) -> None:
        self.log.failure("an answer could not be written", failure=failure)
        self._complain(call_id, "the answer could not be written; logs/stdout.log tells more")

    def _subscribe(self, events: Any) -> None:
        if events is None:
            self._wanted = None
        elif isinstance(events, list) and len(events) <= 1000 and all(isinstance(name, str) for name in events):
            self._wanted = frozenset(events)
        else:
            raise BadArgument("events must be a list of event ids, or null for all")

    def _resume(self, after: Any, call_id: Any) -> None:
        """Answer, then send again what came after event number ``after``; ``missed`` were too long ago."""
        events = self._api.context.events
        if after is not None and (isinstance(after, bool) or not isinstance(after, int) or after < 0):
            raise BadArgument("after must be the number of an event")
        missed = max(0, events.oldest - after - 1) if after is not None else 0
        self._answer(ok({"seq": events.last, "missed": missed}), call_id)
        for event in events.since(after) if after is not None else ():
            self.push_event(event.id, event_message(event))

    def _answer(self, envelope: Envelope, call_id: Any) -> None:
        self.push(compact({"type": "api_call", "payload": {"call_id": call_id, "response": envelope}}))

    def _complain(self, call_id: Any, text: str) -> None:
        self.push(compact({"type": "api_call", "payload": {"call_id": call_id, "errors": [text]}}))

    def push_event(self, event_id: str, data: bytes) -> None:
        """Send an event, if this client wants it."""
        if self._opened and (self._wanted is None or event_id in self._wanted):
            self.push(data)

    def push(self, data: bytes) -> None:
        """Send a message, or keep it while the client does not read; one that never reads is dropped."""
        if not self._opened:
            return
        if not self._paused:
            self.sendMessage(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if len(self._waiting) > MAX_WAITING_MESSAGES or self._waiting_bytes > MAX_WAITING_BYTES:
            self.break_off()

    def pauseProducing(self) -> None:
        """The transport is full: keep what comes, and read nothing more from a client that does not read."""
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport has room again."""
        self._paused = False
        while self._waiting and not self._paused:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self.sendMessage(data)
        if not self._paused:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self._waiting.clear()

    def hang_up(self) -> None:
        """Say good-bye and close."""
        if self._opened:
            self.sendClose(1001, "the node stops")
        self.transport.loseConnection()

    def break_off(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def _stop_timer(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None


class SocketFactory(_Factory):  # type: ignore[misc]
    """Accepts WebSocket clients and gives each of them every event."""

    def __init__(self, context: Context, table: Table, guard: Guard) -> None:
        clock = context.world.clock
        _timers.config.loop = clock
        super().__init__(reactor=clock)
        self.connections: Connections[ApiSocket] = Connections(clock)
        self._sockets = SocketApi(context, table, guard, self.connections)
        self._forget = context.events.subscribe(self._broadcast)
        self.setProtocolOptions(
            webStatus=False,
            maxFramePayloadSize=MAX_MESSAGE,
            maxMessagePayloadSize=MAX_MESSAGE,
            maxConnections=MAX_SOCKETS,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            failByDrop=False,
        )

    def buildProtocol(self, addr: Any) -> ApiSocket:
        """A socket for one client."""
        socket = ApiSocket(self._sockets)
        socket.factory = self
        return socket

    def close(self) -> "Deferred[None]":
        """Send no more events, close every socket; fires when all are gone."""
        self._forget()
        return self.connections.close()

    def _broadcast(self, event: Event) -> None:
        sockets = self.connections.all()
        if sockets:
            data = event_message(event)
            for socket in sockets:
                socket.push_event(event.id, data)


def event_message(event: Event) -> bytes:
    """An event as it goes to a client."""
    payload = {"event_id": event.id, "data": event.data, "seq": event.seq, "time": event.time}
    return compact({"type": "event", "payload": payload})
