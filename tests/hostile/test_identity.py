"""Weaknesses 9, 14 and 20 of the original: what strangers try on an ID server, and what one that lies tries on us."""

import os
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from socket import inet_aton, inet_ntoa
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from zope.interface import implementer

from bitdust.batching import ThreadQueue
from bitdust.identity import client as client_module
from bitdust.identity import name_cost
from bitdust.identity import server as server_module
from bitdust.identity.client import TIMEOUT, IdentityClient
from bitdust.identity.document import MAX_SIZE, Device, IdentityDocument
from bitdust.identity.name_cost import NAMES_AT_A_PRICE, challenge_of, is_worked, work
from bitdust.identity.server import PUSHES_A_MINUTE, IdentityServer, Refused
from bitdust.identity.server_connections import LONGEST, MAX_OF_A_NETWORK
from bitdust.scopes.reservations import Resource
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.networks import HOUSEHOLD
from bitdust.world import ReactorNetwork, World
from tests.vectors.keys import device, master

START = 1_800_000_000.0
HOST = "127.0.0.1"
NUMBERS = [str(number) for number in range(9999)]
SETTINGS = {
    "services/identity-server/web-port": 0,
    "services/identity-server/host": HOST,
    "services/network/interface": HOST,
    "services/network/household": HOUSEHOLD,
    "services/network/refused": "",
    "services/identity-propagate/preferred-servers": "",
    "services/identity-propagate/known-servers": "",
    "services/network/proxy/enabled": False,
}


class Settings(dict):
    """Typed values."""

    def get(self, key: str) -> Any:
        return self[key]


def document(port: int, revision: int = 1, key: str = "master", host: str = HOST, **changes: Any) -> IdentityDocument:
    """Alice's document at one server; ``changes`` are made after the signature."""
    source = IDURL.parse(f"http://{host}:{port}/alice.xml")
    devices = (Device(0, 1, device().public),)
    made = IdentityDocument.create(master(key), (source,), revision, devices, START + revision)
    return evolve(made, **changes) if changes else made


class Body(FileBodyProducer):
    """Bytes to send."""

    def __init__(self, data: bytes) -> None:
        super().__init__(BytesIO(data))


@implementer(IHostnameResolver)
class Inwards:
    """Resolves names and numbers as a system does; every name leads to loopback, and one to a neighbour."""

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0, *_: Any) -> Any:  # noqa: N802, N803
        try:
            address = inet_ntoa(inet_aton(hostName))
        except OSError:
            address = "192.168.1.1" if hostName == "fritz.lan" else HOST
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", address, portNumber))
        receiver.resolutionComplete()
        return self


