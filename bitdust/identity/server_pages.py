"""What an ID server answers over HTTP; the judgement is `bitdust.identity.server`'s."""

from typing import Any, cast

from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure
from twisted.web.http import combinedLogFormatter, datetimeToLogString, datetimeToString
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from bitdust.identity.document import MAX_SIZE
from bitdust.identity.name_cost import HEADER
from bitdust.identity.server import IdentityServer, Refused
from bitdust.world import World


class Pages(Site):
    """What answers for a server at its port, with the time of its world: others compare their clocks with that."""

    def __init__(self, server: IdentityServer, world: World) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            Root(server), reactor=cast(Any, world.clock), logFormatter=cast(Any, self._logged)
        )
        self.requestFactory = LimitedRequest
        self.wall = world.wall

    def _logged(self, timestamp: str, request: Request) -> str:
        """What the log says of a request; ``timestamp`` is by the reactor's clock, which has no date."""
        line: str = combinedLogFormatter(datetimeToLogString(self.wall()), cast(Any, request))
        return line


class LimitedRequest(Request):
    """Keeps no more of a body than tells that it is too large, in memory; one that goes on and on is cut off."""

    _received = 0

    def render(self, resrc: IResource) -> None:
        self.setHeader(b"date", datetimeToString(cast(Any, self.site).wall()))  # type: ignore[no-untyped-call]
        super().render(resrc)  # type: ignore[no-untyped-call]

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - the interface's name
        super().gotLength(0)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        super().handleContentChunk(data[: max(0, MAX_SIZE + 1 - self._received)])  # type: ignore[no-untyped-call]
        self._received += len(data)
        if self._received > 4 * MAX_SIZE:
            cast(Any, self.channel).transport.abortConnection()


class Root(Resource):
    """``GET /`` names the server, ``GET /<name>.xml`` gives a document, ``POST /`` and ``PUT`` store one."""

    def __init__(self, server: IdentityServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server

    def getChild(self, path: bytes, request: Request) -> IResource:  # noqa: N802 - the interface's name
        if path == b"" and not request.postpath:
            return self
        name = path.decode("ascii", "replace").removesuffix(".xml")
        return Document(self._server, name if path.endswith(b".xml") and not request.postpath else "")

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - the interface's name
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return b"BitDust ID server\n"

    def render_POST(self, request: Request) -> int:  # noqa: N802 - the interface's name
        return _answer(self._server, request)


class Document(Resource):
    """``/<name>.xml``."""

    isLeaf = True  # noqa: N815 - the interface's name

    def __init__(self, server: IdentityServer, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._name = name

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - the interface's name
        data = self._server.read(self._name)
        if data is None:
            request.setResponseCode(404)
            return b"there is no such identity\n"
        request.setHeader(b"content-type", b"application/xml")
        return data

    def render_PUT(self, request: Request) -> int:  # noqa: N802 - the interface's name
        return _answer(self._server, request)


def _answer(server: IdentityServer, request: Request) -> int:
    """Once the document is on the disk, or refused; nobody is answered who has gone."""
    data = request.content.read(MAX_SIZE + 1) if request.content is not None else b""
    client = request.getClientAddress()
    there = [True]
    request.notifyFinish().addErrback(lambda _: there.clear())

    def refused(failure: Failure) -> bytes:
        failure.trap(Refused)
        refused: Any = failure.value
        request.setResponseCode(refused.status)
        if refused.bits is not None:
            request.setHeader(HEADER, str(refused.bits))
        body: bytes = refused.body
        return body

    def broken(failure: Failure) -> bytes:
        server.log.failure("a document could not be judged", failure)
        request.setResponseCode(500)
        return b"this server could not do that\n"

    def send(body: bytes) -> None:
        if there:
            request.write(body)
            request.finish()

    accepting = maybeDeferred(server.accept, data, getattr(client, "host", "?"), request.getHeader(HEADER) or "")
    accepting.addCallback(lambda word: word.encode() + b"\n").addErrback(refused).addErrback(broken).addCallback(send)
    return NOT_DONE_YET
