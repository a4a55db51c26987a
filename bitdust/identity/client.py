"""Reading and writing identity documents at ID servers: HTTP with limits, and nowhere a stranger sends us.

50 kB, 10 seconds, no redirects, and no private address unless its host and port are configured or a server of the
user's own. Of a person whom the user names, an address as it is usually written may lead into a network in which this
node is; any other name may lead to public addresses alone, whatever it resolves to.
"""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any, cast

from attrs import evolve, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from bitdust.config.settings import Settings
from bitdust.identity.document import MAX_SIZE, IdentityDocument
from bitdust.identity.name_cost import DEAREST, HEADER, challenge_of, work
from bitdust.identity.proxy import Proxy, ProxyError, is_loopback, request_by, wrong_password
from bitdust.nearby import Nearby
from bitdust.resolving import MayReach, NotReached
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.networks import is_local
from bitdust.world import World

TIMEOUT = 10.0
WORK_WANTED = 428
KNOWN = "services/identity-propagate/known-servers"
"""The HTTP status of a server that wants work for a new name."""
_PORT = re.compile(r"[0-9]{1,5}")
NETWORK_ERROR = "network connection error"
"""Exactly this text while no ID server answers: existing clients wait for it and try again."""


@frozen
class Server:
    """One ID server."""

    host: str
    port: int

    def url(self, name: str) -> IDURL:
        """Where a user's document is on it."""
        scheme = "https" if self.port == 443 else "http"
        return IDURL.parse(f"{scheme}://{self.host}:{self.port}/{name}.xml")


def parse_servers(text: str) -> list[Server]:
    """``host:webport`` or ``host:webport:tcpport``, comma separated; raises `BitDustError` ``bad-value``."""
    servers = []
    for part in filter(None, (item.strip() for item in text.replace(";", ",").split(","))):
        host, _, rest = part.partition(":")
        port = (rest or "80").partition(":")[0]
        if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
            raise BitDustError("bad-value", f"{part!r} is not an ID server such as id.example:8084")
        servers.append(Server(host.lower(), int(port)))
    return list(dict.fromkeys(servers))


@frozen
class Outcome:
    """What became of a push: ``stored``, ``stale`` (with the server's document), ``refused`` or ``unreachable``."""

    word: str
    text: str = ""
    document: IdentityDocument | None = None


@implementer(IBodyProducer)
class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":  # noqa: N802 - the interface's name
        cast(Any, consumer).write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        """The body is written at once."""

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        """The body is written at once."""

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        """The body is written at once."""


class _Limited(TwistedProtocol):
    """Collects a response body up to the size of the largest document."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._end())
        self._parts = bytearray()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self._parts += data
        if len(self._parts) > MAX_SIZE:
            self._end()

    def _end(self) -> None:
        cast(Any, self.transport).loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - the interface's name
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss) and len(self._parts) <= MAX_SIZE:
            self.done.callback(bytes(self._parts))
        else:
            self.done.errback(BitDustError("network-error", "the answer was cut off or too large"))


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Dials through the World's network, https with the platform's trust roots."""

    def __init__(self, world: World, may_reach: MayReach | None = None) -> None:
        self._world = world
        self._may_reach = may_reach

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802 - the interface's name
        host = uri.host.decode("ascii")
        plain = self._world.network.client(host, uri.port, TIMEOUT, self._may_reach)
        if uri.scheme == b"https":
            return wrapClientTLS(optionsForClientTLS(host), plain)
        return plain


@frozen
class _Asked:
    """One request; without an ``agent`` it goes wherever the name leads."""

    verb: bytes
    url: str
    agent: Agent | None = None
    work: str = ""


