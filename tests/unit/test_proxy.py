"""Requests to ID servers by way of an HTTP proxy: a real small proxy, and real servers, on loopback."""

import base64
import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor, ssl
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.config.settings import Settings
from bitdust.crypt.files import make_private_folder
from bitdust.identity import proxy as proxy_module
from bitdust.identity.client import IdentityClient, Server
from bitdust.identity.proxy import SETTINGS, Proxy, ProxyError, Tunnel, is_loopback
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.world import ReactorNetwork, World
from tests.hostile.test_identity import HOST, START, document, http
from tests.unit.test_cli import run

NAME = "id.example"


class Onwards(Protocol):
    """The proxy's connection to a server."""

    def __init__(self, near: "Near", first: bytes) -> None:
        self.near, self.first = near, first

    def connectionMade(self) -> None:  # noqa: N802 - the interface's name
        self.transport.write(self.first)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.near.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - the interface's name
        self.near.transport.loseConnection()


class Near(Protocol):
    """A client's connection to the proxy; every name leads to the one server of the test."""

    def __init__(self) -> None:
        self.head, self.onwards = b"", None

    def connectionMade(self) -> None:  # noqa: N802 - the interface's name
        self.factory.open.append(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        if self.onwards is not None:
            self.onwards.transport.write(data)
            return
        self.head += data
        if b"\r\n\r\n" in self.head:
            self._asked()

    def _asked(self) -> None:
        lines = self.head.split(b"\r\n")
        self.factory.asked.append((lines[0], self.head))
        answer = self.factory.answer
        if answer is not None:
            self.transport.write(answer)
            self.transport.loseConnection()
        elif self.factory.password and b"Basic " + self.factory.password not in self.head:
            self.transport.write(http(b"", "407 Proxy Authentication Required", "Proxy-Authenticate: Basic"))
        elif lines[0].startswith(b"CONNECT "):
            self._tunnel()
        else:
            self._connect(self.head)

    def _tunnel(self) -> None:
        self._connect(b"").addCallback(lambda _: self.transport.write(b"HTTP/1.1 200 Here you are\r\n\r\n"))

    def _connect(self, first: bytes) -> Deferred:
        def connected(onwards: Onwards) -> None:
            self.onwards = onwards

        endpoint = TCP4ClientEndpoint(reactor, HOST, self.factory.server)
        return connectProtocol(endpoint, Onwards(self, first)).addCallback(connected)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - the interface's name
        if self.onwards is not None:
            self.onwards.transport.loseConnection()
        self.factory.closed.callback(None) if self.factory.closed else None


class Web(Protocol):
    """An ID server with one document."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.factory.asked.append(data)
        self.transport.write(http(self.factory.body))
        self.transport.loseConnection()


def certificate(host: str) -> tuple[ssl.PrivateCertificate, Any]:
    """A server's certificate that signs itself, and trust in it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    whole = ssl.PrivateCertificate.loadPEM(made.public_bytes(pem) + private)
    return whole, ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(made.public_bytes(pem))])


class ProxyCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        home = Path(self.mktemp()).absolute()
        make_private_folder(home)
        self.settings = Settings(home / "config")
        self.world = World(reactor, ReactorNetwork(reactor), home, lambda: START, run_in_thread=lambda call: call())
        self.client = IdentityClient(self.world, self.settings)
        self.web = Factory.forProtocol(Web)
        self.web.noisy, self.web.asked, self.web.body = False, [], b""
        self.proxy = Factory.forProtocol(Near)
        self.proxy.noisy, self.proxy.asked, self.proxy.open, self.proxy.closed = False, [], [], None
        self.proxy.password, self.proxy.answer = b"", None
        self.proxy.server = self.listen(self.web)
        self.use(host=HOST, port=self.listen(self.proxy), enabled=True)
        self.addCleanup(self.hang_up)

    def listen(self, factory: Factory, *certificates: Any) -> int:
        if certificates:
            port = reactor.listenSSL(0, factory, certificates[0].options(), interface=HOST)
        else:
            port = reactor.listenTCP(0, factory, interface=HOST)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def hang_up(self) -> Deferred:
        for near in self.proxy.open:
            near.transport.abortConnection()
        waiting: Deferred = Deferred()
        reactor.callLater(0.02, waiting.callback, None)
        return waiting

    def use(self, **values: Any) -> None:
        for name, value in values.items():
            self.settings.set(SETTINGS + name, value)

    def url(self, scheme: str = "http", port: int = 8084) -> IDURL:
        self.web.body = document(port, host=NAME).xml
        return IDURL.parse(f"{scheme}://{NAME}:{port}/alice.xml")

    async def refused(self, code: str, *words: str, url: IDURL | None = None) -> None:
        error = await self.assertFailure(self.client.fetch(url or self.url()), BitDustError)
        self.assertEqual(error.code, code, str(error))
        for word in words:
            self.assertIn(word, str(error))
        self.assertNotIn("very-secret", str(error))


