"""WebSockets of programs on this machine: who is let in, and whole frames in both directions.

What is said over one is `bitdust.web.talk`; ``docs/api/websocket.md`` describes it.
"""

from typing import Any

from attrs import frozen
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from zope.interface import implementer

from bitdust.api.arguments import BadArgument
from bitdust.api.context import Context
from bitdust.web.connections import Connections
from bitdust.web.frames import text_header, whole_text
from bitdust.web.guard import Guard
from bitdust.web.subscription import Subscription
from bitdust.web.talk import Talk, Talks
from bitdust.wire.messages import MAX_CALL

MAX_MESSAGE = MAX_CALL
MAX_HANDSHAKE = 1 << 16
MAX_REASON = 123
HANDSHAKE_TIMEOUT = 10.0
LAST_WORDS = 10.0
GOING_AWAY, NOT_TEXT, NOT_UTF8 = 1001, 1003, 1007

_Protocol: Any = WebSocketServerProtocol  # autobahn calls itself typed and is so only in part
_Deny: Any = ConnectionDeny


@frozen
class SocketApi:
    """What the sockets of one listener share; ``most`` of them may be open at a time."""

    context: Context
    talks: Talks
    guard: Guard
    connections: "Connections[ApiSocket]"
    most: int


@implementer(IPushProducer)
class ApiSocket(_Protocol):  # type: ignore[misc]
    """One client; there is a `Talk` with it once it was let in."""

    message_data: Any
    data: bytes

    def __init__(self, api: SocketApi) -> None:
        super().__init__()
        self._api = api
        self._context = api.context
        self._clock = api.context.world.clock
        self.talk: Talk | None = None
        self._opened = False
        self._wishes: Subscription | None = None
        self._late: IDelayedCall | None = None

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
        if self.talk is not None:
            self.talk.end()
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
        self.talk = self._api.talks.begin(self, self._wishes)
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

    # what its outflow writes to

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
        if self.talk is not None:
            self.talk.outflow.stop()
        self.read_on(True)
        if self._late is None:
            self._late = self._clock.callLater(LAST_WORDS, self.break_off)

    def pauseProducing(self) -> None:
        """The transport is full."""
        if self.talk is not None:
            self.talk.outflow.pause()

    def resumeProducing(self) -> None:
        """The transport has room again."""
        if self.talk is not None:
            self.talk.outflow.go_on()

    def stopProducing(self) -> None:
        """The transport is gone."""
        if self.talk is not None:
            self.talk.outflow.stop()

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
        if self.talk is not None:
            self.talk.said(text)