class WebCase(TestCase):
    """Real sockets on loopback; the node's own clock is moved by hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.home = Path(self.mktemp()).resolve()
        self.home.mkdir()
        self.settings = Settings(SETTINGS)
        self.world = World(
            self.clock, ReactorNetwork(reactor), self.home, lambda: START, run_in_thread=maybeDeferred
        )
        self.agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))

    async def ask(self, verb: str, port: int, path: str = "/", body: bytes | None = None) -> tuple[int, bytes]:
        url = f"http://{HOST}:{port}{path}".encode()
        response = await self.agent.request(verb.encode(), url, None, Body(body) if body is not None else None)
        return response.code, await readBody(response)

    def refused(self, code: str, awaitable: Any, kind: type[BitDustError] = BitDustError) -> "Deferred[Any]":
        deferred = awaitable if isinstance(awaitable, Deferred) else ensureDeferred(awaitable)
        return self.assertFailure(deferred, kind).addCallback(lambda error: self.assertEqual(error.code, code))


class ServerTests(WebCase):
    """An ID server keeps what was there."""

    async def setUp(self) -> None:
        super().setUp()
        self.server = IdentityServer(self.world, self.settings)
        self.port = await self.server.start()
        self.addCleanup(self.server.stop)

    async def push(self, data: bytes) -> int:
        return (await self.ask("POST", self.port, body=data))[0]

    async def holds(self, kept: IdentityDocument) -> None:
        self.assertEqual(await self.ask("GET", self.port, "/alice.xml"), (200, kept.xml))

    async def test_store_read_and_renew(self) -> None:
        """A good document is stored, read, refreshed and replaced by a newer one, with POST and PUT."""
        first, second = document(self.port, 1), document(self.port, 2)
        self.assertEqual((await self.ask("GET", self.port, "/alice.xml"))[0], 404)
        self.assertEqual(await self.ask("POST", self.port, body=first.xml), (200, b"new\n"))
        self.assertEqual(await self.ask("POST", self.port, body=first.xml), (200, b"refresh\n"))
        self.assertEqual(await self.ask("PUT", self.port, "/alice.xml", second.xml), (200, b"newer\n"))
        await self.holds(second)
        self.assertEqual(await self.ask("GET", self.port), (200, b"BitDust ID server\n"))
        path = self.home / "identityserver" / "alice.xml"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    async def test_bad_signatures(self) -> None:
        """A document whose fields are not those that were signed is refused with 400, field by field."""
        good = document(self.port, 5)
        self.assertEqual(await self.push(good.xml), 200)
        other = IDURL.parse(f"http://{HOST}:{self.port}/mallory.xml")
        changes = (
            {"revision": 6},
            {"date": "2030-01-01T00:00:00Z"},
            {"devices": (Device(0, 1, device("second").public),)},
            {"devices": (Device(0, 1, device().public, 5, 0),)},
            {"key": master("other").public.spki},
            {"name": "mallory", "sources": (other,)},
            {"sources": (*good.sources, IDURL.parse("http://evil.example/alice.xml"))},
            {"signature": bytes(256)},
            {"signature": good.signature[:-1]},
        )
        for change in changes:
            self.assertEqual(await self.push(evolve(good, **change).xml), 400, change)
        await self.holds(good)

    async def test_a_slow_disk(self) -> None:
        """While a document is being written, others are read, and it is acknowledged when it is on the disk, also to
        who pushes it again; a disk that takes none is said, and the name is free as before."""
        waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

        def slowly(call: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
            waiting.append((Deferred(), partial(call, *arguments)))
            return waiting[-1][0]

        def end() -> None:
            done, call = waiting.pop(0)
            maybeDeferred(call).chainDeferred(done)

        self.server._disk = ThreadQueue(slowly)
        first = document(self.port, 1)
        pushes = [self.server.accept(first.xml, HOST) for _ in range(2)]
        self.assertEqual((await self.ask("GET", self.port))[0], 200)
        self.assertEqual([one.called for one in pushes], [False, False])
        end()
        end()
        self.assertEqual([await one for one in pushes], ["new", "refresh"])
        self.patch(server_module, "write_safely", lambda path, data: os.open("/nowhere/at/all", os.O_RDONLY))
        pushing = self.server.accept(document(self.port, 2).xml, HOST)
        end()
        self.assertEqual((await self.assertFailure(pushing, Refused)).status, 507)
        await self.holds(first)

    async def test_rollback_and_fork(self) -> None:
        """An older document, and another one of the same revision, get 409 with what is kept."""
        first, second, fork = document(self.port, 1), document(self.port, 2), document(self.port, 2)
        fork = IdentityDocument.create(master(), fork.sources, 2, fork.devices, START + 99)
        self.assertEqual(await self.push(second.xml), 200)
        for bad in (first, fork):
            self.assertEqual(await self.ask("POST", self.port, body=bad.xml), (409, second.xml))
        await self.holds(second)

    async def test_another_key_under_the_same_name(self) -> None:
        """Who came first keeps the name, whatever revision another key shows."""
        mine = document(self.port, 1)
        self.assertEqual(await self.push(mine.xml), 200)
        self.assertEqual(await self.push(document(self.port, 2**31, "other").xml), 403)
        await self.holds(mine)

    async def test_documents_of_other_servers(self) -> None:
        """A document that does not name this server, and a claim, are not kept."""
        bad = (
            document(self.port + 1 if self.port < 65535 else 1),
            document(self.port, host="id.example"),
            document(self.port, 0),
        )
        for one in bad:
            self.assertEqual(await self.push(one.xml), 403)
        self.assertEqual((await self.ask("GET", self.port, "/alice.xml"))[0], 404)

    async def test_garbage(self) -> None:
        """What is no identity document gets 400, and names that lead elsewhere 404."""
        (self.home / "secret.xml").write_text("secret")
        good = document(self.port).xml
        evil = b'<!DOCTYPE identity [<!ATTLIST identity version CDATA "1">]>'
        body = good.split(b"\n", 1)[1]
        for data in (
            b"",
            b"x" * 300,
            good[:-30],
            good + b"<!-- -->",
            evil + body,
            (evil + body).decode().encode("utf-16-le"),
        ):
            self.assertEqual(await self.push(data), 400, data[:30])
        for path in (
            "/../secret.xml",
            "/%2e%2e/secret.xml",
            "/..%2fsecret.xml",
            "/secret.xml",
            "/alice",
            "/a/alice.xml",
        ):
            self.assertEqual((await self.ask("GET", self.port, path))[0], 404, path)

    async def test_large_bodies(self) -> None:
        """A body over 50,000 bytes gets 413 and leaves nothing, announced or not; one that never ends is cut off."""
        self.assertEqual(await self.push(b"x" * (MAX_SIZE + 1)), 413)
        self.assertEqual(await self.push(b"x" * MAX_SIZE), 400)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
        answer = await self.dial(head + chunk * 13 + b"0\r\n\r\n")
        self.assertIn(b"413", answer.split(b"\r\n")[0])
        self.assertEqual(await self.dial(head + chunk * 100), b"")
        self.assertEqual(list((self.home / "identityserver").iterdir()), [])

    def dial(self, data: bytes, stop: bytes = b"\r\n\r\n") -> "Deferred[bytes]":
        """Send bytes; fires with what came until the answer's head was there or the connection was lost."""
        done: Deferred[bytes] = Deferred()

        class Dialler(Protocol):
            got = b""

            def connectionMade(self) -> None:
                self.transport.write(data)

            def dataReceived(self, part: bytes) -> None:
                self.got += part
                if stop in self.got:
                    self.transport.loseConnection()

            def connectionLost(self, reason: Any = None) -> None:
                done.callback(self.got)

        factory = ClientFactory.forProtocol(Dialler)
        factory.noisy = False
        reactor.connectTCP(HOST, self.port, factory)
        return done

    async def test_too_many_pushes(self) -> None:
        """The addresses of one network push so many documents a minute; others are not kept waiting."""
        for number in range(PUSHES_A_MINUTE):
            self.assertEqual(self.assertRaises(Refused, self.server.accept, b"x", f"192.0.2.{number}").status, 400)
        self.assertEqual(self.assertRaises(Refused, self.server.accept, b"x", "192.0.2.1").status, 429)
        self.assertEqual(self.assertRaises(Refused, self.server.accept, b"x", "192.0.3.1").status, 400)
        self.clock.advance(61)
        self.assertEqual(self.assertRaises(Refused, self.server.accept, b"x", "192.0.2.1").status, 400)

    def connect(self, host: str = HOST) -> tuple[Any, Any]:
        """A connection of the server's factory over a transport that a test looks into."""
        transport = Wire()
        protocol = self.server._bounded.buildProtocol(IPv4Address("TCP", host, 1))
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol, transport

    async def test_slow_bodies(self) -> None:
        """A body that drips is cut off after a minute in all, although it never pauses for long."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(int(LONGEST) // 5 - 1):
            self.clock.advance(5)
            protocol.dataReceived(b"x")
        self.assertFalse(transport.aborted)
        self.clock.advance(5)
        self.assertTrue(transport.aborted)
        await self.server.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_slow_connections_of_one_network(self) -> None:
        """Hundreds of slow connections of one network take its share and no more: everybody else is served, and so is
        the next one of that network itself."""
        slow = [self.connect(f"192.0.2.{number % 256}") for number in range(400)]
        others = [self.connect(f"198.51.{number}.1") for number in range(100)]
        living = sum(not transport.aborted for _, transport in slow)
        self.assertEqual((living, any(transport.aborted for _, transport in others)), (MAX_OF_A_NETWORK, False))
        self.assertFalse(slow[-1][1].aborted)
        self.assertEqual((await self.ask("GET", self.port))[0], 200)
        await self.server.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_names_in_a_row(self) -> None:
        """A new name costs somebody from outside work, twice as much after each few; a change of it and the household
        cost nothing, and work for another key is none."""
        self.patch(name_cost, "CHEAPEST", 3)

        def asked(client: str, name: str, done: str = "") -> int | str:
            source = IDURL.parse(f"http://{HOST}:{self.port}/{name}.xml")
            made = IdentityDocument.create(master(), (source,), 1, (Device(0, 1, device().public),), START)
            try:
                return self.successResultOf(self.server.accept(made.xml, client, done))
            except Refused as refused:
                self.assertEqual(refused.status, 428)
                return refused.bits

        def done(name: str, bits: int) -> str:
            return work(challenge_of(name, f"{HOST}:{self.port}", master().fingerprint), bits)

        self.assertEqual(asked(HOST, "home"), "new")
        for number in range(2 * NAMES_AT_A_PRICE):
            name, bits = f"name-{number}", 3 + number // NAMES_AT_A_PRICE
            self.clock.advance(61)
            self.assertEqual([asked("192.0.2.7", name, wrong) for wrong in ("", "x", "9" * 30)], [bits] * 3)
            self.assertEqual(asked(f"192.0.2.{number}", name, done(name, bits)), "new")
        self.assertEqual((asked("198.51.100.1", "other"), asked("192.0.2.1", "name-1")), (3, "refresh"))
        last, others = (challenge_of("last", f"{HOST}:{self.port}", key) for key in (master().fingerprint, bytes(32)))
        for_others = next(found for found in NUMBERS if is_worked(others, found, 5) > is_worked(last, found, 5))
        self.assertEqual(asked("192.0.2.1", "last", for_others), 5)
        self.clock.advance(86_401)
        self.assertEqual(asked("192.0.2.1", "last"), 3)

    async def test_our_client_does_the_work(self) -> None:
        """Who registers a name at a server that wants work for it does that, and sees nothing of it."""
        self.settings["services/network/household"] = "192.168.1.0/24"
        made = document(self.port)
        (outcome,) = (await IdentityClient(self.world, self.settings).publish(made)).values()
        self.assertEqual(outcome.word, "stored")
        self.assertEqual((await self.ask("POST", self.port, body=made.xml)), (200, b"refresh\n"))
        other = IDURL.parse(f"http://{HOST}:{self.port}/bob.xml")
        unpaid = IdentityDocument.create(master("other"), (other,), 1, (Device(0, 1, device().public),), START)
        self.assertEqual(await self.push(unpaid.xml), 428)

    async def test_names_are_counted_once(self) -> None:
        """Whether there is room for a name costs no look at all the others."""
        await self.push(document(self.port).xml)
        self.patch(Path, "iterdir", None)
        self.patch(Path, "glob", None)
        self.patch(server_module, "MAX_IDENTITIES", 1)
        other = IDURL.parse(f"http://{HOST}:{self.port}/bob.xml")
        late = IdentityDocument.create(master("other"), (other,), 1, (Device(0, 1, device().public),), START)
        self.assertEqual(await self.push(late.xml), 429)
        self.assertEqual(await self.push(document(self.port, 2).xml), 200)

    async def test_too_many_connections(self) -> None:
        """There is a most of connections at a time; the one that has taken longest makes way for the next."""
        self.server._bounded.scopes.system.limits[Resource.CONNECTIONS] = 2
        open_ones = [self.connect() for _ in range(3)]
        self.assertEqual([transport.aborted for _, transport in open_ones], [True, False, False])
        await self.server.stop()
        self.assertTrue(all(transport.aborted for _, transport in open_ones))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Wire(StringTransport):
    """A transport that tells whether it was broken off."""

    aborted = False
    protocol: Any = None

    def abortConnection(self) -> None:
        if not self.aborted:
            self.aborted = True
            self.protocol.connectionLost(Failure(ConnectionAborted()))


class Liar(Protocol):
    """An ID server that answers any request with the bytes it was told, or with silence."""

    def connectionMade(self) -> None:
        self.factory.open.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.asked += data
        if self.factory.answer is not None and b"\r\n\r\n" in self.factory.asked:
            self.transport.write(self.factory.answer)
            if self.factory.closes:
                self.transport.loseConnection()
        for waiting in self.factory.waiting:
            if not waiting.called:
                waiting.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.open.remove(self)
        if not self.factory.open and self.factory.all_closed is not None:
            closed, self.factory.all_closed = self.factory.all_closed, None
            closed.callback(None)


def telling(heard: "Deferred[None]") -> type[Protocol]:
    """A collector of bodies that tells when a part has come."""

    class Telling(client_module._Limited):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            if not heard.called:
                heard.callback(None)

    return Telling


def http(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class LyingServerTests(WebCase):
    """Nothing that an ID server says makes us believe, store or fetch what we should not."""

    def setUp(self) -> None:
        super().setUp()
        self.liar = Factory.forProtocol(Liar)
        self.liar.noisy = False
        self.liar.open, self.liar.waiting, self.liar.asked = [], [], b""
        self.liar.answer, self.liar.closes, self.liar.all_closed = None, True, None
        listening = reactor.listenTCP(0, self.liar, interface=HOST)
        self.addCleanup(self.hang_up)
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.url = IDURL.parse(f"http://{HOST}:{self.port}/alice.xml")
        self.client = IdentityClient(self.world, self.settings)

    def hang_up(self) -> "Deferred[None] | None":
        if not self.liar.open:
            return None
        closed = self.liar.all_closed = Deferred()
        for one in list(self.liar.open):
            one.transport.abortConnection()
        return closed

    def fetch(self, answer: bytes | None) -> "Deferred[IdentityDocument]":
        self.liar.answer, self.liar.asked = answer, b""
        return self.client.fetch(self.url)

    async def test_good(self) -> None:
        """A true document is taken (so the refusals below are of the lies)."""
        good = document(self.port)
        self.assertEqual(await self.fetch(http(good.xml)), good)

    async def test_lies(self) -> None:
        """Weakness 9: a document that is forged, of another place, or none at all is refused."""
        good = document(self.port)
        lies = (
            (evolve(good, revision=9).xml, "bad-signature"),
            (evolve(good, key=master("other").public.spki).xml, "bad-signature"),
            (document(self.port, host="id.example").xml, "wrong-source"),
            (b"<html>" + b"x" * 300, "malformed"),
            (b"", "malformed"),
        )
        for body, code in lies:
            await self.refused(code, self.fetch(http(body)), WireError)

    async def test_sizes(self) -> None:
        """Weakness 14: a body that is too large, endless, cut off or no HTTP is an error, and the connection ends."""
        good = document(self.port).xml
        for answer in (http(b"x" * (MAX_SIZE + 1)), http(good, length=len(good) + 5), b"garbage\r\n\r\n", b""):
            await self.refused("network-error", self.fetch(answer))
        self.liar.closes = False
        endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + bytes(4096) + b"\r\n") * 20
        await self.refused("network-error", self.fetch(endless))

    async def test_redirects_are_not_followed(self) -> None:
        """Weakness 14: an answer that sends us elsewhere is an error; one request was made."""
        for status in ("301 Moved", "302 Found", "307 Temporary Redirect"):
            answer = http(b"", status, f"Location: http://{HOST}:{self.port}/other.xml")
            await self.refused("network-error", self.fetch(answer))
            self.assertEqual(self.liar.asked.count(b"GET "), 1)

    async def test_statuses(self) -> None:
        """Only 404 means that there is no such identity; everything else is an error of the network."""
        await self.refused("not-found", self.fetch(http(b"", "404 Not Found")))
        await self.refused("network-error", self.fetch(http(document(self.port).xml, "500 Oops")))
        self.liar.answer = http(b"", "404 Not Found")
        self.assertIs(await self.client.exists(self.url), None)
        self.liar.answer = http(b"", "500 Oops")
        await self.refused("network-error", self.client.exists(self.url))

    async def test_slow_answers(self) -> None:
        """Weakness 20: a server that says nothing, or only a part, is given up after ten seconds."""
        for answer in (None, http(b"x" * 300, length=1000)):
            self.liar.closes = False
            heard: Deferred[None] = Deferred()
            self.liar.waiting = [heard] if answer is None else []
            self.patch(client_module, "_Limited", telling(heard))
            fetching = self.fetch(answer)
            await heard
            self.assertNoResult(fetching)
            self.clock.pump([TIMEOUT / 2] * 5)
            await self.refused("network-error", fetching)

    async def test_private_addresses(self) -> None:
        """Weakness 14: no name of somebody leads into a private network, however it is spelled or resolved; one that is
        seen to be near leads into a network in which this node is, and a configured server is wherever it is."""
        resolver = reactor.installNameResolver(Inwards())
        self.addCleanup(reactor.installNameResolver, resolver)
        far = ("10.0.0.1", "192.168.1.1", "169.254.169.254", "fritz.lan")
        for host in (*far, "127.1", "2130706433", "0x7f.1", "017700000001", "2852039166", "id.example"):
            url = IDURL.parse(f"http://{host}:{self.port}/alice.xml")
            await self.refused("not-allowed", self.client.look_up(url))
        self.assertEqual(self.liar.asked, b"")
        self.liar.answer = http(document(self.port).xml)
        self.assertEqual((await self.client.look_up(self.url)).revision, 1)
        inside = IDURL.parse(f"http://id.example:{self.port}/alice.xml")
        self.settings["services/identity-propagate/known-servers"] = f"id.example:{self.port}"
        await self.refused("wrong-source", self.client.look_up(inside), WireError)

    async def test_answers_to_a_push(self) -> None:
        """A push never fails; each lie of the server has an outcome."""
        mine, other = document(self.port, 2), document(self.port, 3, "other")
        newer, forged = document(self.port, 5), evolve(mine, revision=7)
        answers = (
            (http(b"new\n"), "stored"),
            (http(newer.xml, "409 Conflict"), "stale"),
            (http(other.xml, "409 Conflict"), "refused"),
            (http(forged.xml, "409 Conflict"), "unreachable"),
            (http(b"no", "403 Forbidden"), "refused"),
            (http(b"x" * (MAX_SIZE + 1), "403 Forbidden"), "unreachable"),
            (b"", "unreachable"),
        )
        for answer, word in answers:
            self.liar.answer, self.liar.asked = answer, b""
            outcome = (await self.client.publish(mine))[self.url]
            self.assertEqual(outcome.word, word, answer[:60])
            self.assertEqual(outcome.document is not None, word == "stale")