class IdentityClient:
    """Fetches, publishes and probes; fetches happen only for the local user's wish or a configured server."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._nearby = Nearby(world.network, settings)
        self._agent = self._dialling(None)
        self._agent_to_near = self._dialling(self._nearby.may_reach)
        self._agent_to_public = self._dialling(self._nearby.is_public)

    def _dialling(self, may_reach: MayReach | None) -> Agent:
        clock = cast(Any, self._world.clock)
        pool = HTTPConnectionPool(clock, persistent=False)
        return cast(Agent, Agent.usingEndpointFactory(clock, _Endpoints(self._world, may_reach), pool))

    def servers(self) -> list[Server]:
        """Configured ID servers, the preferred ones first."""
        preferred = parse_servers(self._settings.get("services/identity-propagate/preferred-servers"))
        known = parse_servers(self._settings.get(KNOWN))
        return list(dict.fromkeys([*preferred, *known]))

    def fetch(self, idurl: IDURL) -> "Deferred[IdentityDocument]":
        """The document at an IDURL of a server of the user's own; the IDURL must be one of the document's sources.

        Fails with `BitDustError` ``network-error``, ``not-found`` or `WireError`.
        """
        return Deferred.fromCoroutine(self._fetch(idurl, self._agent))

    def look_up(self, idurl: IDURL) -> "Deferred[IdentityDocument]":
        """The document of somebody whom the user names, who may have got that name from anybody; as `fetch`, and
        ``not-allowed`` where the name leads into a private network."""
        return Deferred.fromCoroutine(self._fetch(idurl, self._agent_for(idurl)))

    def _agent_for(self, idurl: IDURL) -> Agent:
        if Server(idurl.host, idurl.port) in self.servers():
            return self._agent
        return self._agent_to_near if is_local(idurl.host) else self._agent_to_public

    async def _fetch(self, idurl: IDURL, agent: Agent) -> IdentityDocument:
        if idurl.is_nowhere:
            raise BitDustError("not-found", f"{idurl} is at no server: who it is is known by its key alone")
        status, body = await self._request(b"GET", str(idurl), None, agent)
        if status == 404:
            raise BitDustError("not-found", f"{idurl} does not exist")
        if status != 200:
            raise BitDustError("network-error", f"{idurl} answered with HTTP status {status}")
        document = IdentityDocument.parse(body)
        if idurl not in document.sources:
            raise WireError("wrong-source", f"the document at {idurl} does not name that place as its source")
        return document

    def exists(self, idurl: IDURL) -> "Deferred[IdentityDocument | None]":
        """The document at a configured server, or None where the name is free."""

        def free(failure: Failure) -> None:
            error = failure.value
            if not isinstance(error, BitDustError) or error.code != "not-found":
                failure.raiseException()

        return self.fetch(idurl).addErrback(free)

    def publish(
        self, document: IdentityDocument, sources: Iterable[IDURL] | None = None
    ) -> "Deferred[dict[IDURL, Outcome]]":
        """Push to every source at once; never fails, the outcomes tell."""
        named = document.sources if sources is None else sources
        targets = [idurl for idurl in named if not idurl.is_nowhere]
        pushed = gatherResults([self._push(idurl, document) for idurl in targets])
        return pushed.addCallback(lambda outcomes: dict(zip(targets, outcomes, strict=True)))

    def _push(self, idurl: IDURL, document: IdentityDocument) -> "Deferred[Outcome]":
        pushed = Deferred.fromCoroutine(self._push_one(idurl, document))
        return pushed.addErrback(lambda failure: Outcome("unreachable", failure.getErrorMessage()))

    async def _push_one(self, idurl: IDURL, document: IdentityDocument) -> Outcome:
        asked = _Asked(b"POST", f"{idurl.scheme}://{idurl.netloc}/")
        response, body = await self._exchange(asked, document.xml)
        if response.code == WORK_WANTED:
            response, body = await self._exchange(await self._worked(asked, idurl, document, response), document.xml)
        status = response.code
        if status == 200:
            return Outcome("stored")
        if status == 409:
            kept = IdentityDocument.parse(body)
            if kept.fingerprint != document.fingerprint:
                return Outcome("refused", "the name belongs to another key")
            return Outcome("stale", "a newer document is there", kept)
        return Outcome("refused", body.decode(errors="replace")[:200] or f"HTTP status {status}")

    async def _worked(self, asked: "_Asked", idurl: IDURL, document: IdentityDocument, wanting: IResponse) -> "_Asked":
        """The same request, with the work that a server wants for a new name."""
        bits = (wanting.headers.getRawHeaders(HEADER) or [""])[0]
        if not bits.isdigit() or not 0 < int(bits[:3]) <= DEAREST:
            raise BitDustError("refused", f"{idurl.host} wants too much work for a name: {bits[:20]!r} bits")
        challenge = challenge_of(document.name, f"{idurl.host}:{idurl.port}", document.fingerprint)
        return evolve(asked, work=await self._world.run_in_thread(work, challenge, int(bits)))

    def read(self, url: str) -> "Deferred[bytes]":
        """A page of 50 kB at most that the user named. Fails with `BitDustError` ``network-error``, ``not-found``."""
        return Deferred.fromCoroutine(self._read(url))

    async def _read(self, url: str) -> bytes:
        status, body = await self._request(b"GET", url, None)
        if status != 200:
            raise BitDustError("not-found" if status == 404 else "network-error", f"{url} answered with {status}")
        return body

    def probe(self, server: Server) -> "Deferred[bool]":
        """Whether an ID server answers; fails with `ProxyError` where it is the proxy that keeps us from it."""
        asked = Deferred.fromCoroutine(self._request(b"GET", f"http://{server.host}:{server.port}/", None))
        return asked.addCallbacks(lambda answer: answer[0] == 200, _no_answer)

    def _proxy_for(self, url: str) -> Proxy | None:
        proxy = Proxy.of(self._settings)
        return None if is_loopback(URI.fromBytes(url.encode()).host.decode("ascii")) else proxy

    def _ask(
        self, asked: "_Asked", proxy: Proxy | None, headers: Headers, body: IBodyProducer | None
    ) -> "Deferred[IResponse]":
        if proxy is not None:
            return request_by(proxy, self._world, TIMEOUT, asked.verb, asked.url, headers, body)
        agent = asked.agent or self._agent
        return agent.request(asked.verb, asked.url.encode(), headers, body)

    def greet(self, server: Server) -> "Deferred[tuple[int, float | None]]":
        """The HTTP status of an ID server and its clock, in seconds since 1970; fails with `BitDustError`."""
        return Deferred.fromCoroutine(self._greet(server))

    async def _greet(self, server: Server) -> tuple[int, float | None]:
        response, _ = await self._exchange(_Asked(b"GET", f"http://{server.host}:{server.port}/"), None)
        dates = response.headers.getRawHeaders("date", [])
        try:
            return response.code, parsedate_to_datetime(dates[0]).timestamp() if dates else None
        except (ValueError, OverflowError):
            return response.code, None

    async def _request(
        self, verb: bytes, url: str, body: bytes | None, agent: Agent | None = None
    ) -> tuple[int, bytes]:
        response, text = await self._exchange(_Asked(verb, url, agent), body)
        return response.code, text

    async def _exchange(self, asked: "_Asked", body: bytes | None) -> tuple[IResponse, bytes]:
        url = asked.url
        headers = Headers({b"user-agent": [b"BitDust"], b"content-type": [b"application/xml"]})
        if asked.work:
            headers.setRawHeaders(HEADER, [asked.work])
        proxy = self._proxy_for(url)
        try:
            asking = self._ask(asked, proxy, headers, _Body(body) if body is not None else None)
            asking.addTimeout(TIMEOUT, self._world.clock)
            response: IResponse = await asking
            collector = _Limited()
            response.deliverBody(collector)
            collector.done.addTimeout(TIMEOUT, self._world.clock)
            answer = response, await collector.done
        except BitDustError:
            raise
        except NotReached as error:
            text = f"{error.text}, a private address, and no ID server that {KNOWN} names"
            raise BitDustError("not-allowed", text) from error
        except defer.TimeoutError as error:
            raise BitDustError("network-error", f"{url} gave no answer within {TIMEOUT:.0f} seconds") from error
        except Exception as error:
            by = f" by way of the proxy {proxy.name}" if proxy is not None else ""
            text = f"{url} cannot be reached{by}: {error or type(error).__name__}"
            raise BitDustError("network-error", text) from error
        if proxy is not None and response.code == 407:
            raise wrong_password(proxy)
        return answer


def _no_answer(failure: Failure) -> Failure | bool:
    return failure if failure.check(ProxyError) else False
