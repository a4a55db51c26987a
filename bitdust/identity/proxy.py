"""Requests by way of an HTTP proxy (RFC 9110, 7.2 and 9.3.6): the whole address for http, a tunnel for https.

Loopback is always reached directly. Only requests to ID servers go this way: sessions with peers and the DHT are no
HTTP, and need a network that lets them through.
"""

import base64
import ipaddress
from typing import Any, cast

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from bitdust.config.settings import Settings
from bitdust.wire.errors import BitDustError
from bitdust.world import World

SETTINGS = "services/network/proxy/"
MAX_ANSWER = 16 * 1024
"""Bytes of head with which a proxy may answer CONNECT."""


class ProxyError(BitDustError):
    """The proxy does not do its part; codes ``bad-proxy`` (the settings), ``proxy-refused``, ``proxy-password``."""


@frozen
class Proxy:
    """Where it is, how it is spoken to, and who we are to it."""

    host: str
    port: int
    ssl: bool = False
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "Proxy | None":
        """What the settings say, None when there is none. Raises `ProxyError` ``bad-proxy``."""
        if not settings.get(SETTINGS + "enabled"):
            return None
        values = {name: settings.get(SETTINGS + name) for name in ("host", "port", "ssl", "username", "password")}
        if not values["host"] or not values["port"]:
            text = f"{SETTINGS}enabled is true; say which with {SETTINGS}host and {SETTINGS}port, or switch it off"
            raise ProxyError("bad-proxy", text)
        if ":" in str(values["username"]):
            raise ProxyError("bad-proxy", f"{SETTINGS}username has a colon, which no proxy understands (RFC 7617)")
        return cls(**values)

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.host}:{self.port}"

    def headers(self) -> dict[bytes, list[bytes]]:
        """What every request to the proxy itself carries."""
        if not self.username:
            return {}
        given = base64.b64encode(f"{self.username}:{self.password}".encode())
        return {b"proxy-authorization": [b"Basic " + given]}

    def endpoint(self, world: World, timeout: float) -> IStreamClientEndpoint:
        """Dials the proxy, over TLS where it wants that."""
        plain = world.network.client(self.host, self.port, timeout)
        return wrapClientTLS(optionsForClientTLS(self.host), plain) if self.ssl else plain


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@implementer(IAgentEndpointFactory)
class _Tunnels:
    """Endpoints for https: a tunnel through the proxy, and TLS with the server inside it."""

    def __init__(self, world: World, proxy: Proxy, timeout: float) -> None:
        self._world, self._proxy, self._timeout = world, proxy, timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802 - the interface's name
        host = uri.host.decode("ascii")
        tunnel = Tunnel(self._proxy, self._proxy.endpoint(self._world, self._timeout), host, uri.port)
        return wrapClientTLS(optionsForClientTLS(host), tunnel)


def request_by(
    proxy: Proxy, world: World, timeout: float, verb: bytes, url: str, headers: Headers, body: IBodyProducer | None
) -> "Deferred[IResponse]":
    """One request by way of a proxy. The answer may be the proxy's own (407)."""
    clock = cast(Any, world.clock)
    pool = HTTPConnectionPool(clock, persistent=False)
    if url.startswith("https:"):
        tunnelled = Agent.usingEndpointFactory(clock, _Tunnels(world, proxy, timeout), pool)
        return cast("Deferred[IResponse]", tunnelled.request(verb, url.encode(), headers, body))
    sent = headers.copy()
    for name, values in proxy.headers().items():
        sent.setRawHeaders(name, values)
    agent = ProxyAgent(proxy.endpoint(world, timeout), clock, pool)
    return cast("Deferred[IResponse]", agent.request(verb, url.encode(), sent, body))


def wrong_password(proxy: Proxy) -> ProxyError:
    """What to do about a 407."""
    words = "does not accept this username and password" if proxy.username else "wants a username and a password"
    return ProxyError("proxy-password", f"the proxy {proxy.name} {words}: see {SETTINGS}username and password")


@implementer(IStreamClientEndpoint)
class Tunnel:
    """A connection to a host and port that a proxy makes for us (CONNECT)."""

    def __init__(self, proxy: Proxy, endpoint: IStreamClientEndpoint, host: str, port: int) -> None:
        self._proxy, self._endpoint = proxy, endpoint
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803 - the interface's name
        """Fires with the protocol that runs inside the tunnel."""

        def give_up(_: Any) -> None:
            dialling.cancel()
            mouth.give_up()

        opened: Deferred[IProtocol] = Deferred(give_up)
        mouth = _Mouth(self._proxy, self._target, protocolFactory, opened)
        dialling = self._endpoint.connect(Factory.forProtocol(lambda: mouth))
        dialling.addErrback(lambda failure: opened.errback(failure) if not opened.called else None)
        return opened


class _Mouth(TwistedProtocol):
    """Asks for the tunnel, then hands everything on."""

    def __init__(self, proxy: Proxy, target: str, factory: IProtocolFactory, opened: "Deferred[IProtocol]") -> None:
        self._proxy, self._target = proxy, target
        self._wanted, self._opened = factory, opened
        self._inner: Any = None
        self._head = b""

    def connectionMade(self) -> None:  # noqa: N802 - the interface's name
        lines = [f"CONNECT {self._target} HTTP/1.1".encode(), b"Host: " + self._target.encode()]
        lines += [name.title() + b": " + value for name, values in self._proxy.headers().items() for value in values]
        cast(Any, self.transport).write(b"\r\n".join([*lines, b"", b""]))

    def give_up(self) -> None:
        """Nobody waits for the tunnel any more: a proxy that never answers must not keep the connection."""
        if self.transport is not None:
            cast(Any, self.transport).abortConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._answered(head.split(b"\r\n")[0].decode("latin-1"), rest)
        elif len(self._head) > MAX_ANSWER:
            self._refuse(ProxyError("proxy-refused", f"the proxy {self._proxy.name} answers something that is no HTTP"))

    def _answered(self, line: str, rest: bytes) -> None:
        words = line.split(" ", 2)
        status = words[1] if len(words) > 1 and words[0].startswith("HTTP/1.") else ""
        if status == "407":
            self._refuse(wrong_password(self._proxy))
        elif len(status) == 3 and status.startswith("2"):
            self._open(rest)
        else:
            text = f"the proxy {self._proxy.name} makes no connection to {self._target}: {line[:100]}"
            self._refuse(ProxyError("proxy-refused", text))

    def _open(self, rest: bytes) -> None:
        transport = cast(Any, self.transport)
        inner = self._wanted.buildProtocol(cast(IAddress, transport.getPeer()))
        if inner is None:
            transport.abortConnection()
            return
        self._inner, self._head = inner, b""
        inner.makeConnection(transport)
        if not self._opened.called:
            self._opened.callback(inner)
        if rest:
            self._inner.dataReceived(rest)

    def _refuse(self, error: ProxyError) -> None:
        if not self._opened.called:
            self._opened.errback(error)
        cast(Any, self.transport).abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - the interface's name
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self._opened.called:
            text = f"the proxy {self._proxy.name} closed the connection without a word"
            self._opened.errback(ProxyError("proxy-refused", text))
