"""REST over the method table.

Refused before the table with an HTTP status of its own: 400 not HTTP or not JSON, 401 secret, 403 Host or Origin, 404,
405, 413 and 431 too large, 429. A method that is found answers 200, also when it fails: the ``status`` of its envelope
says so, and clients count on it.
"""

from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.api.arguments import BadArgument, parse_json
from bitdust.api.call import begin, broken
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed
from bitdust.api.table import Match, NoRoute, Table
from bitdust.web.access import JSON_HEADERS, Access
from bitdust.web.answers import Answers, Place
from bitdust.web.dialect import BodySink, Exchange, Head, Limits, Reply
from bitdust.web.guard import Refusal
from bitdust.web.render import is_long, pretty
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import MAX_CALL

MAX_BODY = MAX_CALL
MAX_QUERY_FIELDS = 100
_log = Logger()


class NotJson(BitDustError):
    """The body is not a JSON dictionary."""


class RestDialect:
    """Every path that no other dialect of its port takes."""

    limits = Limits(MAX_BODY)

    def __init__(self, context: Context, table: Table, access: Access, answers: Answers) -> None:
        self._context = context
        self._table = table
        self._access = access
        self._answers = answers

    def takes(self, path: bytes) -> bool:
        """All of them."""
        return True

    def begin(self, exchange: Exchange) -> BodySink | Reply:
        """Let the client in, and find its method."""
        head = exchange.head
        admitted = self._access.admit(head)
        if isinstance(admitted, Reply):
            return admitted
        try:
            match = self._table.find(head.method.decode("latin-1"), head.path.decode("latin-1"))
        except NoRoute as error:
            allowed = error.details["allowed"]
            if allowed:
                admitted += b"Allow: %s\r\n" % ", ".join(allowed).encode()
            return self._access.refusal(Refusal(405 if allowed else 404, error.code, str(error)), head, admitted)
        except BadArgument as error:
            return self._access.envelope(200, failed(error.code, str(error)), head, admitted)
        return _Call(self._context, self._access, exchange, match, admitted, self._answers)

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        """An envelope."""
        return self._access.refusal(refusal, head)


@define(eq=False)
class _Call:
    """One call of a method: its body stays in memory, which the dialect limits."""

    _context: Context
    _access: Access
    _exchange: Exchange
    _match: Match
    _headers: bytes
    _answers: Answers
    _body: list[bytes] = field(factory=list)
    _calling: "Deferred[Any] | None" = None
    _place: Place | None = None

    def received(self, data: bytes) -> None:
        """A part of the body. Forms are not parsed: a body is JSON whatever its type says, as `curl -d` sends it."""
        self._body.append(data)

    def finished(self) -> None:
        """Call the method when there is room for its answer; answer when the call has ended."""
        try:
            given = self._given()
        except NotJson as error:
            self._refuse(Refusal(400, "not-json", str(error)))
            return
        except BadArgument as error:
            self._reply(failed(error.code, str(error)))
            return
        place = self._place = self._answers.before(self._match.row)
        entering = place.enter() if place is not None else None
        if entering is None:
            self._call(given)
            return
        self._calling = entering
        entering.addCallbacks(lambda _: self._call(given), self._no_room).addErrback(self._broken)

    def _no_room(self, failure: Failure) -> None:
        self._reply(broken(failure, self._match.row.name))

    def _call(self, given: dict[str, Any]) -> None:
        calling = begin(self._context, self._match.row, given)
        if isinstance(calling, Deferred):
            self._calling = calling
            calling.addCallback(self._show).addErrback(self._broken)
            return
        try:
            self._reply(calling)
        except (TypeError, ValueError, RecursionError):
            self._broken(Failure())

    def gone(self) -> None:
        """Nobody waits for the call any more; an answer that is being written in a thread is written in vain."""
        if self._place is not None:
            self._place.release()
        calling, self._calling = self._calling, None
        if calling is not None:
            calling.cancel()

    # arguments

    def _given(self) -> dict[str, Any]:
        """Arguments from path, query and body; raises `NotJson` or `BadArgument`."""
        given: dict[str, Any] = dict(self._match.arguments)
        query = self._exchange.head.query
        if query:
            for name, value in _fields(query):
                if name in given:
                    raise BadArgument(f"argument {name[:80]!r} is given twice")
                given[name] = value
        if self._body:
            for name, value in self._json().items():
                if name in given and given[name] != value:
                    raise BadArgument(f"argument {name[:80]!r} is given twice")
                given[name] = value
        return given

    def _json(self) -> dict[str, Any]:
        text = b"".join(self._body)
        self._body.clear()
        if not text.strip():
            return {}
        try:
            body = parse_json(text)
        except BadArgument as error:
            raise NotJson("not-json", f"the body is {error}") from error
        if not isinstance(body, dict):
            raise NotJson("not-json", "the body must be a JSON dictionary of arguments")
        row = self._match.row
        if row.body is not None and body and not body.keys() & row.names():
            return {row.body: body}
        return body

    # the answer

    def _show(self, envelope: Envelope) -> "Deferred[None] | None":
        """A very long answer is written in a thread."""
        if not is_long(envelope):
            self._calling = None
            self._reply(envelope)
            return None
        self._calling = None
        stamped = self._access.stamped(envelope, self._exchange.head)
        writing: Deferred[bytes] = self._context.world.run_in_thread(pretty, stamped)
        return writing.addCallback(self._send)

    def _send(self, body: bytes) -> None:
        self._answer(Reply(200, self._headers + JSON_HEADERS, body), body)

    def _answer(self, reply: Reply, body: bytes) -> None:
        place = self._place = self._answers.after(self._match.row, self._place, len(body))
        self._exchange.answer(reply if place is None else reply._replace(place=place))

    def _reply(self, envelope: Envelope) -> None:
        reply = self._access.envelope(200, envelope, self._exchange.head, self._headers)
        body = reply.body
        self._answer(reply, body if isinstance(body, bytes) else b"")

    def _refuse(self, refusal: Refusal) -> None:
        self._exchange.answer(self._access.refusal(refusal, self._exchange.head, self._headers))

    def _broken(self, failure: Failure) -> None:
        """The answer could not be written as JSON."""
        _log.failure("an answer could not be written", failure=failure)
        self._reply(failed("internal", "the answer could not be written; logs/stdout.log tells more"))


def _fields(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except UnicodeError:
        text = "the query of the request is not UTF-8 in percent signs; put odd text into a JSON body"
        raise BadArgument(text) from None
    except ValueError:
        text = f"the query of the request has more than {MAX_QUERY_FIELDS} arguments; put them into a JSON body"
        raise BadArgument(text) from None