class Silent:
    """A proxy that takes the connection and never says a word."""

    def __init__(self) -> None:
        self.transport = StringTransport()

    def connect(self, factory: Any) -> Deferred:
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(self.transport)
        return succeed(protocol)


class SilentTests(SynchronousTestCase):
    def test_nobody_waits_any_more(self) -> None:
        """A tunnel that is given up while the proxy is silent leaves no connection open."""
        silent = Silent()
        opening = Tunnel(Proxy("proxy.example", 3128), silent, NAME, 443).connect(Factory.forProtocol(Protocol))
        self.assertTrue(silent.transport.value().startswith(b"CONNECT id.example:443 "))
        self.assertFalse(silent.transport.disconnected)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(silent.transport.disconnected)


class PlainTests(ProxyCase):
    async def test_the_whole_address_is_asked_for(self) -> None:
        """An http request goes to the proxy with its whole address, and the answer comes back; nothing is resolved."""
        found = await self.client.fetch(self.url())
        self.assertEqual(found.global_id, f"alice@{NAME}_8084")
        ((line, head),) = self.proxy.asked
        self.assertEqual(line, f"GET http://{NAME}:8084/alice.xml HTTP/1.1".encode())
        self.assertIn(f"Host: {NAME}:8084".encode(), head)
        self.assertNotIn(b"authorization", head.lower())

    async def test_a_push_and_a_probe(self) -> None:
        """Publishing and probing go by way of the proxy, too."""
        outcome = await self.client.publish(document(8084, host=NAME))
        self.assertEqual([one.word for one in outcome.values()], ["stored"])
        self.assertTrue(await self.client.probe(Server(NAME, 8084)))
        self.assertEqual([line.split(b" ")[0] for line, _ in self.proxy.asked], [b"POST", b"GET"])

    async def test_a_probe_tells_of_the_proxy(self) -> None:
        """A probe is False for a server that is away, and fails where the proxy is what has to be mended."""
        self.proxy.answer = http(b"", "502 Bad Gateway")
        self.assertFalse(await self.client.probe(Server(NAME, 8084)))
        self.proxy.answer = http(b"", "407 Proxy Authentication Required")
        error = await self.assertFailure(self.client.probe(Server(NAME, 8084)), ProxyError)
        self.assertEqual(error.code, "proxy-password")
        self.use(host="")
        error = await self.assertFailure(self.client.probe(Server(NAME, 8084)), ProxyError)
        self.assertEqual(error.code, "bad-proxy")

    async def test_a_password(self) -> None:
        """With username and password they are sent to the proxy; a wrong one, or none, is an error that says so."""
        self.proxy.password = base64.b64encode(b"alice:very-secret: one")
        await self.refused("proxy-password", "wants a username and a password")
        self.use(username="alice", password="very-secret: another")
        await self.refused("proxy-password", "does not accept this username and password")
        self.use(password="very-secret: one")
        await self.client.fetch(self.url())
        self.assertNotIn(b"uthorization", self.web.asked[0].replace(b"Proxy-Authorization", b""))

    async def test_loopback_is_reached_directly(self) -> None:
        """An ID server on this machine is asked without the proxy."""
        port = self.proxy.server
        self.web.body = document(port).xml
        await self.client.fetch(IDURL.parse(f"http://{HOST}:{port}/alice.xml"))
        self.assertEqual(self.proxy.asked, [])

    async def test_errors(self) -> None:
        """A proxy that is away, answers rubbish or refuses is an error that names it; off means off at once."""
        self.proxy.answer = b"rubbish\r\n\r\n"
        await self.refused("network-error", "by way of the proxy 127.0.0.1:")
        self.proxy.answer = http(b"", "403 Forbidden")
        await self.refused("network-error", "HTTP status 403")
        self.use(port=1)
        await self.refused("network-error", "by way of the proxy 127.0.0.1:1")
        self.use(host="")
        await self.refused("bad-proxy", SETTINGS + "host")
        self.use(enabled=False)
        await self.refused("network-error", f"{NAME}")


