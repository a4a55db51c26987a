"""One connection of a REST client: HTTP/1.1 as Twisted reads it, with a time for everything that a client may take.

A connection may rest for a minute between requests. A request that has begun must have its headers here within half a
minute and its body within another. Who does not read an answer is asked no further, and is cut off after a minute. Of
many requests that come at once, some are answered in a turn, so that one client does not hold up the others.
"""

from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel

from bitdust.api.envelope import failed
from bitdust.web.connections import Connections
from bitdust.web.guard import Refusal
from bitdust.web.render import pretty

IDLE_TIMEOUT = 60.0
HEADERS_TIMEOUT = 30.0
BODY_TIMEOUT = 30.0
STALLED_TIMEOUT = 60.0
AT_ONCE = 16
ENDLESS_BODY = 4 << 20
JSON_HEADERS = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"


BAD_REQUEST = Refusal(400, "bad-request", "this is no HTTP/1.1 request that the node can read")
LONG_LINE = Refusal(431, "too-large", "the address or a header of the request is too long; put arguments into the body")


class ChannelOwner(Protocol):
    """What a channel needs of its factory."""

    @property
    def clock(self) -> IReactorTime: ...

    @property
    def channels(self) -> "Connections[ApiChannel]": ...

    def __call__(self, channel: "ApiChannel") -> Any:
        """The reader of one request."""


class ApiChannel(HTTPChannel):
    """Counts itself with its owner, and ends when its client takes too long."""

    requestFactory: Any

    def __init__(self, owner: ChannelOwner) -> None:
        self._base.__init__()
        self._owner = owner
        self._clock = owner.clock
        self.timeOut: Any = IDLE_TIMEOUT
        self.requestFactory = owner
        self._arriving = False
        self._answered = 0
        self._unread: Any = None
        self._swallowed: int | None = None
        self._due = 0.0
        self._timer: Any = None
        self._pause: Any = None

    def connectionMade(self) -> None:
        """Count it."""
        self._owner.channels.opened(self)
        self._base.connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count it no more."""
        self._owner.channels.closed(self)
        self._base.connectionLost(reason)
        for call in (self._timer, self._pause):
            if call is not None:
                call.cancel()
        self._timer = self._pause = None

    def dataReceived(self, data: bytes) -> None:
        """Bytes of requests, or the rest of one that was turned away."""
        if self._swallowed is not None:
            self._swallowed += len(data)
            if self._swallowed > ENDLESS_BODY:
                self.break_off()
            return
        if not self._busyReceiving:
            self._answered = 0
        self._base.dataReceived(data)

    # the time that a client has

    def callLater(self, period: float, call: Any) -> Any:
        """On the clock of the node."""
        return self._clock.callLater(period, call)

    def setTimeout(self, period: float | None) -> Any:
        """Between two requests; None while one of them is answered."""
        before, self.timeOut = self.timeOut, period
        if period is not None:
            self._give(period)
        return before

    def resetTimeout(self) -> None:
        """Bytes have come: those that begin a request start its time, those that follow do not make it longer."""
        if not self._arriving and self.timeOut is not None:
            self._arriving = True
            self._give(HEADERS_TIMEOUT)

    def allHeadersReceived(self) -> None:
        """The body may take its own time."""
        self._give(BODY_TIMEOUT)
        self._base.allHeadersReceived()

    def allContentReceived(self) -> None:
        """The request is whole."""
        self._arriving = False
        self._base.allContentReceived()

    def _give(self, seconds: float) -> None:
        """Set no timer for each request: one that runs looks when it is due, and again."""
        self._due = self._clock.seconds() + seconds
        if self._timer is None:
            self._timer = self._clock.callLater(min(seconds, HEADERS_TIMEOUT, BODY_TIMEOUT), self._look)

    def _look(self) -> None:
        self._timer = None
        if self.timeOut is None:
            return
        left = self._due - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(min(left, HEADERS_TIMEOUT, BODY_TIMEOUT), self._look)
        else:
            self.break_off() if self._arriving else self._base.timeoutConnection()

    # requests

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """HTTP/1.1 stays open unless the client says close; HTTP/1.0 does not."""
        words = b" ".join(request.headers.get(b"Connection", ())).lower().replace(b",", b" ").split()
        return version == b"HTTP/1.1" and b"close" not in words

    def requestDone(self, request: Any) -> None:
        """Go on with the next request: after some of them in a later turn, and not before the client has read."""
        self._answered += 1
        if self._waitingForTransport:
            self._unread = request
            self._arriving, self.timeOut = True, STALLED_TIMEOUT
            self._give(STALLED_TIMEOUT)
        elif self._answered < AT_ONCE:
            self._base.requestDone(request)
        else:
            self._pause = self._clock.callLater(0, self._go_on, request)

    def resumeProducing(self) -> None:
        """The client has read what was sent."""
        self._base.resumeProducing()
        request, self._unread = self._unread, None
        if request is not None:
            self._arriving, self.timeOut = False, None
            self._pause = self._clock.callLater(0, self._go_on, request)

    def _go_on(self, request: Any) -> None:
        self._pause = None
        self._answered = 0
        self._base.requestDone(request)

    def lineLengthExceeded(self, line: bytes) -> None:
        """An address or header that is too long."""
        self.turn_away(LONG_LINE)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Twisted's way out of what is not HTTP; too many headers come here as well."""
        self.turn_away(LONG_LINE if self._receivedHeaderSize > self.totalHeadersSize else BAD_REQUEST)

    def turn_away(self, refusal: Refusal) -> None:
        """Answer, say that no more comes, and read on for a while: closing while the client still sends would reset the
        connection, and the answer would be lost (RFC 9112, 9.6)."""
        if self._swallowed is not None:
            return
        self._swallowed = 0
        self._base.clearLineBuffer()
        body = pretty(failed(refusal.code, refusal.text) | {"execution": "0.000000"})
        head = b"HTTP/1.1 %d %s\r\n" % (refusal.status, RESPONSES.get(refusal.status, b""))
        length = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._network.write(head + JSON_HEADERS + length + body)
        self._network.loseWriteConnection()
        self._arriving, self.timeOut = True, IDLE_TIMEOUT
        self._give(BODY_TIMEOUT)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        requests: Any = self.requests
        return not any(request.in_work for request in requests)

    def hang_up(self) -> None:
        """Close when what was answered is sent."""
        self._base.loseConnection()

    def break_off(self) -> None:
        """Close at once."""
        self._network.abortConnection()

    @property
    def _network(self) -> Any:
        return self.transport

    @property
    def _base(self) -> Any:
        return super()
