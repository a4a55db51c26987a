"""WebSocket over the method table: calls, answers to the asker only, events with numbers, and models.

Messages of a client are JSON dictionaries in text frames, with a ``command``:

* ``{"command": "api_call", "method": …, "kwargs": {…}, "call_id": …}``; ``"generation": "2016"`` beside it asks as the
  API was in that year
* ``{"command": "subscribe", "events": ["service-*", …] or null, "call_id": …}`` narrows or widens the events
* ``{"command": "resume", "run": …, "after": seq, "call_id": …}`` sends again what came after that event
* both take ``messages``, the types of messages that are wanted, and ``messages_after``, the number of the last one

Each is answered with ``{"type": "api_call", "payload": {"call_id", "response": envelope}}``, and with ``errors`` beside
``response`` when the message itself was wrong. Beside the answers come messages of type ``event``, ``gap``,
``model`` and ``stream_message``. ``docs/api/websocket.md`` describes them all.
"""

import json
from typing import Any

from attrs import frozen
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from zope.interface import implementer

from bitdust.api.arguments import BadArgument, parse_json
from bitdust.api.call import begin, broken
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, ok
from bitdust.api.table import Method, Table
from bitdust.web.answers import Answers, Place
from bitdust.web.connections import Connections
from bitdust.web.frames import text_header, whole_text
from bitdust.web.guard import Guard
from bitdust.web.listening import Models, SocketListener
from bitdust.web.message_flow import MessageFlow, WantedMessages
from bitdust.web.outflow import Outflow
from bitdust.web.patterns import chosen
from bitdust.web.render import compact
from bitdust.web.subscription import Subscription, place_of

MAX_MESSAGE = 1 << 20
MAX_HANDSHAKE = 1 << 16
MAX_CALLS = 64
MAX_REASON = 123
HANDSHAKE_TIMEOUT = 10.0
LAST_WORDS = 10.0
GOING_AWAY, NOT_TEXT, NOT_UTF8 = 1001, 1003, 1007
COMMANDS = "api_call, subscribe and resume"

_Protocol: Any = WebSocketServerProtocol  # autobahn calls itself typed and is so only in part
_Deny: Any = ConnectionDeny


@frozen
class SocketApi:
    """What the sockets of one listener share; ``most`` of them may be open at a time."""

    context: Context
    table: Table
    guard: Guard
    connections: "Connections[ApiSocket]"
    models: Models
    answers: Answers
    most: int


