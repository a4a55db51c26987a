"""One HTTP request and its answer, between the connection that it came over and the dialect that it is in."""

from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT, NOT_MODIFIED, RESPONSES
from twisted.web.http_headers import Headers

from bitdust.web.answers import SHORT, Answers
from bitdust.web.channel import ENDLESS_BODY, ApiChannel
from bitdust.web.dialect import BodySink, Dialect, Head, Reply
from bitdust.web.guard import Refusal
from bitdust.web.sending import Sending, let_go, streamed

WITHOUT_BODY = (NO_CONTENT, NOT_MODIFIED)
INTERNAL = Refusal(500, "internal", "the request failed inside the node; logs/stdout.log has more")


def too_large(limit: int) -> Refusal:
    """A body over its limit."""
    return Refusal(413, "too-large", f"the body has more than {limit} bytes")


class Port(Protocol):
    """What a request needs of the port that it came to."""

    @property
    def clock(self) -> IReactorTime: ...

    @property
    def answers(self) -> Answers:
        """Where long answers count."""

    def dialect_of(self, path: bytes) -> Dialect:
        """Who speaks at this path."""


class HttpExchange:
    """One request, as `HTTPChannel` fills it. Of its body I keep one read of the socket at most, until its sink has
    room."""

    log = Logger()

    def __init__(self, channel: ApiChannel, port: Port) -> None:
        self.channel: ApiChannel | None = channel
        self.requestHeaders = Headers()
        self.head: Head
        self._headers: dict[bytes, list[bytes]] | None = None
        self._port = port
        self._started = port.clock.seconds()
        self._dialect: Dialect
        self._limit: int | None = 0
        self._sink: BodySink | None = None
        self._refusal: Reply | None = None
        self._received = 0
        self._busy = False
        self._held: list[bytes] = []
        self._whole = False
        self._answered = False
        self._sending: Sending | None = None

    @property
    def headers(self) -> dict[bytes, list[bytes]]:
        """All headers, once they are here, by name in the usual spelling."""
        if self._headers is None:
            self._headers = dict(self.requestHeaders.getAllRawHeaders())  # type: ignore[arg-type]
        return self._headers

    @property
    def in_work(self) -> bool:
        """Whether it is being answered, or its body is being taken piece by piece."""
        return self.channel is not None and (self._whole or (self._sink is not None and self._limit is None))

    @property
    def held(self) -> int:
        """Bytes of the body that wait for its sink."""
        return sum(map(len, self._held))

    # the request, as the channel brings it

    def parseCookies(self) -> None:
        """There are none here."""

    def gotLength(self, length: int | None) -> None:
        """The headers are here: refuse what is too large before it comes, and ask the dialect who takes the rest."""
        channel = self.channel
        if channel is None:
            return
        verb, target, version = channel.request_line
        path, _, query = target.partition(b"?")
        self.head = head = Head(verb, path, query, version, self.headers, length, self._started)
        self._dialect = dialect = self._port.dialect_of(path)
        self._limit = limit = dialect.limits.body
        if length != 0:
            channel.body_begins(dialect.limits)
        if limit is not None and length is not None and length > limit:
            self._turn_away(dialect.refusal(too_large(limit), head))
            return
        try:
            begun = dialect.begin(self)
        except Exception:  # noqa: BLE001 - whatever a dialect raises ends one request
            begun = self._failed(Failure())
        if isinstance(begun, Reply):
            self._answer_early(begun)
        elif self._refusal is None and self.channel is not None:
            self._sink = begun

    def _answer_early(self, reply: Reply) -> None:
        """Nobody takes what is left of the body. One that is short is read to its end before the answer, so that the
        connection stays of use; otherwise the answer is the last word."""
        self._sink, self._held = None, []
        length = self.head.length
        if self._limit is not None or (length is not None and length <= ENDLESS_BODY):
            self._refusal = reply
        elif isinstance(reply.body, bytes):
            self._turn_away(reply)
        else:
            self._send(reply)

    def invites_body(self) -> bool:
        """Whether a client that asks before it sends its body is to send it; it is answered at once otherwise."""
        refusal = self._refusal
        if refusal is not None and isinstance(refusal.body, bytes) and self.head.length != 0:
            self._turn_away(refusal)
        return self._sink is not None and not self._answered

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body."""
        channel = self.channel
        if channel is None:
            return
        self._received += len(data)
        channel.body_goes_on(len(data))
        if self._limit is not None and self._received > self._limit >= self._received - len(data):
            self._give_up_sink()
            self._refusal = self._dialect.refusal(too_large(self._limit), self.head)
        if self._sink is None:
            if self._received > ENDLESS_BODY:
                channel.break_off()
        else:
            self._held.append(data)

    def take(self) -> None:
        """What came in one read of the socket goes to its sink in one piece: clients send chunks of a few bytes."""
        if self._held and not self._busy and self._sink is not None:
            data, self._held = self._held[0] if len(self._held) == 1 else b"".join(self._held), []
            self._feed(self._sink, data)

    def _feed(self, sink: BodySink, data: bytes) -> None:
        try:
            taking = sink.received(data)
        except Exception:  # noqa: BLE001
            self._fail(Failure())
            return
        if taking is not None and self.channel is not None:
            self._busy = True
            self.channel.hold()
            taking.addCallbacks(self._ready, self._fail)

    def _ready(self, _: None) -> None:
        """The sink has room for what came meanwhile, then for more."""
        self._busy = False
        self.take()
        if self._busy or self.channel is None:
            return
        self.channel.release()
        if self._whole:
            self._finish()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All is here."""
        self.take()
        self._whole = True
        if not self._busy:
            self._finish()

    def _finish(self) -> None:
        if self._refusal is not None:
            self._send(self._refusal)
        elif self._sink is not None:
            try:
                self._sink.finished()
            except Exception:  # noqa: BLE001
                self._fail(Failure())
        if self._answered and self._sending is None:
            self._finished()

    # the answer

    def answer(self, reply: Reply) -> None:
        """Send it, once; what comes for a client that has gone is dropped."""
        if self._answered or self._refusal is not None or self.channel is None:
            let_go(reply)
        elif self._whole or not (isinstance(reply.body, bytes) or self.head.length == 0):
            self._send(reply)
        else:
            self._answer_early(reply)

    def _turn_away(self, reply: Reply) -> None:
        """Answer before the body is here, and close."""
        channel, self.channel = self.channel, None
        self._answered, self._refusal = True, None
        if channel is not None:
            channel.turn_away(reply)

    def _send(self, reply: Reply) -> None:
        """What is whole and short goes out in one write; nothing when it was sent already or the client is gone."""
        channel = self.channel
        if self._answered or channel is None:
            let_go(reply)
            return
        self._answered = True
        body = reply.body
        if isinstance(body, bytes) and (reply.place is not None or len(body) > SHORT):
            reply = streamed(reply, self._port.answers, channel.break_off)
            body = reply.body
        if not isinstance(body, bytes):
            self._sending = Sending(channel, self.head, reply, self._stream_ended)
            self._sending.start()
            return
        first = b"%s %d %s\r\n" % (self.head.version, reply.status, RESPONSES.get(reply.status, b""))
        close = b"" if channel.persistent else b"Connection: close\r\n"
        length = b"Content-Length: %d\r\n\r\n" % len(body) if reply.status not in WITHOUT_BODY else b"\r\n"
        channel.write(first + reply.headers + close + length + (b"" if self.head.method == b"HEAD" else body))
        self._finished()

    def _stream_ended(self, failure: Failure | None) -> None:
        """The last piece of a reply is written, or there will be none: then only a broken connection says so."""
        self._sending = None
        if failure is not None:
            self.log.failure("an answer ended in the middle", failure)
        if self.channel is None:
            return
        if failure is not None:
            self.channel.break_off()
        elif self._whole and not self._busy:
            self._finished()
        elif not self._whole:
            channel, self.channel = self.channel, None
            self._sink, self._held = None, []
            channel.swallow()

    def _finished(self) -> None:
        channel, self.channel = self.channel, None
        if channel is None:
            return
        if self._busy:
            channel.release()
        channel.requestDone(self)

    # when it goes wrong

    def _failed(self, failure: Failure) -> Reply:
        self.log.failure("a request failed", failure)
        return self._dialect.refusal(INTERNAL, self.head)

    def _fail(self, failure: Failure) -> None:
        """The sink is broken."""
        if self.channel is None:
            return
        reply = self._failed(failure)
        self._give_up_sink()
        if self._busy:
            self._busy = False
            self.channel.release()
        if self._sending is not None or self._answered:
            self.channel.break_off()
        else:
            self.answer(reply)

    def _give_up_sink(self) -> None:
        sink, self._sink, self._held = self._sink, None, []
        if sink is not None:
            try:
                sink.gone()
            except Exception:  # noqa: BLE001
                self.log.failure("a request could not be given up")

    def hang_up(self) -> None:
        """The port closes: no more of a stream is asked for."""
        if self._sending is not None:
            self._sending.cancel()

    def connectionLost(self, reason: Any) -> None:
        """The client has gone: nobody waits for the answer any more."""
        self.channel = None
        if self._sending is not None:
            self._sending.cancel()
        self._give_up_sink()
