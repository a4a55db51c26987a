"""REST over the method table, and the table itself as OpenAPI at ``GET /openapi.json``.

The document needs the secret like everything else: one rule for all paths, and a stranger learns nothing, not even the
version. Who has no node finds the same in the pages of the reference.
Refused before the table with an HTTP status of its own: 400 not HTTP or not JSON, 401 secret, 403 Host or Origin, 404,
405, 413 and 431 too large, 429. A method that is found answers 200, also when it fails: the envelope's ``status``
tells, and clients count on it.
"""

from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT, RESPONSES
from twisted.web.http_headers import Headers
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import implementer

from bitdust.api import openapi
from bitdust.api.arguments import BadArgument, parse_json
from bitdust.api.call import begin
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed
from bitdust.api.table import Match, NoRoute, Table
from bitdust.budget import Budget
from bitdust.web import metrics
from bitdust.web.channel import ENDLESS_BODY, JSON_HEADERS, ApiChannel
from bitdust.web.connections import Connections
from bitdust.web.guard import Guard, Refusal
from bitdust.web.render import compact, is_long, pretty
from bitdust.wire.errors import BitDustError

MAX_BODY = 1 << 20
MAX_QUERY_FIELDS = 100
MAX_CONNECTIONS = 256
OPENAPI_PATH = openapi.PATH.encode()
PREFLIGHT_HEADERS = (
    b"Access-Control-Allow-Methods: GET, POST, PUT, DELETE\r\n"
    b"Access-Control-Allow-Headers: api_secret, content-type\r\nAccess-Control-Max-Age: 600\r\n"
)

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
        headers = request.headers
        origin = _single(headers.get(b"Origin"))
        refusal = self.guard.refuse(_single(headers.get(b"Host")), origin, _single(headers.get(b"Sec-Fetch-Site")))
        if refusal is not None:
            return request.refuse(refusal)
        if origin is not None:
            request.put_header(b"Access-Control-Allow-Origin", origin)
            request.put_header(b"Vary", b"Origin")
            if request.method == b"OPTIONS":
                return request.allow()
        secret = _single(headers.get(b"Api_secret"))
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
            self._openapi = compact(openapi.document(self.table))
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
        request.follow(begin(self.context, match.row, given))
        return None


class NotJson(BitDustError):
    """The body is not a JSON dictionary."""


