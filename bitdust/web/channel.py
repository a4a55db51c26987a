"""One connection of an HTTP client: HTTP/1.1 as Twisted reads it, with a time for everything that a client may take.

A connection may rest for a minute between requests. A request that has begun must have its headers here within half a
minute and its body within the time of its dialect. Who does not read an answer is asked no further, and is cut off
after a minute. Of many requests that come at once, some are answered in a turn, so that one client does not hold up the
others. Nothing is read while the one who takes a body has no room for more.
"""

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel
from zope.interface import implementer

from bitdust.web.answers import SHORT
from bitdust.web.chunks import Chunks
from bitdust.web.connections import Connections
from bitdust.web.deadline import Deadline
from bitdust.web.dialect import Limits, Reply
from bitdust.web.guard import Refusal

IDLE_TIMEOUT = 60.0
HEADERS_TIMEOUT = 30.0
BODY_TIMEOUT = 30.0
STALLED_TIMEOUT = 60.0
PROGRESS = 1 << 14
"""Bytes of a body without a limit that give their client another `STALLED_TIMEOUT`."""
AT_ONCE = 16
ENDLESS_BODY = 4 << 20
_BASE: Any = HTTPChannel
"""What is called below each override; Twisted names no types, and `super` is looked up anew at each call."""

BAD_REQUEST = Refusal(400, "bad-request", "this is no HTTP/1.1 request that the node can read")
LONG_LINE = Refusal(431, "too-large", "the address or a header of the request is too long; put arguments into the body")


class ChannelOwner(Protocol):
    """What a channel needs of its factory."""

    @property
    def clock(self) -> IReactorTime: ...

    @property
    def channels(self) -> "Connections[ApiChannel]": ...

    def refusal(self, refusal: Refusal) -> Reply:
        """How to refuse what is no request."""

    def __call__(self, channel: "ApiChannel") -> Any:
        """The reader of one request."""


