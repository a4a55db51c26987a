"""Dialects of one document each: ``GET /metrics`` for Prometheus, and the method table as ``GET /openapi.json``.

OpenAPI needs the secret like everything else: one rule for all paths, and a stranger learns nothing, not even the
version. Who has no node finds the same in the pages of the reference. The metrics can be opened to everybody on this
machine by a setting, because Prometheus sends no secret in a header.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.api import openapi
from bitdust.api.context import Context
from bitdust.api.table import Table
from bitdust.web import metrics
from bitdust.web.access import JSON_HEADERS, Access, only_get
from bitdust.web.dialect import BodySink, Exchange, Head, Limits, Reply
from bitdust.web.guard import Refusal
from bitdust.web.render import compact
from bitdust.wire.errors import BitDustError

OPENAPI_PATH = openapi.PATH.encode()
MAX_BODY = 1 << 20


class MetricsDialect:
    """The figures of the node."""

    limits = Limits(MAX_BODY)

    def __init__(self, context: Context, access: Access) -> None:
        self._context = context
        self._access = access

    def takes(self, path: bytes) -> bool:
        """Its one path."""
        return path == metrics.PATH

    def begin(self, exchange: Exchange) -> BodySink | Reply:
        """The page, made when what is stored has been counted."""
        head = exchange.head
        admitted = self._access.admit(head, without_secret=bool(self._context.settings.get(metrics.OPEN)))
        if isinstance(admitted, Reply):
            return admitted
        refused = only_get(self._access, head, admitted)
        if refused is not None:
            return refused
        return _Page(exchange, self._context.storage.count, lambda: self._page(head, admitted))

    def _page(self, head: Head, admitted: bytes) -> Reply:
        try:
            return Reply(200, admitted + metrics.CONTENT_TYPE, metrics.page(self._context))
        except BitDustError as error:
            return self._access.refusal(Refusal(501, error.code, str(error)), head, admitted)

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        """As REST refuses."""
        return self._access.refusal(refusal, head)


@define(eq=False)
class _Page:
    """A document that is made when something else is done; the request has no body."""

    log = Logger()
    _exchange: Exchange
    _first: Callable[[], Coroutine[Any, Any, None]]
    _make: Callable[[], Reply]
    _is_wanted: bool = True

    def received(self, data: bytes) -> None:
        """Nothing is expected."""

    def finished(self) -> None:
        """Make it; where what is to be done first fails, it shows what is known."""
        first = Deferred.fromCoroutine(self._first())
        first.addErrback(lambda failure: self.log.warn("what is stored is not counted: {why}", why=failure.value))
        first.addCallback(self._answer)

    def _answer(self, result: object) -> None:
        if self._is_wanted:
            self._exchange.answer(self._make())

    def gone(self) -> None:
        """Nobody waits any more."""
        self._is_wanted = False


class OpenApiDialect:
    """The method table; written once, when somebody asks."""

    limits = Limits(MAX_BODY)

    def __init__(self, table: Table, access: Access) -> None:
        self._table = table
        self._access = access
        self._document: bytes | None = None

    def takes(self, path: bytes) -> bool:
        """Its one path."""
        return path == OPENAPI_PATH

    def begin(self, exchange: Exchange) -> Reply:
        """The document."""
        admitted = self._access.admit(exchange.head)
        if isinstance(admitted, Reply):
            return admitted
        refused = only_get(self._access, exchange.head, admitted)
        if refused is not None:
            return refused
        if self._document is None:
            self._document = compact(openapi.document(self._table))
        return Reply(200, admitted + JSON_HEADERS, self._document)

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        """As REST refuses."""
        return self._access.refusal(refusal, head)