class ApiRequest:
    """One HTTP request, as `HTTPChannel` fills it; its body stays in memory and is limited."""

    def __init__(self, channel: ApiChannel, api: RestApi) -> None:
        self.channel: Any = channel
        self.requestHeaders = Headers()
        self.method, self.path = b"", b""
        self._api = api
        self._clock = api.context.world.clock
        self._started = self._clock.seconds()
        self._calling: Deferred[Any] | None = None
        self._is_writing = False
        self._version = b"HTTP/1.1"
        self._body: list[bytes] = []
        self._received = 0
        self._query = b""
        self._headers = b""

    @cached_property
    def headers(self) -> dict[bytes, list[bytes]]:
        """All of them, once they are here, by name in the usual spelling, as ``Sec-Fetch-Site``."""
        return dict(self.requestHeaders.getAllRawHeaders())  # type: ignore[arg-type]

    def parseCookies(self) -> None:
        """There are none here."""

    def gotLength(self, length: int | None) -> None:
        """The headers are here: refuse a large body before it comes."""
        if length is not None and length > MAX_BODY:
            self.channel.turn_away(TOO_LARGE)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body."""
        self._received += len(data)
        if self._received <= MAX_BODY:
            self._body.append(data)
        elif self._received > ENDLESS_BODY and self.channel is not None:
            self.channel.break_off()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All is here. Forms are not parsed: a body is JSON whatever its type says, as `curl -d` sends it."""
        self.method, self._version = command, version
        self.path, _, self._query = path.partition(b"?")
        if self._received > MAX_BODY:
            self.refuse(TOO_LARGE)
        else:
            self._api.answer(self)

    def connectionLost(self, reason: Any) -> None:
        """The client has gone: nobody waits for the call any more."""
        calling, self._calling = self._calling, None
        self.channel = None
        if calling is not None:
            calling.cancel()

    @property
    def in_work(self) -> bool:
        """Whether a call of this request has not ended."""
        return self._calling is not None or self._is_writing

    def given(self, match: Match) -> dict[str, Any]:
        """Arguments from path, query and body; raises `NotJson` or `BadArgument`."""
        given: dict[str, Any] = dict(match.arguments)
        if self._query:
            for name, value in self._fields():
                if name in given:
                    raise BadArgument(f"argument {name[:80]!r} is given twice")
                given[name] = value
        if self._received:
            for name, value in self._json(match).items():
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
        except UnicodeError:
            text = "the query of the request is not UTF-8 in percent signs; put odd text into a JSON body"
            raise BadArgument(text) from None
        except ValueError:
            text = f"the query of the request has more than {MAX_QUERY_FIELDS} arguments; put them into a JSON body"
            raise BadArgument(text) from None

    def _json(self, match: Match) -> dict[str, Any]:
        text = b"".join(self._body)
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

    def follow(self, calling: "Envelope | Deferred[Envelope]") -> None:
        """Answer when the call has ended; end the call when the client goes."""
        if isinstance(calling, Deferred):
            self._calling = calling
            calling.addCallback(self.finish_call).addErrback(self.finish_broken)
            return
        try:
            self.reply(200, calling)
        except (TypeError, ValueError, RecursionError):
            self.finish_broken(Failure())

    def finish_call(self, envelope: Envelope) -> "Deferred[None] | None":
        """The method has answered."""
        if self._calling is None:
            return None
        if is_long(envelope):
            return self._finish_long_call(envelope)
        self._calling = None
        self.reply(200, envelope)
        return None

    def _finish_long_call(self, envelope: Envelope) -> "Deferred[None]":
        """The answer is written in a thread; it is in work until then, and nobody can end it any more."""
        self._calling, self._is_writing = None, True
        self._stamp(envelope)
        writing: Deferred[bytes] = self._api.context.world.run_in_thread(pretty, envelope)
        return writing.addCallback(self._finish_written)

    def _finish_written(self, body: bytes) -> None:
        self._is_writing = False
        self._send(200, JSON_HEADERS, body)

    def finish_broken(self, failure: Failure) -> None:
        """The answer could not be written as JSON."""
        self._is_writing = False
        _log.failure("an answer could not be written", failure=failure)
        self.reply(200, failed("internal", "the answer could not be written; logs/stdout.log tells more"))

    def reply(self, status: int, envelope: Envelope) -> None:
        """Send an envelope and end the request."""
        self._stamp(envelope)
        self._send(status, JSON_HEADERS, pretty(envelope))

    def _stamp(self, envelope: Envelope) -> None:
        envelope["execution"] = f"{max(0.0, self._clock.seconds() - self._started):.6f}"

    def show(self, document: bytes, headers: bytes = JSON_HEADERS) -> None:
        """Send what is no envelope and end the request."""
        self._send(200, headers, document)

    def _send(self, status: int, headers: bytes, body: bytes) -> None:
        """Everything in one write; nothing when it was sent already or the client is gone."""
        channel, self.channel = self.channel, None
        if channel is None:
            return
        first = b"%s %d %s\r\n" % (self._version, status, RESPONSES.get(status, b""))
        close = b"" if channel.persistent else b"Connection: close\r\n"
        length = b"Content-Length: %d\r\n\r\n" % len(body) if status != NO_CONTENT else b"\r\n"
        channel.write(first + self._headers + close + headers + length + (b"" if self.method == b"HEAD" else body))
        channel.requestDone(self)

    def put_header(self, name: bytes, value: bytes) -> None:
        """Set a header of the answer."""
        self._headers += b"%s: %s\r\n" % (name, value)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an HTTP status of its own."""
        self.reply(refusal.status, failed(refusal.code, refusal.text))

    def allow(self) -> None:
        """Answer a browser that asks before it calls (CORS preflight)."""
        self._send(NO_CONTENT, PREFLIGHT_HEADERS, b"")


def _single(values: list[bytes] | None) -> bytes | None:
    if values is None:
        return None
    return values[0] if len(values) == 1 else b"\0several"


@implementer(INonQueuedRequestFactory)
class RestFactory(ServerFactory):
    """Accepts REST clients, so many at a time; writes no access log, because queries may hold what is private."""

    noisy = False

    def __init__(self, clock: IReactorTime, api: RestApi, budget: Budget | None = None) -> None:
        self.clock = clock
        self._budget = budget or Budget()
        self._api = api
        self.channels: Connections[ApiChannel] = Connections(clock)

    def buildProtocol(self, addr: IAddress | None) -> ApiChannel | None:
        """A channel; when there are too many, the oldest one that asks nothing makes room, or this one is refused."""
        if len(self.channels) >= min(MAX_CONNECTIONS, self._budget.api_connections):
            idle = next((channel for channel in self.channels.all() if channel.is_idle), None)
            if idle is None:
                return None
            idle.break_off()
        return ApiChannel(self)

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return self.channels.close()

    def __call__(self, channel: ApiChannel) -> ApiRequest:
        """A reader of one request of a channel."""
        return ApiRequest(channel, self._api)