@implementer(IHalfCloseableProtocol)
class ApiChannel(HTTPChannel):
    """Counts itself with its owner, and ends when its client takes too long."""

    requestFactory: Any

    def __init__(self, owner: ChannelOwner) -> None:
        _BASE.__init__(self)
        self._owner = owner
        self._clock = owner.clock
        self._reading = Deadline(owner.clock, self._overdue)
        self._writing = Deadline(owner.clock, self.break_off)
        self.timeOut: Any = IDLE_TIMEOUT
        self.requestFactory = owner
        self._arriving = False
        self._streamed: int | None = None
        self._held = False
        self._answered = 0
        self._unread: Any = None
        self._swallowed: int | None = None
        self._pause: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Count it."""
        self._owner.channels.opened(self)
        _BASE.connectionMade(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count it no more."""
        self._owner.channels.closed(self)
        _BASE.connectionLost(self, reason)
        self._reading.stop()
        self._writing.stop()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def readConnectionLost(self) -> None:
        """The client says nothing more: what was answered still goes out. Who waits for an answer cannot be told from
        one that has gone, and is taken for that."""
        self._network.loseConnection() if self.is_idle else self.break_off()

    def writeConnectionLost(self) -> None:
        """This side says nothing more, as `swallow` wants it."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes of requests, or the rest of one that was turned away."""
        if self._swallowed is not None:
            self._swallowed += len(data)
            if self._swallowed > ENDLESS_BODY:
                self.break_off()
            return
        if not self._busyReceiving:
            self._answered = 0
        _BASE.dataReceived(self, data)
        self._take()

    def _take(self) -> None:
        """What came of a body in this read goes to who takes it."""
        requests: Any = self.requests
        if requests:
            requests[-1].take()

    # the time that a client has

    def callLater(self, period: float, call: Any) -> Any:
        """On the clock of the node."""
        return self._clock.callLater(period, call)

    def setTimeout(self, period: float | None) -> Any:
        """Between two requests; None while one of them is answered."""
        before, self.timeOut = self.timeOut, period
        if period is not None:
            self._reading.set(period)
        else:
            self._reading.clear()
        return before

    def resetTimeout(self) -> None:
        """Bytes have come: those that begin a request start its time, those that follow do not make it longer."""
        if not self._arriving and self.timeOut is not None:
            self._arriving = True
            self._reading.set(HEADERS_TIMEOUT)

    def body_begins(self, limits: Limits) -> None:
        """The headers are here; the body may take its own time."""
        self._streamed = 0 if limits.body is None else None
        self._reading.set(min(limits.seconds, BODY_TIMEOUT) if limits.body is not None else STALLED_TIMEOUT)

    def body_goes_on(self, size: int) -> None:
        """Bytes of a body have come; where it has no limit, enough of them give their client more time."""
        if self._streamed is not None:
            self._streamed += size
            if self._streamed >= PROGRESS:
                self._streamed = 0
                self._reading.set(STALLED_TIMEOUT)

    def allContentReceived(self) -> None:
        """The request is whole."""
        self._arriving = False
        self._streamed = None
        _BASE.allContentReceived(self)

    def _overdue(self) -> None:
        self.break_off() if self._arriving else _BASE.timeoutConnection(self)

    # reading, as fast as the body is taken

    def hold(self) -> None:
        """Read no more for now; the client is not to blame for that time."""
        self._held = True
        self._reading.clear()
        self._networkProducer.pauseProducing()

    def release(self) -> None:
        """Read on."""
        self._held = False
        if self._arriving:
            self._reading.set(STALLED_TIMEOUT)
        if not self._waitingForTransport or self._streamed is not None:
            self._networkProducer.resumeProducing()

    # requests

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        """A body in chunks is read by `Chunks`."""
        is_right: bool = _BASE._maybeChooseTransferDecoder(self, header, data)
        base: Any = self
        if is_right and header == b"Transfer-Encoding" and base._transferDecoder is not None:
            base._transferDecoder = Chunks(base.requests[-1].handleContentChunk, base._finishRequestBody)
        return is_right

    @property
    def request_line(self) -> tuple[bytes, bytes, bytes]:
        """Verb, target and version of the request that has begun."""
        base: Any = self
        return base._command, base._path, base._version

    @property
    def is_full(self) -> bool:
        """Whether the client has not read what was sent."""
        return bool(self._waitingForTransport)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """HTTP/1.1 stays open unless the client says close; HTTP/1.0 does not."""
        words = b" ".join(request.headers.get(b"Connection", ())).lower().replace(b",", b" ").split()
        return version == b"HTTP/1.1" and b"close" not in words

    def _send100Continue(self) -> None:
        """Ask for a body only where somebody takes it."""
        requests: Any = self.requests
        if requests and requests[-1].invites_body():
            _BASE._send100Continue(self)

    def requestDone(self, request: Any) -> None:
        """Go on with the next request: after some of them in a later turn, and not before the client has read."""
        self._answered += 1
        if self._waitingForTransport:
            self._unread = request
        elif self._answered < AT_ONCE:
            _BASE.requestDone(self, request)
        else:
            self._pause = self._clock.callLater(0, self._go_on, request)

    def write(self, data: bytes) -> None:
        """Bytes of an answer. Short ones go to the system at once where it takes them: to be told that it does would
        cost another turn of the reactor."""
        network = self._network
        if len(data) <= SHORT and _is_free(network):
            sent = network.writeSomeData(data)
            data = data[sent:] if isinstance(sent, int) else data
        if data:
            network.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume who makes an answer."""
        _BASE.registerProducer(self, producer, streaming)

    def unregisterProducer(self) -> None:
        """The answer is made."""
        _BASE.unregisterProducer(self)

    def pauseProducing(self) -> None:
        """The client does not read: write no more, and where nobody takes a body, read no more."""
        self._writing.set(STALLED_TIMEOUT)
        _BASE.pauseProducing(self)
        if self._streamed is not None and not self._held:
            self._networkProducer.resumeProducing()

    def resumeProducing(self) -> None:
        """The client has read what was sent."""
        self._writing.clear()
        _BASE.resumeProducing(self)
        if self._held:
            self._networkProducer.pauseProducing()
        request, self._unread = self._unread, None
        if request is not None:
            self._pause = self._clock.callLater(0, self._go_on, request)

    def _go_on(self, request: Any) -> None:
        self._pause = None
        self._answered = 0
        _BASE.requestDone(self, request)

    # the end

    def lineLengthExceeded(self, line: bytes) -> None:
        """An address or header that is too long."""
        self.turn_away(self._owner.refusal(LONG_LINE))

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Twisted's way out of what is not HTTP; too many headers come here as well. Whoever took what was right so far
        may have answered."""
        self._take()
        is_long = self._receivedHeaderSize > self.totalHeadersSize
        self.turn_away(self._owner.refusal(LONG_LINE if is_long else BAD_REQUEST))

    def turn_away(self, reply: Reply) -> None:
        """Answer, and take nothing more of this client; the body of the answer is bytes."""
        if self._swallowed is not None:
            return
        body = reply.body if isinstance(reply.body, bytes) else b""
        head = b"HTTP/1.1 %d %s\r\n" % (reply.status, RESPONSES.get(reply.status, b""))
        length = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._network.write(head + reply.headers + length + body)
        self.swallow()

    def swallow(self) -> None:
        """Say that no more comes, and read on for a while: closing while the client still sends would reset the
        connection, and the answer would be lost (RFC 9112, 9.6)."""
        self._swallowed = 0
        _BASE.clearLineBuffer(self)
        if self._held:
            self._held = False
            self._networkProducer.resumeProducing()
        self._network.loseWriteConnection()
        self._arriving, self.timeOut = True, IDLE_TIMEOUT
        self._reading.set(BODY_TIMEOUT)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        requests: Any = self.requests
        return not any(request.in_work for request in requests)

    def hang_up(self) -> None:
        """Close when what was answered is sent; a stream in the middle ends here."""
        requests: Any = self.requests
        for request in list(requests):
            request.hang_up()
        _BASE.loseConnection(self)

    def break_off(self) -> None:
        """Close at once."""
        self._network.abortConnection()

    @property
    def _network(self) -> Any:
        return self.transport


def _is_free(network: Any) -> bool:
    """Whether this is a plain connection of the reactor, and nothing waits to be sent."""
    return (
        isinstance(network, Connection)
        and not (network.TLS or network.dataBuffer or network._tempDataBuffer)
        and bool(network.connected)
        and not (network.disconnecting or network._writeDisconnected)
    )
