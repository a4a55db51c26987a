"""The gateway over the engine of HTTP: who is let in, and how errors look."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.ipfs.room import IpfsRoom
from bitdust.web.dialect import BodySink, Exchange, Head, Limits, Reply
from bitdust.web.gateway.asking import asked
from bitdust.web.gateway.serving import COMMON, Server
from bitdust.web.guard import Refusal
from bitdust.web.programs import Programs
from bitdust.wire.errors import BitDustError

STATUS = {
    "bad-path": 400,
    "bad-argument": 400,
    "no-link": 404,
    "no-name": 404,
    "not-found": 404,
    "no-file": 406,
    "malformed": 422,
    "unsupported": 422,
    "too-large": 422,
    "too-deep": 422,
    "too-many-hops": 422,
    "no-dns": 502,
    "service-off": 503,
}
"""By the code of an error; everything else is 500."""
VERBS = (b"GET", b"HEAD")
PLAIN = b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
WRONG_HOST = "this Host is not allowed; see the setting services/ipfs/allowed-hosts"
FOREIGN = "pages of other sites cannot load what is here; a link to it can be followed"
NO_WORKER = "no page may register a service worker here: it would stand before all other pages"
GREETING = "This is the gateway of IPFS of this node: /ipfs/CID/path, or /ipns/NAME/path."
SPACES = (b"/ipfs/", b"/ipns/")
NOWHERE = "there is nothing but /ipfs/CID/path and /ipns/NAME/path here"
BROKEN = "the request failed inside the node; logs/stdout.log tells more"
_log = Logger()


class GatewayDialect:
    """Every path of its port. ``visit`` gives the room for one request."""

    limits = Limits(0)

    def __init__(self, visit: Callable[[], IpfsRoom], programs: Programs) -> None:
        self._visit = visit
        self._programs = programs

    def takes(self, path: bytes) -> bool:
        """All of them."""
        return True

    def begin(self, exchange: Exchange) -> BodySink | Reply:
        """Let the client in."""
        head = exchange.head
        if head.method not in VERBS:
            return told(405, "the gateway is read alone: GET and HEAD", b"Allow: GET, HEAD\r\n")
        if not self._programs.is_here(head.single(b"Host")):
            return told(403, WRONG_HOST)
        if self._is_foreign(head):
            return told(403, FOREIGN)
        if head.single(b"Service-Worker") is not None:
            return told(403, NO_WORKER)
        if head.path == b"/":
            return told(200, GREETING)
        if not head.path.startswith(SPACES):
            return told(404, NOWHERE)
        return _Answering(self._visit, exchange)

    def _is_foreign(self, head: Head) -> bool:
        """Whether a page of elsewhere loads something, by which it would learn what is here; a link that leads here
        loads nothing for it. A page of the gateway has an origin of its own, and is known by its address."""
        site, mode = head.single(b"Sec-Fetch-Site"), head.single(b"Sec-Fetch-Mode")
        is_link = mode == b"navigate" and head.single(b"Sec-Fetch-Dest") == b"document"
        if site not in (b"cross-site", b"same-site") or is_link:
            return False
        referer = head.single(b"Referer")
        return referer is None or not self._programs.is_allowed(referer)

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        """A line of plain text."""
        return told(refusal.status, refusal.text)


def told(status: int, text: str, headers: bytes = b"") -> Reply:
    """A line of plain text."""
    return Reply(status, COMMON + PLAIN + headers, f"{text}\n".encode("utf-8", "replace"))


@define(eq=False)
class _Answering:
    """One request that is answered."""

    _visit: Callable[[], IpfsRoom]
    _exchange: Exchange
    _step: "Deferred[Any] | None" = None

    def received(self, data: bytes) -> None:
        """There is no body."""

    def finished(self) -> None:
        """The request is whole."""
        self._step = Deferred.fromCoroutine(self._run())
        self._step.addErrback(_broken).addCallback(self._exchange.answer)

    def gone(self) -> None:
        """Nobody waits for it any more."""
        if self._step is not None:
            self._step.cancel()

    async def _run(self) -> Reply:
        try:
            question = asked(self._exchange.head)
            room = self._visit()
        except BitDustError as error:
            return _failed(error)
        reply = None
        try:
            reply = await Server(room, self._exchange.head).reply(question)
        except CancelledError:
            return told(500, "the client has gone")
        except BitDustError as error:
            return _failed(error)
        finally:
            if reply is None or isinstance(reply.body, bytes):
                room.leave()
        return reply if isinstance(reply.body, bytes) else reply._replace(body=_Leaving(room, reply.body))


@define(eq=False)
class _Leaving:
    """Pieces of an answer; the room is left behind the last one, or when nobody wants more of them."""

    _room: IpfsRoom
    _pieces: AsyncIterator[bytes]

    def __aiter__(self) -> "_Leaving":
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        close: Any = getattr(self._pieces, "aclose", None)
        try:
            if close is not None:
                await close()
        finally:
            self._room.leave()


def _failed(error: BitDustError) -> Reply:
    return told(STATUS.get(error.code, 500), str(error))


def _broken(failure: Failure) -> Reply:
    _log.failure("a request of the gateway failed", failure=failure)
    return told(500, BROKEN)
