"""REST over the method table, and the table itself as OpenAPI at ``GET /openapi.json``.

The document needs the secret like everything else: one rule for all paths, and a stranger learns nothing, not even the
version. Who has no node finds the same in the pages of the reference.
Refused before the table with an HTTP status of its own: 400 not HTTP or not JSON, 401 secret, 403 Host or Origin, 404,
405, 413 and 431 too large, 429. A method that is found answers 200, also when it fails: the envelope's ``status``
tells, and clients count on it.
"""

from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT, RESPONSES, HTTPChannel, HTTPFactory, Request

from bitdust.api import openapi
from bitdust.api.arguments import BadArgument, parse_json
from bitdust.api.call import perform
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed
from bitdust.api.table import Match, NoRoute, Table
from bitdust.budget import Budget
from bitdust.web import metrics
from bitdust.web.connections import Connections
from bitdust.web.guard import Guard, Refusal
from bitdust.web.render import pretty
from bitdust.wire.errors import BitDustError

MAX_BODY = 1 << 20
ENDLESS_BODY = 4 * MAX_BODY
MAX_QUERY_FIELDS = 100
MAX_CONNECTIONS = 256
IDLE_TIMEOUT = 60
OPENAPI_PATH = openapi.PATH.encode()
BODY_TIMEOUT = 30.0
JSON_HEADERS = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
PREFLIGHT_HEADERS = (
    b"Access-Control-Allow-Methods: GET, POST, PUT, DELETE\r\n"
    b"Access-Control-Allow-Headers: api_secret, content-type\r\nAccess-Control-Max-Age: 600\r\n"
)

BAD_REQUEST = Refusal(400, "bad-request", "this is no HTTP/1.1 request that the node can read")
LONG_LINE = Refusal(431, "too-large", "the address or a header of the request is too long; put arguments into the body")
TOO_LARGE = Refusal(413, "too-large", f"the body has more than {MAX_BODY} bytes")
_log = Logger()


class RestApi:
    """What the requests of one listener share."""

    def __init__(self, context: Context, table: Table, guard: Guard) -> None:
        self.context = context
        self.table = table
        self.guard = guard
        self._openapi: bytes | None = None

    def answer(self, request: "ApiRequest") -> None:
        """Judge, find, call, answer."""
        headers = request.requestHeaders
        origin = _single(headers, b"origin")
        refusal = self.guard.refuse(_single(headers, b"host"), origin, _single(headers, b"sec-fetch-site"))
        if refusal is not None:
            return request.refuse(refusal)
        if origin is not None:
            request.put_header(b"Access-Control-Allow-Origin", origin)
            request.put_header(b"Vary", b"Origin")
            if request.method == b"OPTIONS":
                return request.allow()
        secret = _single(headers, b"api_secret")
        open_page = secret is None and request.path == metrics.PATH and self.context.settings.get(metrics.OPEN)
        refusal = None if open_page else self.guard.refuse_secret(secret)
        if refusal is not None:
            return request.refuse(refusal)
        if request.path == metrics.PATH:
            return self._measure(request)
        if request.path == OPENAPI_PATH:
            return self._tell(request)
        return self._call(request)

    def _measure(self, request: "ApiRequest") -> None:
        """The figures for Prometheus."""
        if request.method not in (b"GET", b"HEAD"):
            request.put_header(b"Allow", b"GET")
            return request.refuse(Refusal(405, "bad-verb", "/metrics takes GET"))
        try:
            text = metrics.page(self.context)
        except BitDustError as error:
            return request.refuse(Refusal(501, error.code, str(error)))
        return request.show(text, metrics.CONTENT_TYPE)

    def _tell(self, request: "ApiRequest") -> None:
        """The table as OpenAPI; written once, when somebody asks."""
        if request.method not in (b"GET", b"HEAD"):
            request.put_header(b"Allow", b"GET")
            return request.refuse(Refusal(405, "bad-verb", f"{openapi.PATH} takes GET"))
        if self._openapi is None:
            self._openapi = pretty(openapi.document(self.table))
        return request.show(self._openapi)

    def _call(self, request: "ApiRequest") -> None:
        try:
            match = self.table.find(request.method.decode("latin-1"), request.path.decode("latin-1"))
            given = request.given(match)
        except NoRoute as error:
            allowed = error.details["allowed"]
            if allowed:
                request.put_header(b"Allow", ", ".join(allowed).encode())
            return request.refuse(Refusal(405 if allowed else 404, error.code, str(error)))
        except NotJson as error:
            return request.refuse(Refusal(400, "not-json", str(error)))
        except BadArgument as error:
            return request.reply(200, failed(error.code, str(error)))
        calling = perform(self.context, match.row, given)
        request.await_answer(calling)
        calling.addCallback(request.finish_call).addErrback(request.finish_broken)
        return None


