"""The API of BitTorrent Sync over the engine of HTTP: one path, one verb, a method named in the query."""

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.web.btsync.answers import answered, failed, refused
from bitdust.web.btsync.arguments import Arguments, BadQuery, read
from bitdust.web.btsync.guard import BtsyncGuard
from bitdust.web.btsync.table import Method, Methods, Node
from bitdust.web.dialect import BodySink, Exchange, Head, Limits, Reply
from bitdust.web.guard import Refusal
from bitdust.wire.errors import BitDustError

PATHS = (b"/api", b"/api/")
INVALID = "invalid request"
BROKEN = "the call failed inside the node; logs/stdout.log tells more"
MAX_BODY = 1 << 16
_log = Logger()


class BtsyncDialect:
    """Every path of its port. While ``answers`` is false, as without a key of the vendor, all calls are invalid."""

    limits = Limits(MAX_BODY)

    def __init__(self, node: Node, methods: Methods, guard: BtsyncGuard, answers: bool = True) -> None:
        self._node = node
        self._methods = methods
        self._guard = guard
        self._answers = answers

    def takes(self, path: bytes) -> bool:
        """All of them."""
        return True

    def begin(self, exchange: Exchange) -> BodySink | Reply:
        """Let the client in, and find its method."""
        head = exchange.head
        denied = self._guard.refuse(head)
        if denied is not None:
            return denied
        if head.path not in PATHS:
            return refused(404, "there is nothing here; the API is at /api")
        if head.method != b"GET":
            return refused(405, "the API is asked with GET")
        return self._found(exchange, head)

    def _found(self, exchange: Exchange, head: Head) -> BodySink | Reply:
        try:
            given = read(head.query)
        except BadQuery as error:
            return refused(400, f"{INVALID}: {error}")
        method = self._methods.find(given.text("method"))
        if method is None or not self._answers:
            return refused(400, INVALID)
        return _Running(self._node, method, given, exchange)

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        """As everything that is refused."""
        return refused(refusal.status, refusal.text)


@define(eq=False)
class _Running:
    """One call; it begins when the request is whole. A change that was begun goes on without its client."""

    _node: Node
    _method: Method
    _given: Arguments
    _exchange: Exchange
    _is_wanted: bool = True

    def received(self, data: bytes) -> None:
        """A body means nothing here."""

    def finished(self) -> None:
        """Run the method."""
        answering = Deferred.fromCoroutine(self._run())
        answering.addErrback(self._broken).addCallback(self._answer)

    def gone(self) -> None:
        """Nobody waits for the answer."""
        self._is_wanted = False

    async def _run(self) -> Reply:
        try:
            self._method.check(self._given)
            return answered(await self._method.run(self._node, self._given))
        except BitDustError as error:
            return failed(error)

    def _broken(self, failure: Failure) -> Reply:
        _log.failure("the method {name} failed", failure=failure, name=self._method.name)
        return failed(BitDustError("internal", BROKEN))

    def _answer(self, reply: Reply) -> None:
        if self._is_wanted:
            self._exchange.answer(reply)