@implementer(IPushProducer)
class ApiSocket(_Protocol):  # type: ignore[misc]
    """One client; its `Outflow` holds what it is still to get."""

    message_data: Any
    data: bytes

    def __init__(self, api: SocketApi) -> None:
        super().__init__()
        self._api = api
        self._context = api.context
        self._clock = api.context.world.clock
        self._calls: dict[Deferred[Any], str | None] = {}
        self._opened = False
        self._wishes: Subscription | None = None
        self._late: IDelayedCall | None = None
        self.outflow = Outflow(self._clock, api.context.events, self, api.answers)
        self._listener = SocketListener(api.models, lambda: self.outflow)
        self.messages = MessageFlow(api.context, lambda: self.outflow)
        self._asked = api.context.heard_by(self._listener)

    # its life

    def connectionMade(self) -> None:
        """A TCP connection; the handshake must follow soon."""
        self._api.connections.opened(self)
        self._late = self._clock.callLater(HANDSHAKE_TIMEOUT, self.break_off)
        super().connectionMade()

    def connectionLost(self, reason: Any = None) -> None:
        """Nobody waits for the calls any more."""
        self._api.connections.closed(self)
        self._stop_timer()
        self.outflow.stop()
        self._listener.close()
        self.messages.close()
        for calling in list(self._calls):
            calling.cancel()
        super().connectionLost(reason)
        if self._opened:
            self._opened = False
            self._context.events.send("web-socket-disconnected", {"peer": self.peer})

    def onConnect(self, request: Any) -> None:
        """Judge Host, Origin and secret, and read what the URL wishes; raises `ConnectionDeny`."""
        headers = {name: value.encode() for name, value in request.headers.items()}
        guard = self._api.guard
        refusal = guard.refuse(headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site"))
        if refusal is None and not self._has_ticket(request.params):
            given = request.params.get("api_secret") or request.params.get("a")
            secret = given[0].encode() if given else headers.get("api_secret")
            refusal = guard.refuse_secret(secret)
        if refusal is not None:
            self._context.events.send("web-socket-access-denied", {"peer": self.peer})
            raise _Deny(refusal.status, refusal.text)
        if sum(socket.is_admitted for socket in self._api.connections.all()) >= self._api.most:
            raise _Deny(503, f"{self._api.most} sockets are open already; close one of them")
        try:
            self._wishes = Subscription.of(request.params)
        except BadArgument as error:
            raise _Deny(400, str(error)) from error

    def _has_ticket(self, params: dict[str, list[str]]) -> bool:
        """Whether it shows one that opens this socket, which is used up then."""
        shown = params.get("ticket", [])
        return len(shown) == 1 and self._context.tickets.redeem(shown[0])

    def onOpen(self) -> None:
        """The handshake is done: events flow from now on."""
        self._stop_timer()
        self._opened = True
        self.transport.registerProducer(self, True)
        self.outflow = Outflow(self._clock, self._context.events, self, self._api.answers)
        if self._wishes is not None:
            self.outflow.choose(chosen(self._wishes.events))
            if self._wishes.after is not None:
                self.outflow.resume(self._wishes.run, self._wishes.after)
            self.messages.begin(self._wishes.messages)
        self._context.events.send("web-socket-connected", {"peer": self.peer})

    @property
    def is_admitted(self) -> bool:
        """Whether its handshake is done."""
        return self._opened

    def hang_up(self) -> None:
        """Say good-bye and close."""
        self.end(GOING_AWAY, "the node stops")

    def break_off(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def _stop_timer(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None

    # the wire of its outflow

    def write(self, data: bytes) -> None:
        """Send one message as one text frame; autobahn's own way costs six times as much, most of it for its log."""
        if self.state == self.STATE_OPEN:
            self.transport.writeSequence((text_header(len(data)), data))

    def read_on(self, on: bool) -> None:
        """Read from the client, or not."""
        (self.transport.resumeProducing if on else self.transport.pauseProducing)()

    def end(self, code: int, reason: str) -> None:
        """Close with a code and a sentence; nothing more is taken from the client."""
        self.failedByMe = True
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode()[:MAX_REASON])
        elif not self._opened:
            self.transport.loseConnection()

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """The last frame; a client that does not answer it in ten seconds is cut off."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.outflow.stop()
        self.read_on(True)
        if self._late is None:
            self._late = self._clock.callLater(LAST_WORDS, self.break_off)

    def pauseProducing(self) -> None:
        """The transport is full."""
        self.outflow.pause()

    def resumeProducing(self) -> None:
        """The transport has room again."""
        self.outflow.go_on()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.outflow.stop()

    # what it says

    def consumeData(self) -> None:
        """Take whole short texts; whatever else there is goes autobahn's way, but no endless handshake does."""
        if self.state == self.STATE_CONNECTING and b"\r\n\r\n" not in self.data[:MAX_HANDSHAKE]:
            if len(self.data) >= MAX_HANDSHAKE:
                self.data = b""
                self.break_off()
            return
        if self.state == self.STATE_OPEN and self.current_frame is None and not self.inside_message:
            self._take_texts()
        if self.data:
            super().consumeData()

    def _take_texts(self) -> None:
        data, start = self.data, 0
        while self.state == self.STATE_OPEN and not self.failedByMe:
            found = whole_text(data, start)
            if found is None:
                break
            text, start = found
            self.onMessage(text, False)
        self.data = data[start:]

    def onMessageEnd(self) -> None:
        """A message is whole; without the signals and timings that autobahn adds for others to listen to."""
        if not self.failedByMe:
            self.onMessage(b"".join(self.message_data), self.message_is_binary)
        self.message_data = None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """One command of the client."""
        if isBinary:
            self.end(NOT_TEXT, "send text frames: every message is a JSON dictionary")
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self.end(NOT_UTF8, "the message is not valid UTF-8")
            return
        call_id: Any = None
        try:
            message = parse_json(text)
            if not isinstance(message, dict):
                raise BadArgument("a message must be a JSON dictionary")
            call_id = message.get("call_id")
            self._command(message, call_id)
        except BadArgument as error:
            self._complain(call_id, "bad-argument", str(error))

    def _command(self, message: dict[str, Any], call_id: Any) -> None:
        command = message.get("command")
        if command == "api_call":
            self._call(message, call_id)
        elif command == "subscribe":
            wants, place, messages = chosen(message.get("events")), self._place(message), WantedMessages.of(message)
            self.outflow.choose(wants)
            self._resume(place, call_id)
            self.messages.begin(messages)
        elif command == "resume":
            place, messages = self._place(message), WantedMessages.of(message)
            if place is None and messages.after is None:
                raise BadArgument("after is missing: the number of the last event that was seen")
            self._resume(place, call_id)
            self.messages.begin(messages)
        else:
            raise BadArgument(f"unknown command {str(command)[:80]!r}; known are {COMMANDS}")

    def _place(self, message: dict[str, Any]) -> tuple[str, int] | None:
        after = message.get("after")
        return None if after is None else place_of(message.get("run"), after)

    def _resume(self, place: tuple[str, int] | None, call_id: Any) -> None:
        """Answer, then send again what came after a place in the stream."""
        events = self._context.events
        missed = 0
        if place is not None:
            run, after = place
            missed = max(0, events.oldest - 1 - (after if run == events.run and after <= events.last else 0))
        self._answer(ok({"run": events.run, "seq": events.last, "oldest": events.oldest, "missed": missed}), call_id)
        if place is not None:
            self.outflow.resume(*place)

    def _call(self, message: dict[str, Any], call_id: Any) -> None:
        name, generation = message.get("method"), message.get("generation") or ""
        if not isinstance(generation, str):
            raise BadArgument("generation must be a text such as 2016")
        row = self._api.table.named(name, generation) if isinstance(name, str) else None
        kwargs = message.get("kwargs")
        kwargs = {} if kwargs is None else kwargs
        if row is None:
            self._complain(call_id, "not-found", f"method {str(name)[:80]!r} not found")
            return
        if not isinstance(kwargs, dict):
            raise BadArgument("kwargs must be a JSON dictionary")
        if self._calls:
            self._check_waiting(call_id)
        place = self._api.answers.before(row)
        calling = begin(self._asked, row, kwargs) if place is None else self._begin(row, kwargs, place)
        if not isinstance(calling, Deferred):
            self._answer_or_complain(calling, call_id, row, place)
            return
        self._calls[calling] = _ident(call_id)
        calling.addBoth(self._ended, calling).addCallback(self._answer_or_complain, call_id, row, place)

    def _begin(self, row: Method, kwargs: dict[str, Any], place: Place) -> "Envelope | Deferred[Envelope]":
        """As soon as there is room for the answer."""
        entering = place.enter()
        if entering is None:
            return begin(self._asked, row, kwargs)
        return entering.addCallbacks(
            lambda _: begin(self._asked, row, kwargs), lambda failure: broken(failure, row.name)
        )

    def _check_waiting(self, call_id: Any) -> None:
        if len(self._calls) >= MAX_CALLS:
            raise BadArgument(f"{MAX_CALLS} calls are already waiting for their answers; wait for one of them")
        ident = _ident(call_id)
        if ident is not None and ident in self._calls.values():
            raise BadArgument(f"a call with the call_id {ident[:80]} is already waiting for its answer")

    def _ended(self, result: Any, calling: "Deferred[Any]") -> Any:
        self._calls.pop(calling, None)
        return result

    def _answer_or_complain(self, envelope: Envelope, call_id: Any, row: Method, place: Place | None) -> None:
        try:
            message = _answer(envelope, call_id)
            self.outflow.put(message, self._api.answers.after(row, place, len(message)))
        except (TypeError, ValueError, RecursionError):
            if place is not None:
                place.release()
            self.log.failure("an answer could not be written")
            self._complain(call_id, "internal", "the answer could not be written; logs/stdout.log tells more")

    def _answer(self, envelope: Envelope, call_id: Any) -> None:
        self.outflow.put(_answer(envelope, call_id))

    def _complain(self, call_id: Any, code: str, text: str) -> None:
        payload = {"call_id": call_id, "errors": [text], "response": failed(code, text)}
        self.outflow.put(compact({"type": "api_call", "payload": payload}))


def _answer(envelope: Envelope, call_id: Any) -> bytes:
    return compact({"type": "api_call", "payload": {"call_id": call_id, "response": envelope}})


def _ident(call_id: Any) -> str | None:
    return None if call_id is None else json.dumps(call_id, sort_keys=True)