class TunnelTests(ProxyCase):
    def setUp(self) -> None:
        super().setUp()
        self.private, self.trust = certificate(NAME)
        self.proxy.server = self.listen(self.web, self.private)
        make = proxy_module.optionsForClientTLS
        self.patch(proxy_module, "optionsForClientTLS", lambda host: make(host, self.trust))

    async def test_https_runs_end_to_end(self) -> None:
        """An https request is a tunnel through the proxy, which sees the host, the password, and nothing else."""
        self.proxy.password = base64.b64encode(b"alice:very-secret")
        self.use(username="alice", password="very-secret")
        url = self.url("https", 443)
        self.web.body = self.document_of(url)
        self.assertEqual((await self.client.fetch(url)).sources, (url,))
        ((line, head),) = self.proxy.asked
        self.assertEqual(line, f"CONNECT {NAME}:443 HTTP/1.1".encode())
        self.assertNotIn(b"alice.xml", head)
        self.assertNotIn(b"uthorization", self.web.asked[0])

    def document_of(self, url: IDURL) -> bytes:
        from bitdust.identity.document import Device, IdentityDocument
        from tests.vectors.keys import device, master

        return IdentityDocument.create(master("master"), (url,), 1, (Device(0, 1, device().public),), START).xml

    async def test_the_server_must_prove_its_name(self) -> None:
        """A proxy that leads elsewhere is found out by the certificate."""
        self.trust = certificate(NAME)[1]
        await self.refused("network-error", url=self.url("https", 443))
        self.assertEqual(self.web.asked, [])

    async def test_errors(self) -> None:
        """Each way in which a proxy can refuse a tunnel has its words; an endless answer is cut off."""
        url = self.url("https", 443)
        self.proxy.answer = http(b"no", "403 Forbidden by policy")
        await self.refused("proxy-refused", f"no connection to {NAME}:443", "403 Forbidden by policy", url=url)
        self.proxy.answer = http(b"", "407 Proxy Authentication Required")
        await self.refused("proxy-password", url=url)
        self.proxy.answer = b""
        await self.refused("proxy-refused", "without a word", url=url)
        self.proxy.answer = b"HTTP/1.1 200 OK\r\nX: " + bytes(20_000)
        await self.refused("proxy-refused", "no HTTP", url=url)
        self.use(port=1)
        await self.refused("network-error", "by way of the proxy 127.0.0.1:1", url=url)

    async def test_tls_to_the_proxy(self) -> None:
        """With ssl the proxy itself is spoken to over TLS, for http and https alike."""
        inner, trust = certificate("localhost")
        both = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(one.dumpPEM()) for one in (inner, self.private)])
        self.trust = both
        self.use(host="localhost", port=self.listen(self.proxy, inner), ssl=True)
        url = self.url("https", 443)
        self.web.body = self.document_of(url)
        await self.client.fetch(url)
        self.assertEqual(len(self.proxy.asked), 1)

    async def test_many_at_once(self) -> None:
        """Tunnels do not get in each other's way."""
        url = self.url("https", 443)
        self.web.body = self.document_of(url)
        found = await gatherResults([self.client.fetch(url) for _ in range(5)])
        self.assertEqual(len(found), 5)


class SettingsTests(SynchronousTestCase):
    def test_the_password_is_kept_from_view(self) -> None:
        """It is in no answer, in no repr, in a file that only its owner reads, and is refused in a command line."""
        home = Path(self.mktemp()).absolute()
        refused = run(str(home), "set", SETTINGS + "password", "very-secret")
        self.assertEqual(refused.exit_code, 2)
        self.assertNotIn("very-secret", refused.output)
        result = run(str(home), "set", SETTINGS + "password", "-", input="very-secret\n")
        self.assertEqual((result.exit_code, result.output), (0, f"{SETTINGS}password  - -> ***\n"))
        self.assertEqual(run(str(home), "get", SETTINGS + "password").output, "***\n")
        self.assertNotIn("very-secret", run(str(home), "--json", "config", "list", "--info").output)
        path = home / "config" / "settings.json"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertIn("very-secret", path.read_text())
        settings = Settings(home / "config")
        for name, value in (("enabled", True), ("host", "proxy.example"), ("port", 3128), ("username", "alice")):
            settings.set(SETTINGS + name, value)
        proxy = Proxy.of(settings)
        assert proxy is not None
        self.assertEqual((proxy.name, proxy.password), ("proxy.example:3128", "very-secret"))
        self.assertNotIn("very-secret", repr(proxy))
        settings.set(SETTINGS + "username", "a:b")
        self.assertEqual(self.assertRaises(BitDustError, Proxy.of, settings).code, "bad-proxy")

    def test_loopback(self) -> None:
        """Names and addresses of this machine itself."""
        for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "a.localhost"):
            self.assertTrue(is_loopback(host), host)
        for host in ("10.0.0.1", "id.example", "localhost.example", "2001:db8::1"):
            self.assertFalse(is_loopback(host), host)