class NotJson(BitDustError):
    """The body is not a JSON dictionary."""


class ApiRequest(Request):
    """One HTTP request; its body stays in memory and is limited."""

    def __init__(self, channel: HTTPChannel, queued: object, api: RestApi) -> None:
        super().__init__(channel, queued)
        self._api = api
        self._clock = api.context.world.clock
        self._started = self._clock.seconds()
        self._calling: Deferred[Any] | None = None
        self._text = BytesIO()
        self._received = 0
        self._late: Any = None
        self._query = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def gotLength(self, length: int | None) -> None:
        """The headers are here: refuse a large body before it comes."""
        if length is not None and length > MAX_BODY:
            self._refuse_body()
        elif length != 0:
            self._late = self._clock.callLater(BODY_TIMEOUT, self.channel.forceAbortClient)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body."""
        self._received += len(data)
        if self._received <= MAX_BODY:
            self._text.write(data)
        elif self._received > ENDLESS_BODY:
            channel: Any = self.channel
            channel.forceAbortClient()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All is here. Forms are not parsed: a body is JSON whatever its type says, as `curl -d` sends it."""
        self._stop_timer()
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, self._query = path.partition(b"?")
        if self._received > MAX_BODY:
            self.refuse(TOO_LARGE)
        else:
            self._api.answer(self)

    def connectionLost(self, reason: Any) -> None:
        """The client has gone: nobody waits for the call any more."""
        self._stop_timer()
        calling, self._calling = self._calling, None
        self._base.connectionLost(reason)
        if calling is not None:
            calling.cancel()

    @property
    def in_work(self) -> bool:
        """Whether a call of this request has not ended."""
        return self._calling is not None

    def given(self, match: Match) -> dict[str, Any]:
        """Arguments from path, query and body; raises `NotJson` or `BadArgument`."""
        given: dict[str, Any] = dict(match.arguments)
        if self._query:
            for name, value in self._fields():
                if name in given:
                    raise BadArgument(f"argument {name[:80]!r} is given twice")
                given[name] = value
        if self._received:
            for name, value in self._body(match).items():
                if name in given and given[name] != value:
                    raise BadArgument(f"argument {name[:80]!r} is given twice")
                given[name] = value
        return given

    def _fields(self) -> list[tuple[str, str]]:
        try:
            return parse_qsl(
                self._query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_QUERY_FIELDS,
            )
        except ValueError as error:
            raise BadArgument(f"the query of the request cannot be read: {error}") from error

    def _body(self, match: Match) -> dict[str, Any]:
        text = self._text.getvalue()
        if not text.strip():
            return {}
        try:
            body = parse_json(text)
        except BadArgument as error:
            raise NotJson("not-json", f"the body is {error}") from error
        if not isinstance(body, dict):
            raise NotJson("not-json", "the body must be a JSON dictionary of arguments")
        if match.row.body is not None and body and not body.keys() & match.row.names():
            return {match.row.body: body}
        return body

    def await_answer(self, calling: "Deferred[Any]") -> None:
        """Cancel the call when the client goes."""
        self._calling = calling

    def finish_call(self, envelope: Envelope) -> None:
        """The method has answered."""
        if self._calling is not None:
            self._calling = None
            self.reply(200, envelope)

    def finish_broken(self, failure: Failure) -> None:
        """The answer could not be written as JSON."""
        _log.failure("an answer could not be written", failure=failure)
        if not self.startedWriting:
            self.reply(200, failed("internal", "the answer could not be written; logs/stdout.log tells more"))

    def reply(self, status: int, envelope: Envelope) -> None:
        """Send an envelope and end the request."""
        envelope["execution"] = f"{max(0.0, self._clock.seconds() - self._started):.6f}"
        self._send(status, JSON_HEADERS, pretty(envelope))

    def show(self, document: bytes, headers: bytes = JSON_HEADERS) -> None:
        """Send what is no envelope and end the request."""
        self._send(200, headers, document)

    def _send(self, status: int, headers: bytes, body: bytes) -> None:
        """Everything in one write, which costs half of what `Request.write` does."""
        first = b"%s %d %s\r\n" % (self.clientproto, status, RESPONSES.get(status, b""))
        own = b"".join(b"%s: %s\r\n" % header for header in self._headers)
        length = b"Content-Length: %d\r\n\r\n" % len(body) if status != NO_CONTENT else b"\r\n"
        channel: Any = self.channel
        self.startedWriting = 1
        channel.write(first + own + headers + length + (b"" if self.method == b"HEAD" else body))
        self._base.finish()

    @property
    def _base(self) -> Any:
        return super()

    def put_header(self, name: bytes, value: bytes) -> None:
        """Set a header of the answer."""
        self._headers.append((name, value))

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an HTTP status of its own."""
        self.reply(refusal.status, failed(refusal.code, refusal.text))

    def allow(self) -> None:
        """Answer a browser that asks before it calls (CORS preflight)."""
        self._send(NO_CONTENT, PREFLIGHT_HEADERS, b"")

    def _refuse_body(self) -> None:
        channel: Any = self.channel
        self.method, self.clientproto = b"POST", b"HTTP/1.1"
        self.put_header(b"Connection", b"close")
        self.refuse(TOO_LARGE)
        channel.loseConnection()

    def _stop_timer(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None


def _single(headers: Any, name: bytes) -> bytes | None:
    values = headers.getRawHeaders(name)
    if values is None:
        return None
    found: bytes = values[0] if len(values) == 1 else b"\0several"
    return found


class ApiChannel(HTTPChannel):
    """One connection of a REST client."""

    factory: "RestFactory"
    _swallowed: int | None = None
    _late: Any = None

    def connectionMade(self) -> None:
        """Count it."""
        self.factory.channels.opened(self)
        self._base.connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count it no more."""
        if self._late is not None and self._late.active():
            self._late.cancel()
        self.factory.channels.closed(self)
        self._base.connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """A part of a request, or the rest of one that was turned away."""
        if self._swallowed is None:
            self._base.dataReceived(data)
            return
        self._swallowed += len(data)
        if self._swallowed > ENDLESS_BODY:
            self.break_off()

    def lineLengthExceeded(self, line: bytes) -> None:
        """An address or header that is too long."""
        self._turn_away(LONG_LINE)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Twisted's way out of what is not HTTP; too many headers come here as well."""
        self._turn_away(LONG_LINE if self._receivedHeaderSize > self.totalHeadersSize else BAD_REQUEST)

    def _turn_away(self, refusal: Refusal) -> None:
        """Answer, say that no more comes, and read on for a while: closing while the client still sends would reset the
        connection, and the answer would be lost (RFC 9112, 9.6)."""
        if self._swallowed is not None:
            return
        self._swallowed = 0
        self._base.clearLineBuffer()
        transport, body = self._network, pretty(failed(refusal.code, refusal.text) | {"execution": "0.000000"})
        head = b"HTTP/1.1 %d %s\r\n" % (refusal.status, RESPONSES.get(refusal.status, b""))
        transport.write(head + JSON_HEADERS + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        transport.loseWriteConnection()
        self._late = self.factory.clock.callLater(BODY_TIMEOUT, self.break_off)

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


class RestFactory(HTTPFactory):
    """Accepts REST clients, so many at a time; writes no access log, because queries may hold what is private."""

    protocol = ApiChannel  # type: ignore[assignment]

    def __init__(self, clock: IReactorTime, api: RestApi, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        super().__init__(timeout=IDLE_TIMEOUT, reactor=clock)
        self.clock = clock
        self._api = api
        self.channels: Connections[ApiChannel] = Connections(clock)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel; when there are too many, the oldest one that asks nothing makes room, or this one is refused."""
        if len(self.channels) >= min(MAX_CONNECTIONS, self._budget.api_connections):
            idle = next((channel for channel in self.channels.all() if channel.is_idle), None)
            if idle is None:
                return None
            idle.break_off()
        channel: Any = super().buildProtocol(addr)
        channel.requestFactory = self._make_request
        return channel

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return self.channels.close()

    def _make_request(self, channel: HTTPChannel, queued: object = False) -> ApiRequest:
        return ApiRequest(channel, queued, self._api)

    def log(self, request: Request) -> None:
        """Nothing."""
